//! `pattern` of a row: what a value must look like before it is sent.

use regex::Regex;
use serde_json::Value;

use super::{CodecError, text};

/// A pattern for whole texts.
#[derive(Clone, Debug)]
pub struct Form {
    pattern: Box<str>,
    regex: Regex,
}

impl PartialEq for Form {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern
    }
}

impl Form {
    /// `regex` is `pattern`, made to match whole texts.
    pub fn new(pattern: &str, regex: Regex) -> Self {
        Self { pattern: pattern.into(), regex }
    }

    /// The text of the pattern.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    pub(super) fn check(&self, value: &Value) -> Result<Value, CodecError> {
        let text = text::string(value)?;
        if self.regex.is_match(text) {
            return Ok(value.clone());
        }
        Err(CodecError::wanted(format!("a text that matches `{}`", self.pattern)))
    }
}
