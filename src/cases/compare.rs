//! What a case expects against what happened.

use serde_json::Value;

use crate::explain::{End, Entry, Layout, Transcript};

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
    let made: Vec<String> = found.calls().collect();
    let same = |(expected, made): (&String, &String)| same_call(expected, made);
    if expected.len() == made.len() && expected.iter().zip(&made).all(same) {
        return None;
    }
    let listed = |calls: &[String]| if calls.is_empty() { "none".to_owned() } else { calls.join("\n            ") };
    Some(format!("calls\n  expected: {}\n  found:    {}", listed(expected), listed(&made)))
}

/// Whether a call is as expected; a body that the expectation leaves out is not compared.
fn same_call(expected: &str, made: &str) -> bool {
    let ((line, body), (made_line, made_body)) = (split(expected), split(made));
    let same_body = match (body, made_body) {
        (None, _) => true,
        (Some(body), Some(made)) => {
            let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
            body == made || (parsed(body).is_some() && parsed(body) == parsed(made))
        }
        (Some(_), None) => false,
    };
    line == made_line && same_body
}

/// `METHOD /target` and the body behind it.
fn split(call: &str) -> ((&str, &str), Option<&str>) {
    let mut parts = call.trim().splitn(3, ' ');
    let line = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    (line, parts.next().map(str::trim))
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
