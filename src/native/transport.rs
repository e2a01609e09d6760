//! In: a request. Out: the reply, read whole and bounded, or why there is none.
//!
//! Nothing here knows calls, credentials or retries. Who drops the future ends the exchange. One transport belongs to one origin and keeps its connections.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderName, HeaderValue};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};

use super::outgoing::Outgoing;
use super::plain::{Broken, Plain};
use super::reply;
use super::tls::Trust;
use super::wire::REPLY_HEAD_MAX_BYTES;
use crate::plan::{NativeFailure, NativeReply};

/// The connections to one origin.
#[derive(Debug)]
pub(super) struct Transport {
    name: Arc<str>,
    wire: Wire,
    reply_max_bytes: usize,
}

#[derive(Debug)]
enum Wire {
    /// A sidecar's own application, most of the time: as short a way as there is.
    Plain(Plain),
    /// TLS, and HTTP/2 where the server offers it.
    Secure(Box<SecureClient>),
}

type SecureClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// What a transport is made with.
#[derive(Clone, Debug)]
pub(super) struct TransportOptions {
    /// Name of the backend, for the log.
    pub(super) name: Arc<str>,
    /// How `https` is verified; `None` is `http`.
    pub(super) tls: Option<Trust>,
    /// Time to open a connection.
    pub(super) connect_timeout: Duration,
    /// Idle connections kept.
    pub(super) idle_max: usize,
    /// Bytes of a reply's body.
    pub(super) reply_max_bytes: usize,
}

impl Transport {
    /// Nothing connects before the first exchange.
    pub(super) fn new(options: TransportOptions) -> Self {
        let TransportOptions { name, tls, connect_timeout, idle_max, reply_max_bytes } = options;
        let wire = if let Some(trust) = tls {
            let client = Client::builder(TokioExecutor::new())
                .timer(TokioTimer::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE_MAX)
                .pool_max_idle_per_host(idle_max)
                .http1_max_buf_size(REPLY_HEAD_MAX_BYTES)
                .build(secure_connector(trust, connect_timeout));
            Wire::Secure(Box::new(client))
        } else {
            Wire::Plain(Plain::new(idle_max, connect_timeout, reply_max_bytes))
        };
        Self { name, wire, reply_max_bytes }
    }

    /// Sends one request at the time `begun` and reads its reply; [`NativeFailure::Timeout`] if that takes longer than
    /// `until`.
    pub(super) async fn exchange(
        &self,
        request: &Outgoing<'_>,
        begun: Instant,
        until: Instant,
    ) -> Result<NativeReply, NativeFailure> {
        match &self.wire {
            Wire::Secure(client) => {
                let exchanged = timeout_at(until, Box::pin(self.exchange_securely(client, request))).await;
                exchanged.unwrap_or(Err(NativeFailure::Timeout))
            }
            Wire::Plain(plain) => {
                let exchanged = plain.exchange(request, begun, until).await;
                exchanged.map_err(|broken| self.note_broken(&broken))
            }
        }
    }

    #[cold]
    fn note_broken(&self, broken: &Broken) -> NativeFailure {
        tracing::debug!(backend = %self.name, cause = broken.cause, "native call failed");
        broken.failure
    }

    async fn exchange_securely(
        &self,
        client: &SecureClient,
        request: &Outgoing<'_>,
    ) -> Result<NativeReply, NativeFailure> {
        let request = request.to_http(Scheme::HTTPS).map_err(|_| NativeFailure::Unsendable)?;
        let response = client.request(request.map(Full::new)).await.map_err(|error| {
            tracing::debug!(backend = %self.name, cause = &error as &dyn Error, "native call failed");
            failure(&error)
        })?;
        let (head, body) = response.into_parts();
        let body = read_limited(body, self.reply_max_bytes).await?;
        let header = |(name, value)| (HeaderName::as_str(name), String::from_utf8_lossy(HeaderValue::as_bytes(value)));
        Ok(reply::read(head.status.as_u16(), head.headers.iter().map(header).collect(), &body))
    }
}

fn secure_connector(trust: Trust, connect_timeout: Duration) -> HttpsConnector<HttpConnector> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect_timeout));
    let builder = HttpsConnectorBuilder::new().with_tls_config(trust.config).https_only();
    match trust.server_name {
        Some(name) => {
            let builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name));
            builder.enable_all_versions().wrap_connector(tcp)
        }
        None => builder.enable_all_versions().wrap_connector(tcp),
    }
}

/// No connection, or none that can be trusted: waiting helps only in the first case.
fn failure(error: &hyper_util::client::legacy::Error) -> NativeFailure {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_)) = error.downcast_ref() {
            return NativeFailure::Untrusted;
        }
        // What an IO error is made of is not its source, and one may be made of another.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    if error.is_connect() { NativeFailure::Connect } else { NativeFailure::Interrupted }
}

async fn read_limited(body: Incoming, max_bytes: usize) -> Result<Bytes, NativeFailure> {
    // An honest Content-Length saves reading what would be thrown away.
    if usize::try_from(body.size_hint().lower()).map_or(true, |announced| announced > max_bytes) {
        return Err(NativeFailure::TooLarge);
    }
    match Limited::new(body, max_bytes).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(NativeFailure::TooLarge),
        Err(_) => Err(NativeFailure::Interrupted),
    }
}

/// How long an idle connection is kept. Below the five seconds after which common application servers close theirs:
/// a POST that meets a closing connection has an unknown outcome and may not be repeated.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(4);
