//! `[resource.T.exists]`: what is done when the object of a create is there already.

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::tree::Node;
use crate::mapping::{Exists, FilterPlan};
use crate::scim::filter::CompareOp;

use super::context::Context;
use super::rows::RowDraft;

/// `has_scan` says that attributes without a plan can be looked for as well.
pub(super) fn exists(
    cx: &mut Context,
    node: &Node,
    rows: &[RowDraft],
    filters: &[FilterPlan],
    has_scan: bool,
) -> Option<Exists> {
    let fields = Fields::of(&mut cx.report, node, &catalogue::EXISTS)?;
    let policies = [("conflict", false), ("adopt", true)];
    let adopt = fields.get("policy").and_then(|node| cx.report.choice(node, &policies)).unwrap_or(false);
    let matched = fields.require(&mut cx.report, "match", "the attribute that says that two are the same")?;
    let name = cx.report.word(matched)?;
    let Some(row) = rows.iter().position(|draft| draft.row.target.to_string() == name) else {
        if !cx.is_faulty_row(name) {
            let names: Vec<String> = rows.iter().map(|draft| draft.row.target.to_string()).collect();
            let message = format!("no row is about `{name}`");
            cx.report.unknown("E007", &matched.place, message, name, names.iter().map(String::as_str));
        }
        return None;
    };
    if adopt && !matches!(name, "userName" | "externalId") {
        let message = format!("an account may not be adopted by `{name}`: who can choose that value can take it over");
        let help = "adopt by `userName` or `externalId`, or say `policy = \"conflict\"`".to_owned();
        cx.report.error_help("E105", &matched.place, message, help);
    }
    let path = rows.get(row).map(|draft| draft.row.target.path.clone())?;
    let planned = filters.iter().any(|plan| plan.path == path && plan.ops.contains(&CompareOp::Eq));
    if !planned && !has_scan {
        let message = format!("nothing finds an object by `{name}`");
        let help = format!("add '{name} eq' or '*' to `filter`");
        cx.report.error_help("E106", &matched.place, message, help);
    }
    Some(Exists { row, adopt })
}
