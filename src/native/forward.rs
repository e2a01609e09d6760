//! In: the headers of a SCIM request. Out: the few that native calls carry as well. What is not on the list stays
//! behind. The caller's credential is kept apart: it is sent only to a backend that is told to take it.

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

/// Headers passed from a SCIM request to its native calls.
#[derive(Clone, Debug, Default)]
pub struct Forwarded {
    headers: Vec<(HeaderName, HeaderValue)>,
    authorization: Option<HeaderValue>,
}

impl Forwarded {
    /// Takes what may be passed on. Of a header sent several times, and of one longer than 512 bytes,
    /// nothing is taken.
    pub fn from_request(headers: &HeaderMap) -> Self {
        let taken = PASSED_ON.into_iter().filter_map(|name| {
            let value = sole(headers, &name).filter(|value| value.len() <= VALUE_MAX_BYTES)?.clone();
            Some((name, value))
        });
        let authorization = sole(headers, &AUTHORIZATION).cloned().map(|mut value| {
            value.set_sensitive(true);
            value
        });
        Self { headers: taken.collect(), authorization }
    }

    /// The same with this request id, which the adapter has chosen; left out if it cannot stand in a header.
    #[must_use]
    pub fn with_request_id(mut self, request_id: &str) -> Self {
        self.headers.retain(|(name, _)| *name != REQUEST_ID);
        if let Ok(value) = HeaderValue::from_str(request_id) {
            self.headers.push((REQUEST_ID, value));
        }
        self
    }

    /// The caller's own `Authorization`, if it sent one.
    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.headers.iter().map(|(name, value)| (name, value))
    }
}

/// The value of a header that was sent once.
fn sole<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Trace context (W3C): where in a trace this request stands.
pub const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// Trace context (W3C): what vendors add to it.
pub const TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");

/// Trace context and the request id of proxies.
const PASSED_ON: [HeaderName; 3] = [TRACE_PARENT, TRACE_STATE, REQUEST_ID];

/// Longest value passed on; `tracestate` needs 512.
const VALUE_MAX_BYTES: usize = 512;
