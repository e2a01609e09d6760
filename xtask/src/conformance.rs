//! `conformance`: the sidecar before the conformance suites that others wrote.
//!
//! In: the suites of `xtask/conformance`, pinned; the exceptions in the table of `docs/conformance.md`. Out: success if
//! what fails is exactly what the table lists. A suite that cannot be installed is a failure, and so is an exception
//! that no longer occurs. What was started is stopped, also after a failure. It knows no single check.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Instant;

use crate::tools::python_environment;
use crate::workspace::{Workspace, cannot_start, capture, step};

/// Installs the suites, serves the sample application through the sidecar and compares what they say.
pub(crate) fn conformance(workspace: &Workspace, args: &[String]) -> Result<(), String> {
    if let Some(extra) = args.first() {
        return Err(format!("`{extra}`: the suites take no arguments"));
    }
    let table = workspace.root.join(EXCEPTIONS);
    let text = fs::read_to_string(&table).map_err(|err| format!("cannot read {}: {err}", table.display()))?;
    let exceptions = exceptions(&text)?;
    let python = install(workspace)?;

    let workspace = &workspace.with_build_tools()?;
    // As the tests build it: with another set of features for shared dependencies, Pingora would be compiled again.
    step("build", &mut workspace.cargo(["test", "--quiet", "--no-run", "--test", "it"]))?;
    let began = Instant::now();
    let sidecar = Sidecar::start(workspace)?;
    println!("==> suites against {}", sidecar.base);
    let mut suites = workspace.command(python);
    suites.arg(workspace.root.join(SUITES).join("suites.py")).arg(&sidecar.base).env("SCIM_TOKEN", TOKEN);
    let results = results(&capture(&mut suites)?)?;
    println!("    suites: {:.1} s", began.elapsed().as_secs_f64());
    drop(sidecar);
    judge(&results, &exceptions)
}

/// The interpreter of a virtual environment that holds exactly what `requirements.txt` says.
fn install(workspace: &Workspace) -> Result<PathBuf, String> {
    let requirements = workspace.root.join(SUITES).join("requirements.txt");
    python_environment(workspace, &requirements, &workspace.target.join("conformance")).map_err(|why| {
        format!("the conformance suites cannot be installed ({why}); it takes python3 with venv and a package index")
    })
}

/// The demonstration, serving until this value goes away.
struct Sidecar {
    child: Child,
    base: String,
}

impl Sidecar {
    fn start(workspace: &Workspace) -> Result<Self, String> {
        let mut demo = workspace.command(workspace.binary("debug", "scimshim"));
        demo.args(["demo", "--no-cycle", "--token", TOKEN]).stdout(Stdio::piped());
        let child = demo.spawn().map_err(|err| cannot_start(&demo, &err))?;
        // Owned before anything can fail, so that it is stopped in any case.
        let mut sidecar = Self { child, base: String::new() };
        let mut line = String::new();
        if let Some(stdout) = &mut sidecar.child.stdout {
            BufReader::new(stdout).read_line(&mut line).map_err(|err| format!("the demonstration: {err}"))?;
        }
        let base = line.split_whitespace().find_map(|word| word.strip_prefix("base_url="));
        base.ok_or("the demonstration ended without saying where it serves")?.clone_into(&mut sidecar.base);
        Ok(sidecar)
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // Neither can fail for a child that was started and not waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a suite says about one check.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    suite: String,
    outcome: String,
    check: String,
    says: String,
}

/// Findings that are known; the table says why they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Exception {
    suite: String,
    check: String,
    /// A part of what the suite says.
    says: String,
}

impl Exception {
    fn covers(&self, finding: &Finding) -> bool {
        self.suite == finding.suite && self.check == finding.check && finding.says.contains(&self.says)
    }
}

/// The lines of `suites.py`.
fn results(said: &str) -> Result<Vec<Finding>, String> {
    let read = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [suite, outcome, check, says] = fields.as_slice() else {
            return Err(format!("a suite says something that is no result: {line}"));
        };
        let own = |text: &str| text.to_owned();
        Ok(Finding { suite: own(suite), outcome: own(outcome), check: own(check), says: own(says) })
    };
    said.lines().map(read).collect()
}

/// The rows of the table under the heading [`HEADING`]: suite, check, what it says, why it stands.
fn exceptions(text: &str) -> Result<Vec<Exception>, String> {
    let (_, section) = text.split_once(HEADING).ok_or_else(|| format!("{EXCEPTIONS} has no `{}`", HEADING.trim()))?;
    let section = section.split("\n#").next().unwrap_or_default();
    // The first two lines of a table are its heading.
    section.lines().filter(|line| line.starts_with('|')).skip(2).map(exception).collect()
}

fn exception(row: &str) -> Result<Exception, String> {
    let cells = row.trim().trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
    match <[String; 4]>::try_from(cells.collect::<Vec<_>>()) {
        Ok([suite, check, says, why]) if ![&suite, &check, &says, &why].iter().any(|cell| cell.is_empty()) => {
            Ok(Exception { suite, check, says })
        }
        _ => Err(format!("{EXCEPTIONS}: an exception is suite, check, what it says, and why: {row}")),
    }
}

/// Prints a summary; fails for what is not listed, and for what is listed and does not occur.
fn judge(findings: &[Finding], exceptions: &[Exception]) -> Result<(), String> {
    let mut faults = 0;
    for suite in SUITE_NAMES {
        let (passed, open): (Vec<&Finding>, Vec<&Finding>) =
            findings.iter().filter(|finding| finding.suite == *suite).partition(|finding| finding.outcome == "ok");
        let (listed, failed): (Vec<&Finding>, Vec<&Finding>) =
            open.iter().partition(|finding| exceptions.iter().any(|known| known.covers(finding)));
        println!("{suite}: {} passed, {} listed exceptions, {} failed", passed.len(), listed.len(), failed.len());
        for Finding { outcome, check, says, .. } in &failed {
            println!("  {outcome}: {check}: {says}");
        }
        // A suite that gave up at its first request must not look like one that found nothing.
        if passed.is_empty() {
            println!("  nothing passed");
            faults += 1;
        }
        faults += failed.len();
    }
    let occurs = |known: &Exception| findings.iter().any(|found| found.outcome != "ok" && known.covers(found));
    for Exception { suite, check, says } in exceptions.iter().filter(|known| !occurs(known)) {
        println!("listed, but does not occur: {suite}: {check}: {says}");
        faults += 1;
    }
    if faults == 0 { Ok(()) } else { Err(format!("not as listed: {faults}; {EXCEPTIONS} says what is an exception")) }
}

/// Where the suites are described, from the root.
const SUITES: &str = "xtask/conformance";
const SUITE_NAMES: &[&str] = &["scim2-tester", "scim-sanity"];
const EXCEPTIONS: &str = "docs/conformance.md";
const HEADING: &str = "\n### Exceptions\n";
/// Known to this process and its children alone, and good for nothing but the demonstration.
const TOKEN: &str = "token-of-the-conformance-suites";

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# Conformance\n\n### Exceptions\n\nWords.\n\n| Suite | Check | Says | Why |\n|---|---|---|---|\n\
                         | scim2-tester | `User put` | `lost 'x'` | It is its own fault. |\n\n## Next\n\n| a | b |\n";

    fn finding(suite: &str, outcome: &str, check: &str, says: &str) -> Finding {
        let own = str::to_owned;
        Finding { suite: own(suite), outcome: own(outcome), check: own(check), says: own(says) }
    }

    #[test]
    fn results_are_four_fields() {
        let line = "scim-sanity\tfail\tGET /Users\tExpected 200, got 500\n";
        assert_eq!(results(line), Ok(vec![finding("scim-sanity", "fail", "GET /Users", "Expected 200, got 500")]));
        assert_eq!(results("scim-sanity\tok\tGET /Users\t\n").map(|all| all.len()), Ok(1));
        assert!(results("Traceback (most recent call last):\n").is_err());
    }

    #[test]
    fn exceptions_are_the_rows_of_one_table_and_have_a_reason() {
        let own = str::to_owned;
        let known = Exception { suite: own("scim2-tester"), check: own("User put"), says: own("lost 'x'") };
        assert_eq!(exceptions(TABLE), Ok(vec![known]));
        assert!(exceptions(&TABLE.replace("It is its own fault.", "")).is_err());
        assert!(exceptions("# Conformance\n").is_err());
    }

    #[test]
    fn what_fails_is_what_is_listed() {
        let known = exceptions(TABLE).expect("a table");
        let passed = [finding("scim2-tester", "ok", "User get", ""), finding("scim-sanity", "ok", "GET /Users", "")];
        let with = |more: &[Finding]| judge(&[passed.as_slice(), more].concat(), &known);
        let listed = finding("scim2-tester", "error", "User put", "it lost 'x' today");
        assert_eq!(with(std::slice::from_ref(&listed)), Ok(()));
        assert!(with(&[]).is_err(), "an exception that no longer occurs");
        assert!(with(&[listed.clone(), finding("scim2-tester", "skipped", "User list", "no")]).is_err());
        assert!(with(&[finding("scim2-tester", "error", "User put", "another reason")]).is_err());
        assert!(judge(&[passed[0].clone(), listed], &known).is_err(), "a suite that did not run");
    }
}
