//! What became of one SCIM request, for whoever watches a server from inside its own process.
//!
//! In: an [`Exchange`] for every SCIM answer that was sent. Out: nothing by itself; whoever starts a server may hand
//! it an [`ExchangeSink`]. Records hold bodies and identifiers, so they are for demonstrations and tests: without a
//! sink none is made, and none is ever logged.

use std::fmt;

use serde_json::Value;

/// One SCIM request and the native calls it became.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exchange {
    /// As in the `X-Request-Id` of the answer.
    pub request_id: String,
    /// `GET`, `PATCH` ...
    pub method: String,
    /// Path and query as received.
    pub target: String,
    /// HTTP status of the answer.
    pub status: u16,
    /// Habits of identity providers that were corrected, by name, and how often.
    pub repairs: Vec<(String, usize)>,
    /// What the plan remarked.
    pub notes: Vec<String>,
    /// Native calls in the order they were made.
    pub native: Vec<NativeExchange>,
}

/// One native call and how it ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NativeExchange {
    /// `GET`, `POST` ...
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// The body as sent, secrets masked.
    pub body: Option<Value>,
    /// HTTP status of the reply, if there was one.
    pub status: Option<u16>,
    /// Why there was none.
    pub failure: Option<String>,
}

/// Takes records while the request is still in its worker, so it must be quick and must not block.
pub trait ExchangeSink: fmt::Debug + Send + Sync {
    /// One answer was sent.
    fn record(&self, exchange: Exchange);
}
