//! `lacks`: fields that the items of a list leave out, so that each item is completed by `get` where they are needed.

use std::sync::Arc;

use crate::config::tree::{Place, Table};
use crate::mapping::{Extract, FilterCall, Lacks, ListCall, Mapping, NativePath, Readers};

use super::context::Context;

/// A path of `lacks`, and where it stands.
pub(super) type LackedPath = (NativePath, Place);

/// Items completed together, where nothing is said.
const PARALLEL: u64 = 8;

/// `lacks` and `parallel` of a list call, or of a plan that changes it; nothing if neither is written.
pub(super) fn lacks(cx: &mut Context, table: Option<&Table>, place: &Place) -> Option<(Vec<LackedPath>, Arc<Lacks>)> {
    let table = table?;
    let parallel = table.get("parallel");
    let Some(entry) = table.get("lacks") else {
        if let Some(entry) = parallel {
            let message = "`parallel` is about items that have to be completed: it belongs to `lacks`";
            cx.report.error("E004", &entry.key, message);
        }
        return None;
    };
    let number = parallel.and_then(|entry| cx.report.integer(&entry.value, 1..=64)).unwrap_or(PARALLEL);
    let mut lacked = Vec::new();
    for item in cx.report.list(&entry.value).unwrap_or(&[]) {
        let Some(path) = cx.native_path(item) else { continue };
        if path.header().is_some() || path.is_link() {
            cx.report.error("E045", &item.place, format!("`{path}` is not in the items of a list"));
            continue;
        }
        lacked.push((path, item.place.clone()));
    }
    let lacks = Lacks {
        paths: lacked.iter().map(|(path, _)| path.clone()).collect(),
        readers: Readers::default(),
        parallel: usize::try_from(number).unwrap_or(1),
        origin: cx.origin(place),
    };
    Some((lacked, Arc::new(lacks)))
}

/// Lays what is written over what a list has so far, and keeps the paths for [`resolve`].
pub(super) fn lay_over(cx: &mut Context, list: &mut ListCall, table: Option<&Table>, place: &Place) {
    if let Some((lacked, lacks)) = lacks(cx, table, place) {
        cx.lacked.extend(lacked);
        list.lacks = Some(lacks).filter(|lacks| !lacks.paths.is_empty());
    }
}

/// An item can only be completed by a call that reads one object, and whose it is must be known. What is wrong is taken
/// out of the list.
pub(super) fn check(cx: &mut Context, mapping: &Mapping, lacked: &mut Vec<LackedPath>) {
    if let Some((_, place)) = lacked.first().filter(|_| mapping.ops.get.is_none() && !cx.call_missing) {
        let help = "add `ops.get`, or map only what the list shows".to_owned();
        cx.report.error_help("E070", place, "no call reads one object, so nothing completes the items", help);
    }
    let parts = mapping.id.join.iter().map(|part| &part.native);
    let id: Vec<&NativePath> = if mapping.id.join.is_empty() { vec![&mapping.id.native] } else { parts.collect() };
    lacked.retain(|(path, place)| {
        let identifies = id.iter().any(|id| id.overlaps(path));
        if identifies {
            let message = format!("without `{path}` an item has no id, so it is not known what would complete it");
            cx.report.error("E071", place, message);
        }
        !identifies
    });
}

/// Finds out who reads what lists lack, when everything about the type is known.
pub(super) fn resolve(cx: &mut Context, mapping: &mut Mapping, lacked: &[LackedPath]) {
    for (path, place) in lacked {
        let is_version = mapping.version.as_ref().is_some_and(|version| version.native.overlaps(path));
        if Readers::of(mapping, std::slice::from_ref(path)).is_empty() && !is_version {
            let help = "delete it, or map what it holds".to_owned();
            cx.report.warn("W070", place, format!("nothing reads `{path}`, so nobody misses it"), help);
        }
    }
    let (mut list, mut filters) = (mapping.ops.list.take(), std::mem::take(&mut mapping.filters));
    let plans = filters.iter_mut().filter_map(|plan| match &mut plan.how {
        FilterCall::List(list) => Some(&mut **list),
        FilterCall::Get { .. } => None,
    });
    for list in list.iter_mut().chain(plans) {
        if let Some(lacks) = &mut list.lacks {
            let readers = Readers::of(mapping, &lacks.paths);
            *lacks = Arc::new(Lacks { readers, ..Lacks::clone(lacks) });
        }
    }
    (mapping.ops.list, mapping.filters) = (list, filters);
}

/// `lacks` of `members.list`: the member's own object has the display name.
pub(super) fn of_members(
    cx: &mut Context,
    table: Option<&Table>,
    place: &Place,
    value: Option<&Extract>,
    display: Option<&Extract>,
) -> Option<Arc<Lacks>> {
    let (lacked, lacks) = lacks(cx, table, place)?;
    for (path, place) in lacked {
        if value.is_some_and(|value| value.native.overlaps(&path)) {
            let message = format!("without `{path}` an item does not say which member it is about");
            cx.report.error("E071", &place, message);
        } else if display.is_none_or(|display| !display.native.overlaps(&path)) {
            let message = format!("`display` does not read `{path}`, so nobody misses it");
            cx.report.warn("W070", &place, message, "delete it".to_owned());
        }
    }
    let readers = Readers { members: true, ..Readers::default() };
    Some(Arc::new(Lacks { readers, ..Lacks::clone(&lacks) })).filter(|lacks| !lacks.paths.is_empty())
}
