//! What a body may hold: fields with a kind, of which some are mandatory and some are not the caller's to set.

use serde_json::{Map, Value};

/// One field of a document.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// It has to be there, and not empty.
    pub(crate) must: bool,
}

/// What a field holds; null is allowed where the field is not mandatory.
pub(crate) enum Kind {
    Text,
    Flag,
    Number,
    OneOf(&'static [&'static str]),
    List,
    Object,
}

pub(crate) const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, must: false }
}

pub(crate) const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, must: true }
}

/// A whole document.
///
/// # Errors
/// The field, and what is wrong with it.
pub(crate) fn whole(body: &Map<String, Value>, fields: &[Field]) -> Result<(), (String, String)> {
    let absent = fields.iter().find(|field| field.must && !body.contains_key(field.name));
    match absent {
        Some(field) => Err((field.name.to_owned(), "is required".to_owned())),
        None => part(body, fields),
    }
}

/// Some fields of a document.
///
/// # Errors
/// As [`whole`].
pub(crate) fn part(body: &Map<String, Value>, fields: &[Field]) -> Result<(), (String, String)> {
    for (name, value) in body {
        let found = fields.iter().find(|field| field.name == name);
        let wrong = match found {
            None => Some("is not a field"),
            Some(field) if field.must && (value.is_null() || value == "") => Some("must not be empty"),
            Some(field) if !fits(&field.kind, value) => Some("has the wrong type or value"),
            Some(_) => None,
        };
        if let Some(wrong) = wrong {
            return Err((name.clone(), wrong.to_owned()));
        }
    }
    Ok(())
}

fn fits(kind: &Kind, value: &Value) -> bool {
    match (kind, value) {
        (_, Value::Null) => true,
        (Kind::Text, value) => value.is_string(),
        (Kind::Flag, value) => value.is_boolean(),
        (Kind::Number, value) => value.is_u64(),
        (Kind::OneOf(words), Value::String(word)) => words.contains(&word.as_str()),
        (Kind::OneOf(_), _) => false,
        (Kind::List, value) => value.is_array(),
        (Kind::Object, value) => value.is_object(),
    }
}
