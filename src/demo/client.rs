//! A small SCIM client: requests over real sockets, answers within bounds.
//!
//! It keeps connections alive and follows nothing. What an answer means is not known here.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use serde_json::Value;
use tokio::time::timeout;

/// Sends requests to any host, in clear or over TLS. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// An answer with its whole body.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers as received.
    pub headers: HeaderMap,
    /// At most 16 MiB.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL, the method or the token cannot be sent.
    #[error("not a request that can be sent: {0}")]
    Request(#[from] http::Error),
    /// The roots of the system cannot be read.
    #[error("no TLS roots: {0}")]
    Roots(#[from] std::io::Error),
    /// No connection, or one that broke.
    #[error("no answer: {0}")]
    Transport(#[from] hyper_util::client::legacy::Error),
    /// The body broke off or is too large.
    #[error("no whole answer: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// Nothing came in time.
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Timeout,
}

impl Client {
    /// # Errors
    /// [`ClientError::Roots`].
    pub fn new() -> Result<Client, ClientError> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(ring::default_provider())?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Client { pool: Pool::builder(TokioExecutor::new()).build(connector) })
    }

    /// Sends one SCIM request with a bearer token. A body is JSON.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn scim(
        &self,
        method: &str,
        url: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Result<Answer, ClientError> {
        let mut headers = HeaderMap::new();
        let bearer = HeaderValue::try_from(format!("Bearer {token}")).map_err(http::Error::from)?;
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(ACCEPT, SCIM_JSON);
        if body.is_some() {
            headers.insert(CONTENT_TYPE, SCIM_JSON);
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        self.send(method, url, headers, body).await
    }

    /// Sends exactly these headers, and those that HTTP itself needs.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn send(&self, method: &str, url: &str, headers: HeaderMap, body: Bytes) -> Result<Answer, ClientError> {
        let method = Method::from_bytes(method.as_bytes()).map_err(http::Error::from)?;
        let uri = Uri::try_from(url).map_err(http::Error::from)?;
        let mut request = Request::builder().method(method).uri(uri).body(Full::new(body))?;
        *request.headers_mut() = headers;
        timeout(TIMEOUT, self.exchange(request)).await.map_err(|_| ClientError::Timeout)?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        let (head, body) = self.pool.request(request).await?.into_parts();
        let body = Limited::new(body, BODY_MAX_BYTES).collect().await.map_err(ClientError::Body)?.to_bytes();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }
}

impl Answer {
    /// The body as JSON; null where there is none, or none that parses.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header as text, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

const SCIM_JSON: HeaderValue = HeaderValue::from_static("application/scim+json");
/// Longer than any sidecar makes a client wait for a native call that times out.
const TIMEOUT: Duration = Duration::from_secs(60);
const BODY_MAX_BYTES: usize = 16 * 1024 * 1024;
