//! Where the checkout and its build folder are, and how child processes are started.
//!
//! In: the environment cargo gives a program it runs. Out: [`Command`]s with the right folder, `PATH` and variables.
//! It decides nothing about what is run.

use std::env;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::tools;

/// The checkout this tool belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// The build folder: `CARGO_TARGET_DIR`, else `target` in the root.
    pub(crate) target: PathBuf,
    /// `PATH` for child processes, if provided tools have to be put in front.
    path: Option<OsString>,
}

impl Workspace {
    /// Finds the checkout from the manifest of this tool, as cargo names it at run time.
    pub(crate) fn locate() -> Result<Self, String> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .ok_or("start it as `cargo xtask <verb>`, so that cargo says where the checkout is")?;
        let root = Path::new(&manifest).parent().ok_or("the folder of xtask has no parent")?;
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |given| root.join(given));
        Ok(Self { root: root.to_path_buf(), target, path: None })
    }

    /// The same checkout with what a build of the shell needs on the `PATH`; see [`tools::provide`].
    pub(crate) fn with_build_tools(&self) -> Result<Self, String> {
        let path = tools::provide(&self.target.join("tools"))?;
        Ok(Self { path, ..self.clone() })
    }

    /// A cargo command in the root folder.
    pub(crate) fn cargo<const N: usize>(&self, args: [&str; N]) -> Command {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = self.command(cargo);
        command.args(args);
        command
    }

    /// Any command in the root folder, with nothing to read.
    ///
    /// The variables by which cargo describes *this* package to it are taken out: build scripts of dependencies
    /// watch some of them, and would run again at every change between `cargo build` and `cargo xtask`.
    pub(crate) fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(program.into());
        command.current_dir(&self.root).stdin(Stdio::null());
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        command
    }

    /// Builds the release binary that is shipped: static, so that it runs on any Linux and in an empty image. Only the
    /// binary itself is linked that way, so that it shares everything below it with other release builds, and macros
    /// and build scripts, which could not be static, are left alone.
    pub(crate) fn release_build(&self) -> Command {
        let mut build = self.cargo(["rustc", "--locked", "--release", "--bin", "scimshim"]);
        if !std::io::stderr().is_terminal() {
            build.arg("--quiet");
        }
        build.args(["--", "-C", "target-feature=+crt-static", "-C", "strip=symbols"]);
        build
    }

    /// The path of a built binary of the given profile folder (`debug`, `release`).
    pub(crate) fn binary(&self, profile: &str, name: &str) -> PathBuf {
        self.target.join(profile).join(name)
    }
}

/// Runs one step of a verb: says its name, lets its output through, says how long it took.
pub(crate) fn step(name: &str, command: &mut Command) -> Result<(), String> {
    println!("==> {name}");
    let start = Instant::now();
    let status = command.status().map_err(|err| cannot_start(command, &err))?;
    if !status.success() {
        return Err(format!("{name}: {status}"));
    }
    println!("    {name}: {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Runs a command for what it prints. Its standard error goes through to ours.
pub(crate) fn capture(command: &mut Command) -> Result<String, String> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|err| cannot_start(command, &err))?;
    let program = command.get_program().to_string_lossy();
    if !output.status.success() {
        return Err(format!("{program}: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{program} printed something other than UTF-8"))
}

/// Whether a program can be run at all; what it prints is thrown away.
pub(crate) fn answers(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The sentence for a program that could not be started.
pub(crate) fn cannot_start(command: &Command, err: &std::io::Error) -> String {
    format!("cannot start {}: {err}", command.get_program().to_string_lossy())
}
