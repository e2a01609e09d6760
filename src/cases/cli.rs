//! `scimshim test`: runs the cases beside a configuration. In: arguments, and the files they name. Out: what differs,
//! on standard output, and an exit code: 0 if every case holds, 1 if not or if a file cannot be used.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use crate::config::reload::fetch_text;
use crate::config::{Snapshot, Source, TEXT_MAX_BYTES, compile_with, render};
use crate::explain::cli::{Failure, text};

use super::coverage::Coverage;
use super::{CASES_MAX_BYTES, Case, Run, parse, update};

/// Arguments of `test`.
#[derive(Args, Clone, Debug)]
pub struct TestArgs {
    /// The configuration file.
    #[arg(short, long, env = "SCIMSHIM_CONFIG", default_value = "config.toml")]
    config: PathBuf,
    /// Case files; without them the one beside the configuration: config.cases.toml for config.toml.
    cases: Vec<PathBuf>,
    /// Write what was found into the expectations of the cases that differ.
    #[arg(long)]
    update: bool,
    /// Also list the rows, calls and rules that no case has used.
    #[arg(long)]
    coverage: bool,
}

/// What was found, and whether every case holds.
struct Outcome {
    text: String,
    fine: bool,
}

/// Runs the cases and prints what differs.
pub fn run(args: &TestArgs) -> ExitCode {
    let outcome = execute(args).and_then(|outcome| {
        io::stdout().write_all(outcome.text.as_bytes())?;
        Ok(outcome.fine)
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            // Nobody can be told that standard error is gone.
            let _ = writeln!(io::stderr(), "scimshim: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn execute(args: &TestArgs) -> Result<Outcome, Failure> {
    let source = Source { name: file_name(&args.config), text: text(&args.config, TEXT_MAX_BYTES)? };
    let snapshot = Arc::new(compile_with(source, &fetch_text).map_err(|findings| Failure::Config(render(&findings)))?);
    let beside = [args.config.with_extension("cases.toml")];
    let paths = if args.cases.is_empty() { &beside } else { args.cases.as_slice() };
    let (mut report, mut coverage) = (Report::default(), Coverage::default());
    for path in paths {
        file(path, args, &snapshot, &mut report, &mut coverage)?;
    }
    if args.coverage {
        report.coverage(&coverage, &snapshot);
    }
    Ok(report.finish())
}

/// Transcripts name the file without its folder, so that they are the same wherever it is run.
fn file_name(path: &Path) -> Arc<str> {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into()
}

fn file(
    path: &Path,
    args: &TestArgs,
    snapshot: &Arc<Snapshot>,
    report: &mut Report,
    coverage: &mut Coverage,
) -> Result<(), Failure> {
    let unusable = |reason: String| Failure::File { path: path.to_owned(), reason };
    let written = text(path, CASES_MAX_BYTES).map_err(|failure| with_hint(failure, path))?;
    let cases = parse(&written).map_err(|error| unusable(error.to_string()))?;
    if cases.is_empty() {
        return Err(unusable("it has no [[case]]".to_owned()));
    }
    let runs: Vec<Run> = cases.iter().map(|case| case.run(snapshot)).collect();
    for run in &runs {
        coverage.add(&run.transcript);
    }
    if args.update && runs.iter().any(|run| !run.differences.is_empty()) {
        let new = update::updated(&written, &cases, &runs).map_err(|error| unusable(error.to_string()))?;
        std::fs::write(path, &new)?;
        let rerun: Vec<Case> = parse(&new).map_err(|error| unusable(error.to_string()))?;
        let again = rerun.iter().map(|case| case.run(snapshot)).collect::<Vec<_>>();
        report.updated(&cases, &runs, &again);
    } else {
        report.cases(&cases, &runs);
    }
    Ok(())
}

/// Nobody knows the format by heart.
fn with_hint(failure: Failure, path: &Path) -> Failure {
    match failure {
        Failure::File { path: named, reason } if !path.exists() => {
            Failure::File { path: named, reason: format!("{reason}\n\nA case is:\n\n{EXAMPLE}") }
        }
        other => other,
    }
}

const EXAMPLE: &str = r#"[[case]]
name    = "a user is found by name"
request = 'GET /scim/v2/Users?filter=userName eq "ann"'
status  = 200

scimshim test then says which replies of the application the case needs."#;

#[derive(Default)]
struct Report {
    text: String,
    held: usize,
    failed: usize,
}

impl Report {
    fn cases(&mut self, cases: &[Case], runs: &[Run]) {
        for (case, run) in cases.iter().zip(runs) {
            self.case(case, run, "ok");
        }
    }

    /// What an update could not make true, such as a reply that nothing asks for, still fails.
    fn updated(&mut self, cases: &[Case], before: &[Run], after: &[Run]) {
        for ((case, before), after) in cases.iter().zip(before).zip(after) {
            self.case(case, after, if before.differences.is_empty() { "ok" } else { "updated" });
        }
    }

    fn case(&mut self, case: &Case, run: &Run, fine: &str) {
        if run.differences.is_empty() {
            self.held += 1;
            let _ = writeln!(self.text, "{fine:<8} {}", case.name);
            return;
        }
        self.failed += 1;
        let _ = writeln!(self.text, "FAILED   {}", case.name);
        for difference in &run.differences {
            for line in difference.lines() {
                let _ = writeln!(self.text, "         {line}");
            }
        }
    }

    fn coverage(&mut self, coverage: &Coverage, snapshot: &Snapshot) {
        let unused = coverage.unused(snapshot);
        let _ = writeln!(self.text, "\nnot used by any case: {}", unused.len());
        for part in &unused {
            let _ = writeln!(self.text, "  {part}");
        }
    }

    fn finish(mut self) -> Outcome {
        let _ =
            writeln!(self.text, "\n{} cases: {} as expected, {} not", self.held + self.failed, self.held, self.failed);
        Outcome { text: self.text, fine: self.failed == 0 }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::fixture::people;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: TestArgs,
    }

    const RULE: &str = "[[backend.app.error]]\nwhen = 'status == 409'\nscim = { status = 409, type = 'uniqueness' }\n";

    const CASES: &str = r#"# A comment that stays.
[[case]]
name    = "one call"
request = "PATCH /scim/v2/Users/7"
body    = '{"Operations":[{"op":"replace","path":"title","value":"CTO"}]}'
replies = { "PATCH /users/7" = '{"id":"7","login":"ann","job":"CTO"}' }
calls   = ["PATCH /users/7 {}"]   # and this one
status  = 204
answer  = { title = "CEO" }
"#;

    fn folder(cases: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.toml");
        std::fs::write(&config, people(RULE)).unwrap();
        std::fs::write(folder.path().join("config.cases.toml"), cases).unwrap();
        (folder, config)
    }

    fn tested(config: &Path, more: &[&str]) -> Result<Outcome, String> {
        let config = config.display().to_string();
        let words = ["test", "-c", &config].into_iter().chain(more.iter().copied());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        execute(&line.args).map_err(|failure| failure.to_string())
    }

    #[test]
    fn differences_are_shown_and_can_be_accepted() {
        let (folder, config) = folder(CASES);
        let before = tested(&config, &[]).unwrap();
        assert!(!before.fine);
        for part in [
            "FAILED   one call",
            "expected: PATCH /users/7 {}",
            "found:    PATCH /users/7 {\"job\":\"CTO\"}",
            "expected: 204",
            "answer.title\n           expected: \"CEO\"",
            "1 cases: 0 as expected, 1 not",
        ] {
            assert!(before.text.contains(part), "{part}\n{}", before.text);
        }

        let updated = tested(&config, &["--update"]).unwrap();
        assert!(updated.fine && updated.text.contains("updated  one call"), "{}", updated.text);
        let written = std::fs::read_to_string(folder.path().join("config.cases.toml")).unwrap();
        assert!(written.starts_with("# A comment that stays.") && written.contains("# and this one"), "{written}");
        assert!(written.contains("status  = 200"), "{written}");
        let after = tested(&config, &[]).unwrap();
        assert!(after.fine && after.text.contains("ok       one call"), "{}", after.text);
    }

    #[test]
    fn what_no_update_can_make_true_still_fails() {
        let unused = CASES.replace("replies = { ", "replies = { \"GET /users/9\" = '{}', ");
        let (_folder, config) = folder(&unused);
        let outcome = tested(&config, &["--update"]).unwrap();
        assert!(!outcome.fine && outcome.text.contains("nothing asked for the reply to"), "{}", outcome.text);
    }

    #[test]
    fn coverage_lists_what_no_case_has_used() {
        let (_folder, config) = folder(CASES);
        let outcome = tested(&config, &["--coverage"]).unwrap();
        for part in
            ["config.toml:8: error rule: never decided", "User `userName`: never written", "User create: never called"]
        {
            assert!(outcome.text.contains(part), "{part}\n{}", outcome.text);
        }
        for part in ["User update: never called", "`title`: never written", "`title`: never read"] {
            assert!(!outcome.text.contains(part), "{part}\n{}", outcome.text);
        }
    }

    #[test]
    fn a_default_that_is_sent_is_written() {
        let (folder, config) = folder(
            "[[case]]\nname = 'a default'\nrequest = 'POST /scim/v2/Users'\nstatus = 201\nbody = { userName = 'ann' }\n\
             replies = [{ status = 201, body = '{\"id\":\"7\",\"login\":\"ann\"}' }]\n",
        );
        let with_default = people("").replace("title = 'job'", "title = { native = 'job', default = 'CTO' }");
        std::fs::write(folder.path().join("config.toml"), with_default).unwrap();
        let outcome = tested(&config, &["--coverage"]).unwrap();
        assert!(outcome.fine && outcome.text.contains("User `title`: never read"), "{}", outcome.text);
        assert!(!outcome.text.contains("`title`: never written"), "{}", outcome.text);
    }

    #[test]
    fn files_that_cannot_be_used_are_named() {
        let (folder, config) = folder("");
        assert!(tested(&config, &[]).err().unwrap().contains("it has no [[case]]"));
        let missing = folder.path().join("missing.toml").display().to_string();
        let said = tested(&config, &[&missing]).err().unwrap();
        assert!(said.contains("missing.toml: ") && said.contains("[[case]]"), "{said}");
        assert!(tested(Path::new(&missing), &[]).err().unwrap().contains("missing.toml: "));
    }
}
