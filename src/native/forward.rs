//! In: the headers of a SCIM request. Out: the few that native calls carry as well. What is not on the list stays
//! behind. The caller's credential is kept apart: it is sent only to a backend that is told to take it.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, HeaderValue};

use super::http1::Headers;
use super::outgoing::{Field, is_value};
use crate::telemetry::trace::{Recording, RequestTrace, SpanId, TRACE_PARENT};

/// Headers passed from a SCIM request to its native calls.
#[derive(Clone, Debug, Default)]
pub struct Forwarded<'a> {
    authorization: Option<&'a HeaderValue>,
    trace: Option<&'a RequestTrace>,
    request_id: Option<&'a str>,
    /// The call that these are the headers of, and what they say of the trace then, if it is recorded.
    own: Option<(SpanId, HeaderValue)>,
}

impl<'a> Forwarded<'a> {
    /// Takes the caller's credential, unless it was sent several times.
    pub fn from_request(headers: &'a impl Headers) -> Self {
        Self { authorization: headers.sole(&AUTHORIZATION), ..Self::default() }
    }

    /// The same with what is known of the trace.
    #[must_use]
    pub fn with_trace(self, trace: &'a RequestTrace) -> Self {
        Self { trace: Some(trace), ..self }
    }

    /// The same with this request id, which the adapter has chosen; left out if it cannot stand in a header.
    #[must_use]
    pub fn with_request_id(self, request_id: &'a str) -> Self {
        Self { request_id: is_value(request_id.as_bytes()).then_some(request_id), ..self }
    }

    /// Those of one call that is recorded under this span.
    pub(super) fn of_call(&self, recording: &Recording, span: SpanId) -> Self {
        Self { own: Some((span, recording.header(span))), ..self.clone() }
    }

    /// What is recorded about the request, if anything is.
    pub(super) fn recording(&self) -> Option<&'a Recording> {
        self.trace?.recording()
    }

    /// The span of the call.
    pub(super) fn span(&self) -> Option<SpanId> {
        self.own.as_ref().map(|(span, _)| *span)
    }

    /// The caller's own `Authorization`, if it sent one.
    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization
    }

    /// What every call carries.
    pub(super) fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        let traced = self.trace.into_iter().flat_map(RequestTrace::headers).map(|(name, value)| {
            let own = self.own.as_ref().filter(|_| name == TRACE_PARENT).map(|(_, parent)| parent);
            let value = Cow::Borrowed(own.unwrap_or(value).as_bytes());
            Field { name: Cow::Owned(name.as_str().to_owned()), value, secret: false }
        });
        traced.chain(self.request_id.map(|id| Field::new("x-request-id", id.as_bytes())))
    }
}
