//! Values under construction, within bounds.
//!
//! In: parts. Out: a text, list or map, or [`EvalError::TooLong`] before the memory for it is taken.

use serde_json::{Map, Value};

use super::{BUILT_MAX_BYTES, EvalError, TEXT_MAX_BYTES};

/// A text that grows within [`TEXT_MAX_BYTES`].
#[derive(Default)]
pub(super) struct TextBuilder(String);

impl TextBuilder {
    pub(super) fn push(&mut self, text: &str) -> Result<(), EvalError> {
        if self.0.len().saturating_add(text.len()) > TEXT_MAX_BYTES {
            return Err(EvalError::TooLong { max: TEXT_MAX_BYTES });
        }
        self.0.push_str(text);
        Ok(())
    }

    pub(super) fn finish(self) -> Value {
        Value::String(self.0)
    }
}

impl From<Value> for TextBuilder {
    fn from(value: Value) -> Self {
        match value {
            Value::String(text) => Self(text),
            _ => Self::default(),
        }
    }
}

/// A list that grows within [`BUILT_MAX_BYTES`].
#[derive(Default)]
pub(super) struct ListBuilder {
    items: Vec<Value>,
    bytes: usize,
}

impl ListBuilder {
    pub(super) fn push(&mut self, item: Value) -> Result<(), EvalError> {
        self.bytes = within(self.bytes.saturating_add(weight(&item)))?;
        self.items.push(item);
        Ok(())
    }

    pub(super) fn items(&self) -> &[Value] {
        &self.items
    }

    pub(super) fn finish(self) -> Value {
        Value::Array(self.items)
    }
}

/// A map that grows within [`BUILT_MAX_BYTES`].
#[derive(Default)]
pub(super) struct MapBuilder {
    entries: Map<String, Value>,
    bytes: usize,
}

impl MapBuilder {
    pub(super) fn insert(&mut self, key: String, value: Value) -> Result<(), EvalError> {
        self.bytes = within(self.bytes.saturating_add(key.len()).saturating_add(weight(&value)))?;
        match self.entries.insert(key, value) {
            None => Ok(()),
            Some(_) => Err(EvalError::DuplicateKey),
        }
    }

    pub(super) fn finish(self) -> Value {
        Value::Object(self.entries)
    }
}

fn within(bytes: usize) -> Result<usize, EvalError> {
    if bytes > BUILT_MAX_BYTES { Err(EvalError::TooLong { max: BUILT_MAX_BYTES }) } else { Ok(bytes) }
}

/// The content of a value in bytes, counted so that small values are not free.
fn weight(value: &Value) -> usize {
    const EACH: usize = 8;
    EACH + match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(entries) => entries.iter().map(|(key, value)| key.len() + weight(value)).sum(),
    }
}
