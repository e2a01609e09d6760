//! Traces: where a request stands in one, what is recorded about it, and who is told.
//!
//! In: the headers of a request, and the happenings on its way. Out: headers for whoever is called because of it, and
//! spans for a collector. Without `[trace]` no span is made; what a request says about its trace is passed on as it
//! came. A request that stands in no trace then costs one look at its headers.

mod context;
#[cfg(feature = "otlp")]
mod export;
#[cfg(feature = "otlp")]
mod otlp;
mod queue;
mod recording;
mod request;
mod span;
mod tracer;

pub use context::{Parent, SpanId, TRACE_PARENT, TRACE_STATE, TraceId};
pub use recording::{Passing, Recording};
pub use request::RequestTrace;
pub use span::{Attribute, AttributeValue, Span, SpanEvent, SpanKind};
pub use tracer::Tracer;
