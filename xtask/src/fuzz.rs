//! `fuzz`: libFuzzer over the parsers of the core and the readers of HTTP, on a stable toolchain.
//!
//! In: the targets in `fuzz/targets` and their seeds in `fuzz/corpus`. Out: success if no target crashed, hung or
//! outgrew its memory within its time. The coverage instrumentation that libFuzzer needs is a set of stable compiler
//! flags, so neither cargo-fuzz nor a nightly compiler is wanted. No address sanitizer: the core forbids unsafe code.

use std::fs;
use std::path::{Path, PathBuf};

use crate::workspace::{Workspace, cannot_start, capture, step};

/// What the compiler needs to feed libFuzzer: coverage of edges, comparisons and tables, and `cfg(fuzzing)`.
const RUSTFLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions",
    "-Coverflow-checks",
    "-Ccodegen-units=1",
    "--cfg=fuzzing",
];

/// Limits for one input: bytes, seconds and megabytes. All are far above what the core may use.
const LIMITS: &[&str] = &["-max_len=8192", "-timeout=5", "-rss_limit_mb=1024"];

/// Builds all targets and runs each for its time.
pub(crate) fn fuzz(workspace: &Workspace, args: &[String]) -> Result<(), String> {
    let Options { seconds, only } = options(args)?;
    let crate_folder = workspace.root.join("fuzz");
    let mut targets = targets(&crate_folder.join("targets"))?;
    if let Some(only) = only {
        targets.retain(|target| *target == only);
        if targets.is_empty() {
            return Err(format!("there is no fuzz target `{only}`"));
        }
    }
    let folder = workspace.target.join("fuzz");
    let built = build(workspace, &crate_folder, &folder)?;

    let mut failed = Vec::new();
    for target in &targets {
        let run = run_target(workspace, &built, &crate_folder, &folder, target, seconds);
        if let Err(why) = run {
            eprintln!("xtask: {why}");
            failed.push(target.as_str());
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!("{}; the inputs are in {}", failed.join(", "), folder.join("artifacts").display()))
}

#[derive(Debug, PartialEq, Eq)]
struct Options {
    /// Running time of one target.
    seconds: u64,
    /// The one target to run; all of them otherwise.
    only: Option<String>,
}

fn options(args: &[String]) -> Result<Options, String> {
    let mut options = Options { seconds: 30, only: None };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--seconds" {
            let value = args.next().ok_or("--seconds wants a number")?;
            options.seconds = match value.parse() {
                Ok(seconds) if seconds > 0 => seconds,
                _ => return Err(format!("--seconds wants a number above 0, not `{value}`")),
            };
        } else if arg.starts_with('-') || options.only.is_some() {
            return Err(format!("`{arg}` is not understood; usage: fuzz [--seconds N] [TARGET]"));
        } else {
            options.only = Some(arg.clone());
        }
    }
    Ok(options)
}

/// The names of the targets: the files in `fuzz/targets`.
fn targets(folder: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(folder).map_err(|err| format!("cannot read {}: {err}", folder.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".rs")?.to_owned()))
        .collect();
    names.sort();
    if names.is_empty() {
        return Err(format!("no fuzz target in {}", folder.display()));
    }
    Ok(names)
}

/// Returns the folder of the built targets. The triple is named so that the flags reach the code under test and not
/// the build scripts and macros, which would not link with them.
fn build(workspace: &Workspace, crate_folder: &Path, folder: &Path) -> Result<PathBuf, String> {
    let version = capture(workspace.command("rustc").arg("-vV"))?;
    let host = host_triple(&version).ok_or("rustc does not name its host")?;
    let mut cargo = workspace.cargo(["build", "--release", "--bins", "--manifest-path"]);
    cargo.arg(crate_folder.join("Cargo.toml"));
    cargo.args(["--target", host, "--target-dir"]).arg(folder);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\x1f"));
    step("build the fuzz targets", &mut cargo)?;
    Ok(folder.join(host).join("release"))
}

fn host_triple(version: &str) -> Option<&str> {
    version.lines().find_map(|line| line.strip_prefix("host: "))
}

/// New finds go to a corpus in the build folder; the seeds of the checkout are only read.
fn run_target(
    workspace: &Workspace,
    built: &Path,
    crate_folder: &Path,
    folder: &Path,
    target: &str,
    seconds: u64,
) -> Result<(), String> {
    let corpus = folder.join("corpus").join(target);
    let artifacts = folder.join("artifacts").join(target);
    for made in [&corpus, &artifacts] {
        fs::create_dir_all(made).map_err(|err| format!("cannot make {}: {err}", made.display()))?;
    }
    let mut command = workspace.command(built.join(target));
    command.args(LIMITS).arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.args(["-print_final_stats=1", "-verbosity=0"]).arg(corpus);
    let seeds = crate_folder.join("corpus").join(target);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    println!("==> fuzz {target}, {seconds} s");
    let output = command.output().map_err(|err| cannot_start(&command, &err))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        eprintln!("{said}");
        return Err(format!("fuzz {target}: {}", output.status));
    }
    println!("    fuzz {target}: {}", summary(&said));
    Ok(())
}

/// What is worth a line of libFuzzer's closing statistics; the rest is of use only after a failure.
fn summary(said: &str) -> String {
    let number = |name: &str| {
        said.lines()
            .find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name)?.strip_prefix(':'))
            .map_or("?", str::trim)
    };
    format!(
        "{} inputs, {} of them new, slowest {} s, {} MB at most",
        number("number_of_executed_units"),
        number("new_units_added"),
        number("slowest_unit_time_sec"),
        number("peak_rss_mb")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options, String> {
        let owned: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        options(&owned)
    }

    #[test]
    fn options_have_a_default_and_a_bound_below() {
        assert_eq!(parse(&[]), Ok(Options { seconds: 30, only: None }));
        assert_eq!(parse(&["--seconds", "5", "filter"]), Ok(Options { seconds: 5, only: Some("filter".into()) }));
        // 0 would mean "for ever" to libFuzzer.
        for bad in [&["--seconds", "0"][..], &["--seconds"], &["--seconds", "x"], &["--fast"], &["a", "b"]] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_statistics_fit_on_a_line() {
        let said =
            "INFO: x\nstat::number_of_executed_units: 42\nstat::new_units_added:          7\nstat::peak_rss_mb: 30\n";
        assert_eq!(summary(said), "42 inputs, 7 of them new, slowest ? s, 30 MB at most");
    }

    #[test]
    fn the_host_is_read_from_the_compiler() {
        let version = "rustc 1.95.0\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n";
        assert_eq!(host_triple(version), Some("x86_64-unknown-linux-gnu"));
        assert_eq!(host_triple("rustc 1.95.0"), None);
    }
}
