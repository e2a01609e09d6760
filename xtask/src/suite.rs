//! The test verbs.
//!
//! In: the output of `cargo test`, streamed through as it comes. Out: the same output, a closing line
//! `N passed, M failed`, and success only if something ran and nothing failed. It knows no single test: the
//! modules of the shell are found by their `cfg` in the sources.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::workspace::{Workspace, cannot_start};

/// Every test once: the core with no features, then what only exists with the shell.
pub(crate) fn test(workspace: &Workspace, args: &[String]) -> Result<(), String> {
    if let Some(extra) = args.first() {
        return Err(format!("`{extra}`: the whole suite takes no arguments; see `core` for a filter"));
    }
    let core = [("core alone", workspace.cargo(["test", "--lib", "--no-default-features", "--no-fail-fast"]))];
    // The first half needs no build tools, so it answers before anything is installed.
    let mut total = run_all(core)?;

    let workspace = workspace.with_build_tools()?;
    let mut runs = Vec::new();
    let shell = shell_modules(&workspace.root.join("src"))?;
    if !shell.is_empty() {
        let mut command = workspace.cargo(["test", "--lib", "--no-fail-fast", "--"]);
        command.args(&shell);
        runs.push(("shell modules", command));
    }
    runs.push(("integration", workspace.cargo(["test", "--test", "*", "--no-fail-fast"])));
    runs.push(("doc tests", workspace.cargo(["test", "--doc"])));
    runs.push(("xtask", workspace.cargo(["test", "--package", "xtask"])));
    total.add(run_all(runs)?);
    verdict(total)
}

/// The tests of the core, without Pingora. Arguments go to the test harness, so a name filters.
pub(crate) fn core(workspace: &Workspace, args: &[String]) -> Result<(), String> {
    let mut command = workspace.cargo(["test", "--lib", "--no-default-features", "--"]);
    command.args(args);
    verdict(run_all([("core alone", command)])?)
}

/// The wire corpus with its report of every case.
pub(crate) fn wire(workspace: &Workspace, args: &[String]) -> Result<(), String> {
    let workspace = workspace.with_build_tools()?;
    let mut command = workspace.cargo(["test", "--test", "it", "--", "wire_corpus", "--nocapture"]);
    command.args(args);
    verdict(run_all([("wire corpus", command)])?)
}

/// The house rules in `tests/it/tidy.rs`.
pub(crate) fn tidy(workspace: &Workspace) -> Result<(), String> {
    let command = workspace.cargo(["test", "--test", "it", "--", "tidy::"]);
    verdict(run_all([("house rules", command)])?)
}

/// How many tests ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Prints the closing line and turns the numbers into an outcome. No test at all is a failure: a filter that
/// matches nothing would otherwise look like success.
fn verdict(total: Tally) -> Result<(), String> {
    println!("{} passed, {} failed", total.passed, total.failed);
    match total {
        Tally { failed: 0, passed: 0 } => Err("no test ran".into()),
        Tally { failed: 0, .. } => Ok(()),
        Tally { failed, .. } => Err(format!("{failed} failed")),
    }
}

fn run_all(runs: impl IntoIterator<Item = (&'static str, Command)>) -> Result<Tally, String> {
    let mut total = Tally::default();
    for (name, mut command) in runs {
        total.add(run_one(name, &mut command)?);
    }
    Ok(total)
}

/// Runs one `cargo test`. An unsuccessful end without a failed test (no build, a crash) counts as one failure, so
/// that it cannot vanish from the sum.
fn run_one(name: &str, command: &mut Command) -> Result<Tally, String> {
    println!("==> {name}");
    let start = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|err| cannot_start(command, &err))?;
    let mut tally = Tally::default();
    if let Some(stdout) = child.stdout.take() {
        tally = stream(BufReader::new(stdout), std::io::stdout().lock()).map_err(|err| format!("{name}: {err}"))?;
    }
    let status = child.wait().map_err(|err| format!("{name}: {err}"))?;
    if !status.success() && tally.failed == 0 {
        println!("    {name}: ended early, {status}");
        tally.failed = 1;
    }
    println!("    {name}: {:.1} s", start.elapsed().as_secs_f64());
    Ok(tally)
}

/// Copies the lines to `out` and sums the result lines among them.
fn stream(mut lines: impl BufRead, mut out: impl Write) -> std::io::Result<Tally> {
    let mut tally = Tally::default();
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        out.write_all(&line)?;
        if let Some(found) = result_line(&String::from_utf8_lossy(&line)) {
            tally.add(found);
        }
        line.clear();
    }
    out.flush()?;
    Ok(tally)
}

/// Reads `test result: ok. 12 passed; 0 failed; ...`, the last line of every test binary.
fn result_line(line: &str) -> Option<Tally> {
    let rest = line.trim_end().strip_prefix("test result: ")?;
    let (_, counts) = rest.split_once(". ")?;
    let count = |what: &str| counts.split("; ").find_map(|part| part.strip_suffix(what)?.trim_end().parse().ok());
    Some(Tally { passed: count("passed")?, failed: count("failed")? })
}

/// The test filters of the modules that exist only with the feature `server`, such as `config::reload::`.
fn shell_modules(src: &Path) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    collect(src, "", &mut found).map_err(|err| format!("cannot read {}: {err}", src.display()))?;
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, prefix: &str, found: &mut Vec<String>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{prefix}{name}::"), found)?;
        } else if let Some(stem) = name.strip_suffix(".rs") {
            let module = match stem {
                "lib" | "main" | "mod" => prefix.to_owned(),
                _ => format!("{prefix}{stem}::"),
            };
            let text = fs::read_to_string(entry.path())?;
            found.extend(gated_modules(&text).map(|name| format!("{module}{name}::")));
        }
    }
    Ok(())
}

/// The names of the modules declared under an attribute that asks for the feature `server`.
fn gated_modules(text: &str) -> impl Iterator<Item = &str> {
    let mut gated = false;
    text.lines().map(str::trim).filter_map(move |line| {
        if line.starts_with("#[") {
            gated |= line.starts_with("#[cfg(") && line.contains("feature = \"server\"");
            return None;
        }
        if line.starts_with("//") {
            return None;
        }
        let was_gated = std::mem::take(&mut gated);
        let declared = line.split_once("mod ").filter(|(before, _)| before.is_empty() || before.starts_with("pub"));
        let name = declared?.1.trim_end_matches([';', '{', ' ', '}']);
        was_gated.then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_read_and_nothing_else_is() {
        let tally = |passed, failed| Some(Tally { passed, failed });
        let cases = [
            (
                "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.01s\n",
                tally(12, 0),
            ),
            (
                "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
                tally(1, 2),
            ),
            ("test scim::filter::tests::nested ... ok", None),
            ("running 12 tests", None),
            ("test result: ok. many passed; 0 failed", None),
            ("  test result: ok. 1 passed; 0 failed", None),
        ];
        for (line, expected) in cases {
            assert_eq!(result_line(line), expected, "{line}");
        }
    }

    #[test]
    fn several_binaries_add_up() {
        let output = b"running 1 test\ntest result: ok. 1 passed; 0 failed; 0 ignored\n\
                       \xff odd bytes\ntest result: FAILED. 2 passed; 3 failed; 0 ignored\n";
        let mut copy = Vec::new();
        let tally = stream(&output[..], &mut copy).expect("reads from memory");
        assert_eq!(tally, Tally { passed: 3, failed: 3 });
        assert_eq!(copy, output);
    }

    #[test]
    fn nothing_run_is_a_failure() {
        assert!(verdict(Tally::default()).is_err());
        assert!(verdict(Tally { passed: 1, failed: 0 }).is_ok());
        assert!(verdict(Tally { passed: 1, failed: 1 }).is_err());
    }

    #[test]
    fn gated_modules_are_found_by_their_attribute() {
        let text = "
            pub mod scim;
            #[cfg(feature = \"server\")]
            pub mod proxy;
            #[cfg(feature = \"server\")]
            // Why.
            #[path = \"x.rs\"]
            pub(crate) mod native;
            #[cfg(feature = \"server\")]
            pub use proxy::serve;
            mod plan;
            #[cfg(all(test, feature = \"server\"))]
            mod tests {
        ";
        let found: Vec<&str> = gated_modules(text).collect();
        assert_eq!(found, ["proxy", "native", "tests"]);
    }
}
