//! Spans on their way to the collector: so many and no more.
//!
//! In: spans, from requests that do not wait. Out: batches, for one who sends them. What finds no room is dropped and
//! counted.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::IntCounter;
use tokio::sync::watch;

use super::span::Span;
use crate::telemetry::Metrics;

#[cfg_attr(
    all(not(feature = "otlp"), not(test)),
    expect(dead_code, reason = "there is nobody who sends in a build without the export")
)]
#[derive(Debug)]
pub(super) struct Queue {
    spans: Mutex<Vec<Span>>,
    state: watch::Sender<State>,
    max: usize,
    batch_max: usize,
    pub(super) sent: IntCounter,
    pub(super) failed: IntCounter,
    dropped: IntCounter,
}

/// What whoever sends waits for.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    waiting: usize,
    /// Taken, and neither sent nor given up.
    under_way: usize,
    /// Nobody waits for more to gather.
    hurry: bool,
    /// Nobody puts anything in any more.
    closed: bool,
}

#[cfg_attr(
    all(not(feature = "otlp"), not(test)),
    expect(dead_code, reason = "there is nobody who sends in a build without the export")
)]
impl Queue {
    pub(super) fn new(max: usize, batch_max: usize, metrics: &Metrics) -> Self {
        let counter = |outcome| metrics.spans_exported.with_label_values(&[outcome]);
        Self {
            spans: Mutex::default(),
            state: watch::Sender::default(),
            max,
            batch_max,
            sent: counter("sent"),
            failed: counter("failed"),
            dropped: counter("dropped"),
        }
    }

    /// Takes the spans of one request, all or none.
    pub(super) fn put(&self, mut spans: Vec<Span>) {
        let count = spans.len();
        let mut held = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() + count > self.max {
            drop(held);
            self.dropped.inc_by(count as u64);
            return;
        }
        held.append(&mut spans);
        let waiting = held.len();
        self.state.send_modify(|state| state.waiting = waiting);
    }

    pub(super) fn hurry(&self) {
        self.state.send_modify(|state| state.hurry = true);
    }

    pub(super) fn close(&self) {
        self.state.send_modify(|state| state.closed = true);
    }

    /// Waits until all is sent or given up.
    pub(super) async fn flush(&self) {
        self.hurry();
        let mut watched = self.state.subscribe();
        // The other end of this channel is `self`, so that it cannot be gone.
        let _ = watched.wait_for(|state| state.waiting == 0 && state.under_way == 0).await;
    }

    pub(super) fn left(&self) -> usize {
        let State { waiting, under_way, .. } = *self.state.borrow();
        waiting + under_way
    }

    /// The next batch: a full one, or what has gathered. `None` once there will be no more.
    pub(super) async fn next(&self, gather: Duration) -> Option<Vec<Span>> {
        let mut watched = self.state.subscribe();
        // As above.
        let _ = watched.wait_for(|state| state.waiting > 0 || state.closed).await;
        let enough = watched.wait_for(|state| state.waiting >= self.batch_max || state.hurry || state.closed);
        // Time over is as good.
        let _ = tokio::time::timeout(gather, enough).await;
        let mut held = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let batch: Vec<Span> = {
            let count = held.len().min(self.batch_max);
            held.drain(..count).collect()
        };
        let waiting = held.len();
        self.state.send_modify(|state| {
            *state = State { waiting, under_way: batch.len(), hurry: state.hurry && waiting > 0, ..*state };
        });
        (!batch.is_empty()).then_some(batch)
    }

    /// The batch taken last was sent, or given up.
    pub(super) fn settled(&self) {
        self.state.send_modify(|state| state.under_way = 0);
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::telemetry::trace::{SpanKind, tracer};

    fn spans(count: usize) -> Vec<Span> {
        let span = || Span {
            trace: tracer::new_trace_id(),
            id: tracer::new_span_id(),
            parent: None,
            parent_is_remote: false,
            flags: 1,
            state: None,
            name: Cow::Borrowed("x"),
            kind: SpanKind::Internal,
            start: 1,
            end: 2,
            attributes: Vec::new(),
            events: Vec::new(),
            failed: false,
        };
        (0..count).map(|_| span()).collect()
    }

    #[tokio::test]
    async fn what_finds_no_room_is_dropped_and_counted() {
        let metrics = Metrics::new().unwrap();
        let queue = Queue::new(10, 4, &metrics);
        for _ in 0..4 {
            queue.put(spans(3));
        }
        assert_eq!(queue.dropped.get(), 3);
        // A full batch does not wait.
        let batch = queue.next(Duration::from_secs(3600)).await.unwrap();
        assert_eq!(batch.len(), 4);
        queue.put(spans(3));
        assert_eq!(queue.dropped.get(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_what_has_gathered() {
        let metrics = Metrics::new().unwrap();
        let queue = Queue::new(10, 4, &metrics);
        queue.put(spans(1));
        let begun = tokio::time::Instant::now();
        assert_eq!(queue.next(Duration::from_secs(5)).await.unwrap().len(), 1);
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
        queue.settled();
        queue.put(spans(2));
        queue.close();
        assert_eq!(queue.next(Duration::from_secs(5)).await.unwrap().len(), 2);
        queue.settled();
        assert!(queue.next(Duration::from_secs(5)).await.is_none());
        queue.flush().await;
        assert_eq!(queue.left(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_flushes_does_not_wait_for_more_to_gather() {
        let metrics = Metrics::new().unwrap();
        let queue = Queue::new(10, 4, &metrics);
        queue.put(spans(2));
        let begun = tokio::time::Instant::now();
        let sending = async {
            assert_eq!(queue.next(Duration::from_secs(5)).await.unwrap().len(), 2);
            assert_eq!((begun.elapsed(), queue.left()), (Duration::ZERO, 2));
            queue.settled();
        };
        tokio::join!(queue.flush(), sending);
        assert_eq!(queue.left(), 0);
    }
}
