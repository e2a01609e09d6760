//! `check`: all that can be said about the code without running its tests.
//!
//! In: the sources. Out: the first thing that does not hold, cheapest questions first. It does not change files:
//! `cargo fmt --all` does.

use std::collections::BTreeSet;

use crate::book;
use crate::suite;
use crate::workspace::{Workspace, answers, capture, step};

/// Crates that open sockets or files, watch the clock or start threads for it. A name ending in `*` stands for all
/// that begin so. None of them may be below the core.
const IO_CRATES: &[&str] = &[
    "arc-swap",
    "async-*",
    "clap",
    "futures-*",
    "h2",
    "http-body*",
    "hyper*",
    "inotify*",
    "mio",
    "native-tls",
    "notify*",
    "openssl*",
    "pingora*",
    "prometheus",
    "reqwest*",
    "ring",
    "rustls*",
    "signal-hook*",
    "socket2",
    "tokio*",
    "tower*",
    "tracing-subscriber",
    "walkdir",
];

/// Format, links, dependencies, lints, documentation, house rules.
pub(crate) fn check(workspace: &Workspace, _args: &[String]) -> Result<(), String> {
    step("format", &mut workspace.cargo(["fmt", "--all", "--check"]))?;
    step("format, fuzz targets", &mut workspace.cargo(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))?;
    book::links(workspace)?;
    core_dependencies(workspace)?;
    cargo_deny(workspace)?;
    step(
        "lints, core alone",
        &mut workspace.cargo(["clippy", "--quiet", "--lib", "--no-default-features", "--", "-D", "warnings"]),
    )?;

    let workspace = &workspace.with_build_tools()?;
    step(
        "lints, everything",
        &mut workspace.cargo(["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    )?;
    let mut fuzz =
        workspace.cargo(["check", "--quiet", "--bins", "--manifest-path", "fuzz/Cargo.toml", "--target-dir"]);
    step("fuzz targets", fuzz.arg(workspace.target.join("fuzz")).env("RUSTFLAGS", "-D warnings"))?;
    let mut doc = workspace.cargo(["doc", "--quiet", "--no-deps", "--workspace", "--document-private-items"]);
    step("documentation", doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    suite::tidy(workspace)
}

/// The core builds without IO, and this is where the promise is kept.
fn core_dependencies(workspace: &Workspace) -> Result<(), String> {
    println!("==> dependencies of the core");
    let tree = capture(&mut workspace.cargo([
        "tree",
        "--package",
        "scimshim",
        "--no-default-features",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]))?;
    let found = io_crates_in(&tree);
    if found.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = found.into_iter().collect();
    Err(format!("the core depends on {}; make it optional behind the feature `server`", names.join(", ")))
}

/// The forbidden crates in the output of `cargo tree --prefix none --format {p}`, one package a line.
fn io_crates_in(tree: &str) -> BTreeSet<&str> {
    tree.lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| IO_CRATES.iter().any(|pattern| matches(pattern, name)))
        .collect()
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

/// Licences, banned crates and sources. Advisories are left out, because they need a download of their own.
fn cargo_deny(workspace: &Workspace) -> Result<(), String> {
    if !answers("cargo-deny", &["--version"]) {
        println!("==> licences and sources: NOT CHECKED, cargo-deny is not installed (`cargo install cargo-deny`)");
        return Ok(());
    }
    let mut deny = workspace.command("cargo-deny");
    deny.args(["--log-level", "error", "check", "licenses", "bans", "sources"]);
    step("licences and sources", &mut deny)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_crates_are_reported_by_name_once() {
        let tree = "scimshim v0.1.0 (/x)\nserde v1.0.229\npingora-core v0.9.1\ntokio v1.54.0\ntokio v1.54.0 (*)\n\nmio v1.0.0\n";
        let found: Vec<&str> = io_crates_in(tree).into_iter().collect();
        assert_eq!(found, ["mio", "pingora-core", "tokio"]);
    }

    #[test]
    fn a_name_without_a_star_is_exact() {
        assert!(matches("h2", "h2"));
        assert!(!matches("h2", "h2spec"));
        assert!(matches("rustls*", "rustls-webpki"));
        assert!(!matches("rustls*", "ring"));
        assert!(io_crates_in("mio-like v1.0.0\nhex v0.4.0").is_empty());
    }
}
