//! In: the `path` of a route and the patterns of its variables. Out: a [`PathTemplate`] that recognises the base of a
//! SCIM path and captures its variables. It knows nothing of what stands below the base.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::pattern::Pattern;

use super::VALUE_MAX_CHARS;
use super::canonical::{CanonicalPath, Segment};
use super::endpoint::RESERVED_NAMES;

/// A compiled route path such as `/scim/v2/{project}/{environment}`.
#[derive(Clone, Debug)]
pub struct PathTemplate {
    text: Arc<str>,
    parts: Vec<Part>,
}

/// One segment of a template.
#[derive(Clone, Debug)]
enum Part {
    /// Compared with the segment as received, so that `/sc%69m` is not `/scim`.
    Literal(Arc<str>),
    /// Compared with the decoded segment, which may hold no slash.
    Variable { name: Arc<str>, pattern: Pattern },
}

/// What a template found in a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateMatch {
    /// Values in the order of [`PathTemplate::names`], decoded.
    pub values: Vec<String>,
    /// Index of the first segment below the base.
    pub rest: usize,
}

/// A template that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// Byte range in the template text; for a wrong pattern the range of its variable.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead, where that can be told.
    pub suggestion: Option<String>,
}

impl PathTemplate {
    /// Compiles a route path. `patterns` holds regular expressions by variable name; they match the whole value, and
    /// a variable without one takes any text of 1 to 255 characters. `/` is the template without segments.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its place.
    ///
    /// ```
    /// use scimshim::route::{PathTemplate, canonicalise};
    /// let patterns = [("tenant".to_owned(), "[a-z0-9-]{1,64}".to_owned())].into();
    /// let template = PathTemplate::compile("/scim/{tenant}/v2", &patterns).unwrap();
    /// let path = canonicalise("/scim/acme/v2/Users").unwrap();
    /// let found = template.matches(&path).unwrap();
    /// assert_eq!((found.values, found.rest), (vec!["acme".to_owned()], 3));
    /// ```
    pub fn compile(text: &str, patterns: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let Some(relative) = text.strip_prefix('/') else {
            let suggestion = Some(format!("/{text}"));
            return Err(TemplateError {
                span: 0..text.len(),
                message: "a route path begins with /".to_owned(),
                suggestion,
            });
        };
        let mut parts = Vec::new();
        if !relative.is_empty() {
            let mut start = 1;
            for piece in relative.split('/') {
                let span = start..start + piece.len();
                start = span.end + 1;
                parts.push(compile_part(text, piece, span, patterns, &parts)?);
            }
        }
        Ok(Self { text: Arc::from(text), parts })
    }

    /// Names of the variables, in path order.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable { name, .. } => Some(name),
            Part::Literal(_) => None,
        })
    }

    /// The literal segments before the first variable. Every path below them belongs to SCIM.
    pub fn literal_prefix(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map_while(|part| match part {
            Part::Literal(text) => Some(&**text),
            Part::Variable { .. } => None,
        })
    }

    /// Finds the base of a SCIM path; `None` where it is not this template's.
    pub fn matches(&self, path: &CanonicalPath<'_>) -> Option<TemplateMatch> {
        match self.probe(path) {
            Probe::Match => {
                Some(TemplateMatch { values: self.values(path).map(str::to_owned).collect(), rest: self.len() })
            }
            Probe::BadVariable(_) | Probe::Other => None,
        }
    }

    /// How many segments it has.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// The values of a path that matches, in the order of [`Self::names`], decoded.
    pub(super) fn values<'p>(&'p self, path: &'p CanonicalPath<'_>) -> impl Iterator<Item = &'p str> {
        self.parts.iter().zip(&path.segments).filter_map(|(part, segment)| match part {
            Part::Variable { .. } => Some(&*segment.decoded),
            Part::Literal(_) => None,
        })
    }

    /// As [`Self::matches`], but tells which variable was wrong, and no values.
    pub(super) fn probe(&self, path: &CanonicalPath<'_>) -> Probe {
        let Some(base) = path.segments.get(..self.parts.len()) else { return Probe::Other };
        let mut wrong = None;
        for (part, segment) in self.parts.iter().zip(base) {
            match part {
                Part::Literal(text) if **text != *segment.raw => return Probe::Other,
                Part::Literal(_) => {}
                Part::Variable { pattern, .. } if accepts(pattern, segment) => {}
                // A later literal may still show that the path is another route's.
                Part::Variable { name, .. } => wrong = wrong.or_else(|| Some(Arc::clone(name))),
            }
        }
        match wrong {
            Some(name) => Probe::BadVariable(name),
            None => Probe::Match,
        }
    }

    /// Whether some path could be read by both templates: as bases of equal length, or because one is a segment longer
    /// and that segment could as well be an endpoint below the other (`/scim/{tenant}/Groups` and `/scim/Users/Groups`
    /// with a tenant called `Users`).
    pub fn overlaps(&self, other: &Self) -> bool {
        let (short, long) = if self.parts.len() <= other.parts.len() { (self, other) } else { (other, self) };
        if !short.parts.iter().zip(&long.parts).all(|(a, b)| a.may_meet(b)) {
            return false;
        }
        match long.parts.get(short.parts.len()..) {
            Some([]) => true,
            Some([extra]) => RESERVED_NAMES.iter().chain(&USUAL_ENDPOINTS).any(|name| extra.accepts(name)),
            // Below its base a SCIM path has two segments at the most, and the longer template needs more.
            _ => false,
        }
    }

    /// Sorts the most specific template first: more literal segments, then more segments.
    pub(super) fn specificity(&self) -> (usize, usize) {
        let literals = self.parts.iter().filter(|part| matches!(part, Part::Literal(_))).count();
        (literals, self.parts.len())
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What one template says about a path.
pub(super) enum Probe {
    Match,
    /// Literals fit, but the value of this variable does not.
    BadVariable(Arc<str>),
    Other,
}

impl Part {
    fn accepts(&self, literal: &str) -> bool {
        match self {
            Self::Literal(text) => **text == *literal,
            Self::Variable { pattern, .. } => fits(pattern, literal),
        }
    }

    fn may_meet(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(text), part) | (part, Self::Literal(text)) => part.accepts(text),
            (Self::Variable { pattern: a, .. }, Self::Variable { pattern: b, .. }) => a.may_meet(b),
        }
    }
}

fn accepts(pattern: &Pattern, segment: &Segment<'_>) -> bool {
    !segment.encoded_slash && fits(pattern, &segment.decoded)
}

fn fits(pattern: &Pattern, value: &str) -> bool {
    let short = value.len() <= VALUE_MAX_CHARS || value.chars().nth(VALUE_MAX_CHARS).is_none();
    short && pattern.is_match(value)
}

fn compile_part(
    text: &str,
    piece: &str,
    span: Range<usize>,
    patterns: &BTreeMap<String, String>,
    earlier: &[Part],
) -> Result<Part, TemplateError> {
    let error = |message: &str, suggestion: Option<String>| TemplateError {
        span: span.clone(),
        message: message.to_owned(),
        suggestion,
    };
    if piece.is_empty() {
        let without = text.split('/').filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join("/");
        return Err(error("a route path has no empty segment and no slash at its end", Some(format!("/{without}"))));
    }
    if let Some(name) = piece.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        if !is_variable_name(name) {
            return Err(error("a variable name is a letter or _ followed by letters, digits and _", None));
        }
        if earlier.iter().any(|part| matches!(part, Part::Variable { name: other, .. } if **other == *name)) {
            return Err(error("this variable stands twice in the path", None));
        }
        let pattern = patterns.get(name).map_or(Ok(Pattern::any()), |pattern| Pattern::compile(pattern));
        let pattern = pattern.map_err(|message| error(&format!("not a regular expression: {message}"), None))?;
        return Ok(Part::Variable { name: Arc::from(name), pattern });
    }
    if piece.contains(['{', '}']) {
        return Err(error("a variable is a whole segment", whole_segment(piece)));
    }
    if matches!(piece, "." | "..") || !piece.bytes().all(is_unreserved) {
        let message = "a literal segment holds only letters, digits, '-', '.', '_', '~' and is neither . nor ..";
        return Err(error(message, None));
    }
    Ok(Part::Literal(Arc::from(piece)))
}

/// `v2-{tenant}` becomes `{tenant}`.
fn whole_segment(piece: &str) -> Option<String> {
    let (_, rest) = piece.split_once('{')?;
    let (name, _) = rest.split_once('}')?;
    is_variable_name(name).then(|| format!("{{{name}}}"))
}

fn is_variable_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Unreserved characters of RFC 3986 2.3: they have one spelling, so that comparing raw segments is exact.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Endpoints that nearly every route serves.
const USUAL_ENDPOINTS: [&str; 2] = ["Users", "Groups"];
