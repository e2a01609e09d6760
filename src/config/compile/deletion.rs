//! `ops.delete = "off"` and `ops.delete = { set = { .. } }`: deletions that change the object instead of removing it.

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::tree::{Entry, Node, Table};
use crate::expr::Env;
use crate::mapping::{Deletion, Mapping, NativePath, Source, to_native};
use crate::scim::AttrPath;

use super::context::Context;
use super::rows::RowDraft;
use super::{codecs, coverage};

/// Whether `ops.delete` names no call, but a change. Words that mean neither are reported.
pub(super) fn is_change(cx: &mut Context, node: &Node) -> bool {
    match node.as_text() {
        Some("off") => true,
        Some("deactivate") => {
            let help = "say \"off\"".to_owned();
            cx.report.error_help("E005", &node.place, "`deactivate` is not a way to delete", help);
            true
        }
        _ => node.as_table().is_some_and(|table| table.get("set").is_some()),
    }
}

/// What a deletion writes. `node` is `ops.delete` as the resource says it.
pub(super) fn deletion(
    cx: &mut Context,
    node: Option<&Node>,
    mapping: &Mapping,
    drafts: &[RowDraft],
) -> Option<Deletion> {
    let node = node?;
    if node.as_text() == Some("off") {
        return off(cx, node, mapping, drafts);
    }
    let entry = node.as_table().and_then(|table| table.get("set"))?;
    let fields = Fields::of(&mut cx.report, node, &catalogue::DELETE_CALL)?;
    for key in fields.entries().filter(|other| other.name != "set") {
        let message = format!("`{}` is about a call, and `set` stands instead of one", key.name);
        cx.report.error("E004", &key.key, message);
    }
    if mapping.ops.update.is_none() && mapping.ops.replace.is_none() && !cx.call_missing {
        let help = "add `ops.update` or `ops.replace`, or give `ops.delete` a call".to_owned();
        cx.report.error_help("E109", &entry.key, "no call sends native fields, so nothing can be set", help);
    }
    let table = cx.report.table(&entry.value)?;
    if table.entries.is_empty() {
        cx.report.error("E109", &entry.key, "`set` names no field, so a deletion would do nothing");
    }
    set(cx, table, drafts).map(Deletion::Set)
}

/// By the write that a change of `active` would be.
fn off(cx: &mut Context, node: &Node, mapping: &Mapping, drafts: &[RowDraft]) -> Option<Deletion> {
    let active = AttrPath::core("active", None);
    let row = drafts.iter().position(|draft| draft.row.target.path == active);
    if row.is_none() && cx.is_faulty_row("active") {
        return None;
    }
    let writes = row.is_some_and(|index| can_write_false(mapping, drafts, index));
    if !writes && !cx.call_missing {
        let help = "map `active` to a native field, add a write rule for it, or give `ops.delete` a call".to_owned();
        cx.report.error_help("E108", &node.place, "nothing can write `active` as false", help);
    }
    row.filter(|_| writes).map(|row| Deletion::Off { row })
}

fn can_write_false(mapping: &Mapping, drafts: &[RowDraft], index: usize) -> bool {
    let Some(draft) = drafts.get(index).filter(|draft| draft.row.updatable() && draft.row.on_update) else {
        return false;
    };
    // Computed values depend on more than this one.
    let has_form = !matches!(draft.row.source, Source::Native { .. })
        || to_native::encode(&draft.row, &false.into(), &Env::default()).is_ok();
    has_form && coverage::sends_value(mapping, draft, 1 << index, false)
}

fn set(cx: &mut Context, table: &Table, drafts: &[RowDraft]) -> Option<Vec<(NativePath, serde_json::Value)>> {
    let fields: Vec<_> = table.entries.iter().map(|entry| field(cx, entry, drafts)).collect();
    fields.into_iter().collect()
}

fn field(cx: &mut Context, entry: &Entry, drafts: &[RowDraft]) -> Option<(NativePath, serde_json::Value)> {
    let value = codecs::literal(cx, &entry.value);
    let mut path = match NativePath::parse(&entry.name) {
        Ok(path) => path,
        Err(error) => {
            cx.report.error("E030", &entry.key, format!("not a native path: {}", error.message));
            return None;
        }
    };
    if path.is_whole() || path.is_read_only() || path.is_link() || path.header().is_some() {
        cx.report.error("E045", &entry.key, format!("`{path}` cannot be written"));
        return None;
    }
    for whole in drafts.iter().filter_map(|draft| draft.row.native_path()?.whole_field()) {
        path.send_whole(whole);
    }
    Some((path, value?))
}
