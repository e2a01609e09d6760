//! What only a transcript shows: gathered when somebody asked for it, so that serving does not pay for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::config::ErrorRule;
use crate::mapping::row::Access;
use crate::mapping::{Call, Mapping, Origin, RowSet};
use crate::scim::Resource;

/// What a plan used of its configuration, and what it set out to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Changes of attributes and members, one line each.
    pub changes: Vec<String>,
    /// Guards that matched, one line each.
    pub guards: Vec<String>,
    /// Names and keys that reference tables gave, one line each.
    pub tables: Vec<String>,
    /// Rows by resource type.
    pub rows: BTreeMap<Arc<str>, RowsUsed>,
    /// Bodies that hold more than rows, each with the form in which it may be shown: values that no row is about are
    /// hidden, for nobody knows what they are.
    pub veiled: Vec<(Value, Value)>,
    /// Bodies with the rows whose values in them are made of what was there before.
    pub from_native: Vec<(Value, Origin)>,
    /// Replies that an error rule is about, in the order in which they were judged.
    pub decisions: Vec<Decision>,
    /// Places of the rules that decided something: write rules, error rules, guards.
    pub rules: BTreeSet<(Arc<str>, u32)>,
}

/// What an error rule made of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Place of the call.
    pub call: Origin,
    /// Status of the reply.
    pub status: u16,
    /// Place of the rule, the slot, and what it answers.
    pub text: String,
}

/// Rows of one resource type that were used, as sets of row indices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowsUsed {
    /// Gave a value of an answer.
    pub read: RowSet,
    /// Were part of a native document.
    pub written: RowSet,
}

impl Trace {
    pub(super) fn rule(&mut self, origin: &Origin) {
        self.rules.insert((Arc::clone(&origin.source), origin.line));
    }

    pub(super) fn decided(&mut self, call: &Call, status: u16, rule: &ErrorRule, answer: u16) {
        self.rule(&rule.origin);
        let text = format!("error rule {} ({}): {answer}", rule.origin, call.slot.as_str());
        self.decisions.push(Decision { call: call.origin.clone(), status, text });
    }

    /// Each line once, however many objects it is about.
    pub(super) fn guard(&mut self, line: String) {
        if !self.guards.contains(&line) {
            self.guards.push(line);
        }
    }

    /// Each line once, and not more than anybody reads.
    pub(super) fn table(&mut self, line: String) {
        if self.tables.len() < MEMBERS_SHOWN && !self.tables.contains(&line) {
            self.tables.push(line);
        }
    }

    pub(super) fn written(&mut self, mapping: &Mapping, rows: RowSet) {
        self.rows.entry(Arc::clone(&mapping.resource_type.name)).or_default().written |= rows;
    }

    /// The rows of a new object: those with a value, and those whose default is in its document.
    pub(super) fn created(&mut self, mapping: &Mapping, with_value: RowSet, document: &Value) {
        let defaulted = mapping.rows.iter().enumerate().filter(|(_, row)| {
            let held = row.native_path().and_then(|path| path.get(document));
            row.default.is_some() && held.is_some_and(|value| !value.is_null())
        });
        self.written(mapping, defaulted.fold(with_value, |set, (index, _)| set | 1 << index));
    }

    /// The rows that gave a resource a value.
    pub(super) fn read(&mut self, mapping: &Mapping, resource: &Resource) {
        let with_value = mapping.rows.iter().enumerate().filter(|(_, row)| row.target.read(resource, false).is_some());
        let set = with_value.fold(0, |set, (index, _)| set | 1 << index);
        self.rows.entry(Arc::clone(&mapping.resource_type.name)).or_default().read |= set;
    }

    /// The same, where it is known which rows these are.
    pub(super) fn read_rows(&mut self, mapping: &Mapping, rows: RowSet) {
        self.rows.entry(Arc::clone(&mapping.resource_type.name)).or_default().read |= rows;
    }

    /// One line for each row that changes.
    pub(super) fn changed(&mut self, mapping: &Mapping, rows: RowSet, old: Option<&Resource>, new: &Resource) {
        for (_, row) in mapping.rows_in(rows) {
            let shown = |resource: &Resource| {
                let value = row.target.read(resource, mapping.sole_on_attribute(row))?;
                Some(if row.access == Access::Write { "***".to_owned() } else { short(&value) })
            };
            let (before, after) = (old.and_then(shown), shown(new));
            let after = after.unwrap_or_else(|| "unassigned".to_owned());
            self.changes.push(match before {
                Some(before) => format!("{}: {before} -> {after}", row.target),
                None => format!("{}: {after}", row.target),
            });
        }
    }

    /// One line for the members that join and leave.
    pub(super) fn members(&mut self, add: &[String], remove: &[String]) {
        let signed = |sign: char, ids: &[String]| ids.iter().map(|id| format!(" {sign}{id}")).collect::<Vec<_>>();
        let mut words = signed('+', add);
        words.extend(signed('-', remove));
        let more = words.len().saturating_sub(MEMBERS_SHOWN);
        words.truncate(MEMBERS_SHOWN);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        if !words.is_empty() {
            self.changes.push(format!("members{}{rest}", words.concat()));
        }
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE_MAX) {
        Some((cut, _)) => format!("{}...", text.get(..cut).unwrap_or_default()),
        None => text,
    }
}

const MEMBERS_SHOWN: usize = 20;
/// Characters of a value that a line shows.
const VALUE_MAX: usize = 80;
