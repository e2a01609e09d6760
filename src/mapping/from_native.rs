//! From a native document to a SCIM resource, or to the text of one.

mod text;

use std::borrow::Cow;

use serde_json::Value;

use crate::document::{Document, View};
use crate::expr::Env;
use crate::scim::Resource;

use super::row::{Access, Row, Source};
use super::tables;
use super::{Codec, Mapping, NativePath, RowSet};

pub use text::{About, Version, Writer, Written};

/// What could not be read: the row is left out of the resource and counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFault {
    /// Index of the row.
    pub row: usize,
    /// What went wrong, without the value.
    pub reason: String,
}

/// Reads every readable row of a native document. `id`, `meta`, members and groups are the plan's business.
pub fn resource(mapping: &Mapping, native: &Document, env: &Env<'_>, faults: &mut Vec<ReadFault>) -> Resource {
    let mut resource = Resource::default();
    let env = Env { native: Some(native), ..*env };
    let found = mapping.index.find(native);
    for (index, row) in mapping.rows_in(found.rows()) {
        match value(mapping, row, found.get(index), native, &env) {
            Ok(Some(value)) => row.target.write(&mut resource, value),
            Ok(None) => {}
            Err(reason) => faults.push(ReadFault { row: index, reason }),
        }
    }
    resource
}

/// Reads some of the rows that can be read of a native document, one by one.
pub fn extract(
    mapping: &Mapping,
    native: &Document,
    rows: RowSet,
    env: &Env<'_>,
    faults: &mut Vec<ReadFault>,
) -> Resource {
    let mut resource = Resource::default();
    let env = Env { native: Some(native), ..*env };
    for (index, row) in mapping.rows_in(rows).filter(|(_, row)| row.access != Access::Write) {
        match value(mapping, row, None, native, &env) {
            Ok(Some(value)) => row.target.write(&mut resource, value),
            Ok(None) => {}
            Err(reason) => faults.push(ReadFault { row: index, reason }),
        }
    }
    resource
}

/// The SCIM value of one row; `None` when unassigned. `found` is its native value, where it is known already.
fn value(
    mapping: &Mapping,
    row: &Row,
    found: Option<View<'_>>,
    native: &Document,
    env: &Env<'_>,
) -> Result<Option<Value>, String> {
    let value = match &row.source {
        Source::Native { path, codec } => match found.or_else(|| at(path, native)) {
            Some(raw) if codec.is_empty() => raw.to_value(),
            Some(raw) => decode_in(codec, &raw.value(), env)?,
            None => decode_absent(codec)?,
        },
        Source::Computed { read: Some(read), .. } => read.eval(env).map_err(|error| error.to_string())?.into_owned(),
        Source::Computed { path: Some(path), .. } => at(path, native).map(View::to_value).unwrap_or_default(),
        Source::Computed { .. } => Value::Null,
        Source::Mirror { row: primary } => match mapping.rows.get(*primary) {
            Some(primary) if !matches!(primary.source, Source::Mirror { .. }) => {
                return self::value(mapping, primary, None, native, env);
            }
            _ => Value::Null,
        },
    };
    Ok(assigned(value))
}

fn at<'a>(path: &NativePath, native: &'a Document) -> Option<View<'a>> {
    path.find(native).filter(|value| !value.is_null())
}

/// Runs codecs in read direction, last written first.
pub fn decode(codecs: &[Codec], raw: &Value) -> Result<Value, String> {
    let mut value = Cow::Borrowed(raw);
    for codec in codecs.iter().rev() {
        value = Cow::Owned(codec.decode(&value).map_err(|error| error.to_string())?);
    }
    Ok(value.into_owned())
}

/// The same where reference tables are at hand.
pub fn decode_in(codecs: &[Codec], raw: &Value, env: &Env<'_>) -> Result<Value, String> {
    let mut value = Cow::Borrowed(raw);
    for codec in codecs.iter().rev() {
        value = Cow::Owned(match codec {
            Codec::Table(table) => {
                tables::name_of(env.table_names, table, &value).map_err(|wanted| format!("expected {wanted}"))?
            }
            codec => codec.decode(&value).map_err(|error| error.to_string())?,
        });
    }
    Ok(value.into_owned())
}

/// A value table may say what an absent native value reads as (`else.read`).
fn decode_absent(codecs: &[Codec]) -> Result<Value, String> {
    match codecs {
        [] => Ok(Value::Null),
        codecs if codecs.iter().any(Codec::reads_absent) => decode(codecs, &Value::Null),
        _ => Ok(Value::Null),
    }
}

/// Absent, null, `""`, `[]` and `{}` are one state (RFC 7643 2.5).
pub fn assigned(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::Array(items) => {
            let items: Vec<Value> = items.into_iter().filter_map(assigned).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(fields) => {
            let fields: serde_json::Map<_, _> =
                fields.into_iter().filter_map(|(key, value)| Some((key, assigned(value)?))).collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
        other => Some(other),
    }
}
