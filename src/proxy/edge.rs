//! The seam between sockets and SCIM: plain requests in, plain answers out, no type of the proxy library.
//!
//! A [`ScimService`] first sees the path of a request and says whether it [claims](Claim) it, then the head. If the
//! request is admitted there is an [`Exchange`], which is given the body once that was read within bounds. What is admitted by one configuration is answered by the
//! same one, because the exchange holds on to it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};

use super::forward::TrustedProxies;
use super::upstream::Upstream;
use crate::config::LogRule;
pub use crate::native::http1::{HeaderList, Headers};
use crate::scim::{Bound, ScimError};
pub use crate::telemetry::events::{RequestLabels, Work};
use crate::telemetry::trace::{RequestTrace, Tracer};

/// One configuration as far as the proxy is concerned; requests keep the one they began with.
pub struct Live {
    /// Hash of its text.
    pub hash: String,
    /// What is logged, and how.
    pub log: LogRule,
    /// Bounds.
    pub bounds: Bounds,
    /// Whose `X-Forwarded-*` is believed.
    pub trusted: TrustedProxies,
    /// Where everything goes that is not SCIM; `None` answers 404.
    pub upstream: Option<Arc<Upstream>>,
    /// Who takes spans; `None` makes none.
    pub tracer: Option<Arc<Tracer>>,
    /// Who answers SCIM.
    pub scim: Arc<dyn ScimService>,
}

/// Bounds of the data side that a reload may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Request header bytes, all together.
    pub header_max_bytes: usize,
    /// Time for a whole request header.
    pub header_timeout: Duration,
    /// SCIM request body bytes.
    pub body_max_bytes: usize,
    /// Time for a whole SCIM request body; also how long a write to a client may stall.
    pub body_timeout: Duration,
    /// Idle time of a kept connection.
    pub keepalive_timeout: Duration,
    /// Shutdown: how long to go on accepting.
    pub keep_accepting: Duration,
    /// Shutdown: how long work in flight may take after that.
    pub drain_timeout: Duration,
}

/// Answers SCIM requests.
pub trait ScimService: Send + Sync {
    /// Decides by the path alone, as received and without its query, whose request it is. `None` is nobody's here: it
    /// passes through.
    fn claim(&self, path: &str) -> Option<Box<dyn Claim>>;

    /// Is told once when requests begin to come.
    fn put_in_force(&self) {}
}

/// A request that is SCIM's, or is refused because it could be taken for one.
pub trait Claim: Send + Sync {
    /// Decides by the head whether it is served. The body is not read yet, and must not be for requests that are
    /// refused.
    fn admit(self: Box<Self>, head: &RequestHead<'_>) -> Admission;
}

/// What is known of a request before its body.
#[derive(Debug)]
pub struct RequestHead<'a> {
    /// Method.
    pub method: &'a Method,
    /// Path as received, percent-encoded, without query.
    pub path: &'a str,
    /// Query as received, without its question mark.
    pub query: Option<&'a str>,
    /// Headers as received; those that nobody asks for may be missing.
    pub headers: &'a HeaderList,
}

/// What becomes of a claimed request.
pub enum Admission {
    /// SCIM, and allowed: read the body and go on.
    Scim(Box<dyn Exchange>),
    /// Answered already: not found, refused, not authenticated.
    Answer(EdgeResponse),
}

/// An admitted SCIM request.
#[async_trait]
pub trait Exchange: Send + Sync {
    /// What it is about, for the metrics of requests that fail before they are answered.
    fn labels(&self) -> RequestLabels;

    /// Answers it.
    async fn answer(self: Box<Self>, request: EdgeRequest) -> EdgeResponse;
}

/// A SCIM request, read whole.
#[derive(Clone, Debug)]
pub struct EdgeRequest {
    /// Method.
    pub method: Method,
    /// Path as received, without query.
    pub path: String,
    /// Query as received, without its question mark.
    pub query: Option<String>,
    /// Headers as received; those that nobody asks for may be missing.
    pub headers: HeaderList,
    /// Body.
    pub body: Bytes,
    /// `https://idp.example/prefix`: what the client's URLs begin with, before the path.
    pub origin: String,
    /// `X-Request-Id`.
    pub request_id: String,
    /// Address of the peer, not of the client behind it.
    pub peer: IpAddr,
    /// Where it stands in a trace.
    pub trace: RequestTrace,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct EdgeResponse {
    /// HTTP status.
    pub status: u16,
    /// Headers besides `Content-Type`, `Content-Length`, `Connection`, `Date` and `X-Request-Id`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Body; `application/scim+json` unless empty.
    pub body: Bytes,
    /// `scimType`, if this is an error that has one.
    pub scim_type: Option<&'static str>,
    /// The bound that refused the request, if one did.
    pub bound: Option<Bound>,
    /// How its time was spent, if it came to be carried out.
    pub work: Option<Work>,
    /// What the request was about.
    pub labels: RequestLabels,
}

impl EdgeResponse {
    /// An error as RFC 7644 3.12 has it.
    pub fn error(error: &ScimError, labels: RequestLabels) -> Self {
        let retry_after = error.retry_after.map(|seconds| (http::header::RETRY_AFTER, HeaderValue::from(seconds)));
        Self {
            status: error.status,
            headers: retry_after.into_iter().collect(),
            body: Bytes::from(error.to_json().to_string()),
            scim_type: error.scim_type.map(crate::scim::ScimType::as_str),
            bound: error.bound,
            work: None,
            labels,
        }
    }
}
