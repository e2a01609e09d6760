//! One timer for many waits.
//!
//! In: something to wait for, and until when. Out: what it came to, unless it came too late. Waits that follow each
//! other end later and later, and nearly all of them come to something: so the timer of an earlier wait is left as it
//! is, and set again only when it has gone off. Setting one for every wait costs as much as a small system call.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// The timer, once there is one.
#[derive(Debug, Default)]
pub(crate) struct Patience(Option<Pin<Box<Sleep>>>);

impl Patience {
    /// Waits for something, but not after `until`.
    pub(crate) async fn bound<F: Future>(&mut self, until: Instant, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let mut begun = false;
        poll_fn(|cx| {
            if let Poll::Ready(outcome) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(outcome));
            }
            if !begun {
                begun = true;
                // A timer that would go off too late is of no use.
                self.0.take_if(|timer| timer.deadline() > until);
            }
            self.pass(until, cx).map(|()| None)
        })
        .await
    }

    fn pass(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        loop {
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= until {
                return Poll::Ready(());
            }
            timer.as_mut().reset(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_wait_ends_when_it_should_whatever_the_one_before_it_was() {
        let mut patience = Patience::default();
        for (given, takes, expected) in
            [(10, 3, 3), (10, 20, 10), (2, 20, 2), (30, 29, 29), (1, 5, 1), (5, 0, 0), (5, 9, 5)]
        {
            let begun = Instant::now();
            let wait = patience.bound(begun + Duration::from_secs(given), sleep(Duration::from_secs(takes)));
            assert_eq!(wait.await.is_some(), takes < given, "{takes} of {given}");
            assert_eq!(begun.elapsed().as_secs(), expected, "{takes} of {given}");
        }
    }
}
