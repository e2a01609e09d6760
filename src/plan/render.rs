//! From a call template and its values to a native request.

use std::borrow::Cow;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::config::Backend;
use crate::expr::{Encode, Env, EvalError, Template};
use crate::mapping::to_native::{self, SECRET_MARKER};
use crate::mapping::{Body, BodyNode, Call, Slot, Spread};
use crate::scim::ScimError;

use super::call::NativeCall;
use super::run::Run;
use super::tables;
use super::veil::{self, Veiled};

/// What the attribute table produced for a write.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rows<'a> {
    /// The whole document.
    pub(super) mapped: Option<&'a Value>,
    /// Its changed part.
    pub(super) changed: Option<&'a Value>,
    /// Both as a transcript may show them, where there is one and they hold more than rows.
    pub(super) veiled: Option<&'a Veiled>,
}

impl<'a> Rows<'a> {
    /// The document and its changed part.
    pub(super) fn new(mapped: &'a Value, changed: &'a Value) -> Self {
        Self { mapped: Some(mapped), changed: Some(changed), veiled: None }
    }
}

/// Unreserved characters of RFC 3986, and `@`, which ids often hold and every path may.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// Room for most targets.
const TARGET_BYTES: usize = 96;

const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One path segment, percent-encoded.
pub(super) fn segment(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, SEGMENT)
}

/// A query name or value, percent-encoded.
pub(super) fn encode_query(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}

pub(super) fn call(run: &Run<'_>, call: &Call, env: &Env<'_>, rows: Rows<'_>) -> Result<NativeCall, ScimError> {
    let resource = if call.slot == Slot::Table { &*tables::RESOURCE } else { &run.mapping.resource_type.name };
    for (table, name) in &call.names {
        let found = env.table.and_then(|tables| tables.get(table)?.get(name)).is_some_and(|key| !key.is_null());
        if !found {
            return Err(mapping_fault(call, &format!("the table `{table}` has no one entry '{name}'")));
        }
        if run.native.is_traced() {
            tables::trace_name(run, table, name);
        }
    }
    let mut request = of_backend(run.backend, resource, call, env, rows)?;
    if let Some(name) = &run.backend.idempotency
        && !request.idempotent
        && !call.slot.reads()
        && let Some(key) = run.native.next_key(run.context.seed.as_ref())
    {
        request.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        request.headers.push((Arc::clone(name), key));
        request.idempotent = true;
    }
    Ok(request)
}

/// The same without a request about a resource.
pub(super) fn of_backend(
    backend: &Backend,
    resource: &Arc<str>,
    call: &Call,
    env: &Env<'_>,
    rows: Rows<'_>,
) -> Result<NativeCall, ScimError> {
    let env = &Env { mapped: rows.mapped, changed: rows.changed, ..*env };
    let fault = |error: EvalError| mapping_error(call, &error);
    let mut target = String::with_capacity(TARGET_BYTES);
    for segment in &call.segments {
        target.push('/');
        let start = target.len();
        if !segment.write(env, Encode::PathSegment, &mut target).map_err(fault)? {
            return Err(mapping_fault(call, "a part of its path is null"));
        }
        if matches!(target.get(start..), Some("" | "." | "..")) {
            return Err(mapping_fault(call, "a part of its path is empty or dots"));
        }
    }
    if target.is_empty() || call.trailing_slash {
        target.push('/');
    }
    append_query(&mut target, &call.query, env).map_err(fault)?;
    Ok(NativeCall {
        method: call.method.clone(),
        target,
        headers: headers(backend, call, env).map_err(fault)?,
        body: body(call, env, rows).map_err(fault)?,
        slot: call.slot,
        resource: resource.clone(),
        origin: call.origin.clone(),
        parts: call.parts.clone(),
        idempotent: call.idempotent,
        success: backend.errors.iter().any(|rule| rule.retry.is_some()).then(|| Arc::clone(&call.success)),
        keep: None,
    })
}

/// Tells a transcript how the body of a call may be shown.
pub(super) fn tell_veiled(run: &Run<'_>, call: &Call, env: &Env<'_>, rows: Rows<'_>, sent: &NativeCall) {
    let (Some(veiled), Some(sent)) = (rows.veiled, &sent.body) else { return };
    let document = match &call.body {
        Body::None => None,
        Body::Rows => rows_body(call, rows),
        Body::Built(node) => node.spread().and_then(|spread| spread_rows(spread, rows)),
    };
    for row in run.mapping.rows.iter().filter(|row| row.writes_from_native()) {
        if document.zip(row.native_path()).is_some_and(|(document, path)| path.get(document).is_some()) {
            run.native.trace(|trace| trace.from_native.push((sent.clone(), row.origin.clone())));
        }
    }
    let rows = Rows::new(&veiled.mapped, &veiled.changed);
    let env = Env { mapped: rows.mapped, changed: rows.changed, ..*env };
    // What cannot be made of hidden values is hidden itself.
    let shown = body(call, &env, rows).ok().flatten().unwrap_or_else(|| veil::hidden(sent, 0));
    if shown != *sent {
        run.native.trace(|trace| trace.veiled.push((sent.clone(), shown)));
    }
}

/// Adds or overrides one query parameter of a rendered target.
pub(super) fn set_query(target: &mut String, name: &str, value: &str) {
    let mut separator = '?';
    if let Some(at) = target.find('?') {
        let name = if is_unreserved(name) { Cow::Borrowed(name) } else { encode_query(name).into() };
        let (path, query) = target.split_at(at);
        let query = query.strip_prefix('?').unwrap_or(query);
        separator = '&';
        if query.as_bytes().split(|byte| *byte == b'&').any(|pair| sets(pair, &name)) {
            let kept: Vec<&str> = query.split('&').filter(|pair| !sets(pair.as_bytes(), &name)).collect();
            if kept.is_empty() {
                separator = '?';
                *target = path.to_owned();
            } else {
                *target = [path, "?", &kept.join("&")].concat();
            }
        }
    }
    target.push(separator);
    push_query(target, name);
    target.push('=');
    push_query(target, value);
}

/// Whether a pair of a query sets the parameter of that name, as it reads encoded.
fn sets(pair: &[u8], name: &str) -> bool {
    pair.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'='))
}

/// Adds a query name or value, percent-encoded.
fn push_query(target: &mut String, text: &str) {
    if is_unreserved(text) {
        target.push_str(text);
    } else {
        target.extend(utf8_percent_encode(text, QUERY));
    }
}

/// Whether percent-encoding changes nothing.
fn is_unreserved(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'))
}

fn append_query(target: &mut String, query: &[(Arc<str>, Template)], env: &Env<'_>) -> Result<(), EvalError> {
    let mut separator = '?';
    for (name, template) in query {
        let before = target.len();
        target.push(separator);
        push_query(target, name);
        target.push('=');
        if template.write(env, Encode::QueryValue, target)? {
            separator = '&';
        } else {
            target.truncate(before);
        }
    }
    Ok(())
}

/// The backend's headers and the call's own; of two with one name the call's own counts.
fn headers(backend: &Backend, call: &Call, env: &Env<'_>) -> Result<Vec<(Arc<str>, String)>, EvalError> {
    if backend.headers.is_empty() && call.headers.is_empty() {
        return Ok(Vec::new());
    }
    let overridden = |name: &str| call.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
    let inherited = backend.headers.iter().filter(|(name, _)| !overridden(name));
    let mut headers = Vec::with_capacity(call.headers.len() + backend.headers.len());
    for (name, template) in inherited.chain(&call.headers) {
        if let Some(value) = template.text(env)? {
            headers.push((name.clone(), value));
        }
    }
    Ok(headers)
}

fn body(call: &Call, env: &Env<'_>, rows: Rows<'_>) -> Result<Option<Value>, EvalError> {
    match &call.body {
        Body::None => Ok(None),
        Body::Rows => Ok(rows_body(call, rows).map(|document| wrapped(call, document.clone()))),
        Body::Built(node) => build(node, env, rows),
    }
}

fn rows_body<'a>(call: &Call, rows: Rows<'a>) -> Option<&'a Value> {
    match call.slot {
        Slot::Create | Slot::Replace => rows.mapped,
        Slot::Update => rows.changed.or(rows.mapped),
        _ => None,
    }
}

fn wrapped(call: &Call, document: Value) -> Value {
    match &call.envelope.wrap {
        Some(path) => {
            let mut outer = Value::Object(Map::new());
            path.put(&mut outer, Some(document));
            outer
        }
        None => document,
    }
}

/// Builds a written body; `None` leaves the key out (a null leaf that is not the literal `"{null}"`).
fn build(node: &BodyNode, env: &Env<'_>, rows: Rows<'_>) -> Result<Option<Value>, EvalError> {
    Ok(match node {
        BodyNode::Literal(value) => Some(value.clone()),
        BodyNode::Leaf(template) => match template.eval(env)? {
            Value::String(text) if template.generates() => Some(to_native::generated(text)),
            Value::Null if !template.is_literal_null() => None,
            value => Some(value),
        },
        BodyNode::Array(items) => {
            let mut array = Vec::with_capacity(items.len());
            for item in items {
                array.extend(build(item, env, rows)?);
            }
            Some(Value::Array(array))
        }
        BodyNode::Object { fields, spread } => {
            let mut object = match spread.map(|spread| spread_rows(spread, rows)) {
                Some(Some(Value::Object(rows))) => rows.clone(),
                _ => Map::new(),
            };
            for (name, field) in fields {
                if let Some(value) = build(field, env, rows)? {
                    object.insert(name.to_string(), value);
                }
            }
            Some(Value::Object(object))
        }
        BodyNode::Secret(index) => Some(secret_marker(*index)),
    })
}

fn spread_rows(spread: Spread, rows: Rows<'_>) -> Option<&Value> {
    match spread {
        Spread::Mapped => rows.mapped,
        Spread::Changed => rows.changed.or(rows.mapped),
    }
}

fn secret_marker(index: usize) -> Value {
    let mut marker = Map::new();
    marker.insert(SECRET_MARKER.to_owned(), Value::from(index));
    Value::Object(marker)
}

#[cold]
pub(super) fn mapping_error(call: &Call, error: &EvalError) -> ScimError {
    mapping_fault(call, &error.to_string())
}

#[cold]
pub(super) fn mapping_fault(call: &Call, what: &str) -> ScimError {
    ScimError::internal(format!("mapping error at {}: {what}", call.origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_parameter_is_added_or_replaced() {
        let check = |before: &str, expected: &str| {
            let mut target = before.to_owned();
            set_query(&mut target, "page", "2");
            assert_eq!(target, expected);
        };
        check("/users", "/users?page=2");
        check("/users?active=1", "/users?active=1&page=2");
        check("/users?page=1", "/users?page=2");
        check("/users?page=1&size=5", "/users?size=5&page=2");
    }

    #[test]
    fn segments_and_queries_are_encoded_for_their_place() {
        assert_eq!(segment("a/b c%@x").to_string(), "a%2Fb%20c%25@x");
        assert_eq!(encode_query("a&b=c@x+y"), "a%26b%3Dc%40x%2By");
    }
}
