//! Patterns of the configuration: the one place where regular expressions are compiled.
//!
//! In: the text of a pattern. Out: a [`Pattern`] that must match a whole value, or a searching regular expression
//! ([`search`]). Nearly all patterns are one character class with a length (`[A-Za-z0-9_-]{1,64}`); those become a bit
//! table and two comparisons. [`compilations`] counts what is compiled from text, here and elsewhere, so that a test can
//! show that serving a request compiles nothing.

mod samples;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;
use std::sync::{Arc, Mutex};

use regex::{Regex, RegexBuilder};

pub use samples::samples;

/// What a whole value must look like.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// One character class with a length.
    Class(Class),
    /// Anything else.
    Regex(Regex),
}

impl Pattern {
    /// Compiles a pattern; the message says what is wrong with it.
    ///
    /// # Errors
    ///
    /// The text is no regular expression, or too large when compiled.
    pub fn compile(text: &str) -> Result<Self, String> {
        match Class::parse(text) {
            Some(class) => Ok(Self::Class(class)),
            None => search(&format!("^(?:{text})$")).map(Self::Regex),
        }
    }

    /// A pattern of any characters.
    pub fn any() -> Self {
        Self::Class(Class { ascii: u128::MAX, non_ascii: true, min: 1, max: usize::MAX })
    }

    /// Whether the whole value matches.
    pub fn is_match(&self, value: &str) -> bool {
        match self {
            Self::Class(class) => class.accepts(value),
            Self::Regex(regex) => regex.is_match(value),
        }
    }

    /// Whether some value may be accepted by both. `true` where that cannot be told.
    pub fn may_meet(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Class(a), Self::Class(b)) => {
                let common = a.ascii & b.ascii != 0 || (a.non_ascii && b.non_ascii);
                common && a.min.max(b.min) <= a.max.min(b.max)
            }
            _ => true,
        }
    }
}

/// A regular expression that may match anywhere in a text.
///
/// # Errors
///
/// The text is no regular expression, or too large when compiled.
pub fn search(text: &str) -> Result<Regex, String> {
    note_compilation();
    RegexBuilder::new(text).size_limit(REGEX_MAX_BYTES).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "it is too large when compiled".to_owned(),
        // The library draws the pattern and a marker over several lines; the last one says what is wrong.
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.strip_prefix("error: ").unwrap_or(last).trim_end_matches('.').to_owned()
        }
    })
}

/// Regular expressions by their text, so that equal ones are compiled once and shared.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<Mutex<BTreeMap<String, Regex>>>);

impl Shared {
    /// Like [`search`].
    ///
    /// # Errors
    ///
    /// As [`search`].
    pub fn search(&self, text: &str) -> Result<Regex, String> {
        let Ok(mut known) = self.0.lock() else { return search(text) };
        if let Some(regex) = known.get(text) {
            return Ok(regex.clone());
        }
        let regex = search(text)?;
        known.insert(text.to_owned(), regex.clone());
        Ok(regex)
    }

    /// A pattern for a search. `^[class]{n,m}$` is a class, anything else a regular expression that may match anywhere.
    ///
    /// # Errors
    ///
    /// As [`search`].
    pub fn search_pattern(&self, text: &str) -> Result<Pattern, String> {
        let whole = text.strip_prefix('^').and_then(|rest| rest.strip_suffix('$'));
        match whole.and_then(Class::parse) {
            Some(class) => Ok(Pattern::Class(class)),
            None => self.search(text).map(Pattern::Regex),
        }
    }
}

thread_local! {
    static COMPILATIONS: Cell<u64> = const { Cell::new(0) };
}

/// How often something was compiled from text on this thread: regular expressions, expressions, templates, native
/// paths.
pub fn compilations() -> u64 {
    COMPILATIONS.get()
}

/// Counts one compilation from text.
pub(crate) fn note_compilation() {
    COMPILATIONS.set(COMPILATIONS.get().wrapping_add(1));
}

/// A set of characters and how many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// Bit `c` is set if the ASCII character `c` belongs to the class.
    ascii: u128,
    /// Whether every other character does.
    non_ascii: bool,
    /// Characters at least.
    min: usize,
    /// Characters at most.
    max: usize,
}

impl Class {
    fn accepts(&self, value: &str) -> bool {
        let mut length = 0;
        for character in value.chars() {
            length += 1;
            if length > self.max || !self.holds(character) {
                return false;
            }
        }
        length >= self.min
    }

    fn holds(&self, character: char) -> bool {
        if character.is_ascii() { self.ascii & bit(character) != 0 } else { self.non_ascii }
    }

    /// Reads `[...]` with an optional quantifier. `None` means that it is something else, not that it is wrong.
    fn parse(text: &str) -> Option<Self> {
        let mut chars = text.strip_prefix('[')?.chars().peekable();
        let negated = chars.next_if_eq(&'^').is_some();
        let mut ascii = 0;
        loop {
            let first = match chars.next()? {
                ']' if ascii != 0 => break,
                // Before the closing bracket a hyphen stands for itself.
                '-' if chars.peek() == Some(&']') => {
                    ascii |= bit('-');
                    continue;
                }
                other => class_character(other, &mut chars)?,
            };
            let last = match chars.next_if_eq(&'-') {
                None => first,
                Some(_) if chars.peek() == Some(&']') => {
                    ascii |= bit('-');
                    first
                }
                Some(_) => {
                    let last = chars.next()?;
                    class_character(last, &mut chars)?
                }
            };
            if last < first {
                return None;
            }
            ascii |= (first..=last).fold(0, |bits, character| bits | bit(character));
        }
        let (min, max) = quantifier(&chars.collect::<String>())?;
        let ascii = if negated { !ascii } else { ascii };
        (min <= max).then_some(Self { ascii, non_ascii: negated, min, max })
    }
}

/// One character of a class, perhaps escaped. Letters after a backslash are classes of their own (`\d`), and the
/// characters that may begin a set operation or a named class are left to the regex compiler.
fn class_character(first: char, rest: &mut Peekable<Chars<'_>>) -> Option<char> {
    match first {
        '\\' => rest.next().filter(char::is_ascii_punctuation),
        '[' | ']' | '&' | '~' | '-' | '^' => None,
        other => Some(other).filter(char::is_ascii),
    }
}

/// Bounds of a quantifier that ends the pattern.
fn quantifier(text: &str) -> Option<(usize, usize)> {
    match text {
        "" => return Some((1, 1)),
        "+" => return Some((1, usize::MAX)),
        "*" => return Some((0, usize::MAX)),
        _ => {}
    }
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    match inner.split_once(',') {
        None => number(inner).map(|exactly| (exactly, exactly)),
        Some((min, "")) => Some((number(min)?, usize::MAX)),
        Some((min, max)) => Some((number(min)?, number(max)?)),
    }
}

fn number(text: &str) -> Option<usize> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn bit(ascii: char) -> u128 {
    1 << (ascii as u32 & 0x7f)
}

/// The most memory one compiled pattern may take.
const REGEX_MAX_BYTES: usize = 4 << 20;
