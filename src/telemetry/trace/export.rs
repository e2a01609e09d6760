//! Delivery of spans: OTLP over HTTP, as binary messages.
//!
//! In: batches of a queue. Out: POSTs to the collector, one at a time; a counter for what became of each span. A
//! delivery that the collector could not take is tried again for a while, as the protocol has it. No request waits for
//! any of this.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{sleep, timeout};

use super::otlp;
use super::queue::Queue;
use super::span::Span;
use crate::config::{ResolvedSecrets, TraceRule};
use crate::native;

/// Where spans are sent.
pub(super) struct Collector {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    headers: HeaderMap,
    resource: Vec<(String, String)>,
    timeout: Duration,
}

/// What the collector made of a delivery.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// It took it, perhaps without some spans.
    Taken(Option<(u64, String)>),
    /// It may take it later, perhaps after this time.
    Later(Option<Duration>, String),
    /// It never will.
    Refused(String),
}

impl Collector {
    pub(super) fn new(rule: &TraceRule, secrets: &ResolvedSecrets) -> Result<Self, String> {
        let url = &rule.endpoint;
        let trust =
            if url.tls { Some(native::trust(&rule.tls, secrets).map_err(|error| error.to_string())?) } else { None };
        let scheme = if url.tls { "https" } else { "http" };
        let uri = format!("{scheme}://{}:{}{}/v1/traces", url.host, url.port, url.path);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("scimshim/", env!("CARGO_PKG_VERSION"))));
        for (name, secret) in &rule.headers {
            let unfit = || format!("headers.{name} cannot be sent as a header");
            let secret = secrets.get(secret).ok_or_else(|| format!("headers.{name} is not resolved"))?;
            let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| unfit())?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?, value);
        }
        let uri = uri.parse().map_err(|_| "endpoint cannot stand in a request".to_owned())?;
        Ok(Self { client: client(trust), uri, headers, resource: resource(rule), timeout: rule.timeout })
    }

    /// One attempt.
    async fn send(&self, body: Bytes) -> Answer {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        request.headers_mut().clone_from(&self.headers);
        let exchange = async {
            let response = match self.client.request(request).await {
                Ok(response) => response,
                Err(error) if error.is_connect() => return Answer::Later(None, "it cannot be reached".to_owned()),
                Err(_) => return Answer::Later(None, "the connection broke".to_owned()),
            };
            let (head, body) = response.into_parts();
            let later = head.headers.get(RETRY_AFTER).and_then(retry_after);
            let body = Limited::new(body, ANSWER_MAX_BYTES).collect().await;
            let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            answer(head.status.as_u16(), later, &body)
        };
        let late = || Answer::Later(None, format!("no answer in {} s", self.timeout.as_secs_f64()));
        timeout(self.timeout, exchange).await.unwrap_or_else(|_| late())
    }
}

/// What a status says about trying again: the protocol names four.
fn answer(status: u16, later: Option<Duration>, body: &[u8]) -> Answer {
    match status {
        200..=299 => Answer::Taken(otlp::rejected(body)),
        429 | 502 | 503 | 504 => Answer::Later(later, format!("it answered {status}")),
        _ => Answer::Refused(format!("it answered {status}")),
    }
}

/// Seconds; a date is as good as nothing.
fn retry_after(value: &HeaderValue) -> Option<Duration> {
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Sends what gathers in the queue, until there will be no more.
pub(super) async fn run(queue: std::sync::Arc<Queue>, collector: Collector, interval: Duration) {
    let mut health = Health::default();
    while let Some(batch) = queue.next(interval).await {
        deliver(&queue, &collector, &batch, &mut health).await;
        queue.settled();
    }
}

async fn deliver(queue: &Queue, collector: &Collector, batch: &[Span], health: &mut Health) {
    let body = Bytes::from(otlp::request(&collector.resource, batch));
    let all = batch.len() as u64;
    let mut pause = FIRST_PAUSE;
    for attempt in 1.. {
        match collector.send(body.clone()).await {
            Answer::Taken(rejected) => {
                let (lost, reason) = rejected.unwrap_or_default();
                let lost = lost.min(all);
                queue.sent.inc_by(all - lost);
                queue.failed.inc_by(lost);
                health.good();
                if !reason.is_empty() || lost > 0 {
                    let reason: String = reason.chars().take(REASON_MAX_CHARS).collect();
                    tracing::warn!(target: TARGET, spans = lost, reason, "the collector did not take every span");
                }
                return;
            }
            Answer::Later(after, reason) if attempt < ATTEMPTS => {
                health.bad(&reason);
                sleep(after.unwrap_or(pause).min(LONGEST_PAUSE)).await;
                pause *= 2;
            }
            Answer::Later(_, reason) | Answer::Refused(reason) => {
                queue.failed.inc_by(all);
                health.bad(&reason);
                tracing::debug!(target: TARGET, spans = all, reason, "spans were given up");
                return;
            }
        }
    }
}

/// How deliveries went last: a change is worth a line, and nothing else is.
#[derive(Default)]
struct Health {
    failing: bool,
}

impl Health {
    fn bad(&mut self, reason: &str) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(target: TARGET, reason, "spans cannot be delivered to the collector");
        }
    }

    fn good(&mut self) {
        if std::mem::take(&mut self.failing) {
            tracing::info!(target: TARGET, "spans are delivered to the collector again");
        }
    }
}

fn client(trust: Option<native::Trust>) -> Client<HttpsConnector<HttpConnector>, Full<Bytes>> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let (config, name) = match trust {
        Some(trust) => (trust.config, trust.server_name),
        // Nothing is verified by it: the endpoint is plain HTTP.
        None => (native::trust_nobody(), None),
    };
    let builder = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
    let connector = match name {
        Some(name) => {
            builder.with_server_name_resolver(FixedServerNameResolver::new(name)).enable_http1().wrap_connector(tcp)
        }
        None => builder.enable_http1().wrap_connector(tcp),
    };
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(1)
        .build(connector)
}

/// Who sends: what the configuration says, and what it does not need to.
fn resource(rule: &TraceRule) -> Vec<(String, String)> {
    let instance = format!("{:?}", super::tracer::new_trace_id());
    let own = [
        ("service.name", rule.service.clone()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", instance),
    ];
    let said = |name: &str| rule.resource.iter().any(|(known, _)| known == name);
    let own = own.into_iter().filter(|(name, _)| !said(name)).map(|(name, value)| (name.to_owned(), value));
    own.chain(rule.resource.iter().cloned()).collect()
}

const TARGET: &str = "scimshim::trace";

const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const ANSWER_MAX_BYTES: usize = 64 * 1024;
const REASON_MAX_CHARS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_help_is_tried_again() {
        for (status, again) in
            [(400, false), (401, false), (404, false), (429, true), (500, false), (502, true), (503, true), (504, true)]
        {
            let answer = answer(status, None, b"");
            assert_eq!(matches!(answer, Answer::Later(..)), again, "{status}");
            assert_eq!(matches!(answer, Answer::Refused(_)), !again, "{status}");
        }
        assert_eq!(answer(200, None, b""), Answer::Taken(None));
        assert_eq!(answer(200, None, b"no message at all"), Answer::Taken(None));
    }

    #[test]
    fn the_time_to_wait_is_seconds() {
        for (text, seconds) in [("7", Some(7)), (" 7 ", Some(7)), ("-1", None), ("Sun, 06 Nov 1994 08:49:37 GMT", None)]
        {
            assert_eq!(retry_after(&HeaderValue::from_static(text)), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
