//! `deploy-check`: everything under `deploy/`, checked as far as a machine without a cluster can.
//!
//! In: names of checks, or nothing for all of them. Out: one line for each check, and success if all of them held. A
//! check that cannot run has failed: what it needs is installed below the build folder, or by apt. What is rendered from
//! the chart is compared, and with `--bless` written.

mod image;
mod kubernetes;
mod metrics;
mod package;
mod seen;
mod spans;
mod tools;

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::workspace::{Workspace, cannot_start};
use tools::Tools;

/// One check: its name, what it shows, and the check itself, which says what it found in a few words.
struct Check {
    name: &'static str,
    about: &'static str,
    run: fn(&Bench<'_>) -> Result<String, String>,
}

/// In the order in which they run: cheap ones first, then what others build on.
const CHECKS: &[Check] = &[
    Check { name: "chart", about: "the Helm chart, and values it has to refuse", run: kubernetes::chart },
    Check { name: "rendered", about: "bases and components are what the chart renders", run: kubernetes::rendered },
    Check { name: "schemas", about: "manifests against the schemas of Kubernetes", run: kubernetes::schemas },
    Check { name: "manifests", about: "manifests against each other and the program", run: kubernetes::manifests },
    Check { name: "crds", about: "objects of the Prometheus operator", run: kubernetes::crds },
    Check { name: "policy", about: "security policies for manifests and the Dockerfile", run: kubernetes::policy },
    Check {
        name: "alerts",
        about: "alert rules: what fires, what is silent, and a runbook for each",
        run: seen::alerts,
    },
    Check { name: "program", about: "the release binary: static, and of a bounded size", run: package::program },
    Check { name: "configs", about: "every configuration that is shipped, by the program", run: kubernetes::configs },
    Check { name: "metrics", about: "metrics of a demo, by promtool and the page about them", run: metrics::metrics },
    Check { name: "completions", about: "completions, by the shells", run: package::completions },
    Check { name: "manual", about: "manual pages, by man", run: package::manual },
    Check { name: "spans", about: "spans of a request, by a receiver of OTLP", run: spans::spans },
    Check { name: "debian", about: "the Debian package, by lintian", run: package::debian },
    Check { name: "unit", about: "the systemd unit, as the package installs it", run: package::unit },
    Check { name: "dashboard", about: "the dashboard, by a Prometheus that scraped a demo", run: seen::dashboard },
    Check { name: "compare", about: "size, start and memory beside nginx", run: seen::compare },
    Check {
        name: "image",
        about: "the container image: built twice, the same, small, without root",
        run: image::image,
    },
    Check { name: "container", about: "the demo cycles in a hardened container", run: image::container },
    Check { name: "pod", about: "the demo overlay: start, traffic, reload, orderly end", run: image::pod },
];

/// What the checks share.
struct Bench<'a> {
    workspace: &'a Workspace,
    tools: Tools<'a>,
    /// Where they may write.
    folder: PathBuf,
    bless: bool,
    program: OnceCell<PathBuf>,
    /// The Debian package.
    package: OnceCell<PathBuf>,
}

/// Runs the checks that are named, or all.
pub(crate) fn deploy_check(workspace: &Workspace, args: &[String]) -> Result<(), String> {
    let bless = args.iter().any(|arg| arg == "--bless");
    let given = args.iter().find_map(|arg| arg.strip_prefix("--program="));
    let names: Vec<&str> = args.iter().map(String::as_str).filter(|arg| !arg.starts_with("--")).collect();
    let known = |name: &str| CHECKS.iter().any(|check| check.name == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let all: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
        return Err(format!("there is no check `{unknown}`; there are {}", all.join(", ")));
    }
    let workspace = &workspace.with_build_tools()?;
    let folder = workspace.target.join("deploy");
    fs::create_dir_all(&folder).map_err(|err| format!("cannot make {}: {err}", folder.display()))?;
    let tools = Tools::new(workspace, folder.join("tools"));
    let program = given.map_or_else(OnceCell::new, |path| OnceCell::from(workspace.root.join(path)));
    let bench = Bench { workspace, tools, folder, bless, program, package: OnceCell::new() };
    let chosen = CHECKS.iter().filter(|check| names.is_empty() || names.contains(&check.name));
    let failed: Vec<&str> = chosen.filter(|check| !passes(check, &bench)).map(|check| check.name).collect();
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

fn passes(check: &Check, bench: &Bench<'_>) -> bool {
    let began = Instant::now();
    let outcome = (check.run)(bench);
    let took = began.elapsed().as_secs_f64();
    match &outcome {
        Ok(found) => println!("ok    {:<12} {} ({took:.1} s): {found}", check.name, check.about),
        Err(why) => println!("FAIL  {:<12} {} ({took:.1} s)\n{why}", check.name, check.about),
    }
    outcome.is_ok()
}

impl Bench<'_> {
    /// The release binary; it is the one that goes into the image and the package.
    fn program(&self) -> Result<&Path, String> {
        if self.program.get().is_none() {
            output(&mut self.workspace.release_build())?;
            let _ = self.program.set(self.workspace.binary("release", "scimshim"));
        }
        self.program.get().map(PathBuf::as_path).ok_or_else(|| "there is no program".into())
    }

    /// A folder of this name, empty.
    fn fresh(&self, name: &str) -> Result<PathBuf, String> {
        let folder = self.folder.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|err| format!("cannot remove {}: {err}", folder.display()))?;
        }
        fs::create_dir_all(&folder).map_err(|err| format!("cannot make {}: {err}", folder.display()))?;
        Ok(folder)
    }

    /// The files of a folder of the checkout whose names end so, in order.
    fn files(&self, folder: &str, ending: &str) -> Result<Vec<PathBuf>, String> {
        let folder = self.source(folder);
        let listed = fs::read_dir(&folder).map_err(|err| format!("cannot read {}: {err}", folder.display()))?;
        let mut files: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).collect();
        files.retain(|path| path.to_string_lossy().ends_with(ending));
        files.sort();
        if files.is_empty() { Err(format!("there is no {ending} in {}", folder.display())) } else { Ok(files) }
    }

    /// A file of the checkout, by its path from the root.
    fn source(&self, path: &str) -> PathBuf {
        self.workspace.root.join(path)
    }
}

/// Runs a program that has to succeed, and returns what it said on both streams.
fn output(command: &mut Command) -> Result<String, String> {
    let (succeeded, said) = outcome(command)?;
    let program = command.get_program().to_string_lossy();
    if succeeded { Ok(said) } else { Err(format!("{program} failed:\n{}", said.trim_end())) }
}

/// Runs a program that has to fail, and returns what it said.
fn refusal(command: &mut Command) -> Result<String, String> {
    let (succeeded, said) = outcome(command)?;
    if succeeded { Err(format!("{command:?} accepts what it has to refuse")) } else { Ok(said) }
}

fn outcome(command: &mut Command) -> Result<(bool, String), String> {
    let output = command.output().map_err(|err| cannot_start(command, &err))?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|err| format!("cannot read {}: {err}", path.display()))
}

/// Writes a file, and the folders above it.
fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<(), String> {
    let cannot = |err: std::io::Error| format!("cannot write {}: {err}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(cannot)?;
    }
    fs::write(path, text).map_err(cannot)
}

/// The last line of what a program said.
fn last_line(said: &str) -> String {
    said.trim_end().lines().last().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_have_names_of_their_own() {
        for check in CHECKS {
            assert_eq!(CHECKS.iter().filter(|other| other.name == check.name).count(), 1, "{}", check.name);
            assert!(check.name.len() <= 12 && !check.about.is_empty(), "{}", check.name);
        }
    }

    #[test]
    fn what_fails_and_what_has_to_fail_are_told_apart() {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        assert_eq!(output(&mut shell("echo a; echo b >&2")).as_deref(), Ok("a\nb\n"));
        assert!(output(&mut shell("echo why; exit 1")).is_err_and(|why| why.contains("why")));
        assert_eq!(refusal(&mut shell("echo why; exit 1")).as_deref(), Ok("why\n"));
        assert!(refusal(&mut shell("true")).is_err());
        assert_eq!(last_line("a\n  b  \n\n"), "b");
    }
}
