//! Every metric there is, in one registry of its own.
//!
//! Names are `scimshim_<noun>_<unit>[_total]`. Series whose labels are known beforehand are made at the start, so that
//! a rate over them is right from the first event on.

use std::sync::Arc;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use super::series::Codes;
use crate::proxy::head::Refusal;

/// The metrics of one process.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    /// SCIM answers.
    pub requests: IntCounterVec,
    /// Time from the request head to the last byte of the SCIM answer.
    pub request_duration: HistogramVec,
    /// SCIM requests under way.
    pub requests_in_flight: IntGauge,
    /// Native calls.
    pub native_requests: IntCounterVec,
    /// Time of a native call.
    pub native_request_duration: HistogramVec,
    /// How backends and their credentials are.
    pub backends: BackendMetrics,
    /// Native calls one SCIM request became.
    pub native_calls_per_request: HistogramVec,
    /// Dialect repairs.
    pub repairs: IntCounterVec,
    /// Attributes of a schema that the mapping lacks.
    pub unmapped_attributes: IntCounter,
    /// Members who left another group by joining one.
    pub moved_members: IntCounter,
    /// Attributes of which the application holds one of the values that were sent.
    pub collapsed_attributes: IntCounter,
    /// Attributes that no schema knows.
    pub unknown_attributes: IntCounter,
    /// Requests refused for their credential.
    pub auth_failures: IntCounterVec,
    /// Requests refused for their path.
    pub route_rejections: IntCounterVec,
    /// Requests refused before they were requests.
    pub protocol_rejections: IntCounterVec,
    /// Downstream connections that are open.
    pub connections: IntGauge,
    /// Downstream connections turned away.
    pub connections_rejected: IntCounter,
    /// Answers to requests that are not SCIM.
    pub passthrough_requests: IntCounterVec,
    /// The same by the answers that are usual.
    pub passthrough_answers: Arc<Codes>,
    /// Spans for the collector, by what became of them.
    pub spans_exported: IntCounterVec,
    /// Panics caught.
    pub panics: IntCounter,
    /// Attempts to load the configuration again.
    pub config_reloads: IntCounterVec,
    /// 1 after a load that succeeded, 0 after one that did not.
    pub config_last_reload_successful: IntGauge,
    /// When the configuration in force was loaded.
    pub config_last_reload_success_timestamp: IntGauge,
    /// The configuration in force, by hash.
    pub config_info: IntGaugeVec,
}

const UNMAPPED: &str = "Attributes received that the mapping does not name.";
const UNKNOWN: &str = "Attributes received that no schema knows.";
const MOVED: &str = "Members who left another group by joining one, as it is allowed.";
const REFUSED_PATHS: &str = "Requests refused for their path.";
const COLLAPSED: &str = "Attributes of which the application holds one of the values received.";

impl Metrics {
    /// Registers everything.
    ///
    /// # Errors
    ///
    /// Two metrics of one name or a malformed name: a fault of this file, which its test would show.
    pub fn new() -> prometheus::Result<Arc<Self>> {
        let make = Maker { registry: Registry::new() };
        let build = make.gauge_vec("build_info", "Always 1; the labels say what is running.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let metrics = Self {
            requests: make.counter_vec(
                "requests_total",
                "SCIM requests answered.",
                &["route", "resource_type", "operation", "code", "scim_type"],
            )?,
            request_duration: make.histogram_vec(
                "request_duration_seconds",
                "Time from the head of a SCIM request to the end of its answer.",
                &["resource_type", "operation"],
                &SECONDS,
            )?,
            requests_in_flight: make.gauge("requests_in_flight", "SCIM requests under way.")?,
            native_requests: make.counter_vec(
                "native_requests_total",
                "Calls to the native API.",
                &["backend", "call", "code", "outcome"],
            )?,
            native_request_duration: make.histogram_vec(
                "native_request_duration_seconds",
                "Time of a call to the native API.",
                &["backend", "call"],
                &SECONDS,
            )?,
            backends: BackendMetrics::new(&make)?,
            native_calls_per_request: make.histogram_vec(
                "native_calls_per_request",
                "Native calls one SCIM request became.",
                &["operation"],
                &CALLS,
            )?,
            repairs: make.counter_vec("repairs_total", "Habits of identity providers corrected.", &["repair"])?,
            unmapped_attributes: make.counter("unmapped_attributes_total", UNMAPPED)?,
            moved_members: make.counter("moved_members_total", MOVED)?,
            collapsed_attributes: make.counter("collapsed_attributes_total", COLLAPSED)?,
            unknown_attributes: make.counter("unknown_attributes_total", UNKNOWN)?,
            auth_failures: make.counter_vec("auth_failures_total", "Requests refused with 401.", &["reason"])?,
            route_rejections: make.counter_vec("route_rejections_total", REFUSED_PATHS, &["reason"])?,
            protocol_rejections: make.counter_vec(
                "protocol_rejections_total",
                "Requests refused for how they were sent.",
                &["reason"],
            )?,
            connections: make.gauge("connections", "Open downstream connections.")?,
            connections_rejected: make
                .counter("connections_rejected_total", "Downstream connections over the limit.")?,
            passthrough_requests: make.counter_vec(
                "passthrough_requests_total",
                "Requests passed through, by answer.",
                &["code"],
            )?,
            passthrough_answers: Arc::default(),
            spans_exported: spans(&make)?,
            panics: make.counter("panics_total", "Panics caught while serving a request.")?,
            config_reloads: make.counter_vec(
                "config_reloads_total",
                "Attempts to reload the configuration.",
                &["outcome"],
            )?,
            config_last_reload_successful: make
                .gauge("config_last_reload_successful", "Whether the last load of the configuration succeeded.")?,
            config_last_reload_success_timestamp: make.gauge(
                "config_last_reload_success_timestamp_seconds",
                "When the configuration in force was loaded, in seconds since 1970.",
            )?,
            config_info: make.gauge_vec("config_info", "Always 1; the configuration in force.", &["hash"])?,
            registry: make.registry,
        };
        for refusal in Refusal::ALL {
            metrics.protocol_rejections.with_label_values(&[refusal.as_str()]).inc_by(0);
        }
        Ok(Arc::new(metrics))
    }

    /// All samples in the text format of Prometheus.
    pub fn render(&self) -> String {
        // Encoding fails only for a family without samples, which the registry never hands out.
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

fn spans(make: &Maker) -> prometheus::Result<IntCounterVec> {
    let help = "Spans for the collector: sent, failed, or dropped because too many waited.";
    let spans = make.counter_vec("spans_exported_total", help, &["outcome"])?;
    for outcome in ["sent", "failed", "dropped"] {
        spans.with_label_values(&[outcome]).inc_by(0);
    }
    Ok(spans)
}

/// How backends and their credentials are, by name of the backend.
#[derive(Clone, Debug)]
pub struct BackendMetrics {
    /// Refusals of the adapter's own credential.
    pub credential_refusals: IntCounterVec,
    /// Logins.
    pub logins: IntCounterVec,
    /// Circuit breakers: 0 closed, 1 half open, 2 open.
    pub breaker_state: IntGaugeVec,
}

impl BackendMetrics {
    fn new(make: &Maker) -> prometheus::Result<Self> {
        Ok(Self {
            credential_refusals: make.counter_vec(
                "native_credential_refusals_total",
                "Calls whose credential, a fresh one where it can be renewed, was refused.",
                &["backend"],
            )?,
            logins: make.counter_vec(
                "native_logins_total",
                "Logins and fetched access tokens.",
                &["backend", "outcome"],
            )?,
            breaker_state: make.gauge_vec(
                "native_breaker_state",
                "Circuit breaker: 0 closed, 1 half open, 2 open.",
                &["backend"],
            )?,
        })
    }
}

struct Maker {
    registry: Registry,
}

impl Maker {
    fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.register(IntCounter::with_opts(opts(name, help))?)
    }

    fn counter_vec(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
        self.register(IntCounterVec::new(opts(name, help), labels)?)
    }

    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.register(IntGauge::with_opts(opts(name, help))?)
    }

    fn gauge_vec(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        self.register(IntGaugeVec::new(opts(name, help), labels)?)
    }

    fn histogram_vec(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> prometheus::Result<HistogramVec> {
        let opts = HistogramOpts::from(opts(name, help)).buckets(buckets.to_vec());
        self.register(HistogramVec::new(opts, labels)?)
    }

    fn register<C: prometheus::core::Collector + Clone + 'static>(&self, metric: C) -> prometheus::Result<C> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(format!("scimshim_{name}"), help)
}

/// The buckets that OpenTelemetry advises for HTTP.
const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
const CALLS: [f64; 8] = [0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0];

/// Observes seconds.
pub fn observe(histogram: &Histogram, duration: std::time::Duration) {
    histogram.observe(duration.as_secs_f64());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_ours_and_counters_end_in_total() {
        let metrics = Metrics::new().unwrap();
        metrics.panics.inc();
        let text = metrics.render();
        for line in text.lines().filter(|line| line.starts_with("# TYPE")) {
            let words: Vec<&str> = line.split(' ').collect();
            assert!(words[2].starts_with("scimshim_"), "{line}");
            assert_eq!(words[3] == "counter", words[2].ends_with("_total"), "{line}");
        }
        assert!(text.contains("scimshim_panics_total 1\n"), "{text}");
        assert!(text.contains("scimshim_protocol_rejections_total{reason=\"missing_host\"} 0"), "{text}");
    }
}
