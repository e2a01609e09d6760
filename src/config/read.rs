//! Reads typed values out of the tree and collects what is wrong with them.
//!
//! In: [`Node`]s. Out: values, or `None` with a diagnostic in the [`Report`]. Nothing stops at the first mistake.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use super::catalogue::Keys;
use super::diagnostic::{Diagnostic, Severity, listed, suggest};
use super::tree::{Data, Entry, Node, Place, SourceMap, Table};
use super::units;

/// Collects findings.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) sources: SourceMap,
    /// With the source and offset they are sorted by.
    found: Vec<(usize, usize, Diagnostic)>,
    /// Texts that may be secrets: no excerpt shows them.
    masked: Vec<String>,
    /// Codes of warnings that the author accepts, and where.
    allowed: Vec<(String, Place)>,
}

impl Report {
    pub(crate) fn new(sources: SourceMap) -> Self {
        Self { sources, found: Vec::new(), masked: Vec::new(), allowed: Vec::new() }
    }

    pub(crate) fn error(&mut self, code: &'static str, place: &Place, message: impl Into<String>) {
        self.add(Severity::Error, code, place, message.into(), None);
    }

    pub(crate) fn error_help(
        &mut self,
        code: &'static str,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        self.add(Severity::Error, code, place, message.into(), help.into());
    }

    pub(crate) fn warn(
        &mut self,
        code: &'static str,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        self.add(Severity::Warning, code, place, message.into(), help.into());
    }

    pub(crate) fn push(&mut self, source: usize, offset: usize, diagnostic: Diagnostic) {
        // One resource is compiled once per backend that serves it; the author made the mistake once.
        let seen = |(_, _, old): &(usize, usize, Diagnostic)| *old == diagnostic;
        if !self.found.iter().any(seen) {
            self.found.push((source, offset, diagnostic));
        }
    }

    fn add(&mut self, severity: Severity, code: &'static str, place: &Place, message: String, help: Option<String>) {
        let diagnostic = self.sources.diagnostic(severity, code, place, message, help);
        self.push(place.source, place.span.start, diagnostic);
    }

    /// Keeps a text out of every excerpt, those of earlier findings included.
    pub(crate) fn mask(&mut self, secret: &str) {
        if !secret.is_empty() {
            self.masked.push(secret.to_owned());
        }
    }

    /// How many findings there are so far.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.found.iter().any(|(_, _, diagnostic)| diagnostic.severity == Severity::Error)
    }

    /// Whether a code was given.
    pub(crate) fn says(&self, code: &str) -> bool {
        self.found.iter().any(|(_, _, diagnostic)| diagnostic.code == code)
    }

    /// Leaves out warnings of this code.
    pub(crate) fn allow(&mut self, code: &str, place: &Place) {
        self.allowed.push((code.to_owned(), place.clone()));
    }

    fn leave_out_allowed(&mut self) {
        for (code, place) in std::mem::take(&mut self.allowed) {
            // What errors kept from being compiled might have given it.
            // What time brings is not there yet, or no longer, and may be allowed before it comes.
            if !self.says(&code) && !self.has_errors() && code != "W170" {
                self.warn("W205", &place, format!("nothing gives {code} any more"), "delete the line".to_owned());
            }
            self.found.retain(|(_, _, diagnostic)| {
                diagnostic.severity == Severity::Error || !diagnostic.code.eq_ignore_ascii_case(&code)
            });
        }
    }

    /// Everything found, in file order.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.leave_out_allowed();
        if self.says("E203") {
            self.found.retain(|(_, _, diagnostic)| matches!(diagnostic.code, "E000" | "E203"));
        }
        self.found.sort_by_key(|(source, offset, _)| (*source, *offset));
        // What a syntax error swallowed is not missing.
        if self.found.iter().any(|(_, _, diagnostic)| diagnostic.code == "E000") {
            self.found.retain(|(_, _, diagnostic)| !MISSING.contains(&diagnostic.code));
        }
        let masked = self.masked;
        let mask = |mut diagnostic: Diagnostic| {
            for secret in &masked {
                // What is underlined shrinks with it: how long a secret is, is nobody's business either.
                let before = (diagnostic.column as usize).saturating_sub(1);
                let underlined: String =
                    diagnostic.excerpt.chars().skip(before).take(diagnostic.length as usize).collect();
                diagnostic.length = underlined.replace(secret, "***").chars().count() as u32;
                diagnostic.excerpt = diagnostic.excerpt.replace(secret, "***");
            }
            diagnostic
        };
        self.found.into_iter().map(|(_, _, diagnostic)| mask(diagnostic)).collect()
    }

    pub(crate) fn wrong_type(&mut self, node: &Node, wanted: &str) {
        // A broken value was reported as a syntax error already.
        if !matches!(node.data, Data::Broken) {
            self.error("E003", &node.place, format!("expected {wanted}, found {}", node.kind()));
        }
    }

    pub(crate) fn text<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        let text = node.as_text();
        if text.is_none() {
            self.wrong_type(node, "a string");
        }
        text
    }

    /// A string that may not be empty.
    pub(crate) fn word<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        let text = self.text(node)?;
        if text.is_empty() {
            self.error("E004", &node.place, "may not be empty");
            return None;
        }
        Some(text)
    }

    pub(crate) fn boolean(&mut self, node: &Node) -> Option<bool> {
        if let Data::Bool(value) = node.data {
            return Some(value);
        }
        self.wrong_type(node, "`true` or `false`");
        None
    }

    pub(crate) fn integer(&mut self, node: &Node, range: RangeInclusive<u64>) -> Option<u64> {
        let Data::Int(number) = node.data else {
            self.wrong_type(node, "an integer");
            return None;
        };
        self.in_range(node, u64::try_from(number).ok(), range, |number| number.to_string())
    }

    pub(crate) fn table<'n>(&mut self, node: &'n Node) -> Option<&'n Table> {
        let table = node.as_table();
        if table.is_none() {
            self.wrong_type(node, "a table");
        }
        table
    }

    pub(crate) fn list<'n>(&mut self, node: &'n Node) -> Option<&'n [Node]> {
        if let Data::List(items) = &node.data {
            return Some(items);
        }
        self.wrong_type(node, "a list");
        None
    }

    /// `"5s"`, `"500ms"`, `"2m"`, `"1h"`.
    pub(crate) fn duration(&mut self, node: &Node, range: RangeInclusive<Duration>) -> Option<Duration> {
        let text = self.text(node)?;
        let Some(duration) = units::duration(text) else {
            self.error_help(
                "E004",
                &node.place,
                format!("`{text}` is not a duration"),
                "write a whole number and `ms`, `s`, `m` or `h`, such as \"5s\"".to_owned(),
            );
            return None;
        };
        self.in_range(node, Some(duration), range, |duration| format!("{duration:?}"))
    }

    /// Seconds since 1970: of `"2027-03-01"` its beginning in UTC, or of a time with its offset (RFC 3339).
    pub(crate) fn date(&mut self, node: &Node) -> Option<i64> {
        let Some(text) = node.as_text() else {
            self.wrong_type(node, "a date in quotes, such as \"2027-03-01\"");
            return None;
        };
        let seconds = units::date(text);
        if seconds.is_none() {
            let help = "write \"2027-03-01\", or a time with its offset such as \"2027-03-01T12:00:00Z\"".to_owned();
            self.error_help("E004", &node.place, format!("`{text}` is not a date"), help);
        }
        seconds
    }

    /// `65536`, `"64KiB"`, `"1MiB"`.
    pub(crate) fn size(&mut self, node: &Node, range: RangeInclusive<u64>) -> Option<u64> {
        let size = match &node.data {
            Data::Int(number) => u64::try_from(*number).ok(),
            Data::Text(text) => units::size(text),
            _ => {
                self.wrong_type(node, "a size such as \"1MiB\"");
                return None;
            }
        };
        if size.is_none() {
            let help = "write bytes, or a whole number and `KiB` or `MiB`, such as \"64KiB\"".to_owned();
            self.error_help("E004", &node.place, "not a size", help);
            return None;
        }
        self.in_range(node, size, range, |size| format!("{size} bytes"))
    }

    fn in_range<T: PartialOrd + Copy>(
        &mut self,
        node: &Node,
        value: Option<T>,
        range: RangeInclusive<T>,
        show: impl Fn(T) -> String,
    ) -> Option<T> {
        let value = value.filter(|value| range.contains(value));
        if value.is_none() {
            let message = format!("must be between {} and {}", show(*range.start()), show(*range.end()));
            self.error("E004", &node.place, message);
        }
        value
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&mut self, node: &Node, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(node)?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let message = format!("`{text}` is not one of {}", listed(&names));
        let help =
            super::diagnostic::closest(text, names.iter().copied()).map(|name| format!("did you mean `{name}`?"));
        self.error_help("E005", &node.place, message, help);
        None
    }

    /// The place of a part of a string value.
    pub(crate) fn part(&self, node: &Node, span: Range<usize>) -> Place {
        self.sources.within(node, span)
    }

    /// `name` is none of `candidates`.
    pub(crate) fn unknown<'a>(
        &mut self,
        code: &'static str,
        place: &Place,
        message: impl Into<String>,
        name: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) {
        let help = suggest(name, candidates);
        self.error_help(code, place, message, help);
    }
}

/// What to do without a key that is not supported.
pub(crate) fn instead(name: &str) -> Option<&'static str> {
    match name {
        "nested" => Some(
            "members are of the one type that `of` names, and groups among them are refused with 400 `invalidValue`: delete the key, and let the identity provider send the people of inner groups",
        ),
        "unmapped" => Some("delete the key: attributes without a row are ignored and counted"),
        "tenants" => Some(
            "write a route and a backend for each tenant; where they differ in paths or parameters only, one route with variables serves them all: `path = \"/scim/{tenant}\"`",
        ),
        "tls" => Some(
            "let what stands before the adapter end TLS (an ingress, a gateway, the application's own web server), and listen on loopback or inside the pod",
        ),
        "users" | "issuer" | "audience" | "jwks" => {
            Some("use `kind = \"bearer\"` with `tokens`: that is what identity providers send as a long-lived token")
        }
        "mutability" | "returned" => {
            Some("delete the key: both follow from the `access` of the row that is about the attribute")
        }
        "openapi" => Some(
            "delete the key, and let `scimshim check --online` compare the configuration with the application itself",
        ),
        "verify" => Some(
            "delete the key: the answer to a write is read from the application, and `scimshim check --online` tries the reads",
        ),
        _ => None,
    }
}

/// Codes that say that something is not there.
const MISSING: [&str; 5] = ["E006", "E007", "E023", "E025", "E040"];

/// A table whose keys have been checked.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'n> {
    table: &'n Table,
    keys: &'static Keys,
    /// Where something missing is reported.
    pub(crate) place: &'n Place,
}

impl<'n> Fields<'n> {
    /// Checks the keys of a table; unknown ones are reported and ignored.
    pub(crate) fn of(report: &mut Report, node: &'n Node, keys: &'static Keys) -> Option<Self> {
        let table = report.table(node)?;
        Some(Self::of_table(report, table, &node.place, keys))
    }

    pub(crate) fn of_table(report: &mut Report, table: &'n Table, place: &'n Place, keys: &'static Keys) -> Self {
        for entry in &table.entries {
            let name = entry.name.as_str();
            if keys.later.contains(&name) {
                let message = format!("`{name}` is not supported in this version");
                report.error_help("E002", &entry.key, message, instead(name).map(str::to_owned));
            } else if keys.get(name).is_none() {
                let message = format!("unknown key `{name}` in {}", keys.what);
                report.unknown("E001", &entry.key, message, name, keys.names());
            }
        }
        Self { table, keys, place }
    }

    /// What stands under a key of the catalogue. Asking for any other is a mistake of the compiler, not of the file.
    pub(crate) fn entry(&self, name: &str) -> Option<&'n Entry> {
        debug_assert!(self.keys.get(name).is_some(), "`{name}` is not in the catalogue of {}", self.keys.what);
        self.table.get(name)
    }

    /// Everything that stands in the table.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &'n Entry> + use<'n> {
        self.table.entries.iter()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'n Node> {
        self.entry(name).map(|entry| &entry.value)
    }

    /// For code that several tables share: a key that only some of them have.
    pub(crate) fn if_known(&self, name: &str) -> Option<&'n Node> {
        self.entry_if_known(name).map(|entry| &entry.value)
    }

    /// The same with its key.
    pub(crate) fn entry_if_known(&self, name: &str) -> Option<&'n Entry> {
        self.keys.get(name).and_then(|_| self.entry(name))
    }

    /// The value, or a diagnostic that it is missing.
    pub(crate) fn require(&self, report: &mut Report, name: &str, why: &str) -> Option<&'n Node> {
        let node = self.get(name);
        if node.is_none() {
            report.error("E006", self.place, format!("`{name}` is missing: {why}"));
        }
        node
    }
}
