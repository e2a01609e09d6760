//! Calls to applications, and how applications and their credentials are.

use super::{CodeText, millis};
use crate::mapping::{Origin, Slot};
use crate::native::{BreakerState, CallRecord};
use crate::plan::NativeOutcome;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::registry::observe;
use crate::telemetry::series::CallSeries;

/// A native call was carried out, or not.
#[derive(Debug)]
pub struct NativeCalled<'a> {
    /// Name of the backend.
    pub backend: &'a str,
    /// The call and its outcome.
    pub record: CallRecord<'a>,
    /// The series of this backend and the call's slot.
    pub series: &'a CallSeries,
    /// `X-Request-Id` of the request that it was made for.
    pub request_id: &'a str,
    /// The id of its trace, if it stands in one.
    pub trace_id: Option<&'a str>,
}

impl NativeCalled<'_> {
    /// Logs and counts. Neither path nor body is logged: both may hold personal data.
    pub fn emit(&self, metrics: &Metrics) {
        let slot = self.record.call.slot.as_str();
        if self.record.kept {
            metrics.native.requests.with_label_values(&[self.backend, slot, "none", "kept"]).inc();
            return;
        }
        let (status, outcome) = match self.record.outcome {
            NativeOutcome::Reply(reply) => (reply.status, if reply.unreadable { "unreadable" } else { "reply" }),
            NativeOutcome::Failed(failure) => (0, failure.as_str()),
        };
        let find = || {
            let mut code = CodeText::default();
            let code = if status == 0 { "none" } else { code.of(status) };
            metrics.native.requests.with_label_values(&[self.backend, slot, code, outcome])
        };
        match outcome {
            "reply" => self.series.replies.count(status, find),
            _ => find().inc(),
        }
        let duration = || metrics.native.request_duration.with_label_values(&[self.backend, slot]);
        observe(self.series.duration.get_or_init(duration), self.record.duration);
        tracing::debug!(
            target: NATIVE,
            request_id = self.request_id,
            trace_id = self.trace_id,
            backend = self.backend,
            slot,
            status,
            outcome,
            attempts = self.record.attempts,
            origin = %self.record.call.origin,
            duration_ms = millis(self.record.duration),
            "native call"
        );
    }
}

/// A backend refused a credential of the adapter, a fresh one too: somebody has to renew it.
#[derive(Debug)]
pub struct CredentialRefused<'a> {
    /// Name of the backend.
    pub backend: &'a str,
    /// The call that was refused.
    pub slot: Slot,
    /// Its place in the configuration.
    pub origin: &'a Origin,
}

impl CredentialRefused<'_> {
    /// Logs and counts.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.native.credential_refusals.with_label_values(&[self.backend]).inc();
        let (backend, slot, origin) = (self.backend, self.slot.as_str(), self.origin);
        tracing::error!(target: NATIVE, backend, slot, %origin, "the adapter's own credential was refused; renew it");
    }
}

/// A login was tried.
#[derive(Debug)]
pub struct LoggedIn<'a> {
    /// Name of the backend.
    pub backend: &'a str,
    /// `ok`, or the word of a failure.
    pub outcome: &'static str,
}

impl LoggedIn<'_> {
    /// Logs and counts.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.native.logins.with_label_values(&[self.backend, self.outcome]).inc();
        let Self { backend, outcome } = *self;
        tracing::info!(target: NATIVE, backend, outcome, "logged in to the application, or not");
    }
}

/// The circuit breaker of a backend is what it was not before.
#[derive(Debug)]
pub struct BreakerChanged<'a> {
    /// Name of the backend.
    pub backend: &'a str,
    /// What it is.
    pub state: BreakerState,
}

impl BreakerChanged<'_> {
    /// Logs and sets the gauge.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.native.breaker_state.with_label_values(&[self.backend]).set(self.state.level());
        if self.state == BreakerState::Open {
            metrics.native.breaker_opened.with_label_values(&[self.backend]).inc();
        }
        let (backend, state) = (self.backend, self.state.as_str());
        match self.state {
            BreakerState::Open => {
                tracing::warn!(target: NATIVE, backend, state, "the application keeps failing and is left alone");
            }
            BreakerState::HalfOpen | BreakerState::Closed => {
                tracing::debug!(target: NATIVE, backend, state, "circuit breaker");
            }
        }
    }
}

const NATIVE: &str = "scimshim::native";
