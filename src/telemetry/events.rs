//! One struct for each thing that happens; [`emit`](ScimAnswered::emit) writes its log line and its metrics.
//!
//! What can be read here is all that ever reaches the log from the request path.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::IntCounter;

use super::metrics::Metrics;
use super::registry::observe;
use super::series::{AnswerSeries, Answered, CallSeries, DroppedReason};
use super::tenants::Tenant;
pub use super::window::Provisioning;
use crate::mapping::{Origin, Slot};
use crate::native::{BreakerState, CallRecord};
use crate::plan::{NativeOutcome, Report};
use crate::proxy::head::Refusal;
use crate::scim::Bound;
use crate::scim::error::Side;

/// What a SCIM request was about, in words of the configuration and the RFC.
#[derive(Clone, Debug)]
pub struct RequestLabels {
    /// Route template as configured, or `none`.
    pub route: Arc<str>,
    /// `User`, `Group`, ..., or `none`.
    pub resource_type: Arc<str>,
    /// `list`, `get`, `create`, `replace`, `patch`, `delete`, `bulk`, `discovery` or `none`.
    pub operation: &'static str,
    /// `GET`, `POST`, ..., or `other`.
    pub method: &'static str,
    /// What it is to the identity provider.
    pub provisioning: Provisioning,
    /// Whose it is, once its credential was accepted.
    pub tenant: Option<Arc<Tenant>>,
    /// The series of exactly these labels.
    series: Arc<AnswerSeries>,
}

impl RequestLabels {
    /// Labels whose series are found when they are needed; clones share them.
    pub fn new(route: Arc<str>, resource_type: Arc<str>, operation: &'static str) -> Self {
        let (method, provisioning) = ("other", Provisioning::Other);
        Self { route, resource_type, operation, method, provisioning, tenant: None, series: Arc::default() }
    }

    /// The same of a method, and of what it is to the identity provider.
    #[must_use]
    pub fn with(self, method: &'static str, provisioning: Provisioning) -> Self {
        Self { method, provisioning, ..self }
    }

    /// What the tenant is called, if its route tells tenants apart.
    pub fn tenant_name(&self) -> Option<&str> {
        self.tenant.as_ref().and_then(|tenant| tenant.name())
    }

    /// Makes the series of answers of these statuses, and those of their times.
    pub fn known(&self, metrics: &Metrics, statuses: &[u16]) {
        for status in statuses {
            self.series.answers.find(*status, || self.counter(metrics, *status, None));
        }
        let labels = [&*self.resource_type, self.operation];
        self.series.duration.get_or_init(|| metrics.request_duration.with_label_values(&labels));
        self.series.mapping.get_or_init(|| metrics.mapping_duration.with_label_values(&labels));
    }

    fn counter(&self, metrics: &Metrics, status: u16, scim_type: Option<&'static str>) -> IntCounter {
        let mut code = CodeText::default();
        let (code, scim_type) = (code.of(status), scim_type.unwrap_or("none"));
        let outcome = Answered::of(status).as_str();
        let Self { route, resource_type, operation, method, .. } = self;
        metrics.requests.with_label_values(&[&**route, &**resource_type, operation, method, code, scim_type, outcome])
    }
}

impl Default for RequestLabels {
    fn default() -> Self {
        Self::new("none".into(), "none".into(), "none")
    }
}

/// A SCIM request was answered.
#[derive(Debug)]
pub struct ScimAnswered<'a> {
    /// What it was about.
    pub labels: &'a RequestLabels,
    /// HTTP status.
    pub status: u16,
    /// `scimType` of the error, if it was one and has one.
    pub scim_type: Option<&'static str>,
    /// The bound that refused the request, if one did.
    pub bound: Option<Bound>,
    /// `X-Request-Id`.
    pub request_id: &'a str,
    /// The id of its trace, if it stands in one.
    pub trace_id: Option<&'a str>,
    /// From the request head to the end of the answer.
    pub duration: Duration,
    /// The end of the answer.
    pub ended: Instant,
    /// How the time was spent, of a request that came to be carried out.
    pub work: Option<Work>,
}

/// What a request did with its time.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// When it began to be carried out.
    pub begun: Instant,
    /// How long it waited since, for native calls and turns.
    pub waited: Duration,
}

impl ScimAnswered<'_> {
    /// Logs and counts.
    pub fn emit(&self, metrics: &Metrics) {
        let RequestLabels { route, resource_type, operation, series, .. } = self.labels;
        let (route, resource_type): (&str, &str) = (route, resource_type);
        let scim_type = self.scim_type.unwrap_or("none");
        let find = || self.labels.counter(metrics, self.status, self.scim_type);
        match self.scim_type {
            None => series.answers.count(self.status, find),
            Some(_) => find().inc(),
        }
        let duration = || metrics.request_duration.with_label_values(&[resource_type, *operation]);
        observe(series.duration.get_or_init(duration), self.duration);
        if let Some(Work { begun, waited }) = self.work {
            let mapping = || metrics.mapping_duration.with_label_values(&[resource_type, *operation]);
            let worked = self.ended.saturating_duration_since(begun).saturating_sub(waited);
            observe(series.mapping.get_or_init(mapping), worked);
        }
        if let Some(tenant) = &self.labels.tenant {
            tenant.answered(self.labels.provisioning, self.status, self.ended, self.duration);
        }
        if let Some(bound) = self.bound {
            metrics.bound_refusals.with_label_values(&[bound.as_str()]).inc();
        }
        tracing::info!(
            target: REQUEST,
            request_id = self.request_id,
            trace_id = self.trace_id,
            route,
            tenant = self.labels.tenant_name(),
            resource_type,
            operation = *operation,
            status = self.status,
            scim_type,
            duration_ms = millis(self.duration),
            "scim request answered"
        );
    }
}

/// A plan came to its answer.
#[derive(Debug)]
pub struct ScimPlanned<'a> {
    /// What the request was about.
    pub labels: &'a RequestLabels,
    /// What happened on the way.
    pub report: &'a Report,
    /// `X-Request-Id`.
    pub request_id: &'a str,
    /// The id of its trace, if it stands in one.
    pub trace_id: Option<&'a str>,
    /// Native calls made.
    pub calls: usize,
}

impl ScimPlanned<'_> {
    /// Logs and counts.
    pub fn emit(&self, metrics: &Metrics) {
        let report = self.report;
        let calls = || metrics.native_calls_per_request.with_label_values(&[self.labels.operation]);
        #[expect(clippy::cast_precision_loss, reason = "bounded by the calls one plan may make")]
        self.labels.series.calls.get_or_init(calls).observe(self.calls as f64);
        for (repair, count) in report.repairs.iter() {
            metrics.repairs.with_label_values(&[repair.name()]).inc_by(count);
        }
        for repair in &report.filter_repairs {
            metrics.repairs.with_label_values(&[repair]).inc();
        }
        let of_type = &*self.labels.resource_type;
        for (reason, count) in [
            (DroppedReason::Unmapped, report.unmapped.len() as u64),
            (DroppedReason::Unknown, report.unknown.len() as u64),
            (DroppedReason::Collapsed, report.collapsed_attributes),
        ] {
            if count > 0 {
                metrics.dropped_attributes.with_label_values(&[of_type, reason.as_str()]).inc_by(count);
            }
        }
        metrics.moved_members.inc_by(report.moved_members);
        if let Some(filter) = report.filter
            && let Some(kept) = self.labels.series.filters.get(filter as usize)
        {
            kept.get_or_init(|| metrics.filters.with_label_values(&[of_type, filter.as_str()])).inc();
        }
        if report.scanned > 0 {
            metrics.scanned_items.with_label_values(&[of_type]).inc_by(report.scanned);
        }
        for note in &report.notes {
            tracing::debug!(target: REQUEST, request_id = self.request_id, trace_id = self.trace_id, "{note}");
        }
        if let Some(error) = report.error.as_ref().filter(|error| error.side != Side::Downstream) {
            let (request_id, trace_id) = (self.request_id, self.trace_id);
            let (status, side, detail) = (error.status, error.side.as_str(), &error.detail);
            tracing::warn!(target: REQUEST, request_id, trace_id, status, side, "scim request failed: {detail}");
        }
    }
}

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

/// A request that is not SCIM was answered by the application, or for it.
#[derive(Debug)]
pub struct PassedThrough<'a> {
    /// HTTP status; 0 when the client was gone first.
    pub status: u16,
    /// `X-Request-Id`.
    pub request_id: &'a str,
    /// The id of its trace, if it stands in one.
    pub trace_id: Option<&'a str>,
    /// Until the end of the answer.
    pub duration: Duration,
    /// What went wrong, in words of the proxy library's error type: no path and no header.
    pub error: Option<&'a str>,
}

impl PassedThrough<'_> {
    /// Whether a line will be written of a request that ends like this.
    pub fn is_heard(error: Option<&str>) -> bool {
        error.is_some() || tracing::enabled!(target: PASSTHROUGH, tracing::Level::DEBUG)
    }

    /// Logs and counts.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.passthrough_answers.count(self.status, || {
            let mut code = CodeText::default();
            metrics.passthrough_requests.with_label_values(&[code.of(self.status)])
        });
        let (request_id, status, duration_ms) = (self.request_id, self.status, millis(self.duration));
        match self.error {
            Some(error) => {
                tracing::warn!(target: PASSTHROUGH, request_id, status, duration_ms, error, "pass-through failed");
            }
            None => tracing::debug!(target: PASSTHROUGH, request_id, status, duration_ms, "passed through"),
        }
    }
}

/// A request was refused for how it was sent, before it was a request.
#[derive(Debug)]
pub struct ProtocolRefused {
    /// Why.
    pub refusal: Refusal,
    /// Who sent it.
    pub peer: SocketAddr,
}

impl ProtocolRefused {
    /// Logs and counts.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.protocol_rejections.with_label_values(&[self.refusal.as_str()]).inc();
        if let Some(bound) = self.refusal.bound() {
            metrics.bound_refusals.with_label_values(&[bound.as_str()]).inc();
        }
        let (reason, peer) = (self.refusal.as_str(), self.peer);
        tracing::info!(target: CONNECTION, reason, %peer, "request refused by protocol");
    }
}

/// A connection was turned away because too many are open.
#[derive(Debug)]
pub struct ConnectionRejected {
    /// The limit.
    pub limit: usize,
}

impl ConnectionRejected {
    /// Logs and counts.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.connections_rejected.inc();
        tracing::warn!(target: CONNECTION, limit = self.limit, "connection rejected: too many are open");
    }
}

/// A panic was caught while a request was served.
#[derive(Debug)]
pub struct Panicked<'a> {
    /// `X-Request-Id`, where there was a request yet.
    pub request_id: &'a str,
}

impl Panicked<'_> {
    /// Logs and counts. The panic's own words are not logged, for they may hold input; its place is, by the hook of
    /// [`super::log`].
    pub fn emit(&self, metrics: &Metrics) {
        metrics.panics.inc();
        tracing::error!(target: SERVER, request_id = self.request_id, "panic while serving a request");
    }
}

/// The configuration was loaded, or not.
#[derive(Debug)]
pub struct ConfigLoaded<'a> {
    /// The label of the counter.
    pub outcome: &'static str,
    /// Whether the configuration in force is the one in the file.
    pub success: bool,
    /// Hash of the configuration in force.
    pub hash: &'a str,
    /// Seconds since 1970.
    pub now: i64,
    /// What there is to say about it, line by line.
    pub remarks: &'a [String],
}

impl ConfigLoaded<'_> {
    /// Logs and counts.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.config.reloads.with_label_values(&[self.outcome]).inc();
        metrics.config.last_reload_successful.set(i64::from(self.success));
        if self.success {
            metrics.config.last_reload_success_timestamp.set(self.now);
            metrics.config.info.reset();
            metrics.config.info.with_label_values(&[self.hash]).set(1);
            metrics.config.generation.inc();
        }
        let (outcome, hash) = (self.outcome, self.hash);
        for remark in self.remarks {
            if self.success {
                tracing::warn!(target: CONFIG, outcome, "configuration: {remark}");
            } else {
                tracing::error!(target: CONFIG, outcome, "configuration: {remark}");
            }
        }
        if self.success {
            tracing::info!(target: CONFIG, outcome, hash, "configuration in force");
        } else {
            tracing::error!(target: CONFIG, outcome, hash, "configuration not loaded; the one before stays in force");
        }
    }
}

/// The text of a status code without an allocation.
#[derive(Default)]
struct CodeText([u8; 3]);

impl CodeText {
    fn of(&mut self, status: u16) -> &str {
        let digit = |value: u16| b'0' + (value % 10) as u8;
        self.0 = [digit(status / 100), digit(status / 10), digit(status)];
        std::str::from_utf8(&self.0).unwrap_or("000")
    }
}

const REQUEST: &str = "scimshim::request";
const NATIVE: &str = "scimshim::native";
const PASSTHROUGH: &str = "scimshim::passthrough";
const CONNECTION: &str = "scimshim::connection";
const CONFIG: &str = "scimshim::config";
const SERVER: &str = "scimshim::server";

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_counted_under_its_labels() {
        let metrics = Metrics::new().unwrap();
        let labels = RequestLabels::new("/scim/v2".into(), "User".into(), "create");
        let answered = ScimAnswered {
            labels: &labels,
            status: 409,
            scim_type: Some("uniqueness"),
            bound: None,
            request_id: "r",
            trace_id: None,
            duration: Duration::from_millis(30),
            ended: Instant::now(),
            work: None,
        };
        answered.emit(&metrics);
        let text = metrics.render();
        assert!(
            text.contains(
                "scimshim_requests_total{code=\"409\",method=\"other\",operation=\"create\",outcome=\"rejected\",\
                 resource_type=\"User\",route=\"/scim/v2\",scim_type=\"uniqueness\"} 1"
            ),
            "{text}"
        );
        assert!(text.contains("le=\"0.05\"} 1"), "{text}");
    }

    #[test]
    fn series_are_counted_one_by_one_however_often_they_were_met() {
        let metrics = Metrics::new().unwrap();
        let user = RequestLabels::new("/a".into(), "User".into(), "get");
        let group = RequestLabels::new("/a".into(), "Group".into(), "get");
        for (labels, status, scim_type) in [
            (&user, 200, None),
            (&user, 200, None),
            (&group, 200, None),
            (&user, 404, None),
            (&user, 418, None),
            (&user, 418, None),
            (&user, 400, Some("invalidPath")),
            (&user, 400, None),
        ] {
            answered(labels, status, scim_type, None).emit(&metrics);
        }
        let text = metrics.render();
        for (code, resource_type, scim_type, count) in [
            (200, "User", "none", 2),
            (200, "Group", "none", 1),
            (404, "User", "none", 1),
            (418, "User", "none", 2),
            (400, "User", "invalidPath", 1),
            (400, "User", "none", 1),
        ] {
            let line = format!(
                "scimshim_requests_total{{code=\"{code}\",method=\"other\",operation=\"get\",outcome=\"{}\",\
                 resource_type=\"{resource_type}\",route=\"/a\",scim_type=\"{scim_type}\"}} {count}\n",
                Answered::of(code).as_str()
            );
            assert!(text.contains(&line), "{line} in {text}");
        }
    }

    fn answered<'a>(
        labels: &'a RequestLabels,
        status: u16,
        scim_type: Option<&'static str>,
        work: Option<Work>,
    ) -> ScimAnswered<'a> {
        let (duration, ended) = (Duration::ZERO, Instant::now());
        ScimAnswered { labels, status, scim_type, bound: None, request_id: "r", trace_id: None, duration, ended, work }
    }

    #[test]
    fn waiting_is_no_work() {
        let metrics = Metrics::new().unwrap();
        let labels = RequestLabels::new("/a".into(), "User".into(), "get");
        labels.known(&metrics, &[200]);
        let text = metrics.render();
        assert!(text.contains("scimshim_mapping_duration_seconds_count{operation=\"get\",resource_type=\"User\"} 0\n"));
        let whole = answered(&labels, 200, None, None);
        let begun = whole.ended.checked_sub(Duration::from_secs(2)).unwrap();
        for waited in [1500, 3000] {
            let work = Some(Work { begun, waited: Duration::from_millis(waited) });
            ScimAnswered { work, ..answered(&labels, 200, None, None) }.emit(&metrics);
        }
        let text = metrics.render();
        assert!(text.contains("scimshim_mapping_duration_seconds_count{operation=\"get\",resource_type=\"User\"} 2\n"));
        // One half of a second, and a request that cannot have waited longer than it lasted.
        let line = "scimshim_mapping_duration_seconds_bucket{operation=\"get\",resource_type=\"User\",le=\"0.1\"} 1\n";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn a_failed_load_keeps_the_hash_in_force() {
        let metrics = Metrics::new().unwrap();
        let good = ConfigLoaded { outcome: "applied", success: true, hash: "aa", now: 7, remarks: &[] };
        good.emit(&metrics);
        ConfigLoaded { outcome: "invalid", success: false, now: 9, ..good }.emit(&metrics);
        let text = metrics.render();
        assert!(text.contains("scimshim_config_info{hash=\"aa\"} 1"), "{text}");
        assert!(text.contains("scimshim_config_last_reload_successful 0"), "{text}");
        assert!(text.contains("success_timestamp_seconds 7"), "{text}");
        assert!(text.contains("scimshim_config_generation 1\n"), "{text}");
    }
}
