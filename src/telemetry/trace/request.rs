//! In: the headers of a request. Out: where it stands in a trace, and what its calls say about theirs.

use std::sync::Arc;
use std::time::Instant;

use http::{HeaderName, HeaderValue};

use super::context::{self, Parent, RANDOM, SAMPLED, SpanId, TRACE_PARENT, TRACE_STATE};
use super::recording::Recording;
use super::tracer::{self, Tracer};
use crate::native::http1::Headers;

/// Where a request stands in a trace; nothing for one that stands in none.
#[derive(Clone, Debug, Default)]
pub struct RequestTrace(Option<Arc<Trail>>);

#[derive(Debug)]
struct Trail {
    /// The id of the trace, for log lines.
    id: [u8; 32],
    parent: HeaderValue,
    state: Option<HeaderValue>,
    recording: Option<Recording>,
}

impl RequestTrace {
    /// Takes what the headers say, or begins a trace if there is somebody to tell about it.
    pub fn begin(tracer: Option<&Arc<Tracer>>, headers: &impl Headers, started: Instant) -> Self {
        match tracer {
            Some(tracer) => Self(Some(Arc::new(Trail::own(tracer, headers, started)))),
            None => Self::passed_on(headers),
        }
    }

    /// Takes what the headers say, to be passed on as it is.
    pub fn passed_on(headers: &impl Headers) -> Self {
        Self(
            context::of_request(headers).map(|(given, parent, state)| {
                Arc::new(Trail { id: given.trace.hex(), parent, state, recording: None })
            }),
        )
    }

    /// The id of the trace, in hexadecimal digits.
    pub fn id(&self) -> Option<&str> {
        self.0.as_ref().and_then(|trail| std::str::from_utf8(&trail.id).ok())
    }

    /// What is recorded, if anything is.
    pub fn recording(&self) -> Option<&Recording> {
        self.0.as_ref()?.recording.as_ref()
    }

    /// What calls made because of the request say about the trace.
    pub fn headers(&self) -> impl Iterator<Item = (HeaderName, &HeaderValue)> {
        let trail = self.0.as_ref();
        let parent = trail.map(|trail| (TRACE_PARENT, &trail.parent));
        parent.into_iter().chain(trail.and_then(|trail| Some((TRACE_STATE, trail.state.as_ref()?))))
    }
}

impl Trail {
    /// A span of our own stands between who called and who is called, whether or not it is recorded.
    fn own(tracer: &Arc<Tracer>, headers: &impl Headers, started: Instant) -> Self {
        let given = context::of_request(headers);
        let span = tracer::new_span_id();
        let (parent, remote, state) = match given {
            Some((given, _, state)) => (Parent { span, ..given }, Some(given.span), state),
            None => {
                let trace = tracer::new_trace_id();
                let sampled = if tracer.samples(trace) { SAMPLED } else { 0 };
                (Parent { trace, span, flags: RANDOM | sampled }, None, None)
            }
        };
        let recorded = parent.flags & SAMPLED != 0;
        let recording = recorded.then(|| Recording::new(tracer, parent, remote, state.as_ref(), started));
        Self { id: parent.trace.hex(), parent: parent.to_header(), state, recording }
    }
}

/// What a call says whose own span is this one.
pub(super) fn header(recording: &Recording, span: SpanId) -> HeaderValue {
    Parent { span, ..recording.context() }.to_header()
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(parent: Option<&str>, state: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(TRACE_STATE, HeaderValue::from_str(state).unwrap());
        if let Some(parent) = parent {
            headers.insert(TRACE_PARENT, HeaderValue::from_str(parent).unwrap());
        }
        headers
    }

    fn told(trace: &RequestTrace) -> Vec<String> {
        trace.headers().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn without_a_tracer_the_context_is_passed_on_as_it_came() {
        let trace = RequestTrace::begin(None, &headers(Some(GIVEN), "a=1"), Instant::now());
        assert_eq!(trace.id(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert_eq!(told(&trace), [format!("traceparent: {GIVEN}"), "tracestate: a=1".to_owned()]);
        assert!(trace.recording().is_none());
    }

    #[test]
    fn without_a_tracer_nothing_is_invented() {
        for given in [None, Some("malformed")] {
            let trace = RequestTrace::begin(None, &headers(given, "a=1"), Instant::now());
            assert!(trace.id().is_none() && told(&trace).is_empty(), "{given:?}");
        }
    }
}
