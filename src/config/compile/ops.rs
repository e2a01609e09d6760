//! `[resource.T.ops]`, with what presets say about the operations it leaves out.

use crate::config::catalogue::{self, Keys};
use crate::config::read::Fields;
use crate::config::tree::{Data, Node};
use crate::mapping::{Body, IdRule, ListCall, Operations, Paging, Slot};
use crate::scim::ResourceType;

use super::calls::{CallSpec, call, paging, unpaged};
use super::context::Context;
use super::resource::Inherited;
use super::slots::{BY_ID, CREATE, CREATE_BY_ID, REMOVAL, REQUEST, WRITE_CALL};

pub(super) fn operations(
    cx: &mut Context,
    node: Option<&Node>,
    defaults: Option<&Node>,
    of: &ResourceType,
    id: &IdRule,
    inherited: &Inherited<'_>,
) -> Operations {
    let own = node.and_then(|node| Fields::of(&mut cx.report, node, &catalogue::OPERATIONS));
    let default =
        |name: &str| defaults.and_then(Node::as_table).and_then(|table| table.get(name)).map(|entry| &entry.value);
    let mut slot = |name: &str, slot: Slot| -> Option<crate::mapping::Call> {
        let own = own.as_ref().and_then(|fields| fields.get(name));
        if own.and_then(Node::as_text) == Some("reject") {
            return None;
        }
        // A preset is about a resource that has a `path`; without one it says nothing.
        let default = default(name).filter(|_| inherited.path.is_some());
        let node = own.or(default)?;
        let keys = match slot {
            Slot::List => &catalogue::LIST_CALL,
            Slot::Create | Slot::Update | Slot::Replace => &catalogue::WRITE_CALL,
            _ => &catalogue::READ_CALL,
        };
        let call = operation(cx, node, keys, default, of, id, inherited, slot);
        cx.call_missing |= call.is_none();
        call
    };
    let list = slot("list", Slot::List);
    let found = Operations {
        list: None,
        get: slot("get", Slot::Get),
        create: slot("create", Slot::Create),
        update: slot("update", Slot::Update),
        replace: slot("replace", Slot::Replace),
        delete: slot("delete", Slot::Delete),
    };
    let list_node = own.as_ref().and_then(|fields| fields.get("list"));
    let list = list.map(|call| list_call(cx, call, list_node, inherited));
    Operations { list, ..found }
}

#[expect(clippy::too_many_arguments, reason = "one call site; a struct would only rename the parameters")]
fn operation(
    cx: &mut Context,
    node: &Node,
    keys: &'static Keys,
    default: Option<&Node>,
    of: &ResourceType,
    id: &IdRule,
    inherited: &Inherited<'_>,
    slot: Slot,
) -> Option<crate::mapping::Call> {
    if let Some(policy) = node.as_text().filter(|text| matches!(*text, "deactivate" | "off")) {
        cx.report.error("E002", &node.place, format!("`{policy}` is not supported in this version"));
        return None;
    }
    let (names, body) = match slot {
        Slot::List => (REQUEST, Body::None),
        Slot::Get => (BY_ID, Body::None),
        Slot::Create if id.derive.is_some() => (CREATE_BY_ID, Body::Rows),
        Slot::Create => (CREATE, Body::Rows),
        Slot::Delete => (REMOVAL, Body::None),
        _ => (WRITE_CALL, Body::Rows),
    };
    let spec = CallSpec { body, ..inherited.spec(slot, of, names) };
    call(cx, node, keys, &spec, default.filter(|default| matches!(default.data, Data::Text(_))))
}

/// Adds the paging: of the list itself, of the resource, of the backend, or none.
fn list_call(
    cx: &mut Context,
    mut call: crate::mapping::Call,
    node: Option<&Node>,
    inherited: &Inherited<'_>,
) -> ListCall {
    let own = node.and_then(Node::as_table).and_then(|table| table.get("paging")).map(|entry| &entry.value);
    let own: Option<Paging> = own.and_then(|node| paging(cx, node)).map(|(paging, total)| {
        if let Some(total) = total {
            call.envelope.total = total;
        }
        paging
    });
    let paging = own.or_else(|| inherited.paging.cloned()).unwrap_or_else(unpaged);
    ListCall { call, paging }
}
