//! The configuration: text in, an immutable [`Snapshot`] or every [`Diagnostic`] out.
//!
//! | module | in -> out |
//! |---|---|
//! | `tree` | TOML text -> values that know their place |
//! | `catalogue` | every table and key of the language |
//! | `read` | values -> typed values, and findings |
//! | `preset` | the built-in presets |
//! | `layers` | a file and what it extends -> one tree |
//! | `secret` | references to secrets |
//! | `compile` | the tree -> compiled mappings, checked |
//! | `snapshot` | what comes out |
//! | `reference`, `json_schema` | the catalogue -> Markdown, and a JSON Schema for editors |
//! | `show` | the merged configuration as one file |
//! | `migrate` | an older file -> one of this version |
//! | `levels` | which log lines are written |
//! | `diagnostic`, `codes`, `errors` | what is wrong, how it is shown, what each code means |
//!
//! All of it is pure: reading files, resolving secrets and watching for changes is the shell's business.

mod catalogue;
mod codes;
mod compile;
mod diagnostic;
mod errors;
#[cfg(test)]
pub(crate) mod fixture;
mod json_schema;
mod layers;
pub mod levels;
#[cfg(feature = "server")]
pub mod migrate;
mod preset;
mod read;
mod reference;
#[cfg(feature = "server")]
pub mod reload;
pub mod secret;
mod show;
mod snapshot;
mod tree;
pub(crate) mod units;

pub use codes::CODES;
pub use compile::{TEXT_MAX_BYTES, compile, compile_at, compile_with};
#[cfg(feature = "server")]
pub(crate) use diagnostic::closest;
pub use diagnostic::{Diagnostic, Severity, render};
pub use errors::explanation;
pub use json_schema::json_schema;
pub use layers::Fetch;
pub use reference::reference;
pub use show::{Origins, show};
pub use snapshot::{
    Backend, BackendTls, BaseUrl, BreakerRule, Cidr, ClientAuth, ClientCredentials, ErrorRule, Format, Limits,
    LogFormat, LogRule, MetricsRule, OutboundAuth, ResolvedSecrets, Retry, Route, RuleRetry, SendAs, Server,
    SessionLogin, Snapshot, TokenPlace, TraceRule,
};
pub use tree::Source;
