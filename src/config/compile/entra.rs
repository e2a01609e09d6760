//! What Entra sends to whoever leaves its settings as they are, and what would come of it.

use crate::config::tree::Place;
use crate::mapping::Mapping;
use crate::mapping::row::Access;
use crate::scim::AttrPath;
use crate::scim::filter::CompareOp;

use super::context::Context;
use super::rows::RowDraft;

/// Warns of what Entra does with a type and this mapping does not stand.
pub(super) fn check(cx: &mut Context, mapping: &Mapping, rows: &[RowDraft], place: &Place) {
    match &*mapping.resource_type.name {
        "User" => {
            looked_up(cx, mapping, place, "userName");
            display_name(cx, rows);
            types(cx, rows);
        }
        "Group" => looked_up(cx, mapping, place, "displayName"),
        _ => {}
    }
}

/// It looks users up by `userName` and groups by `displayName` before it writes anything.
fn looked_up(cx: &mut Context, mapping: &Mapping, place: &Place, wanted: &str) {
    let path = AttrPath::core(wanted, None);
    let planned = mapping.filters.iter().any(|plan| plan.path == path && plan.ops.contains(&CompareOp::Eq));
    if !planned && mapping.scan.is_none() {
        let message = format!("Entra asks for `{wanted} eq`, and there is no plan for it");
        let help = format!("add '{wanted} eq' or '*' to `[resource.{}.filter]`", mapping.resource_type.name);
        cx.report.warn("W040", place, message, help);
    }
}

/// A PATCH of what can only be read is refused as a whole.
fn display_name(cx: &mut Context, rows: &[RowDraft]) {
    let path = AttrPath::core("displayName", None);
    let is_read_only = |draft: &&RowDraft| draft.row.target.path == path && draft.row.access == Access::Read;
    if let Some(draft) = rows.iter().find(is_read_only) {
        let message =
            "Entra sends `displayName` with every change of it, and a PATCH of what can only be read is refused";
        let help = "give the row a way to be written, or delete it; or take displayName out of the attribute mappings in Entra";
        cx.report.warn("W166", &draft.place, message, help.to_owned());
    }
}

/// Telephone numbers of three types are among its mappings from the beginning.
fn types(cx: &mut Context, rows: &[RowDraft]) {
    let numbers = || rows.iter().filter(|draft| &*draft.row.target.path.attribute == "phoneNumbers");
    let Some(first) = numbers().next() else { return };
    let asks_for_type = |draft: &RowDraft| draft.row.target.selector.iter().any(|(name, _)| &**name == "type");
    let is_whole = numbers().any(|draft| !asks_for_type(draft));
    // A preset does not know the application; whoever takes it as it is has no row to mend.
    let is_given = first.row.origin.source.starts_with("preset:");
    if is_whole || is_given || numbers().all(|draft| draft.row.access == Access::Read) {
        return;
    }
    let is_of = |draft: &RowDraft, kind: &str| {
        let mut selector = draft.row.target.selector.iter();
        selector
            .any(|(name, value)| &**name == "type" && value.as_str().is_some_and(|of| of.eq_ignore_ascii_case(kind)))
    };
    let lacking: Vec<&str> =
        PHONE_TYPES.into_iter().filter(|kind| !numbers().any(|draft| is_of(draft, kind))).collect();
    if lacking.is_empty() {
        return;
    }
    let message =
        format!("Entra also sends telephone numbers of type {}, which are then dropped", lacking.join(" and "));
    let help = "add rows such as 'phoneNumbers[type eq \"mobile\"].value', or take them out of the attribute mappings \
                in Entra";
    cx.report.warn("W167", &first.place, message, help.to_owned());
}

const PHONE_TYPES: [&str; 3] = ["work", "mobile", "fax"];
