//! In: the pattern of one route variable. Out: a matcher for decoded path segments.
//!
//! A pattern is a regular expression that must match the whole value. Nearly all of them are one character class with
//! a length (`[A-Za-z0-9_-]{1,64}`); those become a bit table and two comparisons. The rest stay regular expressions.

use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

/// What one variable accepts. Every value is at most [`VALUE_MAX_CHARS`] long, whatever its pattern says.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// One character class with a length.
    Class(Class),
    /// Anything else.
    Regex(Regex),
}

impl Pattern {
    /// Compiles a pattern; the message says what is wrong with it.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        if let Some(class) = Class::parse(text) {
            return Ok(Self::Class(class));
        }
        RegexBuilder::new(&format!("^(?:{text})$")).size_limit(REGEX_MAX_BYTES).build().map(Self::Regex).map_err(
            |error| match error {
                regex::Error::CompiledTooBig(_) => "the pattern is too large when compiled".to_owned(),
                other => format!("the pattern is not a regular expression: {other}"),
            },
        )
    }

    /// The pattern of a variable that has none: any characters.
    pub(super) fn any() -> Self {
        Self::Class(Class { ascii: u128::MAX, non_ascii: true, min: 1, max: VALUE_MAX_CHARS })
    }

    pub(super) fn accepts(&self, value: &str) -> bool {
        match self {
            Self::Class(class) => class.accepts(value),
            Self::Regex(regex) => value.chars().nth(VALUE_MAX_CHARS).is_none() && regex.is_match(value),
        }
    }

    /// Whether some value may be accepted by both. `true` where that cannot be told.
    pub(super) fn may_meet(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Class(a), Self::Class(b)) => {
                let common = a.ascii & b.ascii != 0 || (a.non_ascii && b.non_ascii);
                common && a.min.max(b.min) <= a.max.min(b.max)
            }
            _ => true,
        }
    }
}

/// A set of characters and how many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class {
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
        (min <= max).then_some(Self { ascii, non_ascii: negated, min, max: max.min(VALUE_MAX_CHARS) })
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

/// The longest value of a route variable, in characters.
pub const VALUE_MAX_CHARS: usize = 255;

/// Bound on one compiled pattern.
const REGEX_MAX_BYTES: usize = 1 << 20;
