//! Transcripts of whole plans, as data in `tests/plans`, and what holds for every plan.

mod cases;
mod injection;
mod page;
mod properties;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{Snapshot, Source, compile, render};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/plans")
}

/// A configuration of `tests/plans/config`.
fn snapshot(name: &str) -> Arc<Snapshot> {
    let path = folder().join("config").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let source = Source { name: Arc::from(name), text };
    Arc::new(compile(source).unwrap_or_else(|findings| panic!("{name}:\n{}", render(&findings))))
}
