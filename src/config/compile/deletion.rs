//! `ops.delete = "off"` and `ops.delete = { set = { .. } }`: deletions that change the object instead of removing it;
//! and `ops.revive`, which takes such a deletion back.

use crate::config::catalogue::{self, Keys};
use crate::config::read::Fields;
use crate::config::tree::{Entry, Node, Table};
use crate::expr::Env;
use crate::mapping::{Deletion, Mapping, NativePath, Revival, Source, to_native};
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
        _ => sets_fields(node),
    }
}

/// Whether a slot sets native fields instead of making a call.
pub(super) fn sets_fields(node: &Node) -> bool {
    node.as_table().is_some_and(|table| table.get("set").is_some())
}

/// The operations that depend on the rest of the mapping. `ops` is what the resource says.
pub(super) fn complete(cx: &mut Context, ops: Option<&Node>, mapping: &mut Mapping, drafts: &[RowDraft]) {
    let ops = ops.and_then(Node::as_table);
    let delete = ops.and_then(|table| table.get("delete"));
    mapping.ops.deletion = deletion(cx, delete.map(|entry| &entry.value), mapping, drafts);
    revival(cx, ops.and_then(|table| table.get("revive")), mapping, drafts);
}

/// `ops.revive`, once it is known what is gone and how it is found again.
fn revival(cx: &mut Context, entry: Option<&Entry>, mapping: &mut Mapping, drafts: &[RowDraft]) {
    let Some(entry) = entry else { return };
    if mapping.gone.is_none() {
        let help = "say what is gone: `gone = \"native.state == 'deleted'\"`".to_owned();
        cx.report.error_help("E090", &entry.key, "nothing is ever gone, so nothing can be brought back", help);
    }
    let found_by = mapping.exists.and_then(|exists| drafts.get(exists.row)).map(|draft| draft.row.target.to_string());
    if mapping.id.derive.is_none() && found_by.is_none() {
        let help = "add `exists`, with the attribute by which it is found, or `id.derive`".to_owned();
        cx.report.error_help("E106", &entry.key, "nothing finds the object that is gone", help);
    }
    let open = found_by.filter(|name| !matches!(name.as_str(), "userName" | "externalId"));
    if let Some(name) = open.filter(|_| &*mapping.resource_type.name == "User") {
        let message =
            format!("an account may not be brought back by `{name}`: who can choose that value can take it over");
        cx.report.error_help("E105", &entry.key, message, "match by `userName` or `externalId`".to_owned());
    }
    if sets_fields(&entry.value) {
        mapping.ops.revival = fields(cx, &entry.value, &catalogue::REVIVE_CALL, mapping, drafts).map(Revival::Set);
    }
}

/// What a deletion writes. `node` is `ops.delete` as the resource says it.
fn deletion(cx: &mut Context, node: Option<&Node>, mapping: &Mapping, drafts: &[RowDraft]) -> Option<Deletion> {
    let node = node?;
    if node.as_text() == Some("off") {
        return off(cx, node, mapping, drafts);
    }
    fields(cx, node, &catalogue::DELETE_CALL, mapping, drafts).map(Deletion::Set)
}

/// `{ set = { .. } }`.
fn fields(
    cx: &mut Context,
    node: &Node,
    keys: &'static Keys,
    mapping: &Mapping,
    drafts: &[RowDraft],
) -> Option<Vec<(NativePath, serde_json::Value)>> {
    let entry = node.as_table().and_then(|table| table.get("set"))?;
    let fields = Fields::of(&mut cx.report, node, keys)?;
    for key in fields.entries().filter(|other| other.name != "set") {
        let message = format!("`{}` is about a call, and `set` stands instead of one", key.name);
        cx.report.error("E004", &key.key, message);
    }
    if mapping.ops.update.is_none() && mapping.ops.replace.is_none() && !cx.call_missing {
        let help = "add `ops.update` or `ops.replace`, or make it a call".to_owned();
        cx.report.error_help("E109", &entry.key, "no call sends native fields, so nothing can be set", help);
    }
    let table = cx.report.table(&entry.value)?;
    if table.entries.is_empty() {
        cx.report.error("E109", &entry.key, "`set` names no field, so nothing would be done");
    }
    set(cx, table, drafts)
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
