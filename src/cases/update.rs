//! Rewrites what cases expect. In: the text of a case file and what was found. Out: the text with the expectations
//! that were there brought up to date; comments, layout and everything else stay.

use serde_json::Value;
use toml_edit::{Array, DocumentMut, Item, Table, value};

use crate::explain::{Layout, Transcript};

use super::compare::answer;
use super::{Case, Run};

/// The case file with expectations as found.
///
/// # Errors
///
/// The text is not TOML; it was when the cases were read.
pub(super) fn updated(text: &str, cases: &[Case], runs: &[Run]) -> Result<String, toml_edit::TomlError> {
    let mut document: DocumentMut = text.parse()?;
    if let Some(tables) = document.get_mut("case").and_then(Item::as_array_of_tables_mut) {
        for ((table, case), run) in tables.iter_mut().zip(cases).zip(runs) {
            if !run.differences.is_empty() {
                rewrite(table, case, &run.transcript);
            }
        }
    }
    Ok(document.to_string())
}

fn rewrite(table: &mut Table, case: &Case, found: &Transcript) {
    let expected = &case.expected;
    let (status, body) = answer(found);
    let nothing = expected.is_empty();
    if expected.calls.is_some() || nothing {
        replace(table, "calls", value(calls(found)));
    }
    if let Some(status) = status.filter(|_| expected.status.is_some() || nothing) {
        replace(table, "status", value(i64::from(status)));
    }
    if let Some(wanted) = &expected.answer {
        let found = restricted(wanted, body.unwrap_or(&Value::Null));
        if found != *wanted {
            replace(table, "answer", value(found.to_string()));
        }
    }
    if expected.explain.is_some() {
        replace(table, "explain", value(found.text(Layout::Compact)));
    }
}

/// Sets a value and keeps the layout of the line and the comment behind it.
fn replace(table: &mut Table, key: &str, mut new: Item) {
    let Some(old) = table.get_mut(key) else {
        table.insert(key, new);
        return;
    };
    if let (Some(value), Some(before)) = (new.as_value_mut(), old.as_value()) {
        *value.decor_mut() = before.decor().clone();
    }
    *old = new;
}

/// One call a line, where there are several.
fn calls(found: &Transcript) -> Array {
    let mut array: Array = found.calls().map(ToString::to_string).collect();
    if array.len() > 1 {
        array.iter_mut().for_each(|call| call.decor_mut().set_prefix("\n  "));
        array.set_trailing("\n");
        array.set_trailing_comma(true);
    }
    array
}

/// The fields that the case was about, as found.
fn restricted(wanted: &Value, found: &Value) -> Value {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            let fields = wanted.iter().filter_map(|(name, value)| {
                let found = found.get(name)?;
                Some((name.clone(), restricted(value, found)))
            });
            fields.collect::<serde_json::Map<_, _>>().into()
        }
        (_, found) => found.clone(),
    }
}
