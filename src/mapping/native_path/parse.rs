//! In: the text of a native path. Out: its steps, or the place of the first mistake.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::{NativePath, Root, Step};

/// A native path that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NativePathError {
    /// Byte range in the text.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
}

pub(super) fn path(text: &str) -> Result<NativePath, NativePathError> {
    crate::pattern::note_compilation();
    if text.len() > MAX_BYTES {
        return Err(error(0..text.len(), format!("a native path has at most {MAX_BYTES} bytes")));
    }
    if text == "@link" {
        return Ok(NativePath { root: Root::Link, steps: Vec::new(), whole: false });
    }
    if let Some(name) = text.strip_prefix("@header:") {
        return header(name);
    }
    let mut cursor = Cursor { text, at: 0 };
    let mut steps = Vec::new();
    while cursor.at < text.len() || !steps.is_empty() {
        steps.push(Step::Name(cursor.name("a field name")?));
        while cursor.eat("[") {
            steps.push(brackets(&mut cursor)?);
        }
        if steps.len() > MAX_STEPS {
            return Err(error(0..text.len(), format!("a native path has at most {MAX_STEPS} steps")));
        }
        if cursor.at == text.len() {
            break;
        }
        if !cursor.eat(".") {
            return Err(cursor.unexpected("`.`, `[` or the end"));
        }
    }
    Ok(NativePath { root: Root::Document, steps, whole: false })
}

fn header(name: &str) -> Result<NativePath, NativePathError> {
    let start = "@header:".len();
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        return Err(error(start..start + name.len(), "not the name of a header".to_owned()));
    }
    Ok(NativePath { root: Root::Header(Arc::from(name)), steps: Vec::new(), whole: false })
}

/// What stands between `[` and `]`.
fn brackets(cursor: &mut Cursor<'_>) -> Result<Step, NativePathError> {
    if cursor.eat("]") {
        return Ok(Step::Each);
    }
    let rest = cursor.rest();
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(rest.len());
    let step = match rest.get(..end).unwrap_or("").parse::<i32>() {
        Ok(index) if index >= -1 && rest.get(end..).is_some_and(|rest| rest.starts_with(']')) => {
            cursor.at += end;
            Step::Index(index)
        }
        _ => Step::Select(conjuncts(cursor)?),
    };
    if !cursor.eat("]") {
        return Err(cursor.unexpected("`]`"));
    }
    Ok(step)
}

/// `name eq literal and name eq literal`, the whole text. Also the notation of value filters in row keys.
///
/// # Errors
///
/// The first mistake, with its place in the text.
pub(crate) fn conjunction(text: &str) -> Result<Vec<(Arc<str>, Value)>, NativePathError> {
    let mut cursor = Cursor { text, at: 0 };
    let found = conjuncts(&mut cursor)?;
    if cursor.at < text.len() {
        return Err(cursor.unexpected("`and` or the end"));
    }
    Ok(found)
}

fn conjuncts(cursor: &mut Cursor<'_>) -> Result<Vec<(Arc<str>, Value)>, NativePathError> {
    let mut found = Vec::new();
    loop {
        let name = cursor.name("a field name, as in `[kind eq 1]`")?;
        cursor.word("eq")?;
        found.push((name, cursor.literal()?));
        if found.len() > MAX_STEPS {
            return Err(cursor.unexpected("fewer comparisons"));
        }
        let before = cursor.at;
        if cursor.word("and").is_err() {
            cursor.at = before;
            return Ok(found);
        }
    }
}

struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// A plain or quoted name.
    fn name(&mut self, wanted: &str) -> Result<Arc<str>, NativePathError> {
        if self.rest().starts_with('"') {
            return match self.json()? {
                Value::String(name) => Ok(Arc::from(name)),
                _ => Err(self.unexpected(wanted)),
            };
        }
        let rest = self.rest();
        let end = rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or("");
        if !is_plain_name(name) {
            return Err(self.unexpected(wanted));
        }
        self.at += end;
        Ok(Arc::from(name))
    }

    /// ` word ` with one or more spaces before it and after it.
    fn word(&mut self, word: &str) -> Result<(), NativePathError> {
        let trimmed = self.rest().trim_start_matches(' ');
        let spaces = self.rest().len() - trimmed.len();
        let after = trimmed.get(word.len()..).unwrap_or("");
        let found = trimmed.get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word));
        if spaces == 0 || !found || !after.starts_with(' ') {
            return Err(self.unexpected(&format!("` {word} `")));
        }
        self.at = self.text.len() - after.trim_start_matches(' ').len();
        Ok(())
    }

    fn literal(&mut self) -> Result<Value, NativePathError> {
        let start = self.at;
        match self.json()? {
            Value::Array(_) | Value::Object(_) => {
                self.at = start;
                Err(self.unexpected("a string, a number, `true`, `false` or `null`"))
            }
            value => Ok(value),
        }
    }

    /// One JSON scalar or string at the cursor.
    fn json(&mut self) -> Result<Value, NativePathError> {
        let mut values = serde_json::Deserializer::from_str(self.rest()).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                self.at += values.byte_offset();
                Ok(value)
            }
            _ => Err(self.unexpected("a JSON literal such as \"work\" or 1")),
        }
    }

    fn unexpected(&self, wanted: &str) -> NativePathError {
        let start = self.at.min(self.text.len());
        let found = self.rest().chars().next();
        let end = start + found.map_or(0, char::len_utf8);
        let found = found.map_or("the end".to_owned(), |c| format!("`{c}`"));
        error(start..end, format!("expected {wanted}, found {found}"))
    }
}

fn error(span: Range<usize>, message: String) -> NativePathError {
    NativePathError { span, message }
}

/// Names that need no quotes. `@` in front is kept for `@link` and `@header:`, so that a misspelt one is noticed.
pub(super) fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_name_char) && !name.starts_with('@')
}

fn is_name_char(c: char) -> bool {
    !matches!(c, '.' | '[' | ']' | '"' | '\'' | '{' | '}') && !c.is_whitespace() && !c.is_control()
}

const MAX_BYTES: usize = 512;
const MAX_STEPS: usize = 32;
