//! What passes between a plan and whoever carries it out: calls, replies, the answer.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::dialect::Repairs;
use crate::document::Document;
use crate::mapping::{Origin, Part, Slot, Success};

use super::headers::ReplyHeaders;
use super::turn::TurnRequest;

/// A native request, ready to send but for credentials and body secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct NativeCall {
    /// HTTP method in upper case.
    pub method: Arc<str>,
    /// Path and query below the backend's URL: `/users/7?page=1`.
    pub target: String,
    /// Headers besides those of the backend.
    pub headers: Vec<(Arc<str>, String)>,
    /// Body; the backend's format says how it is encoded.
    pub body: Option<Value>,
    /// Which slot it was written in.
    pub slot: Slot,
    /// Resource type it is about.
    pub resource: Arc<str>,
    /// Its place in the configuration.
    pub origin: Origin,
    /// Where its parts came from, where the backend gave some.
    pub parts: Option<Arc<[Part]>>,
    /// May be sent again after an unknown outcome.
    pub idempotent: bool,
    /// A reply to the same call may serve if it is no older than this.
    pub keep: Option<Duration>,
    /// What success is, for calls to a backend whose error rules may ask for a repetition.
    pub success: Option<Arc<Success>>,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum NativeOutcome {
    /// The application answered.
    Reply(NativeReply),
    /// It did not, or the answer could not be read.
    Failed(NativeFailure),
}

/// An answer of the application.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NativeReply {
    /// HTTP status.
    pub status: u16,
    /// What came with it.
    pub headers: ReplyHeaders,
    /// Parsed body; null when empty or not JSON.
    pub body: Document,
    /// Whether there was a body that is not JSON.
    pub unreadable: bool,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NativeFailure {
    /// No connection.
    Connect,
    /// The connection ended before the answer was complete.
    Interrupted,
    /// The deadline passed.
    Timeout,
    /// The answer is larger than allowed.
    TooLarge,
    /// The application's certificate is not trusted, or the application did not trust ours.
    Untrusted,
    /// The call cannot be written as an HTTP request, so it was not sent.
    Unsendable,
    /// Not sent: too many calls are waiting, or the deadline would pass before its turn.
    Busy,
    /// Not sent: the application has been failing and is left alone for so many more seconds.
    CircuitOpen(u32),
    /// Not sent: the application, or whoever gives out its tokens, refused the adapter's login.
    LoginRefused,
    /// Not sent: the login could not be carried out; worth trying again in so many seconds.
    LoginUnavailable(u32),
}

impl NativeFailure {
    /// Every kind of failure.
    pub const ALL: [Self; 10] = [
        Self::Connect,
        Self::Interrupted,
        Self::Timeout,
        Self::TooLarge,
        Self::Untrusted,
        Self::Unsendable,
        Self::Busy,
        Self::CircuitOpen(0),
        Self::LoginRefused,
        Self::LoginUnavailable(0),
    ];

    /// The word used in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect_error",
            Self::Interrupted => "interrupted",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::Untrusted => "untrusted",
            Self::Unsendable => "unsendable",
            Self::Busy => "busy",
            Self::CircuitOpen(_) => "circuit_open",
            Self::LoginRefused => "login_refused",
            Self::LoginUnavailable(_) => "login_unavailable",
        }
    }
}

/// What a plan wants next.
#[derive(Debug)]
pub enum Step {
    /// Carry these out (they may run together, at most `parallel` at a time) and come back with one outcome each, in
    /// order.
    Calls {
        /// The calls.
        calls: Vec<NativeCall>,
        /// How many may be under way together.
        parallel: usize,
    },
    /// Wait until nobody else works on these, keep them until the plan ends or asks again, and come back without
    /// outcomes; or with [`NativeFailure::Timeout`] if that takes too long.
    Turn(TurnRequest),
    /// The answer.
    Reply(Box<ScimResponse>),
}

/// The answer to a SCIM request.
#[derive(Clone, Debug, Default)]
pub struct ScimResponse {
    /// HTTP status.
    pub status: u16,
    /// Headers besides `Content-Type` and `Content-Length`.
    pub headers: Vec<(&'static str, String)>,
    /// Body, if there is one; `application/scim+json`.
    pub body: Option<Content>,
    /// What happened on the way, for logs, metrics and the demo.
    pub report: Report,
}

/// The body of an answer: JSON with sorted members.
#[derive(Clone, Debug)]
pub enum Content {
    /// As a tree.
    Tree(Value),
    /// As text.
    Text(Vec<u8>),
}

impl Content {
    /// As it is sent.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            // Writing a JSON value into memory cannot fail.
            Self::Tree(tree) => serde_json::to_vec(&tree).unwrap_or_default(),
            Self::Text(text) => text,
        }
    }

    /// As a tree, for who looks into it.
    pub fn tree(&self) -> Cow<'_, Value> {
        match self {
            Self::Tree(tree) => Cow::Borrowed(tree),
            // Nothing but JSON is made here.
            Self::Text(text) => Cow::Owned(serde_json::from_slice(text).unwrap_or_default()),
        }
    }
}

/// What happened on the way.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Dialect repairs made.
    pub repairs: Repairs,
    /// Repairs made to filters.
    pub filter_repairs: Vec<&'static str>,
    /// Known attributes that the mapping lacks.
    pub unmapped: Vec<String>,
    /// Names that no schema knows.
    pub unknown: Vec<String>,
    /// Members who left another group by joining one.
    pub moved_members: u64,
    /// Attributes of which the application holds one of the values that were sent.
    pub collapsed_attributes: u64,
    /// How the filter of a list was answered.
    pub filter: Option<FilterPath>,
    /// Objects read for want of a native query.
    pub scanned: u64,
    /// Remarks for `explain` and the log, such as "current members not read".
    pub notes: Vec<Cow<'static, str>>,
    /// The error that the answer reports, if it does.
    pub error: Option<crate::scim::ScimError>,
    /// The id of the resource the request was about, where known.
    pub resource_id: Option<String>,
    /// What later requests may use about the paging of lists.
    pub marks: Vec<super::marks::Learned>,
}

/// How the filter of a list was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FilterPath {
    /// There was none.
    None,
    /// By the key of one object.
    Lookup,
    /// By native queries.
    Pushed,
    /// By reading every object.
    Scanned,
    /// Not at all.
    Refused,
}

impl FilterPath {
    /// Every one of them, in order.
    pub const ALL: [Self; 5] = [Self::None, Self::Lookup, Self::Pushed, Self::Scanned, Self::Refused];

    /// The word used in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lookup => "lookup",
            Self::Pushed => "pushed",
            Self::Scanned => "scanned",
            Self::Refused => "refused",
        }
    }
}
