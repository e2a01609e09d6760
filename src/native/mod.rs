//! Stage 7: carries native calls out.
//!
//! In: a [`NativeCall`](crate::plan::NativeCall) and the backend it goes to. Out: a
//! [`NativeOutcome`](crate::plan::NativeOutcome), whatever happens, before the deadline of the request. What is added
//! here is what a plan may not know: credentials, secrets in bodies, the encoding of bodies, retries, and bounds on
//! time, size and concurrency. Nothing here knows SCIM, and no reply is judged here.
//!
//! One [`NativeClient`] belongs to one snapshot; its connections go with it.

mod client;
mod connection;
mod execute;
mod form;
mod forward;
mod kept;
mod plain;
mod reply;
mod request;
mod resolver;
mod retry;
mod transport;

#[cfg(test)]
mod tests;

pub use client::{CallContext, Completed, NativeClient, NativeClientError};
pub use execute::{CallRecord, Observer, Steps, Turned, Turns, execute};
pub use forward::Forwarded;
pub use kept::{Keeping, KeptReplies, ShownBy};
pub use resolver::{RESOLVE_TIMEOUT, UpstreamAddrs};
