//! The admin side: `/metrics`, `/livez`, `/readyz`, `/startupz`.
//!
//! In: a bound socket of its own, away from traffic. Out: text. Nothing can be changed here, and nothing is asked of
//! the application: a probe that fails with the backend would take down the whole pod and mend nothing.

use std::convert::Infallible;
use std::fmt::Write as _;
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

/// Serves until dropped.
pub async fn serve(listener: TcpListener, health: Arc<Health>, metrics: Arc<Metrics>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (health, metrics) = (health.clone(), metrics.clone());
        tokio::spawn(async move {
            let answer = service_fn(|request: Request<Incoming>| {
                let response = answer(request.method(), request.uri(), &health, &metrics);
                async move { Ok::<_, Infallible>(response) }
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

fn answer(method: &Method, uri: &http::Uri, health: &Health, metrics: &Metrics) -> Response<Full<Bytes>> {
    let verbose = uri.query().is_some_and(|query| query.split('&').any(|word| word.starts_with("verbose")));
    let checks = health.checks();
    let checks: &[_] = match uri.path() {
        "/metrics" | "/livez" | "/healthz" => &[],
        "/startupz" => checks.split_at(1).0,
        "/readyz" => &checks,
        _ => return text(StatusCode::NOT_FOUND, "not found\n".to_owned()),
    };
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n".to_owned());
        response.headers_mut().insert(header::ALLOW, http::HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    if uri.path() == "/metrics" {
        return text(StatusCode::OK, metrics.render());
    }
    report(checks, verbose)
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

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
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

    fn check(method: &str, uri: &str, health: &Health) -> u16 {
        let metrics = Metrics::new().unwrap();
        answer(&method.parse().unwrap(), &uri.parse().unwrap(), health, &metrics).status().as_u16()
    }

    #[test]
    fn probes_differ_in_what_they_ask() {
        let before = Health::default();
        let serving = Health { listening: true.into(), leaving: false.into() };
        let leaving = Health { listening: true.into(), leaving: true.into() };
        for (path, expected) in [
            ("/livez", [200, 200, 200]),
            ("/healthz", [200, 200, 200]),
            ("/startupz", [503, 200, 200]),
            ("/readyz", [503, 200, 503]),
            ("/metrics", [200, 200, 200]),
            ("/", [404, 404, 404]),
        ] {
            assert_eq!([&before, &serving, &leaving].map(|health| check("GET", path, health)), expected, "{path}");
        }
        assert_eq!(check("POST", "/metrics", &serving), 405);
        assert_eq!(check("DELETE", "/livez", &serving), 405);
        assert_eq!(check("HEAD", "/readyz", &serving), 200);
    }
}
