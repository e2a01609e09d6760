//! What is kept about a span until it is sent. Nothing here knows how.
//!
//! Names and attributes come from the configuration, from enums and from statuses: no path of a request, no query, no
//! header and no body.

use std::borrow::Cow;
use std::sync::Arc;

use super::context::{SpanId, TraceId};

/// A span that has ended.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its trace.
    pub trace: TraceId,
    /// Itself.
    pub id: SpanId,
    /// Whose child it is.
    pub parent: Option<SpanId>,
    /// Whether the parent is somebody else's.
    pub parent_is_remote: bool,
    /// Flags of the trace.
    pub flags: u8,
    /// `tracestate`.
    pub state: Option<Arc<str>>,
    /// What it is called.
    pub name: Cow<'static, str>,
    /// What it is.
    pub kind: SpanKind,
    /// Nanoseconds since 1970.
    pub start: u64,
    /// Nanoseconds since 1970.
    pub end: u64,
    /// What is known about it.
    pub attributes: Vec<Attribute>,
    /// What happened in it.
    pub events: Vec<SpanEvent>,
    /// Whether it went wrong, which is somebody's business.
    pub failed: bool,
}

/// Which side of a call a span is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// None.
    Internal,
    /// A request that came in.
    Server,
    /// A request that went out.
    Client,
}

/// Something that happened at a moment.
#[derive(Clone, Debug)]
pub struct SpanEvent {
    /// Nanoseconds since 1970.
    pub at: u64,
    /// What.
    pub name: &'static str,
    /// What is known about it.
    pub attributes: Vec<Attribute>,
}

/// A name and what it stands for.
pub type Attribute = (&'static str, AttributeValue);

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum AttributeValue {
    /// A text.
    Text(Cow<'static, str>),
    /// A text of the configuration.
    Shared(Arc<str>),
    /// A number.
    Number(i64),
}

impl From<&'static str> for AttributeValue {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for AttributeValue {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<&Arc<str>> for AttributeValue {
    fn from(text: &Arc<str>) -> Self {
        Self::Shared(Arc::clone(text))
    }
}

impl From<u64> for AttributeValue {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u16> for AttributeValue {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}
