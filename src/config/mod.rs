//! The configuration: text in, an immutable [`Snapshot`] or every [`Diagnostic`] out.
//!
//! | module | in -> out |
//! |---|---|
//! | `tree` | TOML text -> values that know their place |
//! | `catalogue` | every table and key of the language |
//! | `read` | values -> typed values, and findings |
//! | `preset` | the built-in presets |
//! | `secret` | references to secrets |
//! | `compile` | the tree -> compiled mappings, checked |
//! | `snapshot` | what comes out |
//! | `reference`, `json_schema` | the catalogue -> Markdown, and a JSON Schema for editors |
//! | `diagnostic`, `codes` | what is wrong, how it is shown, what each code means |
//!
//! All of it is pure: reading files, resolving secrets and watching for changes is the shell's business.

mod catalogue;
mod codes;
mod compile;
mod diagnostic;
mod json_schema;
mod preset;
mod read;
mod reference;
#[cfg(feature = "server")]
pub mod reload;
pub mod secret;
mod snapshot;
mod tree;
mod units;

pub use codes::CODES;
pub use compile::{TEXT_MAX_BYTES, compile};
pub use diagnostic::{Diagnostic, Severity, render};
pub use json_schema::json_schema;
pub use reference::reference;
pub use snapshot::{
    Backend, BaseUrl, Cidr, ErrorRule, Format, Limits, OutboundAuth, ResolvedSecrets, Route, Server, Snapshot,
};
pub use tree::Source;
