//! Cuts filter text into words and literals, on demand: what a piece of text is depends on where it stands, so the
//! parser asks for the kind it needs. Every character is looked at a bounded number of times.

use super::super::attr_path::shorten;
use super::CompareOp;
use super::error::FilterError;

/// A position in the filter text.
pub(super) struct Cursor<'a> {
    text: &'a str,
    position: usize,
}

/// A comparison value before it got a type.
pub(super) struct RawLiteral {
    /// Decoded text.
    pub(super) text: String,
    /// How it was written.
    pub(super) quote: Quote,
}

/// How a literal was delimited.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Quote {
    /// `"…"`, a JSON string.
    Double,
    /// `'…'`.
    Single,
    /// Quotes of a word processor.
    Typographic,
    /// None: a number, a keyword, or a value whose quotes were forgotten.
    Bare,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    pub(super) fn skip_space(&mut self) {
        let rest = self.rest();
        self.position += rest.len() - rest.trim_start().len();
    }

    pub(super) fn at_end(&self) -> bool {
        self.rest().is_empty()
    }

    /// Takes the character if it is the next one.
    pub(super) fn eat(&mut self, expected: char) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.position += expected.len_utf8();
        }
        found
    }

    /// The next word without taking it; empty if something else comes.
    pub(super) fn peek_word(&self) -> &'a str {
        let rest = self.rest();
        rest.get(..rest.find(ends_word).unwrap_or(rest.len())).unwrap_or_default()
    }

    /// Takes a word found by [`Self::peek_word`].
    pub(super) fn take(&mut self, word: &str) {
        self.position += word.len();
    }

    /// Takes the next word if it is this keyword, without regard to case.
    pub(super) fn eat_keyword(&mut self, keyword: &str) -> bool {
        let rest = self.rest();
        let begins = rest.get(..keyword.len()).is_some_and(|word| word.eq_ignore_ascii_case(keyword));
        let found =
            begins && rest.get(keyword.len()..).is_some_and(|behind| behind.chars().next().is_none_or(ends_word));
        if found {
            self.position += keyword.len();
        }
        found
    }

    /// Takes a comparison value.
    pub(super) fn literal(&mut self) -> Result<RawLiteral, FilterError> {
        match self.rest().chars().next() {
            Some('"') => self.json_string(),
            Some('\'') => self.quoted(&['\''], Quote::Single),
            Some(open) if DOUBLE_QUOTES.contains(&open) => self.quoted(&DOUBLE_QUOTES, Quote::Typographic),
            Some(open) if SINGLE_QUOTES.contains(&open) => self.quoted(&SINGLE_QUOTES, Quote::Typographic),
            _ => self.bare(),
        }
    }

    /// What the grammar wanted here instead of what is here.
    pub(super) fn expected(&self, expected: &'static str) -> FilterError {
        let found = match self.rest().split_whitespace().next() {
            Some(word) => format!("'{}'", shorten(word)),
            None => "the end".to_owned(),
        };
        FilterError::Syntax { position: self.position, expected, found }
    }

    fn json_string(&mut self) -> Result<RawLiteral, FilterError> {
        let bad = || FilterError::BadString { position: self.position };
        let rest = self.rest();
        let mut escapes = false;
        let mut escaped = false;
        let end = rest.bytes().skip(1).position(|byte| {
            let closes = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            // JSON has no control characters in strings; what reads escapes says so.
            escapes |= byte == b'\\' || byte < b' ';
            closes
        });
        let body = end.and_then(|end| rest.get(1..=end)).ok_or_else(bad)?;
        let source = rest.get(..body.len() + 2).ok_or_else(bad)?;
        let text = if escapes { serde_json::from_str(source).map_err(|_| bad())? } else { body.to_owned() };
        self.position += source.len();
        Ok(RawLiteral { text, quote: Quote::Double })
    }

    /// A value in quotes that JSON does not know. A quote closes it only where a value may end, so that the apostrophe
    /// of `'Bo O'Hara'` does not.
    fn quoted(&mut self, closing: &[char], quote: Quote) -> Result<RawLiteral, FilterError> {
        let bad = FilterError::BadString { position: self.position };
        let mut open = self.rest().chars();
        open.next();
        let body = open.as_str();
        let end = body.char_indices().find_map(|(index, character)| {
            let tail = body.get(index + character.len_utf8()..)?;
            (closing.contains(&character) && tail.chars().next().is_none_or(ends_value)).then_some((index, tail))
        });
        let (end, tail) = end.ok_or_else(|| bad.clone())?;
        let text = body.get(..end).ok_or(bad)?.to_owned();
        self.position = self.text.len() - tail.len();
        Ok(RawLiteral { text, quote })
    }

    fn bare(&mut self) -> Result<RawLiteral, FilterError> {
        let rest = self.rest();
        let word = rest.get(..rest.find(ends_value).unwrap_or(rest.len())).unwrap_or_default();
        let keyword = ["and", "or", "not", "pr"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword));
        let cannot_be_a_value =
            word.is_empty() || keyword || CompareOp::parse(word).is_some() || word.contains(['"', '(', '[']);
        if cannot_be_a_value {
            return Err(self.expected("a comparison value"));
        }
        self.take(word);
        Ok(RawLiteral { text: word.to_owned(), quote: Quote::Bare })
    }
}

fn ends_value(character: char) -> bool {
    character.is_whitespace() || matches!(character, ')' | ']')
}

fn ends_word(character: char) -> bool {
    character.is_whitespace() || matches!(character, '(' | ')' | '[' | ']' | '"' | '\'')
}

const DOUBLE_QUOTES: [char; 5] = ['“', '”', '„', '«', '»'];
const SINGLE_QUOTES: [char; 3] = ['‘', '’', '‚'];
