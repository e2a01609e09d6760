//! What a try against the application showed, and how it is printed.

use std::fmt::{self, Write as _};

use crate::config::{Route, Snapshot};
use crate::mapping::{Mapping, Origin};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As the configuration says.
    Fine,
    /// May be as it should be; look at it.
    Warning,
    /// Will not work.
    Error,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub verdict: Verdict,
    /// What, without any value of the application.
    pub text: String,
    /// The line of the configuration that it is about.
    pub origin: Option<Origin>,
    /// What to do.
    pub help: Option<String>,
}

impl Finding {
    pub(super) fn fine(text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fine, text: text.into(), origin: None, help: None }
    }

    pub(super) fn warning(text: impl Into<String>, origin: &Origin) -> Self {
        Self { verdict: Verdict::Warning, text: text.into(), origin: Some(origin.clone()), help: None }
    }

    pub(super) fn error(text: impl Into<String>, origin: &Origin) -> Self {
        Self { verdict: Verdict::Error, text: text.into(), origin: Some(origin.clone()), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn unknown_variable(route: &Route, name: &str) -> Self {
        Self::warning(format!("not tried: nobody says what {{{name}}} is"), &route.origin)
            .help(format!("try it with `--var {name}=VALUE`"))
    }

    pub(super) fn nothing_to_start_from(mapping: &Mapping) -> Self {
        let name = &mapping.resource_type.name;
        Self::fine(format!("not tried: without a list there is no {name} to begin with"))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Fine => "ok",
            Verdict::Warning => "warning",
            Verdict::Error => "error",
        };
        write!(f, "{verdict:<8} {}", self.text)?;
        if let Some(origin) = &self.origin {
            write!(f, "  ({origin})")?;
        }
        match &self.help {
            Some(help) => write!(f, "\n         = {help}"),
            None => Ok(()),
        }
    }
}

/// Everything that was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Native calls that were made.
    pub reads: usize,
    sections: Vec<Section>,
}

#[derive(Clone, Debug)]
struct Section {
    route: String,
    types: Vec<(String, Vec<Finding>)>,
}

impl Report {
    pub(super) fn begin(&mut self, route: &Route, snapshot: &Snapshot) {
        let backend = snapshot.backends.get(route.backend).map_or("none", |backend| &backend.name);
        let route = format!("{}  ({}), backend {backend}", route.label, route.origin);
        self.sections.push(Section { route, types: Vec::new() });
    }

    pub(super) fn add(&mut self, resource_type: &str, findings: Vec<Finding>) {
        if let Some(section) = self.sections.last_mut() {
            section.types.push((resource_type.to_owned(), findings));
        }
    }

    /// Every finding, in order.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.sections.iter().flat_map(|section| &section.types).flat_map(|(_, findings)| findings)
    }

    /// Whether nothing was found that will not work.
    pub fn is_usable(&self) -> bool {
        self.findings().all(|finding| finding.verdict < Verdict::Error)
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.findings().filter(|finding| finding.verdict == verdict).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for section in &self.sections {
            writeln!(f, "{}", section.route)?;
            for (resource_type, findings) in &section.types {
                if !resource_type.is_empty() {
                    writeln!(f, "  {resource_type}")?;
                }
                for finding in findings {
                    let mut text = String::new();
                    write!(text, "{finding}")?;
                    text.lines().try_for_each(|line| writeln!(f, "    {line}"))?;
                }
            }
        }
        let (errors, warnings) = (self.count(Verdict::Error), self.count(Verdict::Warning));
        writeln!(f, "{} reads, nothing written: {errors} errors, {warnings} warnings", self.reads)
    }
}
