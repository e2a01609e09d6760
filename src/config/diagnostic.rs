//! What is wrong with a configuration, where, and what to do about it.
//!
//! In: a place in a source text and words. Out: a [`Diagnostic`] that prints itself with the line it is about. Nothing
//! here decides what is wrong.

use std::fmt;

/// One finding about a configuration file.
///
/// ```text
/// error[E001]: unknown key `evelope` in a backend
///   --> config.toml:11:1
///    |
///  11| evelope  = { items = "data" }
///    | ^^^^^^^
///    = did you mean `envelope`?
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the file can be used all the same.
    pub severity: Severity,
    /// Stable code, such as `E001`.
    pub code: &'static str,
    /// One line, without a full stop.
    pub message: String,
    /// File name, or a preset such as `preset:rest@1`.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Characters concerned on that line, at least 1.
    pub length: u32,
    /// Path of the key, such as `resource.User.attrs.userName`.
    pub key_path: String,
    /// The line itself.
    pub excerpt: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is used; the author should look.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}[{}]: {}", self.severity, self.code, self.message)?;
        writeln!(f, "  --> {}:{}:{}", self.file, self.line, self.column)?;
        if !self.excerpt.is_empty() {
            writeln!(f, "   |")?;
            writeln!(f, "{:3}| {}", self.line, self.excerpt)?;
            writeln!(f, "   | {}{}", self.padding(), "^".repeat(self.length.max(1) as usize))?;
        }
        for line in self.help.iter().flat_map(|help| help.lines()) {
            writeln!(f, "   = {line}")?;
        }
        Ok(())
    }
}

impl Diagnostic {
    /// What stands before the carets: tabs stay tabs, so that the carets line up whatever the width of a tab.
    fn padding(&self) -> String {
        let before = self.column.saturating_sub(1) as usize;
        self.excerpt.chars().take(before).map(|c| if c == '\t' { '\t' } else { ' ' }).collect()
    }
}

/// The findings as one text, a blank line between them.
pub fn render(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The candidate that a misspelt word probably means: close in letters, or equal but for case.
pub(crate) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= allowed_distance(word.len().min(candidate.len())))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Short words are close to everything, so they are given less room.
fn allowed_distance(length: usize) -> usize {
    match length {
        0 | 1 => 0,
        2..=4 => 1,
        5..=8 => 2,
        _ => 3,
    }
}

/// `did you mean ...?`, or else the list of what there is.
pub(crate) fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    match closest(word, candidates.iter().copied()) {
        Some(candidate) => Some(format!("did you mean `{candidate}`?")),
        None if candidates.is_empty() => None,
        None => Some(format!("there is: {}", listed(&candidates))),
    }
}

/// Names in a sentence, cut after thirty.
pub(crate) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let mut text =
        names.iter().take(MAX_LISTED).map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ");
    if names.len() > MAX_LISTED {
        text.push_str(", ...");
    }
    text
}

const MAX_LISTED: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_stand_under_what_is_meant() {
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            code: "E001",
            message: "unknown key `evelope` in a backend".to_owned(),
            file: "bad.toml".to_owned(),
            line: 11,
            column: 1,
            length: 7,
            key_path: "backend.app.evelope".to_owned(),
            excerpt: "evelope  = { items = \"data\" }".to_owned(),
            help: Some("did you mean `envelope`?".to_owned()),
        };
        assert_eq!(
            diagnostic.to_string(),
            "error[E001]: unknown key `evelope` in a backend\n  --> bad.toml:11:1\n   |\n 11| evelope  = { items = \"data\" }\n   | \
             ^^^^^^^\n   = did you mean `envelope`?\n"
        );
    }

    #[test]
    fn suggestions_are_close_or_none() {
        assert_eq!(closest("evelope", ["envelope", "paging"]), Some("envelope"));
        assert_eq!(closest("username", ["userName"]), Some("userName"));
        assert_eq!(closest("xy", ["ok", "id"]), None);
        assert_eq!(suggest("q", []), None);
        assert_eq!(suggest("zebra", ["get", "list"]).as_deref(), Some("there is: `get`, `list`"));
    }
}
