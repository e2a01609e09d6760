//! Cases that live beside a configuration: a SCIM request, what the application replies, and what must come of it.
//!
//! In: the text of a case file and a snapshot. Out: per case what differs from what it expects, and over all cases
//! which rows and rules none of them has used. Nothing is sent: a case runs as `explain` does.
//!
//! ```toml
//! [[case]]
//! name    = "switching off locks, and does not touch the profile"
//! request = "PATCH /scim/v2/Users/42"
//! body    = '{"Operations":[{"op":"replace","path":"active","value":"False"}]}'
//! replies = { "POST /users/42/lock" = '{}', "GET /users/42" = { body = '{"id":42,"login":"ann"}' } }
//! calls   = ["POST /users/42/lock", "GET /users/42"]
//! status  = 200
//! answer  = { userName = "ann" }
//! ```

#[cfg(feature = "server")]
pub mod cli;
mod compare;
pub mod coverage;
mod file;
#[cfg(test)]
mod tests;
#[cfg(feature = "server")]
mod update;

use std::sync::Arc;

use serde_json::Value;

pub use file::{CASES_MAX_BYTES, CaseFileError, parse};

use crate::config::Snapshot;
use crate::explain::{Replies, Request, Transcript, explain};

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// What a user would expect, in a sentence.
    pub name: String,
    request: Request,
    replies: Replies,
    /// What must come of it.
    pub expected: Expected,
}

/// What must come of a request. What is absent is not compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    /// Native calls in order: `METHOD /path`, and the body as JSON where it matters.
    pub calls: Option<Vec<String>>,
    /// HTTP status of the answer.
    pub status: Option<u16>,
    /// Fields that the answer must have; it may have others.
    pub answer: Option<Value>,
    /// The whole transcript.
    pub explain: Option<String>,
}

impl Expected {
    /// Whether nothing is compared at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What came of a case.
#[derive(Clone, Debug)]
pub struct Run {
    /// What happened.
    pub transcript: Transcript,
    /// What differs from what was expected, a paragraph each; empty if the case holds.
    pub differences: Vec<String>,
}

impl Case {
    /// Runs the request against the snapshot with the canned replies.
    pub fn run(&self, snapshot: &Arc<Snapshot>) -> Run {
        let transcript = explain(snapshot, &self.request, self.replies.clone());
        let differences = compare::differences(&self.expected, &transcript);
        Run { transcript, differences }
    }
}
