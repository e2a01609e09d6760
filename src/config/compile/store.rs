//! What needs a store: keys of the language that this version reads and refuses.
//!
//! In: a use of one. Out: one error that says what to do instead.

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::tree::{Entry, Node, Place};

use super::context::Context;

/// `[store]` itself.
pub(super) fn table(cx: &mut Context, entry: Option<&Entry>) {
    let Some(entry) = entry else { return };
    Fields::of(&mut cx.report, &entry.value, &catalogue::STORE);
    cx.report.error_help(
        "E107",
        &entry.key,
        "this version of the adapter keeps nothing, so there is no store to configure",
        "delete the table, and let the application hold what it was for".to_owned(),
    );
}

/// A use of a store, and what serves instead.
pub(super) fn needed(cx: &mut Context, place: &Place, what: &str, instead: &str) {
    let message = format!("{what} needs a store, which this version does not have");
    cx.report.error_help("E107", place, message, instead.to_owned());
}

/// `off = "tombstone"`, and its old spelling.
pub(super) fn tombstone(cx: &mut Context, fields: &Fields<'_>) {
    const INSTEAD: &str = "map `active` to a native field, or leave `active` out and let DELETE remove the object";
    if let Some(node) = word(cx, fields.get("off")) {
        needed(cx, &node.place, "`off = \"tombstone\"`", INSTEAD);
    }
    if let Some(entry) = fields.entry("deactivate")
        && word(cx, Some(&entry.value)).is_some()
    {
        let help = format!("`deactivate` is now called `off`; instead of either, {INSTEAD}");
        needed(cx, &entry.key, "`deactivate = \"tombstone\"`", &help);
    }
}

fn word<'n>(cx: &mut Context, node: Option<&'n Node>) -> Option<&'n Node> {
    node.filter(|node| cx.report.choice(node, &[("tombstone", ())]).is_some())
}

/// `store = true` on a row; whether it stands there.
pub(super) fn row(cx: &mut Context, fields: &Fields<'_>, name: &str) -> bool {
    let stored = fields.get("store").filter(|node| cx.report.boolean(node) == Some(true));
    if let Some(node) = stored {
        let help = format!("give `{name}` a place in the application, such as a column of its own, or delete the row");
        needed(cx, &node.place, "`store = true`", &help);
    }
    stored.is_some()
}
