//! From a tree to a [`Snapshot`]: every name resolved, every path, template and expression compiled.
//!
//! In: the text of one file, and a way to fetch those it extends. Out: a snapshot, or everything that is wrong with the file at once. Pure: presets are
//! built in, secrets stay references, nothing is opened. After this stage no string of the file is looked at again.
//!
//! The modules below, in the order in which they run: `top` (version, presets, patterns), `server`, `auth`, `route`
//! (paths and variables), `backend`, `schema`, then `resource` for every resource type and backend, which uses the
//! rest: `target`, `rows`, `codecs`, `calls`, `body`, `ops`, `writes`, `members`, `filter`. `laws`, `overlap`,
//! `coverage` and `probe` check what came out; `announce` tells discovery about it.

mod announce;
mod auth;
mod backend;
mod body;
mod calls;
mod codecs;
mod context;
mod coverage;
mod credential;
mod defaults;
mod deletion;
mod entra;
mod errors;
mod exists;
mod filter;
mod flow;
mod guard;
mod id;
mod lacks;
mod laws;
mod lint;
mod members;
mod near;
mod observe;
mod ops;
mod overlap;
mod parts;
mod probe;
mod resource;
mod route;
mod rows;
mod schema;
pub(super) mod scopes;
mod server;
mod slots;
mod store;
mod tables;
mod target;
mod top;
mod types;
mod writes;

use sha2::{Digest, Sha256};

use super::diagnostic::Diagnostic;
use super::layers::Fetch;

use super::snapshot::Snapshot;
use super::tree::Source;

use context::Context;

pub(crate) use top::document;

/// Compiles one configuration file.
///
/// # Errors
///
/// Everything found, in file order; warnings too. A snapshot has no errors, and keeps its warnings.
pub fn compile(source: Source) -> Result<Snapshot, Vec<Diagnostic>> {
    compile_with(source, &|_| Err("there are no files here".to_owned()))
}

/// Compiles a configuration file and the files that it extends.
///
/// # Errors
///
/// As [`compile`].
pub fn compile_with(source: Source, fetch: Fetch<'_>) -> Result<Snapshot, Vec<Diagnostic>> {
    compiled(source, fetch, None)
}

/// The same at a time, in seconds since 1970: it warns of what has expired or is about to.
///
/// # Errors
///
/// As [`compile`].
pub fn compile_at(source: Source, fetch: Fetch<'_>, now: i64) -> Result<Snapshot, Vec<Diagnostic>> {
    compiled(source, fetch, Some(now))
}

fn compiled(source: Source, fetch: Fetch<'_>, now: Option<i64>) -> Result<Snapshot, Vec<Diagnostic>> {
    if source.text.len() > TEXT_MAX_BYTES {
        return Err(vec![too_long(&source)]);
    }
    let (mut cx, root) = document(source, fetch);
    if cx.report.says("E203") {
        return Err(cx.report.finish());
    }
    cx.now = now;
    let hash = hash(&cx);
    let parts = top::parts(&mut cx, &root);
    let snapshot = top::assemble(&mut cx, parts, hash);
    near::check(&mut cx);
    match snapshot {
        Some(snapshot) if !cx.report.has_errors() => Ok(Snapshot { warnings: cx.report.finish(), ..snapshot }),
        _ => Err(cx.report.finish()),
    }
}

/// 16 hexadecimal digits that change with the text of any file.
fn hash(cx: &Context) -> String {
    let mut digest = Sha256::new();
    for text in cx.report.sources.texts() {
        digest.update(text.as_bytes());
    }
    let digest = digest.finalize();
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{number:016x}")
}

fn too_long(source: &Source) -> Diagnostic {
    Diagnostic {
        severity: super::diagnostic::Severity::Error,
        code: "E000",
        message: format!("a configuration has at most {TEXT_MAX_BYTES} bytes"),
        file: source.name.to_string(),
        line: 1,
        column: 1,
        length: 1,
        key_path: String::new(),
        excerpt: String::new(),
        help: None,
    }
}

/// The largest configuration file.
pub const TEXT_MAX_BYTES: usize = 1024 * 1024;
