//! What the shell says about itself: metrics, log lines, and the events that become both.
//!
//! In: things that happened, as the structs of [`events`]. Out: samples of one registry and lines on standard output.
//! No label is ever taken from a request: labels come from enums and from the configuration. No query string, body,
//! credential or header value is logged.

pub mod events;
mod levels;
mod line;
pub mod log;
pub mod metrics;
mod outlet;
pub mod series;
pub mod trace;

pub use metrics::Metrics;
