//! Every metric of the catalogue, in one registry.
//!
//! Names, labels and what they mean stand in [`catalogue`](super::catalogue). Series whose labels are known beforehand
//! are made at the start or with the configuration, so that a rate over them is right from the first event on.

use std::sync::Arc;

use prometheus::process_collector::ProcessCollector;
use prometheus::{HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder};

use super::catalogue::entries;
use super::log;
use super::registry::Maker;
use super::series::Codes;
use super::tenants::Tenants;

/// The metrics of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// SCIM answers.
    pub requests: IntCounterVec,
    /// Time from the request head to the last byte of the SCIM answer.
    pub request_duration: HistogramVec,
    /// The part of it that was not spent waiting.
    pub mapping_duration: HistogramVec,
    /// SCIM requests under way.
    pub requests_in_flight: IntGauge,
    /// Native calls one SCIM request became.
    pub native_calls_per_request: HistogramVec,
    /// SCIM requests that wait for their turn.
    pub turns_waiting: IntGauge,
    /// The same by tenant, as far as tenants are told apart.
    pub tenants: Tenants,
    /// Backends, and the calls to them.
    pub native: NativeMetrics,
    /// Dialect repairs.
    pub repairs: IntCounterVec,
    /// Attributes that the application did not get.
    pub dropped_attributes: IntCounterVec,
    /// How filters were answered.
    pub filters: IntCounterVec,
    /// Objects read for filters that the application does not know.
    pub scanned_items: IntCounterVec,
    /// Members who left another group by joining one.
    pub moved_members: IntCounter,
    /// Requests refused for their credential.
    pub auth_failures: IntCounterVec,
    /// When inbound tokens expire.
    pub token_expiry: IntGaugeVec,
    /// Requests refused for their path.
    pub route_rejections: IntCounterVec,
    /// Requests refused before they were requests.
    pub protocol_rejections: IntCounterVec,
    /// Requests refused by a bound.
    pub bound_refusals: IntCounterVec,
    /// Downstream connections that are open.
    pub connections: IntGauge,
    /// Downstream connections turned away.
    pub connections_rejected: IntCounter,
    /// Answers to requests that are not SCIM.
    pub passthrough_requests: IntCounterVec,
    /// The same by the answers that are usual.
    pub passthrough_answers: Codes,
    /// Panics caught.
    pub panics: IntCounter,
    /// The configuration.
    pub config: ConfigMetrics,
    /// 1 once the process is about to end.
    pub draining: IntGauge,
    /// Spans of traces, by what became of them.
    pub spans_exported: IntCounterVec,
}

impl Metrics {
    /// Registers everything.
    ///
    /// # Errors
    ///
    /// Two metrics of one name or a malformed name: a fault of the catalogue, which its test would show.
    pub fn new() -> prometheus::Result<Arc<Self>> {
        let make = Maker { registry: Registry::new() };
        make.gauge_vec(&entries::BUILD_INFO)?.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        if let Some(dropped) = log::dropped_lines() {
            make.register(dropped.clone())?;
        }
        make.registry.register(Box::new(ProcessCollector::for_self()))?;
        let metrics = Self {
            requests: make.counter_vec(&entries::REQUESTS)?,
            request_duration: make.histogram_vec(&entries::REQUEST_DURATION)?,
            mapping_duration: make.histogram_vec(&entries::MAPPING_DURATION)?,
            requests_in_flight: make.gauge(&entries::REQUESTS_IN_FLIGHT)?,
            native_calls_per_request: make.histogram_vec(&entries::CALLS_PER_REQUEST)?,
            turns_waiting: make.gauge(&entries::TURNS_WAITING)?,
            tenants: Tenants::new(&make)?,
            native: NativeMetrics::new(&make)?,
            repairs: make.counter_vec(&entries::REPAIRS)?,
            dropped_attributes: make.counter_vec(&entries::DROPPED_ATTRIBUTES)?,
            filters: make.counter_vec(&entries::FILTERS)?,
            scanned_items: make.counter_vec(&entries::SCANNED_ITEMS)?,
            moved_members: make.counter(&entries::MOVED_MEMBERS)?,
            auth_failures: make.counter_vec(&entries::AUTH_FAILURES)?,
            token_expiry: make.gauge_vec(&entries::TOKEN_EXPIRY)?,
            route_rejections: make.counter_vec(&entries::ROUTE_REJECTIONS)?,
            protocol_rejections: make.counter_vec(&entries::PROTOCOL_REJECTIONS)?,
            bound_refusals: make.counter_vec(&entries::BOUND_REFUSALS)?,
            connections: make.gauge(&entries::CONNECTIONS)?,
            connections_rejected: make.counter(&entries::CONNECTIONS_REJECTED)?,
            passthrough_requests: make.counter_vec(&entries::PASSTHROUGH)?,
            passthrough_answers: Codes::default(),
            panics: make.counter(&entries::PANICS)?,
            config: ConfigMetrics::new(&make)?,
            draining: make.gauge(&entries::DRAINING)?,
            spans_exported: make.counter_vec(&entries::SPANS_EXPORTED)?,
            registry: make.registry,
        };
        for code in ["200", "502", "504"] {
            drop(metrics.passthrough_requests.with_label_values(&[code]));
        }
        Ok(Arc::new(metrics))
    }

    /// All samples in the text format of Prometheus.
    pub fn render(&self) -> String {
        self.tenants.bring_up_to_date();
        // Encoding fails only for a family without samples, which the registry never hands out.
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

/// Backends by name, their credentials, and the calls to them.
#[derive(Clone, Debug)]
pub struct NativeMetrics {
    /// Calls.
    pub requests: IntCounterVec,
    /// Time of a call.
    pub request_duration: HistogramVec,
    /// Calls under way.
    pub in_flight: IntGaugeVec,
    /// Calls sent again.
    pub retries: IntCounterVec,
    /// Calls that wait.
    pub queued: IntGaugeVec,
    /// Circuit breakers: 0 closed, 1 half open, 2 open.
    pub breaker_state: IntGaugeVec,
    /// How often they opened.
    pub breaker_opened: IntCounterVec,
    /// Refusals of the adapter's own credential.
    pub credential_refusals: IntCounterVec,
    /// Logins.
    pub logins: IntCounterVec,
    /// When credentials expire.
    pub credential_expiry: IntGaugeVec,
}

impl NativeMetrics {
    fn new(make: &Maker) -> prometheus::Result<Self> {
        Ok(Self {
            requests: make.counter_vec(&entries::NATIVE_REQUESTS)?,
            request_duration: make.histogram_vec(&entries::NATIVE_DURATION)?,
            in_flight: make.gauge_vec(&entries::NATIVE_IN_FLIGHT)?,
            retries: make.counter_vec(&entries::NATIVE_RETRIES)?,
            queued: make.gauge_vec(&entries::NATIVE_QUEUED)?,
            breaker_state: make.gauge_vec(&entries::BREAKER_STATE)?,
            breaker_opened: make.counter_vec(&entries::BREAKER_OPENED)?,
            credential_refusals: make.counter_vec(&entries::CREDENTIAL_REFUSALS)?,
            logins: make.counter_vec(&entries::LOGINS)?,
            credential_expiry: make.gauge_vec(&entries::CREDENTIAL_EXPIRY)?,
        })
    }
}

/// The configuration, and how it came to be in force.
#[derive(Clone, Debug)]
pub struct ConfigMetrics {
    /// Attempts to load it.
    pub reloads: IntCounterVec,
    /// 1 after a load that succeeded, 0 after one that did not.
    pub last_reload_successful: IntGauge,
    /// When the configuration in force was loaded.
    pub last_reload_success_timestamp: IntGauge,
    /// The configuration in force, by hash.
    pub info: IntGaugeVec,
    /// Which one it is, counted from the start.
    pub generation: IntGauge,
}

impl ConfigMetrics {
    fn new(make: &Maker) -> prometheus::Result<Self> {
        Ok(Self {
            reloads: make.counter_vec(&entries::CONFIG_RELOADS)?,
            last_reload_successful: make.gauge(&entries::CONFIG_SUCCESSFUL)?,
            last_reload_success_timestamp: make.gauge(&entries::CONFIG_SUCCESS_TIME)?,
            info: make.gauge_vec(&entries::CONFIG_INFO)?,
            generation: make.gauge(&entries::CONFIG_GENERATION)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_registry_and_the_catalogue_hold_the_same() {
        let metrics = Metrics::new().unwrap();
        // What is registered cannot be listed, only registered again.
        for entry in entries::ALL {
            let again = prometheus::IntGaugeVec::new(super::super::registry::opts(entry), &entry.label_names());
            let registered = metrics.registry.register(Box::new(again.unwrap()));
            assert!(registered.is_err(), "{} is in the catalogue and not among the metrics", entry.name);
        }
        let known: BTreeSet<String> = entries::ALL.iter().map(|entry| entry.full_name()).collect();
        let text = metrics.render();
        for line in text.lines().filter(|line| line.starts_with("# TYPE scimshim_")) {
            let name = line.split(' ').nth(2).unwrap();
            assert!(known.contains(name), "{name}");
        }
        assert!(text.contains("process_resident_memory_bytes "), "{text}");
    }

    #[test]
    fn series_without_names_of_the_configuration_are_there_from_the_start() {
        let metrics = Metrics::new().unwrap();
        metrics.panics.inc();
        let text = metrics.render();
        for line in [
            "scimshim_panics_total 1\n",
            "scimshim_protocol_rejections_total{reason=\"missing_host\"} 0\n",
            "scimshim_bound_refusals_total{bound=\"body_max_bytes\"} 0\n",
            "scimshim_repairs_total{repair=\"op-case\"} 0\n",
            "scimshim_spans_exported_total{outcome=\"sent\"} 0\n",
            "scimshim_native_calls_per_request_count{operation=\"create\"} 0\n",
            "scimshim_log_dropped_lines_total 0\n",
            "scimshim_draining 0\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
