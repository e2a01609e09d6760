//! What is recorded about one request, until its end.
//!
//! In: moments and what happened between them. Out: a span for the request, and below it `route`, `auth` and `plan`
//! with a span for every native call; or one for the call that passes through. Attributes are those of the semantic
//! conventions of OpenTelemetry for HTTP, and some of our own below `scimshim.`.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use http::{HeaderValue, Method};

use super::context::{Parent, SpanId};
use super::span::{Attribute, Span, SpanEvent, SpanKind};
use super::tracer::{self, Tracer};
use crate::config::Backend;
use crate::plan::{NativeCall, NativeOutcome, Report};
use crate::proxy::edge::EdgeResponse;
use crate::scim::error::Side;

/// The spans of one request.
#[derive(Debug)]
pub struct Recording {
    tracer: Arc<Tracer>,
    /// The trace, and the span of the request itself.
    own: Parent,
    /// Who called.
    remote: Option<SpanId>,
    state: Option<Arc<str>>,
    /// The span below which native calls stand: the plan. Of what passes through it is the call.
    inner: SpanId,
    started: Instant,
    /// The same in nanoseconds since 1970.
    started_at: u64,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    ended: Vec<Span>,
    /// `http.route`.
    route: Option<String>,
}

/// What is known of a request that passes through.
#[derive(Debug)]
pub struct Passing<'a> {
    /// Its method.
    pub method: &'a Method,
    /// HTTP status of the answer; 0 when the client was gone first.
    pub status: u16,
    /// What went wrong.
    pub error: Option<&'a str>,
    /// `X-Request-Id`.
    pub request_id: &'a str,
    /// Where it went, and when it set out.
    pub call: Option<(&'a str, u16, Instant)>,
}

impl Recording {
    pub(super) fn new(
        tracer: &Arc<Tracer>,
        own: Parent,
        remote: Option<SpanId>,
        state: Option<&HeaderValue>,
        started: Instant,
    ) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let begun = now.saturating_sub(started.elapsed());
        Self {
            tracer: Arc::clone(tracer),
            own,
            remote,
            state: state.and_then(|state| state.to_str().ok()).map(Arc::from),
            inner: tracer::new_span_id(),
            started,
            started_at: u64::try_from(begun.as_nanos()).unwrap_or(u64::MAX),
            notes: Mutex::default(),
        }
    }

    pub(super) fn context(&self) -> Parent {
        self.own
    }

    /// An id for a call that is about to be made.
    pub fn new_span(&self) -> SpanId {
        tracer::new_span_id()
    }

    /// What a call says about its place whose span this is.
    pub fn header(&self, span: SpanId) -> HeaderValue {
        super::request::header(self, span)
    }

    /// What the call of a request that passes through says about its place.
    pub fn inner_header(&self) -> HeaderValue {
        self.header(self.inner)
    }

    /// A stage has ended that began then; or the first one, which began with the request.
    pub fn stage(&self, name: &'static str, begun: Option<Instant>, attributes: Vec<Attribute>) {
        let span = self.child(Cow::Borrowed(name), SpanKind::Internal, begun.unwrap_or(self.started));
        self.notes().ended.push(Span { attributes, ..span });
    }

    /// Remembers the template of the path.
    pub fn set_route(&self, route: String) {
        self.notes().route = Some(route);
    }

    /// The plan came to its answer.
    pub fn planned(&self, begun: Instant, report: &Report, calls: usize) {
        let span = self.child(Cow::Borrowed("plan"), SpanKind::Internal, begun);
        let counted = report.repairs.iter().map(|(repair, count)| (repair.name(), count));
        let repairs = counted.chain(report.filter_repairs.iter().map(|repair| (*repair, 1)));
        // Repairs are made before the first call; when exactly, nobody asks.
        let event = |(repair, count): (&'static str, u64)| SpanEvent {
            at: span.start,
            name: "scimshim.repair",
            attributes: vec![("scimshim.repair.name", repair.into()), ("scimshim.repair.count", count.into())],
        };
        let events = repairs.map(event).collect();
        let mut attributes: Vec<Attribute> = vec![("scimshim.native_calls", (calls as u64).into())];
        let error = report.error.as_ref();
        attributes.extend(error.map(|error| {
            let word = error.scim_type.map(crate::scim::ScimType::as_str);
            ("error.type", error_type(error.status, word))
        }));
        let failed = error.is_some_and(|error| error.side != Side::Downstream);
        self.notes().ended.push(Span { id: self.inner, attributes, events, failed, ..span });
    }

    /// A native call was carried out, or not.
    pub fn native_call(
        &self,
        span: SpanId,
        below: Option<SpanId>,
        begun: Instant,
        call: &NativeCall,
        backend: &Backend,
        (outcome, attempts): (&NativeOutcome, u32),
    ) {
        let child = self.child(method_name(&call.method), SpanKind::Client, begun);
        let mut attributes: Vec<Attribute> = vec![
            ("http.request.method", method(&call.method).into()),
            ("server.address", backend.url.host.clone().into()),
            ("server.port", backend.url.port.into()),
            ("scimshim.backend", (&backend.name).into()),
            ("scimshim.slot", call.slot.as_str().into()),
            ("scimshim.resource_type", (&call.resource).into()),
            ("scimshim.origin", call.origin.to_string().into()),
        ];
        if attempts > 1 {
            attributes.push(("http.request.resend_count", u64::from(attempts - 1).into()));
        }
        let failed = match outcome {
            NativeOutcome::Reply(reply) => {
                attributes.push(("http.response.status_code", reply.status.into()));
                if reply.status >= 400 {
                    attributes.push(("error.type", error_type(reply.status, None)));
                }
                reply.status >= 400
            }
            NativeOutcome::Failed(failure) => {
                attributes.push(("error.type", failure.as_str().into()));
                true
            }
        };
        let parent = Some(below.unwrap_or(self.inner));
        self.notes().ended.push(Span { id: span, parent, attributes, failed, ..child });
    }

    /// A SCIM request was answered: its spans are complete.
    pub fn answered(&self, method: &Method, response: &EdgeResponse, request_id: &str) {
        let labels = &response.labels;
        let mut attributes: Vec<Attribute> = vec![
            ("http.request.method", self::method(method.as_str()).into()),
            ("url.scheme", "http".into()),
            ("http.response.status_code", response.status.into()),
            ("scimshim.request_id", request_id.to_owned().into()),
        ];
        if &*labels.route != "none" {
            attributes.push(("scimshim.route", (&labels.route).into()));
        }
        attributes.extend(labels.tenant_name().map(|tenant| ("scimshim.tenant", tenant.to_owned().into())));
        if &*labels.resource_type != "none" {
            attributes.push(("scimshim.resource_type", (&labels.resource_type).into()));
        }
        if labels.operation != "none" {
            attributes.push(("scimshim.operation", labels.operation.into()));
        }
        attributes.extend(response.scim_type.map(|scim_type| ("scimshim.scim_type", scim_type.into())));
        self.end(method, response.status, attributes);
    }

    /// A request that passes through was answered, or not.
    pub fn passed(&self, passing: &Passing<'_>) {
        let error = |failed: bool| {
            let error = passing.error.map(|error| error.to_owned().into());
            error.or_else(|| failed.then(|| error_type(passing.status, None))).map(|error| ("error.type", error))
        };
        if let Some((host, port, begun)) = passing.call {
            let child = self.child(method_name(passing.method.as_str()), SpanKind::Client, begun);
            let mut attributes: Vec<Attribute> = vec![
                ("http.request.method", method(passing.method.as_str()).into()),
                ("server.address", host.to_owned().into()),
                ("server.port", port.into()),
            ];
            let failed = passing.error.is_some() || passing.status >= 400;
            if passing.error.is_none() {
                attributes.push(("http.response.status_code", passing.status.into()));
            }
            attributes.extend(error(failed));
            let parent = Some(self.own.span);
            self.notes().ended.push(Span { id: self.inner, parent, attributes, failed, ..child });
        }
        let mut attributes: Vec<Attribute> = vec![
            ("http.request.method", method(passing.method.as_str()).into()),
            ("url.scheme", "http".into()),
            ("scimshim.request_id", passing.request_id.to_owned().into()),
        ];
        if passing.status > 0 {
            attributes.push(("http.response.status_code", passing.status.into()));
        }
        self.end(passing.method, passing.status, attributes);
    }

    /// The span of the request itself, and delivery of all.
    fn end(&self, method: &Method, status: u16, mut attributes: Vec<Attribute>) {
        let Notes { mut ended, route } = std::mem::take(&mut *self.notes());
        let name = match &route {
            Some(route) => format!("{} {route}", self::method(method.as_str())).into(),
            None => method_name(method.as_str()),
        };
        attributes.extend(route.map(|route| ("http.route", route.into())));
        let failed = status >= 500 || status == 0;
        if failed {
            attributes.push(("error.type", error_type(status, None)));
        }
        let span = self.child(name, SpanKind::Server, self.started);
        let parent_is_remote = self.remote.is_some();
        ended.push(Span { id: self.own.span, parent: self.remote, parent_is_remote, attributes, failed, ..span });
        self.tracer.take(ended);
    }

    /// A span below that of the request, which ends at this moment.
    fn child(&self, name: Cow<'static, str>, kind: SpanKind, begun: Instant) -> Span {
        Span {
            trace: self.own.trace,
            id: tracer::new_span_id(),
            parent: Some(self.own.span),
            parent_is_remote: false,
            flags: self.own.flags,
            state: self.state.clone(),
            name,
            kind,
            start: self.at(begun),
            end: self.at(Instant::now()),
            attributes: Vec::new(),
            events: Vec::new(),
            failed: false,
        }
    }

    fn at(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.started).as_nanos();
        self.started_at.saturating_add(u64::try_from(since).unwrap_or(u64::MAX))
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A method as an attribute: any that is not a standard one is `_OTHER`, for a client can invent as many as it likes.
fn method(method: &str) -> &'static str {
    METHODS.into_iter().find(|known| *known == method).unwrap_or("_OTHER")
}

/// A method as a name.
fn method_name(method: &str) -> Cow<'static, str> {
    Cow::Borrowed(METHODS.into_iter().find(|known| *known == method).unwrap_or("HTTP"))
}

fn error_type(status: u16, word: Option<&'static str>) -> super::AttributeValue {
    match (word, status) {
        (Some(word), _) => word.into(),
        (None, 0) => "client_gone".into(),
        (None, status) => status.to_string().into(),
    }
}

const METHODS: [&str; 10] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"];
