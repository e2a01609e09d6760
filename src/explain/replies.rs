//! Canned replies of the application, and which call each one answers.
//!
//! In: a TOML list. Out: one outcome per call. A reply that names its call answers that call only; the others are
//! used up in order.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

use crate::document::Document;
use crate::mapping::tables::Entries;
use crate::plan::{NativeCall, NativeFailure, NativeOutcome, NativeReply};

/// One `[[reply]]`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ReplyEntry {
    /// Method and target, `GET /users/7`; without it the reply answers the next call that no other one names.
    pub call: Option<String>,
    /// HTTP status.
    #[serde(default = "ok")]
    pub status: u16,
    /// Headers, names in any case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Body text, usually JSON.
    #[serde(default)]
    pub body: String,
    /// Instead of an answer: `connect_error`, `interrupted`, `timeout` or `too_large`.
    pub failed: Option<String>,
    /// How many calls it answers.
    #[serde(default = "once")]
    pub times: usize,
}

fn ok() -> u16 {
    200
}

fn once() -> usize {
    1
}

/// What reference tables hold, by table: names and their keys.
pub type Tables = BTreeMap<String, BTreeMap<String, Value>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    reply: Vec<ReplyEntry>,
    #[serde(default)]
    tables: Tables,
}

impl ReplyEntry {
    /// 200 without a body, once, for one call.
    pub fn to(call: String) -> Self {
        Self {
            call: Some(call),
            status: ok(),
            headers: BTreeMap::new(),
            body: String::new(),
            failed: None,
            times: once(),
        }
    }
}

/// What is wrong with a list of replies.
#[derive(Debug, thiserror::Error)]
pub enum RepliesError {
    /// Not TOML, or not `[[reply]]` tables.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// `failed` is none of the known words.
    #[error("`failed = \"{0}\"` is not known; possible: connect_error, interrupted, timeout, too_large")]
    Failure(String),
    /// A key that no application could have.
    #[error("the key of '{name}' in `tables.{table}` is neither a text nor a number")]
    Key {
        /// The table.
        table: String,
        /// The name.
        name: String,
    },
}

/// Replies that are left, and what tables hold.
#[derive(Clone, Debug, Default)]
pub struct Replies {
    left: Vec<Canned>,
    tables: Tables,
}

#[derive(Clone, Debug)]
struct Canned {
    call: Option<String>,
    outcome: NativeOutcome,
    times: usize,
}

impl Replies {
    /// Reads `[[reply]]` and `[tables.NAME]`.
    pub fn parse(text: &str) -> Result<Self, RepliesError> {
        let file: File = toml::from_str(text)?;
        Self::new(file.reply)?.with_tables(file.tables)
    }

    /// Replies in the order in which they are used.
    pub fn new(entries: Vec<ReplyEntry>) -> Result<Self, RepliesError> {
        Ok(Self { left: entries.into_iter().map(canned).collect::<Result<_, _>>()?, tables: Tables::new() })
    }

    /// The same with tables, which then are not read.
    pub fn with_tables(self, tables: Tables) -> Result<Self, RepliesError> {
        for (table, entries) in &tables {
            if let Some((name, _)) = entries.iter().find(|(_, key)| !key.is_string() && !key.is_number()) {
                return Err(RepliesError::Key { table: table.clone(), name: name.clone() });
            }
        }
        Ok(Self { tables, ..self })
    }

    /// What is known of tables.
    pub(super) fn entries(&self) -> Entries {
        let mut entries = Entries::default();
        for (table, keys) in &self.tables {
            entries.give(table, keys.iter().map(|(name, key)| (name.clone(), key.clone())).collect());
        }
        entries
    }

    /// Names of the tables.
    pub(super) fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    /// The reply to a call.
    pub(super) fn take(&mut self, call: &NativeCall) -> Option<NativeOutcome> {
        let is_meant =
            |canned: &Canned| canned.call.as_deref().is_some_and(|line| names(line, &call.method, &call.target));
        let meant = self.left.iter().position(is_meant);
        let index = meant.or_else(|| self.left.iter().position(|canned| canned.call.is_none()))?;
        let canned = self.left.get_mut(index)?;
        canned.times = canned.times.saturating_sub(1);
        let outcome = canned.outcome.clone();
        if canned.times == 0 {
            self.left.remove(index);
        }
        Some(outcome)
    }

    /// The calls that were expected and not made.
    pub(super) fn unused(&self) -> impl Iterator<Item = &str> {
        self.left.iter().map(|canned| canned.call.as_deref().unwrap_or("a reply without `call`"))
    }
}

/// Whether a line is this call. However it is encoded: `/users/a b`, `/users/a%20b`.
pub(crate) fn names(line: &str, method: &str, target: &str) -> bool {
    let (of_line, rest) = line.trim().split_once(' ').unwrap_or((line, ""));
    of_line.eq_ignore_ascii_case(method) && same_target(rest.trim(), target)
}

/// Compared part by part, so that what is encoded in a part stays inside it.
fn same_target(one: &str, other: &str) -> bool {
    let parts = |target: &str| -> Vec<(char, Vec<u8>)> {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let decoded = |kind: char| move |part: &str| (kind, percent_decode_str(part).collect());
        let pairs = query.into_iter().flat_map(|query| query.split('&'));
        let halves = pairs.flat_map(|pair| {
            let (name, value) = pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value)));
            [Some(('&', name)), value.map(|value| ('=', value))].into_iter().flatten()
        });
        path.split('/').map(decoded('/')).chain(halves.map(|(kind, half)| decoded(kind)(half))).collect()
    };
    one == other || parts(one) == parts(other)
}

fn canned(entry: ReplyEntry) -> Result<Canned, RepliesError> {
    let outcome = match entry.failed {
        Some(word) => {
            let known = FAILURES.into_iter().find(|failure| failure.as_str() == word);
            NativeOutcome::Failed(known.ok_or(RepliesError::Failure(word))?)
        }
        None => NativeOutcome::Reply(reply(entry.status, entry.headers, &entry.body)),
    };
    Ok(Canned { call: entry.call, outcome, times: entry.times.max(1) })
}

/// As the native client would have read it.
fn reply(status: u16, headers: BTreeMap<String, String>, body: &str) -> NativeReply {
    let parsed = if body.trim().is_empty() { Some(Document::default()) } else { Document::parse(body) };
    NativeReply {
        status,
        headers: headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect(),
        unreadable: parsed.is_none(),
        body: parsed.unwrap_or_default(),
    }
}

const FAILURES: [NativeFailure; 4] =
    [NativeFailure::Connect, NativeFailure::Interrupted, NativeFailure::Timeout, NativeFailure::TooLarge];
