//! Stage 7: carries native calls out.
//!
//! In: a [`NativeCall`](crate::plan::NativeCall) and the backend it goes to. Out: a
//! [`NativeOutcome`](crate::plan::NativeOutcome), whatever happens, before the deadline of the request. What is added
//! here is what a plan may not know: credentials and their renewal, secrets in bodies, the encoding of bodies, retries,
//! a circuit breaker, and bounds on time, size, rate and concurrency. Nothing here knows SCIM; what a reply asks for
//! ([`demand`](crate::plan::demand)) is asked of the plan.
//!
//! One [`NativeClient`] belongs to one snapshot; its connections go with it.

mod breaker;
mod client;
mod connection;
mod credential;
mod execute;
mod forward;
pub(crate) mod http1;
mod kept;
mod line;
mod login;
mod outgoing;
pub(crate) mod patience;
mod plain;
mod reply;
mod request;
mod resolver;
mod retry;
mod session;
mod tls;
mod transport;
mod turns;
mod upstream;
mod wire;

#[cfg(test)]
mod tests;

pub use breaker::BreakerState;
pub use client::{CallContext, Completed, NativeClient, NativeClientError};
pub use execute::{CallRecord, Observer, Steps, Turned, Turns, execute};
pub use forward::Forwarded;
pub use kept::{Keeping, KeptReplies, ShownBy};
pub use resolver::{RESOLVE_TIMEOUT, UpstreamAddrs};
pub use tls::TlsMaterial;
#[cfg(feature = "otlp")]
pub(crate) use tls::{Trust, trust, trust_nobody};
