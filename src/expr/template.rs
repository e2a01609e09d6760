//! Templates: text with `{expression}` in it.
//!
//! In: the text and the [`Scope`] of its slot. Out: a [`Template`] that gives a value or a text. Structure is not its
//! business: a request body is a tree whose leaves are templates.
//!
//! ```text
//! "{scim.active}"                     true          one placeholder keeps the type of its value
//! "deprovisioned by {req.id}"         a text; null if the placeholder is null
//! "{{x}} is {scim.x}"                 `{{` and `}}` are braces in the literal text
//! "{ {'a': 1}.a }"                    inside, braces are the expression's own; a map in front takes a space
//! ```

use std::ops::Range;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::pattern::note_compilation;

use super::operators::{number_text, type_name};
use super::scan::{Kind, pieces};
use super::{Env, EvalError, Expr, ExprError, Name, Scope, TEXT_MAX_BYTES, Wanted};

/// The longest source of one template, in bytes.
pub const TEMPLATE_MAX_BYTES: usize = 16 * 1024;

/// RFC 3986 2.3: everything but the unreserved characters is encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A compiled template. Its placeholders are cheap to clone; its literal text is copied.
#[derive(Clone, Debug)]
pub struct Template {
    source: Box<str>,
    parts: Box<[Part]>,
    constant: Option<Box<str>>,
}

#[derive(Clone, Debug)]
enum Part {
    Text(Box<str>),
    Placeholder(Expr),
}

/// Where a template's text goes, and so how its placeholders are encoded. Literal text is kept as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encode {
    /// A path. A value cannot add a segment, and a segment with a placeholder must not be empty, `.` or `..`.
    PathSegment,
    /// A query: a value cannot add a parameter.
    QueryValue,
    /// A path up to the first literal `?`, a query from there.
    Url,
    /// Not encoded: what the place allows is checked there.
    None,
}

impl Template {
    /// Parses and checks `source`; the spans of errors are bytes of the whole template.
    ///
    /// # Errors
    ///
    /// All mistakes of all placeholders, or the first misplaced brace.
    pub fn compile(source: &str, scope: &Scope) -> Result<Self, Vec<ExprError>> {
        note_compilation();
        let mut parts = Vec::new();
        let mut errors = Vec::new();
        let pieces = split(source).map_err(|error| vec![error])?;
        // What stands beside text becomes text.
        let beside_text = (pieces.len() > 1 && scope.wanted.is_some()).then(|| scope.clone().wanting(Wanted::Scalar));
        let scope = beside_text.as_ref().unwrap_or(scope);
        for piece in pieces {
            match piece {
                Piece::Text(text) => parts.push(Part::Text(text.into())),
                Piece::Placeholder(span) => match placeholder(source, span, scope) {
                    Ok(expression) => parts.push(Part::Placeholder(expression)),
                    Err(found) => errors.extend(found),
                },
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut template = Self { source: source.into(), parts: parts.into(), constant: None };
        if template.placeholders().all(|expression| expression.constant().is_some()) {
            template.constant = template.text(&Env::default()).ok().flatten().map(Into::into);
        }
        Ok(template)
    }

    /// The value. One placeholder alone keeps the type of its value; anything else is a text, and null if a
    /// placeholder in it is null.
    ///
    /// # Errors
    ///
    /// Those of the placeholders, and those of [`Template::text`] where a text is built.
    pub fn eval(&self, env: &Env<'_>) -> Result<Value, EvalError> {
        match &*self.parts {
            [Part::Placeholder(expression)] => Ok(expression.eval(env)?.into_owned()),
            _ => Ok(self.text(env)?.map_or(Value::Null, Value::String)),
        }
    }

    /// The value as a text, `None` for null.
    ///
    /// # Errors
    ///
    /// Those of the placeholders, [`EvalError::NotText`] for a list or map, and [`EvalError::TooLong`].
    pub fn text(&self, env: &Env<'_>) -> Result<Option<String>, EvalError> {
        self.encoded(env, Encode::None)
    }

    /// The text with each placeholder percent-encoded for its place, `None` if one is null.
    ///
    /// # Errors
    ///
    /// Those of [`Template::text`], and [`EvalError::BadSegment`].
    pub fn encoded(&self, env: &Env<'_>, encode: Encode) -> Result<Option<String>, EvalError> {
        let mut text = String::new();
        Ok(self.write(env, encode, &mut text)?.then_some(text))
    }

    /// Adds that text to `out`; whether there is one. Otherwise `out` stays as it was.
    ///
    /// # Errors
    ///
    /// As [`Template::encoded`].
    pub fn write(&self, env: &Env<'_>, encode: Encode, out: &mut String) -> Result<bool, EvalError> {
        if let [Part::Text(text)] = &*self.parts {
            out.push_str(text);
            return Ok(true);
        }
        let start = out.len();
        let written = self.write_parts(env, encode, &mut Within { out, start });
        if !matches!(written, Ok(true)) {
            out.truncate(start);
        }
        written
    }

    fn write_parts(&self, env: &Env<'_>, encode: Encode, out: &mut Within<'_>) -> Result<bool, EvalError> {
        let mut path = match encode {
            Encode::PathSegment | Encode::Url => Some(Segment { start: out.start, has_value: false }),
            Encode::QueryValue | Encode::None => None,
        };
        for part in &self.parts {
            match (part, &mut path) {
                (Part::Text(text), None) => out.push(text)?,
                (Part::Text(text), Some(segment)) => {
                    if segment.literal(text, out)? && encode == Encode::Url {
                        path = None;
                    }
                }
                (Part::Placeholder(expression), path) => {
                    let value = expression.eval(env)?;
                    let Some(text) = as_text(&value)? else {
                        return Ok(false);
                    };
                    if encode == Encode::None || text.bytes().all(is_unreserved) {
                        out.push(&text)?;
                    } else {
                        utf8_percent_encode(&text, RESERVED).try_for_each(|piece| out.push(piece))?;
                    }
                    if let Some(segment) = path {
                        segment.has_value = true;
                    }
                }
            }
        }
        if let Some(segment) = &mut path {
            segment.end(out)?;
        }
        Ok(true)
    }

    /// Whether the template is exactly `{null}`, which asks for a null where a null would leave the key out.
    pub fn is_literal_null(&self) -> bool {
        let inner = self.source.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        inner.is_some_and(|inner| inner.trim() == "null")
    }

    /// Whether a placeholder reads `name`.
    pub fn uses(&self, name: Name) -> bool {
        self.placeholders().any(|expression| expression.uses(name))
    }

    /// The selections its placeholders read from `name`, each once; see [`Expr::field_paths`].
    pub fn field_paths(&self, name: Name) -> Vec<Vec<String>> {
        let mut paths: Vec<Vec<String>> = Vec::new();
        for path in self.placeholders().flat_map(|expression| expression.field_paths(name)) {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        paths
    }

    /// The same, without copies of them.
    pub fn selections(&self, name: Name) -> impl Iterator<Item = &[String]> {
        self.placeholders().flat_map(move |expression| expression.selections(name))
    }

    /// Whether there is a `password` in it: its value is a secret.
    pub fn generates(&self) -> bool {
        self.placeholders().any(Expr::generates)
    }

    /// Whether it is a `password` and nothing else.
    pub fn is_password(&self) -> bool {
        matches!(&*self.parts, [Part::Placeholder(expression)] if expression.is_password())
    }

    /// The text, not encoded, if the template reads nothing and is not null.
    pub fn constant(&self) -> Option<&str> {
        self.constant.as_deref()
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    fn placeholders(&self) -> impl Iterator<Item = &Expr> {
        self.parts.iter().filter_map(|part| match part {
            Part::Placeholder(expression) => Some(expression),
            Part::Text(_) => None,
        })
    }
}

/// A value as it stands in a text.
fn as_text(value: &Value) -> Result<Option<std::borrow::Cow<'_, str>>, EvalError> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Bool(value) => if *value { "true" } else { "false" }.into(),
        Value::Number(number) => number_text(number).into(),
        Value::String(text) => text.as_str().into(),
        Value::Array(_) | Value::Object(_) => {
            return Err(EvalError::NotText { found: type_name(value) });
        }
    }))
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// A text that is added to another and is bounded for itself.
struct Within<'o> {
    out: &'o mut String,
    start: usize,
}

impl Within<'_> {
    fn push(&mut self, text: &str) -> Result<(), EvalError> {
        if (self.out.len() - self.start).saturating_add(text.len()) > TEXT_MAX_BYTES {
            return Err(EvalError::TooLong { max: TEXT_MAX_BYTES });
        }
        self.out.push_str(text);
        Ok(())
    }
}

/// The path segment under construction. Literal segments are the author's and are not looked at.
struct Segment {
    /// Where it begins in the text.
    start: usize,
    has_value: bool,
}

impl Segment {
    /// Goes on with literal text; whether it left the path.
    fn literal(&mut self, text: &str, out: &mut Within<'_>) -> Result<bool, EvalError> {
        let (path, query) = text.split_at(text.find(['?', '#']).unwrap_or(text.len()));
        for (at, part) in path.split('/').enumerate() {
            if at > 0 {
                self.end(out)?;
                out.push("/")?;
                self.start = out.out.len();
            }
            out.push(part)?;
        }
        if !query.is_empty() {
            self.end(out)?;
            out.push(query)?;
            self.start = out.out.len();
        }
        Ok(!query.is_empty())
    }

    /// Ends the segment. A dot the author wrote as `%2e` counts as one, because servers decode it before they resolve
    /// the path.
    fn end(&mut self, out: &Within<'_>) -> Result<(), EvalError> {
        let current = out.out.get(self.start..).unwrap_or_default();
        if self.has_value && (current.is_empty() || current.starts_with(['.', '%'])) {
            let segment = current.replace("%2e", ".").replace("%2E", ".");
            if matches!(segment.as_str(), "" | "." | "..") {
                return Err(EvalError::BadSegment);
            }
        }
        self.has_value = false;
        Ok(())
    }
}

enum Piece {
    Text(String),
    Placeholder(Range<usize>),
}

/// Literal texts with their braces resolved, and the places of the expressions between.
fn split(source: &str) -> Result<Vec<Piece>, ExprError> {
    if source.len() > TEMPLATE_MAX_BYTES {
        return Err(error(0..source.len(), format!("the template is longer than {TEMPLATE_MAX_BYTES} bytes"), None));
    }
    let mut found = Vec::new();
    let mut text = String::new();
    let mut at = 0;
    while let Some((literal, brace)) =
        source.get(at..).and_then(|rest| rest.find(['{', '}']).map(|end| rest.split_at(end)))
    {
        text.push_str(literal);
        at += literal.len();
        if brace.starts_with("{{") || brace.starts_with("}}") {
            text.extend(brace.chars().next());
            at += 2;
            continue;
        }
        if brace.starts_with('}') {
            let hint = "write `}}` for a brace; a map in front of a placeholder takes a space: `{ {'a': 1}.a }`";
            return Err(error(at..at + 1, "this brace closes nothing".into(), Some(hint)));
        }
        if !text.is_empty() {
            found.push(Piece::Text(std::mem::take(&mut text)));
        }
        let end = closing_brace(source, at)?;
        found.push(Piece::Placeholder(at + 1..end));
        at = end + 1;
    }
    text.push_str(source.get(at..).unwrap_or_default());
    if !text.is_empty() {
        found.push(Piece::Text(text));
    }
    Ok(found)
}

/// The brace that closes the one at `open`. Braces in the expression's own strings and comments do not count.
fn closing_brace(source: &str, open: usize) -> Result<usize, ExprError> {
    let mut depth = 0_usize;
    for piece in pieces(source, open) {
        match piece.kind {
            Kind::Mark('{') => depth += 1,
            Kind::Mark('}') if depth == 1 => return Ok(piece.span.start),
            Kind::Mark('}') => depth -= 1,
            Kind::Unclosed => {
                return Err(error(piece.span, "the text in the placeholder is not closed".into(), None));
            }
            _ => {}
        }
    }
    Err(error(open..open + 1, "the placeholder is not closed".into(), Some("write `{{` for a brace")))
}

fn placeholder(source: &str, span: Range<usize>, scope: &Scope) -> Result<Expr, Vec<ExprError>> {
    let text = source.get(span.clone()).unwrap_or_default();
    if text.trim().is_empty() {
        let around = span.start.saturating_sub(1)..span.end + 1;
        return Err(vec![error(around, "the placeholder is empty".into(), Some("write `{{}}` for two braces"))]);
    }
    Expr::compile(text, scope).map_err(|errors| {
        let moved =
            |error: ExprError| ExprError { span: error.span.start + span.start..error.span.end + span.start, ..error };
        errors.into_iter().map(moved).collect()
    })
}

fn error(span: Range<usize>, message: String, suggestion: Option<&str>) -> ExprError {
    ExprError { span, message, suggestion: suggestion.map(Into::into) }
}
