//! What a transcript hides: secrets of the configuration, and passwords that the request itself carries.

use serde_json::Value;

use crate::plan::SECRET_MARKER;

/// Texts that no transcript shows.
#[derive(Clone, Debug, Default)]
pub(super) struct Mask {
    hidden: Vec<String>,
}

impl Mask {
    /// Hides every password in a request body.
    pub(super) fn of_body(body: &[u8]) -> Self {
        let hidden = serde_json::from_slice(body).map(|body: Value| passwords(&body)).unwrap_or_default();
        Self { hidden }
    }

    /// A body with secrets and passwords as `***`. Its depth was bounded when it was parsed or built.
    pub(super) fn value(&self, value: &Value) -> Value {
        match value {
            Value::Object(fields) if fields.contains_key(SECRET_MARKER) => Value::from(MASK),
            Value::Object(fields) => fields
                .iter()
                .map(|(key, field)| (key.clone(), self.value(field)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::String(text) if self.hidden.contains(text) => Value::from(MASK),
            Value::String(text) => Value::from(self.text(text)),
            other => other.clone(),
        }
    }

    /// Text in which no password stands. A very short one is only hidden where it is a value of its own: letters of
    /// it are everywhere.
    pub(super) fn text(&self, text: &str) -> String {
        let long = self.hidden.iter().filter(|hidden| hidden.len() >= HIDDEN_INSIDE_MIN);
        long.fold(text.to_owned(), |text, hidden| text.replace(hidden.as_str(), MASK))
    }
}

/// Every password in a request body: by key, or as the value of an operation on `password`.
fn passwords(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    gather(value, &mut found);
    // The longest first, so that one which is part of another leaves nothing of it behind.
    found.sort_by_key(|text| std::cmp::Reverse(text.len()));
    found
}

fn gather(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| gather(item, found)),
        Value::Object(fields) => {
            let about_password = fields
                .iter()
                .any(|(key, value)| key.eq_ignore_ascii_case("path") && value.as_str().is_some_and(is_password));
            for (key, field) in fields {
                if is_password(key) || (about_password && key.eq_ignore_ascii_case("value")) {
                    texts(field, found);
                }
                gather(field, found);
            }
        }
        _ => {}
    }
}

/// `password`, also behind the URN of its schema.
fn is_password(name: &str) -> bool {
    name.rsplit(':').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("password"))
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.is_empty() => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        _ => {}
    }
}

pub(super) const MASK: &str = "***";
const HIDDEN_INSIDE_MIN: usize = 4;
