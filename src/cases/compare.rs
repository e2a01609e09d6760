//! What a case expects against what happened.

use serde_json::Value;

use crate::explain::{End, Entry, Layout, Made, Transcript, names};
use crate::plan::form;

use super::Expected;

/// What differs, a paragraph each. A reply that was never asked for is a difference, and so is a plan that waits, unless
/// the case expects the very transcript that says so.
pub(super) fn differences(expected: &Expected, found: &Transcript) -> Vec<String> {
    let mut differences = Vec::new();
    if expected.is_empty() {
        differences.push("it expects nothing: give it `calls`, `status`, `answer` or `explain`".to_owned());
    }
    if let Some(text) = &expected.explain {
        let shown = found.text(Layout::Compact);
        if text.trim() != shown.trim() {
            differences.push(first_difference(text.trim(), shown.trim()));
        }
    }
    differences.extend(loose_ends(found, expected.explain.is_some()));
    if let Some(calls) = &expected.calls {
        differences.extend(calls_differ(calls, found));
    }
    let (status, body) = answer(found);
    if let Some(wanted) = expected.status
        && status != Some(wanted)
    {
        let status = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        let detail = body.and_then(|body| body.get("detail")).and_then(Value::as_str);
        let detail = detail.map_or_else(String::new, |detail| format!("\n  ({detail})"));
        differences.push(format!("status\n  expected: {wanted}\n  found:    {status}{detail}"));
    }
    if let Some(wanted) = &expected.answer {
        differing(wanted, body.unwrap_or(&Value::Null), "answer", &mut differences);
    }
    differences
}

fn loose_ends(found: &Transcript, may_wait: bool) -> impl Iterator<Item = String> {
    found.entries.iter().filter_map(move |entry| match entry {
        Entry::Stopped { calls } if !may_wait => Some(format!("no reply is given to\n  {}", calls.join("\n  "))),
        Entry::Unused { call } if call.starts_with("tables.") => Some(format!("there is no such table\n  {call}")),
        Entry::Unused { call } => Some(format!("nothing asked for the reply to\n  {call}")),
        _ => None,
    })
}

/// Status and body of the answer, if there is one.
pub(super) fn answer(found: &Transcript) -> (Option<u16>, Option<&Value>) {
    let body = found.entries.iter().find_map(|entry| match entry {
        Entry::Answer { body, .. } => body.as_ref(),
        _ => None,
    });
    match found.end {
        End::Answered(status) => (Some(status), body),
        End::ReplyMissing | End::PassedThrough => (None, body),
    }
}

fn calls_differ(expected: &[String], found: &Transcript) -> Option<String> {
    let made: Vec<&Made> = found.calls().collect();
    let same = |(expected, made): (&String, &&Made)| same_call(expected, made);
    if expected.len() == made.len() && expected.iter().zip(&made).all(same) {
        return None;
    }
    let listed = |calls: &[String]| if calls.is_empty() { "none".to_owned() } else { calls.join("\n            ") };
    let made: Vec<String> = made.into_iter().map(ToString::to_string).collect();
    Some(format!("calls\n  expected: {}\n  found:    {}", listed(expected), listed(&made)))
}

/// Whether a call is as expected; a body that the expectation leaves out is not compared. Where the target ends is told
/// by the call that was made, since one that is not encoded may hold blanks.
fn same_call(expected: &str, made: &Made) -> bool {
    let expected = expected.trim();
    let ends = expected.match_indices(' ').map(|(index, _)| index).skip(1).chain([expected.len()]);
    let mut lines = ends.filter_map(|end| expected.split_at_checked(end));
    lines.any(|(line, body)| names(line, &made.method, &made.target) && same_body(body.trim(), made))
}

fn same_body(expected: &str, made: &Made) -> bool {
    let parsed = || serde_json::from_str::<Value>(expected).ok();
    match &made.body {
        _ if expected.is_empty() => true,
        Some(body) if made.form => parsed().as_ref() == Some(body) || same_pairs(form::decode(expected), body),
        Some(body) => parsed().as_ref() == Some(body),
        None => false,
    }
}

/// The order of names does not matter, the order of the values of one name does.
fn same_pairs(mut expected: Vec<(String, String)>, body: &Value) -> bool {
    let mut made = form::pairs(body);
    for pairs in [&mut expected, &mut made] {
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    }
    expected == made
}

/// Fields of `wanted` that `found` does not have. Objects may have more fields than expected, lists not more items.
/// Recursion is bounded by the depth at which TOML and JSON are read.
fn differing(wanted: &Value, found: &Value, path: &str, differences: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (name, value) in wanted {
                differing(value, found.get(name).unwrap_or(&Value::Null), &format!("{path}.{name}"), differences);
            }
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            for (index, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                differing(wanted, found, &format!("{path}[{index}]"), differences);
            }
        }
        (wanted, found) if wanted == found => {}
        (wanted, found) => differences.push(format!("{path}\n  expected: {wanted}\n  found:    {found}")),
    }
}

/// The first line that differs, with its number.
fn first_difference(expected: &str, found: &str) -> String {
    let (mut expected, mut found) = (expected.lines(), found.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (expected.next(), found.next()) {
            (Some(one), Some(other)) if one == other => {}
            (one, other) => {
                let shown = |line: Option<&str>| line.unwrap_or("(the end)").trim_end().to_owned();
                return format!("explain, line {number}\n  expected: {}\n  found:    {}", shown(one), shown(other));
            }
        }
    }
}
