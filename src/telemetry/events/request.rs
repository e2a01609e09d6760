//! SCIM requests: what they were about, and how they ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::IntCounter;

use super::{CodeText, Provisioning, millis};
use crate::plan::Report;
use crate::scim::Bound;
use crate::scim::error::Side;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::registry::observe;
use crate::telemetry::series::{AnswerSeries, Answered, DroppedReason};
use crate::telemetry::tenants::Tenant;

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

const REQUEST: &str = "scimshim::request";

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
}
