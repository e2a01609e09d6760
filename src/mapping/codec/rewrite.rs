//! `regex`: the part of a text that a group matches, and the text around it put back.

use regex::Regex;
use serde_json::Value;

use super::{CodecError, text};

/// A pattern with one group, and how the whole is made from that group.
#[derive(Clone, Debug)]
pub struct Rewrite {
    pattern: Box<str>,
    regex: Regex,
    /// Texts around each `$1`.
    back: Box<[Box<str>]>,
}

impl PartialEq for Rewrite {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern && self.back == other.back
    }
}

impl Rewrite {
    /// `regex` is `pattern`, made to match whole texts.
    ///
    /// # Errors
    ///
    /// What is wrong: the pattern has not exactly one group, or `back` does not name it.
    pub fn new(pattern: &str, regex: Regex, back: &str) -> Result<Self, RewriteError> {
        if regex.captures_len() != 2 {
            return Err(RewriteError::Groups(regex.captures_len().saturating_sub(1)));
        }
        let mut parts: Vec<Box<str>> = Vec::new();
        let (mut part, mut rest) = (String::new(), back);
        while let Some((before, after)) = rest.split_once('$') {
            part.push_str(before);
            rest = if let Some(after) = after.strip_prefix('$') {
                part.push('$');
                after
            } else if let Some(after) = after.strip_prefix('1').filter(|rest| !rest.starts_with(char::is_numeric)) {
                parts.push(std::mem::take(&mut part).into());
                after
            } else {
                return Err(RewriteError::Back);
            };
        }
        part.push_str(rest);
        parts.push(part.into());
        if parts.len() < 2 {
            return Err(RewriteError::Back);
        }
        Ok(Self { pattern: pattern.into(), regex, back: parts.into() })
    }

    /// The text of the pattern.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    pub(super) fn encode(&self, value: &Value) -> Result<Value, CodecError> {
        let captures = self.regex.captures(text::string(value)?);
        let group = captures.and_then(|captures| captures.get(1).map(|group| Value::from(group.as_str())));
        group.ok_or_else(|| CodecError::wanted(format!("a text that matches `{}`", self.pattern)))
    }

    pub(super) fn decode(&self, value: &Value) -> Result<Value, CodecError> {
        let native = text::string(value)?;
        let whole = self.back.join(native);
        let group = self.regex.captures(&whole).and_then(|captures| captures.get(1).map(|group| group.as_str()));
        if group == Some(native) {
            return Ok(Value::from(whole));
        }
        Err(CodecError::wanted(format!("a text that a group of `{}` matches", self.pattern)))
    }
}

/// Why a pattern and its way back cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// Not one group.
    #[error("the pattern needs one group, what the application holds, and has {0}; write `(?:..)` around the others")]
    Groups(usize),
    /// `$1` is missing, or there is another `$`.
    #[error("`back` holds `$1`, what the application has, and no other group; `$$` is a dollar sign")]
    Back,
}
