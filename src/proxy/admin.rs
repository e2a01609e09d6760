//! The admin side: `/metrics`, `/livez`, `/readyz`, `/startupz`, and `/drain`.
//!
//! In: a bound socket of its own, away from traffic. Out: text. Nothing is asked of the application: a probe that fails
//! with the backend would take down the whole pod and mend nothing. The one thing that can be changed here, to begin
//! the end, is for callers on loopback alone.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::listener::Traffic;
use super::log_level;
use crate::telemetry::Metrics;

/// What the probes are told.
#[derive(Debug, Default)]
pub struct Health {
    /// The data side accepts connections.
    pub listening: AtomicBool,
    /// The process is about to end.
    pub leaving: AtomicBool,
}

impl Health {
    /// That a configuration is in force need not be asked: without one there would be no listener to ask.
    fn checks(&self) -> [(&'static str, bool); 2] {
        [("listener", self.listening.load(Ordering::Acquire)), ("staying", !self.leaving.load(Ordering::Acquire))]
    }
}

/// What the admin side tells, and what it can be told.
pub struct Admin {
    /// What the probes are told.
    pub health: Arc<Health>,
    /// What a scraper is told.
    pub metrics: Arc<Metrics>,
    /// What whoever drains is told.
    pub traffic: Arc<Traffic>,
    /// Begins to drain.
    pub drain: Box<dyn Fn() + Send + Sync>,
}

/// Serves until dropped.
pub async fn serve(listener: TcpListener, admin: Arc<Admin>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let Ok((socket, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let admin = admin.clone();
        tokio::spawn(async move {
            let answer = service_fn(|request: Request<Incoming>| async {
                Ok::<_, Infallible>(if request.uri().path() == "/log-level" {
                    let trusted = may_change(&request, peer.ip());
                    log_level::answer(request, trusted).await
                } else {
                    answer(&request, peer.ip(), &admin)
                })
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .max_buf_size(16 * 1024)
                .serve_connection(TokioIo::new(socket), answer);
            // A scraper that goes away is no event.
            let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
            drop(slot);
        });
    }
}

fn answer<B>(request: &Request<B>, peer: IpAddr, admin: &Admin) -> Response<Full<Bytes>> {
    let uri = request.uri();
    let verbose = uri.query().is_some_and(|query| query.split('&').any(|word| word.starts_with("verbose")));
    let checks = admin.health.checks();
    let checks: &[_] = match uri.path() {
        "/metrics" | "/livez" | "/healthz" => &[],
        "/startupz" => checks.split_at(1).0,
        "/readyz" => &checks,
        "/drain" => return drain(request, peer, admin),
        _ => return text(StatusCode::NOT_FOUND, "not found\n".to_owned()),
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return not_allowed("GET, HEAD");
    }
    if uri.path() == "/metrics" {
        return text(StatusCode::OK, admin.metrics.render());
    }
    report(checks, verbose)
}

/// Begins to drain, and says how far that is. Asking again changes nothing.
fn drain<B>(request: &Request<B>, peer: IpAddr, admin: &Admin) -> Response<Full<Bytes>> {
    if *request.method() != Method::POST {
        return not_allowed("POST");
    }
    if !may_change(request, peer) {
        return text(StatusCode::FORBIDDEN, "only for callers on loopback: `scimshim drain`\n".to_owned());
    }
    (admin.drain)();
    let seen = serde_json::json!({ "under_way": admin.traffic.under_way(), "begun": admin.traffic.begun() });
    answer_json(&seen)
}

/// Whether a request may change something. A browser names the origin of a page that sends something; no page has a
/// reason to.
fn may_change<B>(request: &Request<B>, peer: IpAddr) -> bool {
    peer.to_canonical().is_loopback() && !request.headers().contains_key(header::ORIGIN)
}

pub(super) fn answer_json(value: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::OK, format!("{value}\n"));
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

pub(super) fn not_allowed(methods: &'static str) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, format!("only {methods} is served here\n"));
    response.headers_mut().insert(header::ALLOW, http::HeaderValue::from_static(methods));
    response
}

fn report(checks: &[(&str, bool)], verbose: bool) -> Response<Full<Bytes>> {
    let good = checks.iter().all(|(_, good)| *good);
    let mut body = String::new();
    for (name, good) in checks.iter().filter(|(_, good)| verbose || !good) {
        // Writing to a string cannot fail.
        let _ = writeln!(body, "[{}] {name}", if *good { "+" } else { "-" });
    }
    body.push_str(if good { "ok\n" } else { "failed\n" });
    text(if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, body)
}

pub(super) fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    response
}

/// Scrapers and probes are few.
const CONNECTIONS_MAX: usize = 64;
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// One request of each kind, and whether it began to drain.
    fn ask(request: http::request::Builder, peer: IpAddr, health: Health) -> (u16, bool) {
        let (metrics, begun) = (Metrics::new().unwrap(), Arc::new(AtomicBool::new(false)));
        let flag = begun.clone();
        let drain = Box::new(move || flag.store(true, Ordering::Release));
        let admin = Admin { health: Arc::new(health), metrics, traffic: Arc::default(), drain };
        let response = answer(&request.body(()).unwrap(), peer, &admin);
        (response.status().as_u16(), begun.load(Ordering::Acquire))
    }

    fn check(method: &str, uri: &str, [listening, leaving]: [bool; 2]) -> u16 {
        let health = Health { listening: listening.into(), leaving: leaving.into() };
        let (status, drained) = ask(Request::builder().method(method).uri(uri), LOOPBACK, health);
        assert!(!drained, "{uri}");
        status
    }

    #[test]
    fn probes_differ_in_what_they_ask() {
        let (before, serving, leaving) = ([false, false], [true, false], [true, true]);
        for (path, expected) in [
            ("/livez", [200, 200, 200]),
            ("/healthz", [200, 200, 200]),
            ("/startupz", [503, 200, 200]),
            ("/readyz", [503, 200, 503]),
            ("/metrics", [200, 200, 200]),
            ("/", [404, 404, 404]),
        ] {
            assert_eq!([before, serving, leaving].map(|health| check("GET", path, health)), expected, "{path}");
        }
        assert_eq!(check("POST", "/metrics", serving), 405);
        assert_eq!(check("DELETE", "/livez", serving), 405);
        assert_eq!(check("HEAD", "/readyz", serving), 200);
    }

    #[test]
    fn only_a_caller_on_loopback_drains_and_only_by_post() {
        for (method, peer, origin, expected) in [
            ("POST", "127.0.0.1", None, (200, true)),
            ("POST", "127.8.8.8", None, (200, true)),
            ("POST", "::1", None, (200, true)),
            ("POST", "::ffff:127.0.0.1", None, (200, true)),
            ("POST", "10.0.0.7", None, (403, false)),
            ("POST", "::ffff:10.0.0.7", None, (403, false)),
            ("POST", "127.0.0.1", Some("http://evil.example"), (403, false)),
            ("GET", "127.0.0.1", None, (405, false)),
            ("GET", "10.0.0.7", None, (405, false)),
        ] {
            let mut request = Request::builder().method(method).uri("/drain");
            if let Some(origin) = origin {
                request = request.header(header::ORIGIN, origin);
            }
            assert_eq!(ask(request, peer.parse().unwrap(), Health::default()), expected, "{method} {peer} {origin:?}");
        }
    }
}
