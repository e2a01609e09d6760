//! Names that only the application knows, compared with one another.
//!
//! A check that has never seen the application cannot know that it calls its users `users`. A file that says so ten
//! times and `usrs` once knows it, though. In: names as they are compiled, with their places. Out: a warning for a name
//! that stands alone and is one letter inside from another that stands several times. A difference at either end is no
//! mistake but a plural or another field: `user` and `users`, `fname` and `lname`.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::config::read::Report;
use crate::config::tree::{Node, Place};

use super::context::Context;

/// Names in paths of calls, queries, bodies and native documents.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// A name and where it stands: source and first byte. What is compiled twice stands there once.
    places: BTreeMap<String, BTreeMap<(usize, usize), Place>>,
}

impl Names {
    /// Every name in a part of a text, but for what is in placeholders and quotes.
    pub(super) fn in_text(&mut self, report: &Report, node: &Node, range: Range<usize>) {
        let text = node.as_text().unwrap_or("");
        let (mut depth, mut quote, mut start) = (0_usize, None, None);
        let end = range.end.min(text.len());
        for (at, c) in text.char_indices().chain([(text.len(), ' ')]).filter(|(at, _)| range.contains(at) || *at == end)
        {
            let is_letter = c.is_ascii_alphanumeric() || c == '_' || c == '-';
            let names = depth == 0 && quote.is_none() && at < end;
            match (is_letter && names, start) {
                (true, None) => start = Some(at),
                (false, Some(begin)) => {
                    start = None;
                    if let Some(name) = text.get(begin..at) {
                        self.add(name, report.part(node, begin..at));
                    }
                }
                _ => {}
            }
            match (quote, c) {
                (None, '"' | '\'') => quote = Some(c),
                (Some(open), _) if open == c => quote = None,
                (None, '{') => depth += 1,
                (None, '}') => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// One name.
    pub(super) fn add(&mut self, name: &str, place: Place) {
        if name.len() < SHORTEST || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return;
        }
        let found = self.places.entry(name.to_owned()).or_default();
        if found.len() < 2 {
            found.insert((place.source, place.span.start), place);
        }
    }
}

/// Warns of names that are probably misspelt.
pub(super) fn check(cx: &mut Context) {
    let names = std::mem::take(&mut cx.names).places;
    let usual: Vec<&String> = names.iter().filter(|(_, places)| places.len() > 1).map(|(name, _)| name).collect();
    for (name, places) in &names {
        let (Some(place), 1) = (places.values().next(), places.len()) else { continue };
        if let Some(other) = usual.iter().find(|other| is_near(name, other)) {
            let message = format!("`{name}` stands here alone, and `{other}` elsewhere in the file");
            cx.report.warn("W095", place, message, format!("did you mean `{other}`?"));
        }
    }
}

/// One letter more, less or other, or two exchanged, and neither the first nor the last letter differs.
fn is_near(name: &str, other: &str) -> bool {
    let ends = |text: &str| (text.chars().next(), text.chars().next_back());
    ends(name) == ends(other) && strsim::osa_distance(name, other) == 1 && !differs_in_digits(name, other)
}

/// `line1` and `line2` are two fields.
fn differs_in_digits(name: &str, other: &str) -> bool {
    let letters = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    letters(name) == letters(other)
}

/// Shorter names are near too many others.
const SHORTEST: usize = 4;

#[cfg(test)]
mod tests {
    use super::is_near;

    #[test]
    fn near_is_one_letter_inside() {
        for (name, other) in [("usrs", "users"), ("usres", "users"), ("uxers", "users"), ("fist_name", "first_name")] {
            assert!(is_near(name, other), "{name}");
        }
        for (name, other) in [
            ("user", "users"),
            ("fname", "lname"),
            ("home", "homes"),
            ("users", "users"),
            ("line1x", "line2x"),
            ("locked", "lock"),
            ("teams", "terms1"),
        ] {
            assert!(!is_near(name, other), "{name} {other}");
        }
    }
}
