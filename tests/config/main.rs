//! Configurations in, diagnostics or mappings out.

mod bad;
mod good;
mod mutations;
mod robust;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use scimshim::config::{Diagnostic, Snapshot, Source, compile_at, render};

/// The beginning of the year 2026, at which all of this happens.
const NOW: i64 = 1_767_225_600;

/// Compiles a text under the name `config.toml`.
fn compiled(text: &str) -> Result<Snapshot, Vec<Diagnostic>> {
    let source = Source { name: Arc::from("config.toml"), text: text.to_owned() };
    compile_at(source, &|_| Err("there are no files here".to_owned()), NOW)
}

/// Compiles a text that must be fine.
fn fine(text: &str) -> Snapshot {
    compiled(text).unwrap_or_else(|found| panic!("{}", render(&found)))
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(name)
}

/// The TOML files of a folder, sorted.
fn files(name: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder(name)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths
}

/// The annotated configuration at the root of the project.
fn root() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml")).unwrap()
}
