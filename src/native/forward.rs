//! In: the headers of a SCIM request. Out: the few that native calls carry as well. What is not on the list stays
//! behind. The caller's credential is kept apart: it is sent only to a backend that is told to take it.

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};

use super::http1::Headers;
use crate::telemetry::trace::{Recording, RequestTrace, SpanId, TRACE_PARENT};

/// Headers passed from a SCIM request to its native calls.
#[derive(Clone, Debug, Default)]
pub struct Forwarded {
    headers: Vec<(HeaderName, HeaderValue)>,
    authorization: Option<HeaderValue>,
    trace: RequestTrace,
    /// The call that these are the headers of, if it is recorded.
    span: Option<SpanId>,
}

impl Forwarded {
    /// Takes the caller's credential, unless it was sent several times.
    pub fn from_request(headers: &impl Headers) -> Self {
        let authorization = headers.sole(&AUTHORIZATION).cloned().map(|mut value| {
            value.set_sensitive(true);
            value
        });
        Self { authorization, ..Self::default() }
    }

    /// The same with what is known of the trace.
    #[must_use]
    pub fn with_trace(mut self, trace: &RequestTrace) -> Self {
        self.headers.extend(trace.headers().map(|(name, value)| (name, value.clone())));
        self.trace = trace.clone();
        self
    }

    /// The same with this request id, which the adapter has chosen; left out if it cannot stand in a header.
    #[must_use]
    pub fn with_request_id(mut self, request_id: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(request_id) {
            self.headers.push((REQUEST_ID, value));
        }
        self
    }

    /// Those of one call that is recorded under this span.
    pub(super) fn of_call(&self, recording: &Recording, span: SpanId) -> Self {
        let mut own = Self { span: Some(span), ..self.clone() };
        for (name, value) in &mut own.headers {
            if *name == TRACE_PARENT {
                *value = recording.header(span);
            }
        }
        own
    }

    /// What is recorded about the request, if anything is.
    pub(super) fn recording(&self) -> Option<&Recording> {
        self.trace.recording()
    }

    /// The span of the call.
    pub(super) fn span(&self) -> Option<SpanId> {
        self.span
    }

    /// The caller's own `Authorization`, if it sent one.
    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.headers.iter().map(|(name, value)| (name, value))
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
