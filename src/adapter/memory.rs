//! What is remembered between requests: kept replies, and what plans learned about the paging of lists.

use std::sync::{Arc, PoisonError};

use http::header::AUTHORIZATION;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Core;
use crate::config::Route;
use crate::native::ShownBy;
use crate::plan::ScimResponse;
use crate::plan::marks::Marks;
use crate::proxy::edge::{HeaderList, Headers as _};

/// What was learned so far.
pub(super) fn marks(core: &Core) -> Arc<Marks> {
    Arc::clone(&core.marks.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Takes in what a plan learned.
pub(super) fn learn(core: &Core, response: &mut ScimResponse, now: u64) {
    let learned = std::mem::take(&mut response.report.marks);
    if !learned.is_empty() {
        let mut marks = core.marks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut marks).learn(learned, now);
    }
}

/// Backend and route variables of a request: what others with the same may share.
pub(super) fn owner(backend: usize, variables: &[Option<Value>]) -> String {
    format!("{backend}\n{variables:?}")
}

/// A digest of the client's own credential.
pub(super) fn credential(headers: &HeaderList) -> [u8; 32] {
    let mut digest = Sha256::new();
    headers.all(&AUTHORIZATION).for_each(|value| digest.update(value));
    digest.finalize().into()
}

/// The types of a route that show something of each type: groups show their members, members their groups.
pub(super) fn shown_by(route: &Route) -> Vec<ShownBy> {
    let shows = |of: &str, other: &str| {
        route.mappings.iter().any(|mapping| {
            let name = &*mapping.resource_type.name;
            let members = mapping.members.as_ref().is_some_and(|members| members.of == of);
            let groups = mapping.inverse.as_ref().is_some_and(|inverse| inverse.group == of);
            name == other && (members || groups)
        })
    };
    let names = || route.mappings.iter().map(|mapping| &mapping.resource_type.name);
    names().map(|of| (Arc::clone(of), names().filter(|other| shows(of, other)).cloned().collect())).collect()
}
