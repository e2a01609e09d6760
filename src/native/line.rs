//! One server: its connections, and when it may be called.
//!
//! In: a request that may or may not be repeated. Out: an outcome by the deadline. Turns, the circuit breaker, the time
//! of an attempt and repetitions are settled here; what a reply means is not.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::breaker::{Breaker, is_failure};
use super::outgoing::Outgoing;
use super::retry;
use super::transport::Transport;
use super::turns::Turns;
use crate::config::Retry;
use crate::plan::{NativeFailure, NativeOutcome};
use crate::telemetry::Metrics;
use crate::telemetry::events::BreakerChanged;
use crate::telemetry::series::{Counted, LineSeries};

/// One server.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) name: Arc<str>,
    pub(super) transport: Transport,
    pub(super) turns: Turns,
    pub(super) breaker: Breaker,
    /// Time per attempt.
    pub(super) timeout: Duration,
    pub(super) retry: Retry,
    pub(super) metrics: Arc<Metrics>,
    pub(super) series: LineSeries,
}

impl Line {
    /// Sends a request, again where that may help; counts its attempts.
    pub(super) async fn send(
        &self,
        request: &Outgoing<'_>,
        repeatable: bool,
        deadline: Instant,
        attempts: &mut u32,
    ) -> NativeOutcome {
        let mut made = 0;
        loop {
            let outcome = match self.attempt(request, deadline).await {
                Ok(outcome) => outcome,
                Err(failure) => return NativeOutcome::Failed(failure),
            };
            made += 1;
            *attempts += 1;
            if !retry::worth_repeating(repeatable, &outcome) {
                return outcome;
            }
            let Some(pause) = retry::pause(self.retry, repeatable, &outcome, made, retry::jitter()) else {
                return outcome;
            };
            if Instant::now() + pause >= deadline {
                return outcome;
            }
            self.series.retried(retry::reason(&outcome));
            tracing::debug!(backend = %self.name, attempts = *attempts, "native call is repeated");
            Box::pin(sleep(pause)).await;
        }
    }

    /// One attempt; an error is why there was none.
    async fn attempt(&self, request: &Outgoing<'_>, deadline: Instant) -> Result<NativeOutcome, NativeFailure> {
        // The clock is read again only after a wait. What waits is boxed, as it is rare and would make room in every call.
        let mut now = Instant::now();
        if now >= deadline {
            return Err(NativeFailure::Timeout);
        }
        let _turn = match self.turns.at_once() {
            Some(turn) => turn,
            None => {
                let turn = Box::pin(self.turns.take(deadline)).await.map_err(|_| NativeFailure::Busy)?;
                now = Instant::now();
                turn
            }
        };
        let pass = self.breaker.admit(now).map_err(|left| {
            NativeFailure::CircuitOpen(u32::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u32::MAX))
        })?;
        if pass.is_probe() {
            self.note_breaker();
        }
        if self.turns.are_spaced() {
            Box::pin(self.turns.space(deadline)).await.map_err(|_| NativeFailure::Busy)?;
            now = Instant::now();
        }
        let _in_flight = Counted::begin(&self.series.in_flight);
        let begun = now;
        let until = deadline.min(begun + self.timeout);
        let outcome = match self.transport.exchange(request, begun, until).await {
            Ok(reply) => NativeOutcome::Reply(reply),
            // An attempt that had less time than it is allowed says nothing about the server.
            Err(NativeFailure::Timeout) if deadline < begun + self.timeout => {
                return Ok(NativeOutcome::Failed(NativeFailure::Timeout));
            }
            Err(failure) => NativeOutcome::Failed(failure),
        };
        // To the breaker, it matters when a call failed, and not when one was answered.
        let settled = if is_failure(&outcome) { Instant::now() } else { begun };
        if pass.settle(&outcome, settled).is_some() {
            self.note_breaker();
        }
        Ok(outcome)
    }

    /// Tells the metrics what the breaker is at the moment.
    pub(super) fn note_breaker(&self) {
        BreakerChanged { backend: &self.name, state: self.breaker.state() }.emit(&self.metrics);
    }
}
