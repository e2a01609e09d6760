//! What passes through, what is refused before it is a request, and the process itself.

use std::net::SocketAddr;
use std::time::Duration;

use super::{CodeText, millis};
use crate::proxy::head::Refusal;
use crate::telemetry::metrics::Metrics;

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
    /// [`crate::telemetry::log`].
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

const PASSTHROUGH: &str = "scimshim::passthrough";
const CONNECTION: &str = "scimshim::connection";
const CONFIG: &str = "scimshim::config";
const SERVER: &str = "scimshim::server";

#[cfg(test)]
mod tests {
    use super::*;

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
