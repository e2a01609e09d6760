//! What the shell says about itself: metrics, log lines, and the events that become both.
//!
//! In: things that happened, as the structs of [`events`]. Out: samples of one registry and lines on standard output.
//! Labels come from enums and from the configuration; the one exception is the tenant, which is taken from the path of
//! authenticated requests and bounded. No query string, body, credential or header value is logged.

pub mod catalogue;
pub mod events;
mod levels;
mod line;
pub mod log;
pub mod metrics;
mod outlet;
mod registry;
pub mod series;
pub mod tenants;
pub mod trace;
mod window;

pub use metrics::Metrics;
pub(crate) use registry::Known;
