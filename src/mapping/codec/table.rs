//! The value table of a row: `map` and `else`.

use serde_json::Value;

use super::{CodecError, Law};

/// Pairs of a SCIM value and a native one, and what stands for the rest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ValueMap {
    /// SCIM value, native value; in the order of the file.
    pub pairs: Vec<(Value, Value)>,
    /// Native value of every other SCIM value.
    pub else_write: Option<Value>,
    /// SCIM value of every other native value, null and absence included.
    pub else_read: Option<Value>,
    /// SCIM strings are compared without case.
    pub fold_case: bool,
}

impl ValueMap {
    pub(super) fn encode(&self, value: &Value) -> Result<Value, CodecError> {
        let found = self.pairs.iter().find(|(scim, _)| self.same(scim, value)).map(|(_, native)| native);
        found.or(self.else_write.as_ref()).cloned().ok_or_else(|| CodecError::wanted(self.expected()))
    }

    pub(super) fn decode(&self, value: &Value) -> Result<Value, CodecError> {
        let found = self.pairs.iter().find(|(_, native)| native == value).map(|(scim, _)| scim);
        match found.or(self.else_read.as_ref()) {
            Some(scim) => Ok(scim.clone()),
            None if value.is_null() => Ok(Value::Null),
            None => Err(CodecError::wanted("a native value that the table holds")),
        }
    }

    pub(super) fn class(&self) -> Law {
        if self.first_collision().is_some() || self.else_write.is_some() || self.else_read.is_some() {
            Law::Lossy
        } else if self.is_total() {
            Law::Iso
        } else {
            Law::Partial
        }
    }

    /// Two SCIM values with the same native one, if there are any: the table is then not injective.
    pub fn first_collision(&self) -> Option<(&Value, &Value)> {
        self.pairs.iter().enumerate().find_map(|(index, (scim, native))| {
            let earlier = self.pairs.iter().take(index).find(|(_, other)| other == native)?;
            Some((&earlier.0, scim))
        })
    }

    /// Whether every SCIM value has a native one: both booleans, or `else.write`.
    pub fn is_total(&self) -> bool {
        let holds = |wanted: bool| self.pairs.iter().any(|(scim, _)| *scim == Value::Bool(wanted));
        self.else_write.is_some() || (holds(true) && holds(false))
    }

    fn same(&self, a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::String(a), Value::String(b)) if self.fold_case => a.to_lowercase() == b.to_lowercase(),
            _ => a == b,
        }
    }

    fn expected(&self) -> String {
        let names: Vec<String> = self.pairs.iter().take(MAX_NAMED).map(|(scim, _)| scim.to_string()).collect();
        let more = if self.pairs.len() > MAX_NAMED { ", ..." } else { "" };
        format!("one of {}{more}", names.join(", "))
    }
}

/// How many values a refusal names.
const MAX_NAMED: usize = 10;
