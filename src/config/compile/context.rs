//! What every part of the compiler works with.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use crate::config::read::Report;
use crate::config::secret::{SecretError, SecretKind, SecretRef};
use crate::config::tree::{Node, Place};
use crate::expr::Type;
use crate::mapping::{NativePath, Origin};
use crate::pattern::{Pattern, Shared};

use super::id::KeyTypes;
use super::lacks::LackedPath;
use super::near::Names;

/// Findings and the lists that the snapshot numbers.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) report: Report,
    pub(super) secrets: Vec<SecretRef>,
    /// `[patterns]`; `None` is one whose mistake is reported already, so that its uses are not mistakes too.
    pub(super) patterns: BTreeMap<String, Option<String>>,
    /// Names of route variables.
    pub(super) variables: Vec<Arc<str>>,
    /// Variables that templates compiled since the last [`Context::take_used`] read, and where.
    pub(super) used_variables: Vec<(usize, Place)>,
    /// Variables that any template reads.
    pub(super) ever_used: BTreeSet<usize>,
    /// Something that the file extends is not there, so what it would have said is not missing.
    pub(super) preset_missing: bool,
    /// A call of the resource at hand could not be compiled, so what it would have done is not missing.
    pub(super) call_missing: bool,
    /// Keys of the rows of the resource at hand that could not be compiled: to name one is no further mistake.
    pub(super) faulty_rows: Vec<String>,
    /// What is known of the resources of each type.
    pub(super) scim_types: BTreeMap<String, Type>,
    /// Composite keys of the backend at hand.
    pub(super) key_types: KeyTypes,
    /// Reference tables of the backend at hand, and those that were used since the last look.
    pub(super) tables: Vec<String>,
    pub(super) used_tables: BTreeSet<usize>,
    /// Names that calls look up in them.
    pub(super) used_names: BTreeSet<(String, String)>,
    /// Whether the template at hand may generate a password: it goes into a new object.
    pub(super) may_generate: bool,
    /// Steps before the one at hand, which it may refer to.
    pub(super) known_steps: Vec<KnownStep>,
    /// Ids of the other steps, the one at hand included.
    pub(super) later_steps: Vec<String>,
    /// What lists of the resource at hand lack.
    pub(super) lacked: Vec<LackedPath>,
    /// Regular expressions, each compiled once.
    pub(super) regexes: Shared,
    /// Names of the application.
    pub(super) names: Names,
    /// Seconds since 1970 at this moment, where that matters.
    pub(super) now: Option<i64>,
}

/// A step as later ones see it.
#[derive(Debug)]
pub(super) struct KnownStep {
    pub(super) id: String,
    pub(super) saved: Vec<String>,
    /// It runs for every element of a list, and so saves a list.
    pub(super) looped: bool,
}

impl Context {
    pub(super) fn new(report: Report) -> Self {
        Self {
            report,
            secrets: Vec::new(),
            patterns: BTreeMap::new(),
            variables: Vec::new(),
            used_variables: Vec::new(),
            ever_used: BTreeSet::new(),
            preset_missing: false,
            call_missing: false,
            faulty_rows: Vec::new(),
            scim_types: BTreeMap::new(),
            key_types: KeyTypes::default(),
            tables: Vec::new(),
            used_tables: BTreeSet::new(),
            used_names: BTreeSet::new(),
            may_generate: false,
            known_steps: Vec::new(),
            later_steps: Vec::new(),
            lacked: Vec::new(),
            regexes: Shared::default(),
            names: Names::default(),
            now: None,
        }
    }

    pub(crate) fn origin(&self, place: &Place) -> Origin {
        self.report.sources.origin(place)
    }

    /// Whether a row that could not be compiled was about this attribute.
    pub(super) fn is_faulty_row(&self, attribute: &str) -> bool {
        self.faulty_rows.iter().any(|key| {
            let rest = key.strip_prefix(attribute);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// The number of a reference table, which is noted as used.
    pub(super) fn table(&mut self, name: &str, place: &Place) -> Option<usize> {
        let found = self.tables.iter().position(|table| table == name);
        match found {
            Some(index) => drop(self.used_tables.insert(index)),
            None => {
                let names = self.tables.clone();
                let message = format!("this backend has no table `{name}`");
                self.report.unknown("E047", place, message, name, names.iter().map(String::as_str));
            }
        }
        found
    }

    pub(super) fn take_used(&mut self) -> Vec<(usize, Place)> {
        std::mem::take(&mut self.used_variables)
    }

    /// A reference to a secret that must be known in the clear.
    pub(super) fn secret(&mut self, node: &Node) -> Option<usize> {
        let kind = self.secret_kind(node)?;
        if matches!(kind, SecretKind::Sha256(_)) {
            let message = "a hash will not do here: the secret itself has to be sent";
            self.report.error("E060", &node.place, message);
            return None;
        }
        Some(self.keep_secret(kind, node))
    }

    /// A reference to a token that is only compared.
    pub(super) fn token(&mut self, node: &Node) -> Option<usize> {
        let kind = self.secret_kind(node)?;
        Some(self.keep_secret(kind, node))
    }

    /// When a credential expires: seconds since 1970.
    pub(super) fn expiry(&mut self, node: &Node) -> Option<i64> {
        let at = self.report.date(node)?;
        if let Some(left) = self.now.map(|now| at - now).filter(|left| *left < EXPIRES_SOON_SECONDS) {
            let message = if left <= 0 {
                "this credential has expired".to_owned()
            } else {
                format!("this credential expires within {} days", left.div_euclid(DAY_SECONDS) + 1)
            };
            let help = "put a new one in place, and write its date here".to_owned();
            self.report.warn("W170", &node.place, message, help);
        }
        Some(at)
    }

    fn keep_secret(&mut self, kind: SecretKind, node: &Node) -> usize {
        self.secrets.push(SecretRef { kind, origin: self.origin(&node.place) });
        self.secrets.len() - 1
    }

    fn secret_kind(&mut self, node: &Node) -> Option<SecretKind> {
        let text = self.report.text(node)?;
        match SecretKind::parse(text) {
            Ok(kind) => {
                if let SecretKind::Plain(secret) = &kind {
                    self.report.mask(secret.expose());
                    self.report.warn(
                        "W060",
                        &node.place,
                        "a secret stands in the file itself",
                        SECRET_FORMS.to_owned(),
                    );
                }
                Some(kind)
            }
            Err(error) => {
                if error == SecretError::Literal {
                    self.report.mask(text);
                }
                self.report.error_help("E060", &node.place, error.to_string(), SECRET_FORMS.to_owned());
                None
            }
        }
    }

    /// A native path.
    pub(super) fn native_path(&mut self, node: &Node) -> Option<NativePath> {
        let text = self.report.text(node)?;
        match NativePath::parse(text) {
            Ok(path) => {
                self.names_in(node, 0..text.len());
                Some(path)
            }
            Err(error) => {
                let place = self.report.part(node, error.span);
                self.report.error("E030", &place, format!("not a native path: {}", error.message));
                None
            }
        }
    }

    /// Remembers the names of the application in a part of a text.
    pub(super) fn names_in(&mut self, node: &Node, range: Range<usize>) {
        self.names.in_text(&self.report, node, range);
    }

    /// A native path that must be writable.
    pub(super) fn writable_path(&mut self, node: &Node) -> Option<NativePath> {
        let path = self.native_path(node)?;
        if path.is_read_only() {
            self.report.error("E045", &node.place, format!("`{path}` can be read but not written"));
            return None;
        }
        Some(path)
    }

    /// The text of a pattern: a regular expression, or `$name` for one of `[patterns]`.
    pub(super) fn pattern(&mut self, node: &Node) -> Option<String> {
        let text = self.report.word(node)?;
        if let Some(name) = text.strip_prefix('$') {
            if let Some(pattern) = self.patterns.get(name) {
                return pattern.clone();
            }
            let names: Vec<String> = self.patterns.keys().cloned().collect();
            let message = format!("no pattern is called `{name}`");
            self.report.unknown("E007", &node.place, message, name, names.iter().map(String::as_str));
            return None;
        }
        self.whole(node)?;
        Some(text.to_owned())
    }

    /// A pattern that must match the whole value.
    pub(super) fn anchored(&mut self, node: &Node) -> Option<Pattern> {
        let text = self.pattern(node)?;
        Pattern::compile(&text).ok()
    }

    fn whole(&mut self, node: &Node) -> Option<Pattern> {
        let text = self.report.word(node)?;
        match Pattern::compile(text) {
            Ok(pattern) => Some(pattern),
            Err(reason) => {
                self.report.error("E008", &node.place, format!("not a regular expression: {reason}"));
                None
            }
        }
    }
}

const DAY_SECONDS: i64 = 24 * 3600;
/// Time enough to have a new credential made.
const EXPIRES_SOON_SECONDS: i64 = 30 * DAY_SECONDS;

const SECRET_FORMS: &str = "write \"env:NAME\" or \"file:PATH\", or \"sha256:HEX\" for a token that clients send";
