//! In: the headers of a SCIM request. Out: the few that native calls carry as well. What is not on the list stays
//! behind, credentials above all.

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Headers passed from a SCIM request to its native calls.
#[derive(Clone, Debug, Default)]
pub struct Forwarded {
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Forwarded {
    /// Takes what may be passed on. Of a header sent several times, and of one longer than 512 bytes,
    /// nothing is taken.
    pub fn from_request(headers: &HeaderMap) -> Self {
        let taken = PASSED_ON.into_iter().filter_map(|name| {
            let mut values = headers.get_all(name).iter();
            let value = values.next()?;
            let sole = values.next().is_none() && value.len() <= VALUE_MAX_BYTES;
            sole.then(|| (HeaderName::from_static(name), value.clone()))
        });
        Self { headers: taken.collect() }
    }

    /// The same with this request id, which the adapter has chosen; left out if it cannot stand in a header.
    #[must_use]
    pub fn with_request_id(mut self, request_id: &str) -> Self {
        self.headers.retain(|(name, _)| name != REQUEST_ID);
        if let Ok(value) = HeaderValue::from_str(request_id) {
            self.headers.push((HeaderName::from_static(REQUEST_ID), value));
        }
        self
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.headers.iter().map(|(name, value)| (name, value))
    }
}

const REQUEST_ID: &str = "x-request-id";

/// Trace context (W3C) and the request id of proxies.
const PASSED_ON: [&str; 3] = ["traceparent", "tracestate", REQUEST_ID];

/// Longest value passed on; `tracestate` needs 512.
const VALUE_MAX_BYTES: usize = 512;
