//! The functions on texts: search, cut, replace.
//!
//! In: texts, and the positions and limits a call gave. Out: a value, or why there is none. Positions count characters.

use serde_json::Value;

use super::EvalError;
use super::build::{ListBuilder, TextBuilder};
use super::library::{built, text_of};
use super::operators::mistyped;

/// A number of characters, or a position. `None` for a negative number.
fn count(function: &'static str, value: &Value) -> Result<Option<usize>, EvalError> {
    match value.as_number().and_then(serde_json::Number::as_i128) {
        Some(number) => Ok(usize::try_from(number).ok()),
        None => Err(mistyped(function, value)),
    }
}

/// The byte at which the character at `position` begins; the end of the text counts as one.
fn byte_at(function: &'static str, text: &str, position: &Value) -> Result<usize, EvalError> {
    let outside = EvalError::OutOfRange { function };
    let position = count(function, position)?.ok_or(outside)?;
    text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(position).ok_or(outside)
}

fn position_of(text: &str, byte: Option<usize>) -> Value {
    byte.and_then(|byte| text.get(..byte)).map_or(Value::from(-1), |before| Value::from(before.chars().count()))
}

pub(super) fn char_at(text: &str, position: &Value) -> Result<Value, EvalError> {
    let at = byte_at("charAt", text, position)?;
    let found = text.get(at..).and_then(|rest| rest.chars().next());
    Ok(Value::String(found.map(String::from).unwrap_or_default()))
}

pub(super) fn substring(text: &str, from: &Value, to: &Value) -> Result<Value, EvalError> {
    let from = byte_at("substring", text, from)?;
    let to = if to.is_null() { text.len() } else { byte_at("substring", text, to)? };
    built(text.get(from..to).ok_or(EvalError::OutOfRange { function: "substring" })?)
}

pub(super) fn index_of(text: &str, part: &str, from: &Value) -> Result<Value, EvalError> {
    let Some(from) = search_start("indexOf", text, part, from)? else {
        return Ok(position_of(text, text.find(part)));
    };
    Ok(position_of(text, text.get(from..).and_then(|rest| rest.find(part)).map(|at| from + at)))
}

pub(super) fn last_index_of(text: &str, part: &str, from: &Value) -> Result<Value, EvalError> {
    let Some(from) = search_start("lastIndexOf", text, part, from)? else {
        return Ok(position_of(text, text.rfind(part)));
    };
    // A match may begin at `from` at the latest, so the text that can hold it ends that much later.
    let found = text.char_indices().map(|(at, _)| at).chain([text.len()]).take_while(|at| *at <= from);
    let found = found.filter(|at| text.get(*at..).is_some_and(|rest| rest.starts_with(part))).last();
    Ok(position_of(text, found))
}

/// The byte a search from a given position starts at. CEL allows the end of the text only for an empty part, and takes
/// any larger position for the end then.
fn search_start(function: &'static str, text: &str, part: &str, from: &Value) -> Result<Option<usize>, EvalError> {
    if from.is_null() {
        return Ok(None);
    }
    let outside = EvalError::OutOfRange { function };
    let position = count(function, from)?.ok_or(outside)?;
    match text.char_indices().nth(position) {
        Some((at, _)) => Ok(Some(at)),
        None if part.is_empty() => Ok(Some(text.len())),
        None => Err(outside),
    }
}

pub(super) fn replace(text: &str, old: &str, new: &Value, limit: &Value) -> Result<Value, EvalError> {
    let new = text_of("replace", new)?;
    let limit = if limit.is_null() { None } else { count("replace", limit)? };
    let mut replaced = TextBuilder::default();
    let mut end = 0;
    for (at, found) in text.match_indices(old).take(limit.unwrap_or(usize::MAX)) {
        replaced.push(text.get(end..at).unwrap_or_default())?;
        replaced.push(new)?;
        end = at + found.len();
    }
    replaced.push(text.get(end..).unwrap_or_default())?;
    Ok(replaced.finish())
}

/// The parts between separators, at most `limit` of them, the last one holding the rest. An empty separator gives the
/// characters.
pub(super) fn split(text: &str, separator: &str, limit: &Value) -> Result<Value, EvalError> {
    let limit = if limit.is_null() { None } else { count("split", limit)? };
    let mut parts = ListBuilder::default();
    let mut rest = Some(text).filter(|text| !(separator.is_empty() && text.is_empty()));
    while let Some(text) = rest.filter(|_| limit != Some(0)) {
        let first = text.chars().next().map_or(0, char::len_utf8);
        let cut = if limit.is_some_and(|limit| parts.items().len() + 1 >= limit) {
            None
        } else if separator.is_empty() {
            text.split_at_checked(first).filter(|(_, after)| !after.is_empty())
        } else {
            text.split_once(separator)
        };
        parts.push(Value::from(cut.map_or(text, |(part, _)| part)))?;
        rest = cut.map(|(_, after)| after);
    }
    Ok(parts.finish())
}

pub(super) fn slug(text: &str, separator: &str) -> Result<Value, EvalError> {
    let mut slug = TextBuilder::default();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    for (at, word) in words.enumerate() {
        if at > 0 {
            slug.push(separator)?;
        }
        slug.push(&word.to_ascii_lowercase())?;
    }
    Ok(slug.finish())
}
