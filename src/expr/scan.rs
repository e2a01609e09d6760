//! A coarse scan of expression text, for what must be known before the parser runs.
//!
//! In: any text. Out: [`Piece`]s (words, string literals, comments, single characters) that cover it without blanks.
//! It only knows where literals and comments begin and end; what is an expression is the parser's question.

use std::ops::Range;

/// A piece of the text, in bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Letters, digits and `_`.
    Word,
    /// A string or bytes literal with its prefix and quotes.
    Literal,
    /// A literal whose closing quote is missing; it reaches to the end.
    Unclosed,
    /// `//` to the end of the line.
    Comment,
    /// Any other character.
    Mark(char),
}

/// The pieces of `text` from byte `at`, which must be a character boundary.
pub(super) fn pieces(text: &str, at: usize) -> impl Iterator<Item = Piece> + '_ {
    let mut at = at;
    std::iter::from_fn(move || {
        let rest = text.get(at..)?;
        let blank = rest.len() - rest.trim_start().len();
        at += blank;
        let (kind, length) = first(rest.get(blank..)?)?;
        let span = at..at + length;
        at = span.end;
        Some(Piece { kind, span })
    })
}

fn first(rest: &str) -> Option<(Kind, usize)> {
    let start = rest.chars().next()?;
    if rest.starts_with("//") {
        return Some((Kind::Comment, rest.find('\n').unwrap_or(rest.len())));
    }
    let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let (prefix, tail) = rest.split_at(word);
    let raw = prefix.contains(['r', 'R']);
    if matches!(prefix, "" | "r" | "R" | "b" | "B" | "br" | "bR" | "Br" | "BR") && tail.starts_with(['\'', '"']) {
        return Some(match literal_length(tail, raw) {
            Some(length) => (Kind::Literal, word + length),
            None => (Kind::Unclosed, rest.len()),
        });
    }
    Some(if word > 0 { (Kind::Word, word) } else { (Kind::Mark(start), start.len_utf8()) })
}

/// The length of the literal that `text` opens with, quotes included.
fn literal_length(text: &str, raw: bool) -> Option<usize> {
    let quote = ["'''", "\"\"\"", "'", "\""].into_iter().find(|quote| text.starts_with(quote))?;
    let mut at = quote.len();
    loop {
        let rest = text.get(at..)?;
        if rest.starts_with(quote) {
            return Some(at + quote.len());
        }
        let next = rest.chars().next()?;
        at += next.len_utf8();
        if next == '\\' && !raw {
            at += text.get(at..)?.chars().next()?.len_utf8();
        }
    }
}
