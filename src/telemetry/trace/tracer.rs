//! In: `[trace]`. Out: who decides whether a trace that begins here is recorded, and takes its spans.

use std::sync::Arc;

use super::context::{SpanId, TraceId};
use super::queue::Queue;
use super::span::Span;
use crate::config::{ResolvedSecrets, TraceRule};
use crate::telemetry::Metrics;

/// Takes spans for one configuration. When nobody uses it any more, what it holds is still sent.
#[derive(Debug)]
pub struct Tracer {
    queue: Arc<Queue>,
    /// A trace is recorded whose random part is no less than this.
    threshold: u64,
}

impl Tracer {
    /// Starts to take spans, on the runtime this is called on.
    ///
    /// # Errors
    ///
    /// What is wrong with the certificates or headers that the configuration names, or that this program was built
    /// without the export of spans.
    pub fn start(rule: &TraceRule, secrets: &ResolvedSecrets, metrics: &Metrics) -> Result<Arc<Self>, String> {
        let queue = Arc::new(Queue::new(rule.queue_max, rule.batch_max, metrics));
        start_export(rule, secrets, &queue)?;
        Ok(Arc::new(Self { queue, threshold: threshold(rule.sample) }))
    }

    /// Whether a trace that begins here is recorded: the same everywhere, for the same trace and share.
    pub(super) fn samples(&self, trace: TraceId) -> bool {
        trace.randomness() >= self.threshold
    }

    pub(super) fn take(&self, spans: Vec<Span>) {
        self.queue.put(spans);
    }

    /// Does not wait any longer for spans to gather.
    pub fn hurry(&self) {
        self.queue.hurry();
    }

    /// Waits until every span was sent or given up.
    pub async fn flush(&self) {
        self.queue.flush().await;
    }

    /// Spans that were neither sent nor given up so far.
    pub fn left(&self) -> usize {
        self.queue.left()
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.queue.close();
    }
}

#[cfg(feature = "otlp")]
fn start_export(rule: &TraceRule, secrets: &ResolvedSecrets, queue: &Arc<Queue>) -> Result<(), String> {
    let collector = super::export::Collector::new(rule, secrets).map_err(|error| format!("[trace]: {error}"))?;
    tokio::spawn(super::export::run(Arc::clone(queue), collector, rule.interval));
    Ok(())
}

#[cfg(not(feature = "otlp"))]
fn start_export(_: &TraceRule, _: &ResolvedSecrets, _: &Arc<Queue>) -> Result<(), String> {
    Err("[trace]: this program was built without the export of spans (feature `otlp`)".to_owned())
}

fn threshold(share: f64) -> u64 {
    #[expect(clippy::cast_precision_loss, reason = "a power of two")]
    let all = RANDOMNESS as f64;
    #[expect(clippy::cast_sign_loss, reason = "a share is from 0 to 1")]
    let threshold = ((1.0 - share) * all) as u64;
    threshold
}

/// An id that no other trace has; zero would not be one.
pub(super) fn new_trace_id() -> TraceId {
    TraceId(random())
}

/// An id that no other span of its trace has.
pub(super) fn new_span_id() -> SpanId {
    SpanId(random())
}

/// A system without random numbers has other worries than that its ids are all the same.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if getrandom::fill(&mut bytes).is_err() || bytes == [0; N] {
        bytes = [1; N];
    }
    bytes
}

/// One more than the largest random part.
const RANDOMNESS: u64 = 1 << 56;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_traces_is_recorded() {
        assert_eq!((threshold(1.0), threshold(0.0)), (0, RANDOMNESS));
        let least = threshold(0.1);
        let recorded = (0..20_000).filter(|_| new_trace_id().randomness() >= least).count();
        // Twenty standard deviations to either side.
        assert!((1_150..2_850).contains(&recorded), "{recorded}");
    }
}
