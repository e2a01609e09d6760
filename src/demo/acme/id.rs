//! Identifiers of employees and teams: text or a JSON number in, one comparable key out.
//!
//! Numbers sort by value and before texts, so a list "by id" reads 2, 10, 11 and not 10, 11, 2. How a key is
//! written in JSON is a choice of the running application ([`Ids`]) and not of the key.

use std::fmt;

use serde_json::Value;

/// How the application writes its ids in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ids {
    /// JSON numbers, counted up from 1.
    #[default]
    Numeric,
    /// JSON strings. Seeded rows may bring any text; rows created over HTTP are counted up from `"1"`.
    Given,
}

/// The key of an employee or a team.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Id {
    Number(u64),
    Text(Box<str>),
}

impl Id {
    /// Reads an id from a decoded path segment or a JSON string. Only the canonical decimal form is a number:
    /// `7` is, `07` and `+7` are texts.
    pub(super) fn parse(text: &str) -> Id {
        match text.parse::<u64>() {
            Ok(number) if number.to_string() == text => Id::Number(number),
            _ => Id::Text(text.into()),
        }
    }

    /// Reads an id from a JSON body; strings and numbers are both accepted, whichever way ids are written.
    pub(super) fn from_json(value: &Value) -> Option<Id> {
        match value {
            Value::String(text) if !text.is_empty() => Some(Id::parse(text)),
            Value::Number(number) => Some(Id::parse(&number.to_string())),
            _ => None,
        }
    }

    /// Writes the id the way the application does.
    pub(super) fn to_json(&self, ids: Ids) -> Value {
        match (self, ids) {
            (Id::Number(number), Ids::Numeric) => Value::from(*number),
            _ => Value::from(self.to_string()),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Id::Number(number) => number.fmt(f),
            Id::Text(text) => text.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Id, Ids};

    #[test]
    fn only_canonical_decimals_are_numbers() {
        for text in ["0", "7", "18446744073709551615"] {
            assert!(matches!(Id::parse(text), Id::Number(_)), "{text}");
            assert_eq!(Id::parse(text).to_string(), text);
        }
        for text in ["07", "+7", "-1", "7.0", "18446744073709551616", "a7", "७"] {
            assert_eq!(Id::parse(text), Id::Text(text.into()));
            assert_eq!(Id::parse(text).to_string(), text);
        }
    }

    #[test]
    fn numbers_sort_by_value_and_before_texts() {
        let mut ids: Vec<Id> = ["b", "10", "a", "2"].iter().map(|text| Id::parse(text)).collect();
        ids.sort();
        let sorted: Vec<String> = ids.iter().map(Id::to_string).collect();
        assert_eq!(sorted, ["2", "10", "a", "b"]);
    }

    #[test]
    fn json_form_follows_the_application() {
        assert_eq!(Id::parse("7").to_json(Ids::Numeric), json!(7));
        assert_eq!(Id::parse("7").to_json(Ids::Given), json!("7"));
        assert_eq!(Id::parse("x").to_json(Ids::Numeric), json!("x"));
        assert_eq!(Id::from_json(&json!("7")), Some(Id::Number(7)));
        assert_eq!(Id::from_json(&json!(7)), Some(Id::Number(7)));
        for refused in [json!(""), json!(null), json!(true), json!([7])] {
            assert_eq!(Id::from_json(&refused), None, "{refused}");
        }
    }
}
