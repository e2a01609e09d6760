//! Two rows over one thing: on the native side neither could be trusted, on the SCIM side one would hide the other.

use crate::mapping::{Access, RowSet, Target};

use super::context::Context;
use super::rows::RowDraft;

/// The rows that meet others.
pub(super) fn check(cx: &mut Context, drafts: &[RowDraft]) -> RowSet {
    let mut met: RowSet = 0;
    for (index, draft) in drafts.iter().enumerate() {
        for (at, other) in drafts.iter().enumerate().take(index) {
            let before = cx.report.count();
            native(cx, other, draft);
            if targets_overlap(&other.row.target, &draft.row.target) {
                let message = format!(
                    "`{}` and `{}` (line {}) are about the same attribute",
                    draft.row.target, other.row.target, other.row.origin.line
                );
                cx.report.error("E035", &draft.place, message);
            }
            if cx.report.count() != before {
                met |= 1 << index | 1 << at;
            }
        }
    }
    met
}

fn native(cx: &mut Context, first: &RowDraft, second: &RowDraft) {
    let together = (first.row.on_create && second.row.on_create) || (first.row.on_update && second.row.on_update);
    if !together || !writes(first) || !writes(second) {
        return;
    }
    let (Some(a), Some(b)) = (first.row.native_path(), second.row.native_path()) else { return };
    if !a.overlaps(b) {
        return;
    }
    let message = format!(
        "`{}` and `{}` (line {}) both write the native field `{b}`",
        second.row.target, first.row.target, first.row.origin.line
    );
    let help = "PUT followed by GET could not return both values: make one of them `access = \"mirror\"`".to_owned();
    cx.report.error_help("E012", &second.place, message, help);
}

fn writes(draft: &RowDraft) -> bool {
    matches!(draft.row.access, Access::Both | Access::Write | Access::Create)
}

fn targets_overlap(a: &Target, b: &Target) -> bool {
    let subs_apart = matches!((&a.path.sub, &b.path.sub), (Some(a), Some(b)) if a != b);
    if !a.path.same_attribute(&b.path) {
        return false;
    }
    if a.selector.is_empty() || b.selector.is_empty() {
        return !subs_apart;
    }
    // Different fields (`type`, `primary`) may select one element or two; only equal selectors surely meet.
    let same = a.selector.iter().all(|constant| b.selector.contains(constant)) && a.selector.len() == b.selector.len();
    same && !subs_apart
}
