//! `[lint]`: warnings that the author accepts, each with a reason.

use crate::config::catalogue;
use crate::config::codes::CODES;
use crate::config::read::Fields;
use crate::config::tree::Node;

use super::context::Context;

pub(super) fn lint(cx: &mut Context, node: Option<&Node>) {
    let Some(fields) = node.and_then(|node| Fields::of(&mut cx.report, node, &catalogue::LINT)) else { return };
    let table = fields.get("allow").and_then(|node| cx.report.table(node));
    for entry in table.map_or(&[][..], |table| &table.entries) {
        // The reason is for the next reader; it only has to be there.
        cx.report.word(&entry.value);
        let code = entry.name.as_str();
        if !CODES.iter().any(|(known, _)| *known == code) {
            let warnings = CODES.iter().map(|(code, _)| *code).filter(|code| code.starts_with('W'));
            cx.report.unknown("E204", &entry.key, format!("there is no warning `{code}`"), code, warnings);
        } else if code.starts_with('E') {
            cx.report.error("E204", &entry.key, format!("`{code}` is an error: the file cannot be used with it"));
        } else {
            cx.report.allow(code, &entry.key);
        }
    }
}
