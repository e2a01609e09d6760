//! `scimshim check --online`: what the application says to the reads of a configuration.
//!
//! In: a configuration that can be used. Out: the findings on standard output; it fails if something will not work.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::config::Snapshot;
use crate::online;
use crate::server::load::resolve_what_there_is;

use super::{Failure, say};

/// Tries the reads.
pub(super) fn check(path: &Path, snapshot: Snapshot, variables: &BTreeMap<String, String>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let report = runtime.block_on(async {
        // The tokens of clients are not needed here.
        let (secrets, missing) = resolve_what_there_is(&snapshot, path).await;
        online::check(Arc::new(snapshot), &secrets, variables)
            .await
            .map_err(|error| [vec![error.to_string()], missing].concat().join("\n"))
    })?;
    say(&report.to_string())?;
    if report.is_usable() { Ok(()) } else { Err("what was found will not work".into()) }
}
