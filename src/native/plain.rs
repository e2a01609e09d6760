//! HTTP/1.1 without TLS, on the client session of the proxy library.
//!
//! In: an HTTP request with an absolute URI. Out: head and body of the reply, or why there is none. Everything happens
//! in the task of the caller: no task is spawned and nothing is handed from thread to thread, which is most of what a
//! call over loopback costs. Framing is the library's; here are the connections, kept for the next exchange, and the
//! bounds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderValue};
use http::uri::{Authority, PathAndQuery};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use pingora::http::RequestHeader;
use pingora::protocols::http::v1::client::HttpSession;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep, timeout};

use super::connection::Connection;
use super::transport::{IDLE_MAX, REPLY_HEAD_MAX_BYTES};
use crate::plan::NativeFailure;

/// The connections to one origin.
#[derive(Debug)]
pub(super) struct Plain {
    idle: Arc<Mutex<Idle>>,
    /// Idle connections kept.
    idle_max: usize,
    /// Time to open a connection.
    connect_timeout: Duration,
    /// Bytes of a reply's body.
    reply_max_bytes: usize,
}

/// What a reply consists of, still as bytes.
pub(super) struct RawReply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Why there is no reply, and what is said about it in the log.
pub(super) struct Broken {
    pub(super) failure: NativeFailure,
    pub(super) cause: String,
}

impl Plain {
    pub(super) fn new(idle_max: usize, connect_timeout: Duration, reply_max_bytes: usize) -> Self {
        Self { idle: Arc::default(), idle_max, connect_timeout, reply_max_bytes }
    }

    /// Sends one request and reads its reply whole.
    pub(super) async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<RawReply, Broken> {
        let (mut head, body) = request.into_parts();
        let authority = head.uri.authority().cloned();
        let authority = authority.ok_or_else(|| broken(NativeFailure::Unsendable, "the request has no host"))?;
        head.uri = Uri::from(head.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
        let host = HeaderValue::from_str(authority.as_str());
        head.headers.insert(HOST, host.map_err(|error| broken(NativeFailure::Unsendable, error))?);
        // Never fails, and is there at once: the body is in memory.
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        // RFC 9110 8.6: methods that give a meaning to content say that there is none.
        if !body.is_empty() || matches!(head.method, Method::POST | Method::PUT | Method::PATCH) {
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let connection = match self.take() {
            Some(connection) => connection,
            None => Box::new(self.connect(&authority).await?),
        };
        let mut session = HttpSession::new(connection);
        let reply = converse(&mut session, RequestHeader::from(head), &body, self.reply_max_bytes).await?;
        session.respect_keepalive();
        if session.will_keepalive()
            && let Some(stream) = session.reuse().await
            && let Ok(connection) = stream.into_any().downcast::<Connection>()
        {
            self.keep(connection);
        }
        Ok(reply)
    }

    /// The connection used last, if it still can be used.
    fn take(&self) -> Option<Box<Connection>> {
        let mut idle = lock(&self.idle);
        while let Some((connection, since)) = idle.connections.pop() {
            if since.elapsed() < IDLE_MAX && connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    fn keep(&self, connection: Box<Connection>) {
        let mut idle = lock(&self.idle);
        if idle.connections.len() < self.idle_max {
            idle.connections.push((connection, Instant::now()));
            if !idle.swept {
                idle.swept = true;
                tokio::spawn(sweep(Arc::downgrade(&self.idle)));
            }
        }
    }

    async fn connect(&self, authority: &Authority) -> Result<Connection, Broken> {
        let unreachable = |cause: &dyn std::fmt::Display| broken(NativeFailure::Connect, cause);
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let opened = timeout(self.connect_timeout, async {
            let addresses: Vec<_> = lookup_host((host, authority.port_u16().unwrap_or(80))).await?.collect();
            // A silent address leaves time for the next one.
            let share = self.connect_timeout / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
            let mut last = std::io::ErrorKind::NotFound.into();
            for address in addresses {
                match timeout(share, TcpStream::connect(address)).await {
                    Ok(Ok(socket)) => return Ok(socket),
                    Ok(Err(error)) => last = error,
                    Err(late) => last = late.into(),
                }
            }
            Err(last)
        });
        match opened.await {
            Ok(Ok(socket)) => Ok(Connection::new(socket)),
            Ok(Err(error)) => Err(unreachable(&error)),
            Err(late) => Err(unreachable(&late)),
        }
    }
}

async fn converse(
    session: &mut HttpSession,
    head: RequestHeader,
    body: &[u8],
    reply_max_bytes: usize,
) -> Result<RawReply, Broken> {
    let interrupted = |error: Box<pingora::Error>| broken(NativeFailure::Interrupted, error.etype().as_str());
    session.write_request_header(Box::new(head)).await.map_err(interrupted)?;
    if !body.is_empty() {
        session.write_body(body).await.map_err(interrupted)?;
    }
    let (status, headers) = loop {
        // What comes before the last head says nothing about the outcome (RFC 9110 15.2).
        let length = session.read_response().await.map_err(interrupted)?;
        let head = session.resp_header().filter(|_| length <= REPLY_HEAD_MAX_BYTES);
        match head.map(|head| (head.status, &head.headers)) {
            Some((status, headers)) if !status.is_informational() => break (status.as_u16(), headers.clone()),
            Some((status, _)) if status != http::StatusCode::SWITCHING_PROTOCOLS => {}
            _ => return Err(broken(NativeFailure::Interrupted, "the head of the reply is none")),
        }
    };
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    // An honest Content-Length saves reading what would be thrown away.
    let too_large = || broken(NativeFailure::TooLarge, "the reply is too large");
    if announced.is_some_and(|announced| announced > reply_max_bytes) {
        return Err(too_large());
    }
    let mut body = Vec::with_capacity(announced.unwrap_or(0));
    while let Some(part) = session.read_body_ref().await.map_err(interrupted)? {
        if body.len() + part.len() > reply_max_bytes {
            return Err(too_large());
        }
        body.extend_from_slice(part);
    }
    Ok(RawReply { status, headers, body })
}

#[derive(Debug, Default)]
struct Idle {
    /// Each with the time since when; the one used last at the end.
    connections: Vec<(Box<Connection>, Instant)>,
    /// Whether somebody looks after them.
    swept: bool,
}

/// Closes what was idle for too long, until there is nothing left.
async fn sweep(idle: Weak<Mutex<Idle>>) {
    loop {
        sleep(IDLE_MAX / 4).await;
        let Some(idle) = idle.upgrade() else { return };
        let mut idle = lock(&idle);
        idle.connections.retain(|(connection, since)| since.elapsed() < IDLE_MAX && connection.is_quiet());
        if idle.connections.is_empty() {
            idle.swept = false;
            return;
        }
    }
}

fn lock(idle: &Mutex<Idle>) -> MutexGuard<'_, Idle> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

fn broken(failure: NativeFailure, cause: impl std::fmt::Display) -> Broken {
    Broken { failure, cause: cause.to_string() }
}
