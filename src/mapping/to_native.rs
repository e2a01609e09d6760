//! From SCIM state to a native document.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::expr::{Env, Template};
use crate::scim::{Resource, ScimError};

use super::part::{Part, PartSource};
use super::row::{Omit, Row, Source};
use super::{Codec, Mapping, NativePath, RowSet, tables};

/// Which way the document goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A new object: absent attributes take their default, or are left out.
    Create,
    /// Changed fields of an existing object: a row in the set whose attribute is unassigned is cleared.
    Update,
}

/// Writes the rows of a set into a native document.
///
/// `base` is what lists are merged into (the old document, on update); the result holds only what the rows wrote, and
/// what is sent whole under its top-level field. What `env` has as `scim` is the state as expressions see it, if it has
/// anything.
///
/// # Errors
/// 400 `invalidValue` when a value has no native form; 500 when an expression of the mapping fails.
pub fn document(
    mapping: &Mapping,
    rows: RowSet,
    state: &Resource,
    base: Option<&Value>,
    purpose: Purpose,
    env: &Env<'_>,
) -> Result<Value, ScimError> {
    let scim = if env.scim.is_some() { None } else { Some(Value::Object(state.0.clone())) };
    let env = Env { scim: scim.as_ref().or(env.scim), native: base.map(|base| base as _).or(env.native), ..*env };
    let mut document = Value::Object(Map::new());
    let tops = mapping.index.tops(state);
    // Of a new object nothing is written but what is there, and defaults.
    let rows = match (purpose, base) {
        (Purpose::Create, None) => rows & (tops.rows() | mapping.sends.with_default),
        _ => rows,
    };
    for (index, row) in mapping.rows_in(rows) {
        if let Some(path) = row.native_path() {
            write_row(mapping, (row, path), tops.get(index), base, purpose, &env, &mut document)?;
        }
    }
    Ok(document)
}

/// The same for rows of one part: the document that its own call sends. What is merged into is that part in
/// `env.native`.
///
/// # Errors
/// As [`document`].
pub fn part_document(
    mapping: &Mapping,
    part: &Part,
    rows: RowSet,
    state: &Resource,
    env: &Env<'_>,
) -> Result<Value, ScimError> {
    let scim = Value::Object(state.0.clone());
    let env = Env { scim: Some(&scim), ..*env };
    let base = env.native.and_then(|native| native.tree().get(&*part.name));
    let mut document = match (&part.source, base) {
        (PartSource::List(_), Some(list)) => list.clone(),
        (PartSource::List(_), None) => Value::Array(Vec::new()),
        (PartSource::Get(_), _) => Value::Object(Map::new()),
    };
    for (_, row) in mapping.rows_in(rows) {
        if let Some(path) = part.path_of(row) {
            write_row(mapping, (row, &path), row.target.top(state), base, Purpose::Update, &env, &mut document)?;
        }
    }
    Ok(document)
}

/// `top` is what the resource has under the name of the row's attribute or extension.
fn write_row(
    mapping: &Mapping,
    (row, path): (&Row, &NativePath),
    top: Option<&Value>,
    base: Option<&Value>,
    purpose: Purpose,
    env: &Env<'_>,
    document: &mut Value,
) -> Result<(), ScimError> {
    // Without a `write` there is no native form: rules and bodies name the attribute themselves.
    if matches!(row.source, Source::Computed { write: None, .. }) {
        return Ok(());
    }
    if let Some(base) = base
        && let Some(field) = path.whole_field()
    {
        seed(document, field, base);
    }
    let value = top.and_then(|top| row.target.read_below(top, mapping.sole_on_attribute(row)));
    let native = match (value, purpose) {
        (Some(value), _) => Some(encode(row, &value, env)?),
        (None, Purpose::Create) => filled(row, env)?,
        (None, Purpose::Update) => match clear(row, env)? {
            Cleared::To(value) => Some(value),
            // A list is sent whole, so what is absent from it is gone; elsewhere this changes nothing.
            Cleared::Absent => {
                path.put(document, None);
                None
            }
        },
    };
    if let Some(native) = native {
        path.put(document, Some(native));
    }
    Ok(())
}

/// Puts the old value under its field, so that one item or field changes and the others stay.
fn seed(document: &mut Value, field: &str, base: &Value) {
    if let (Value::Object(fields), Some(old)) = (document, base.get(field)) {
        fields.entry(field.to_owned()).or_insert_with(|| old.clone());
    }
}

/// Key of the object that stands for a secret in a native document until the shell fills it in: the number of a secret
/// of the configuration, or the text of one that was generated. No client can send such a key.
pub const SECRET_MARKER: &str = "\u{0}secret";

/// A generated secret, hidden like the others until it is sent.
pub fn generated(text: String) -> Value {
    Value::Object(Map::from_iter([(SECRET_MARKER.to_owned(), Value::String(text))]))
}

enum Cleared {
    To(Value),
    Absent,
}

/// What unassigning a row writes.
fn clear(row: &Row, env: &Env<'_>) -> Result<Cleared, ScimError> {
    // A password that nobody knows is for a new object; an old one keeps its own.
    let generates = row.default.as_ref().is_some_and(Template::generates);
    if let Some(value) = if generates { None } else { default(row, env)? } {
        return Ok(Cleared::To(encode_default(row, &value, env)?));
    }
    Ok(match row.omit {
        Omit::Null => Cleared::To(Value::Null),
        Omit::Absent => Cleared::Absent,
        Omit::Empty if row.target.multi_valued => Cleared::To(Value::Array(Vec::new())),
        Omit::Empty => Cleared::To(Value::from("")),
        Omit::Keep => {
            return Err(ScimError::invalid_value(format!(
                "{} cannot be removed: the application has no unassigned state for it",
                row.target
            )));
        }
    })
}

/// Rows of a set that are cleared by leaving their field out of a whole document. Fields of lists are not among them:
/// [`document`] has taken these out of the list itself.
pub fn left_out<'m>(
    mapping: &'m Mapping,
    rows: RowSet,
    state: &Resource,
) -> impl Iterator<Item = (&'m Row, &'m NativePath)> {
    let cleared = mapping.rows_in(rows).filter(|(_, row)| row.omit == Omit::Absent && row.default.is_none());
    cleared.filter_map(|(_, row)| {
        let path = row.native_path().filter(|path| path.whole_field().is_none())?;
        let unassigned = row.target.read(state, mapping.sole_on_attribute(row)).is_none();
        unassigned.then_some((row, path))
    })
}

/// A new resource with the defaults of the rows of parts: they follow the create, where nothing else would. `None`
/// where the resource has all of them.
///
/// # Errors
/// 500 when an expression of the mapping fails.
pub fn with_parts(mapping: &Mapping, sent: &Resource, env: &Env<'_>) -> Result<Option<Resource>, ScimError> {
    let mut filled: Option<Resource> = None;
    let rows = mapping.part_rows() & update_rows(mapping);
    for (_, row) in mapping.rows_in(rows).filter(|(_, row)| row.default.is_some()) {
        let state = filled.as_ref().unwrap_or(sent);
        if row.target.read(state, mapping.sole_on_attribute(row)).is_some() {
            continue;
        }
        let scim = Value::Object(state.0.clone());
        if let Some(value) = default(row, &Env { scim: Some(&scim), ..*env })? {
            row.target.write(filled.get_or_insert_with(|| sent.clone()), value);
        }
    }
    Ok(filled)
}

/// The native form of the default.
fn filled(row: &Row, env: &Env<'_>) -> Result<Option<Value>, ScimError> {
    let Some(value) = default(row, env)? else { return Ok(None) };
    Ok(Some(match encode_default(row, &value, env)? {
        Value::String(text) if row.default.as_ref().is_some_and(Template::generates) => generated(text),
        native => native,
    }))
}

/// The native form of a default. A `write` expression sees it as if it had been sent.
fn encode_default(row: &Row, value: &Value, env: &Env<'_>) -> Result<Value, ScimError> {
    let Source::Computed { write: Some(_), .. } = &row.source else { return encode(row, value, env) };
    let mut state = match env.scim {
        Some(Value::Object(fields)) => Resource(fields.clone()),
        _ => Resource::default(),
    };
    row.target.write(&mut state, value.clone());
    let scim = Value::Object(state.0);
    encode(row, value, &Env { scim: Some(&scim), ..*env })
}

fn default(row: &Row, env: &Env<'_>) -> Result<Option<Value>, ScimError> {
    let Some(template) = &row.default else { return Ok(None) };
    let value = template.eval(env).map_err(|error| mapping_error(row, &error.to_string()))?;
    Ok(super::from_native::assigned(value).map(|value| typed_default(row, value)))
}

/// A default is written as text in the file; booleans and numbers take the attribute's type.
fn typed_default(row: &Row, value: Value) -> Value {
    use crate::scim::AttributeType::{Boolean, Decimal, Integer};
    match (row.target.kind, &value) {
        (Boolean | Integer | Decimal, Value::String(text)) => serde_json::from_str(text).unwrap_or(value),
        _ => value,
    }
}

/// Runs codecs, or the `write` expression, in write direction.
pub fn encode(row: &Row, value: &Value, env: &Env<'_>) -> Result<Value, ScimError> {
    match &row.source {
        Source::Native { codec, .. } => {
            let mut native = Cow::Borrowed(value);
            for codec in codec {
                let encoded = match codec {
                    Codec::Table(table) => {
                        tables::key_of(env.table, table, &native).map_err(|wanted| format!("expected {wanted}"))
                    }
                    codec => codec.encode(&native).map_err(|error| error.to_string()),
                };
                let encoded = encoded.map_err(|error| ScimError::invalid_value(format!("{}: {error}", row.target)))?;
                native = Cow::Owned(encoded);
            }
            Ok(native.into_owned())
        }
        Source::Computed { write: Some(write), .. } => {
            write.eval(env).map(Cow::into_owned).map_err(|error| mapping_error(row, &error.to_string()))
        }
        Source::Computed { .. } | Source::Mirror { .. } => Ok(value.clone()),
    }
}

fn mapping_error(row: &Row, what: &str) -> ScimError {
    ScimError::internal(format!("mapping error at {}: {what}", row.origin))
}

/// Rows a create sends; those of parts follow it.
pub fn create_rows(mapping: &Mapping) -> RowSet {
    mapping.sends.on_create
}

/// Rows an update may send, each with the object or with its part.
pub fn update_rows(mapping: &Mapping) -> RowSet {
    mapping.sends.on_update
}
