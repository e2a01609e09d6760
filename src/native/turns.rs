//! When a call may begin: so many under way, so many waiting, so much time between two beginnings.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::IntGauge;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::telemetry::series::Counted;

/// The turns of one backend.
#[derive(Debug)]
pub(super) struct Turns {
    /// One permit per call under way.
    gate: Semaphore,
    waiting: AtomicUsize,
    queue: usize,
    spacing: Option<Duration>,
    /// When the next call may begin.
    next: Mutex<Instant>,
    /// Whoever waits, for a place or for its time.
    queued: IntGauge,
}

/// No turn comes in time, or too many wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoTurn;

impl Turns {
    pub(super) fn new(concurrency: usize, queue: usize, spacing: Option<Duration>, queued: IntGauge) -> Self {
        let gate = Semaphore::new(concurrency.clamp(1, Semaphore::MAX_PERMITS));
        Self { gate, waiting: AtomicUsize::new(0), queue, spacing, next: Mutex::new(Instant::now()), queued }
    }

    /// A place among those under way, if there is one.
    pub(super) fn at_once(&self) -> Option<SemaphorePermit<'_>> {
        self.gate.try_acquire().ok()
    }

    /// Waits for a place among those under way.
    pub(super) async fn take(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, NoTurn> {
        if let Some(permit) = self.at_once() {
            return Ok(permit);
        }
        let _waiting = Waiting::begin(&self.waiting, self.queue)?;
        let _queued = Counted::begin(&self.queued);
        match timeout_at(deadline, self.gate.acquire()).await {
            // A turn that comes with the deadline comes too late.
            Ok(Ok(permit)) if Instant::now() < deadline => Ok(permit),
            _ => Err(NoTurn),
        }
    }

    /// Whether a call that has its place may have to wait still.
    pub(super) fn are_spaced(&self) -> bool {
        self.spacing.is_some()
    }

    /// Waits until the next call may begin.
    pub(super) async fn space(&self, deadline: Instant) -> Result<(), NoTurn> {
        let Some(spacing) = self.spacing else { return Ok(()) };
        let begin = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = (*next).max(Instant::now());
            if begin >= deadline {
                return Err(NoTurn);
            }
            *next = begin + spacing;
            begin
        };
        let _queued = Counted::begin(&self.queued);
        sleep_until(begin).await;
        Ok(())
    }
}

/// Counts a caller while it waits, however that ends.
struct Waiting<'t>(&'t AtomicUsize);

impl<'t> Waiting<'t> {
    fn begin(waiting: &'t AtomicUsize, max: usize) -> Result<Self, NoTurn> {
        let counted = Self(waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) < max { Ok(counted) } else { Err(NoTurn) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    fn queued() -> IntGauge {
        IntGauge::new("queued", "Waiting.").unwrap()
    }

    /// Polls once: a future that waits has begun to.
    fn begin<F: Future>(future: &mut std::pin::Pin<&mut F>) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        future.as_mut().poll(&mut context).is_pending()
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_counted_until_it_goes_away() {
        let turns = Turns::new(1, 5, Some(Duration::from_secs(2)), queued());
        let held = turns.take(soon()).await.unwrap();
        turns.space(soon()).await.unwrap();
        assert_eq!(turns.queued.get(), 0);
        {
            let (mut place, mut time) = (std::pin::pin!(turns.take(soon())), std::pin::pin!(turns.space(soon())));
            assert!(begin(&mut place) && begin(&mut time));
            assert_eq!(turns.queued.get(), 2);
        }
        assert_eq!(turns.queued.get(), 0);
        drop(held);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_wait_and_no_more() {
        let turns = Turns::new(1, 2, None, queued());
        let held = turns.take(soon()).await.unwrap();
        let (one, two, three) = tokio::join!(turns.take(soon()), turns.take(soon()), turns.take(soon()));
        assert_eq!([one.map(drop), two.map(drop), three.map(drop)], [Err(NoTurn); 3]);
        // The third was turned away at once, and the others when their time was over: nobody is left waiting.
        assert_eq!((turns.waiting.load(Ordering::Relaxed), turns.queued.get()), (0, 0));
        drop(held);
        assert!(turns.take(soon()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_begin_one_after_another_and_none_after_its_deadline() {
        let turns = Turns::new(10, 0, Some(Duration::from_secs(2)), queued());
        let start = Instant::now();
        let begun = async || turns.space(soon()).await.map(|()| start.elapsed().as_secs());
        let (one, two, three, four) = tokio::join!(begun(), begun(), begun(), begun());
        assert_eq!([one, two, three, four], [Ok(0), Ok(2), Ok(4), Err(NoTurn)]);
        // The one that gave up took no turn.
        assert_eq!(turns.space(soon() + Duration::from_secs(5)).await.map(|()| start.elapsed().as_secs()), Ok(6));
    }
}
