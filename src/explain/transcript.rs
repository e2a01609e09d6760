//! What `explain` found, as data: one [`Entry`] after the other. In: what happened, secrets already hidden. Out: JSON,
//! or the text of the module `text`.

use serde::Serialize;
use serde_json::Value;

use crate::plan::{Trace, form};

/// What a request would become.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Transcript {
    /// Method and target of the SCIM request.
    pub request: String,
    /// What happened, in order.
    pub entries: Vec<Entry>,
    /// How it ends.
    pub end: End,
    /// What was used of the configuration.
    #[serde(skip)]
    pub used: Trace,
}

/// How a transcript ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The request is answered with this status.
    Answered(u16),
    /// The plan waits for a reply that was not given.
    ReplyMissing,
    /// The path belongs to the application; no plan is made.
    PassedThrough,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// The base URL that serves the request.
    Route {
        /// Its place in the configuration.
        origin: String,
        /// Where native calls go.
        backend: String,
        /// Route variables.
        variables: Vec<(String, String)>,
    },
    /// No plan is made.
    NoRoute {
        /// Why.
        reason: String,
    },
    /// A dialect repair.
    Repair {
        /// Its name.
        name: String,
        /// How often it was made.
        times: u64,
    },
    /// Something sent that has no effect.
    Ignored {
        /// The attribute.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// What the request changes, in the words of SCIM.
    Change {
        /// Attributes, or members.
        what: String,
    },
    /// A name and its key.
    Table {
        /// The row, the name, and the key.
        text: String,
    },
    /// A guard that hides or denies something.
    Guard {
        /// Its place, its condition, and what it does.
        text: String,
    },
    /// A remark of the plan.
    Note {
        /// The remark.
        text: String,
    },
    /// The next calls belong to one step.
    Together {
        /// Number of the first one.
        first: usize,
        /// Number of the last one.
        last: usize,
        /// How many may be under way at once.
        parallel: usize,
    },
    /// A native call.
    Call(Box<Call>),
    /// The plan waits for replies that were not given.
    Stopped {
        /// The calls, as the replies file names them.
        calls: Vec<String>,
    },
    /// The answer.
    Answer {
        /// HTTP status.
        status: u16,
        /// Headers worth showing.
        headers: Vec<(String, String)>,
        /// Body.
        body: Option<Value>,
    },
    /// A reply that nothing asked for.
    Unused {
        /// The call it was for.
        call: String,
    },
}

/// A native call and what came back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Call {
    /// From 1.
    pub number: usize,
    /// HTTP method.
    pub method: String,
    /// Path and query below the URL of the backend; the credential as `***` if it stands there.
    pub target: String,
    /// Headers besides those of the transport; the credential as `***`.
    pub headers: Vec<(String, String)>,
    /// Body, before it is encoded for the backend; the credential as `***` if it stands there.
    pub body: Option<Value>,
    /// Whether the body is sent as a form.
    pub form: bool,
    /// Resource type it is about.
    pub resource: String,
    /// Which call slot it was written in.
    pub slot: &'static str,
    /// Its place in the configuration.
    pub origin: String,
    /// Where its parts came from: where the backend gave some, or a row needs what was there before.
    pub parts: Vec<String>,
    /// Replies after which it was made again, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub again: Vec<String>,
    /// Status, or how it failed; `None` if no reply was given.
    pub reply: Option<String>,
    /// The error rule that is about the reply, and what it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// As a case names it.
    #[serde(skip)]
    pub made: Made,
}

/// A call without what every call to its backend has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Made {
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Body, if there is one.
    pub body: Option<Value>,
    /// Whether the body is sent as a form.
    pub form: bool,
}

impl std::fmt::Display for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.target)?;
        match &self.body {
            Some(body) if self.form => write!(f, " {}", form::encode(body)),
            Some(body) => write!(f, " {body}"),
            None => Ok(()),
        }
    }
}
