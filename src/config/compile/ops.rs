//! `[resource.T.ops]`, with what presets say about the operations it leaves out.

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::tree::{Data, Node, Table};
use crate::mapping::{Body, Call, Flow, IdRule, ListCall, Operations, Paging, Revival, Slot};
use crate::scim::ResourceType;

use super::calls::{CallSpec, call, paging, unpaged};
use super::context::Context;
use super::deletion;
use super::flow::{FlowSpec, OWN_CALL, flow};
use super::lacks;
use super::resource::Inherited;
use super::scopes::{BY_ID, CREATE, CREATE_BY_ID, REMOVAL, REQUEST, REVIVAL, WRITE_CALL};

pub(super) fn operations(
    cx: &mut Context,
    node: Option<&Node>,
    defaults: Option<&Node>,
    of: &ResourceType,
    id: &IdRule,
    inherited: &Inherited<'_>,
) -> Operations {
    let own = node.and_then(|node| Fields::of(&mut cx.report, node, &catalogue::OPERATIONS));
    let slots = Slots { own, defaults: defaults.and_then(Node::as_table), of, id, inherited };
    let list = slots.node(Slot::List).and_then(|node| slots.list(cx, node));
    slots.check_replace(cx);
    Operations {
        list,
        get: slots.node(Slot::Get).and_then(|node| slots.get(cx, node)),
        create: slots.node(Slot::Create).and_then(|node| slots.write(cx, node, Slot::Create)),
        update: slots.node(Slot::Update).and_then(|node| slots.write(cx, node, Slot::Update)),
        replace: slots.node(Slot::Replace).and_then(|node| slots.write(cx, node, Slot::Replace)),
        deletion: None,
        revival: slots.revive(cx).map(Revival::Call),
        delete: slots.node(Slot::Delete).and_then(|node| slots.write(cx, node, Slot::Delete)),
    }
}

/// The slots of one resource.
struct Slots<'s> {
    own: Option<Fields<'s>>,
    defaults: Option<&'s Table>,
    of: &'s ResourceType,
    id: &'s IdRule,
    inherited: &'s Inherited<'s>,
}

impl<'s> Slots<'s> {
    /// What is written for a slot, by the file or by a preset; `None` if the slot is not offered.
    fn node(&self, slot: Slot) -> Option<&'s Node> {
        let own = self.own.as_ref().and_then(|fields| fields.get(slot.as_str()));
        if own.and_then(Node::as_text) == Some("reject") {
            return None;
        }
        own.or_else(|| self.default(slot))
    }

    /// A preset is about a resource that has a `path`; without one it says nothing.
    fn default(&self, slot: Slot) -> Option<&'s Node> {
        self.inherited.path?;
        self.defaults?.get(slot.as_str()).map(|entry| &entry.value)
    }

    /// The call string of the preset, for a table that names no call.
    fn fallback(&self, slot: Slot) -> Option<&'s Node> {
        self.default(slot).filter(|node| matches!(node.data, Data::Text(_)))
    }

    /// Where an update sends what changed, nothing is sent back whole.
    fn check_replace(&self, cx: &mut Context) {
        let (Some(update), Some(replace)) = (self.node(Slot::Update), self.node(Slot::Replace)) else { return };
        let message = format!("`replace` ({}) is never used: `update` is there", cx.origin(&replace.place));
        let help = "`replace = \"reject\"` says that it is not; without `update`, an object is read, changed and sent back whole";
        cx.report.warn("W168", &update.place, message, help.to_owned());
    }

    fn list(&self, cx: &mut Context, node: &Node) -> Option<ListCall> {
        let spec = self.inherited.spec(Slot::List, self.of, REQUEST);
        let list = call(cx, node, &catalogue::LIST_CALL, &spec, self.fallback(Slot::List));
        cx.call_missing |= list.is_none();
        let own = self.own.as_ref().and_then(|fields| fields.get("list"));
        let mut list = list_call(cx, list?, own, self.inherited);
        if let Some(node) = own {
            lacks::lay_over(cx, &mut list, node.as_table(), &node.place);
        }
        Some(list)
    }

    fn get(&self, cx: &mut Context, node: &Node) -> Option<Call> {
        let spec = self.inherited.spec(Slot::Get, self.of, BY_ID);
        let get = call(cx, node, &catalogue::READ_CALL, &spec, self.fallback(Slot::Get));
        cx.call_missing |= get.is_none();
        get
    }

    fn write(&self, cx: &mut Context, node: &Node, slot: Slot) -> Option<Flow> {
        // A preset gives calls.
        let is_own = self.own.as_ref().is_some_and(|fields| fields.if_known(slot.as_str()).is_some());
        if slot == Slot::Delete && is_own && deletion::is_change(cx, node) {
            return None;
        }
        let has_key = self.id.derive.is_some();
        let table = node.as_table();
        // A create that consists of steps alone does not know the id, unless the adapter computes it.
        let is_made = table
            .is_none_or(|table| table.get("steps").is_none() || OWN_CALL.iter().any(|key| table.get(key).is_some()));
        let (keys, names, after) = match slot {
            Slot::Create if has_key => (&catalogue::CREATE_CALL, CREATE_BY_ID, CREATE_BY_ID),
            Slot::Create if is_made => (&catalogue::CREATE_CALL, CREATE, CREATE_BY_ID),
            Slot::Create => (&catalogue::CREATE_CALL, CREATE, CREATE),
            Slot::Delete => (&catalogue::DELETE_CALL, REMOVAL, REMOVAL),
            _ => (&catalogue::WRITE_CALL, WRITE_CALL, WRITE_CALL),
        };
        let body = if slot == Slot::Delete { Body::None } else { Body::Rows };
        let call = CallSpec { body, ..self.inherited.spec(slot, self.of, names) };
        let flow = flow(cx, node, keys, &FlowSpec { call, names: after, fallback: self.fallback(slot) });
        cx.call_missing |= flow.is_none();
        flow
    }
}

impl Slots<'_> {
    /// The call that brings a gone object back; fields that are set instead are no call.
    fn revive(&self, cx: &mut Context) -> Option<Flow> {
        let node = self.own.as_ref()?.get("revive").filter(|node| !deletion::sets_fields(node))?;
        let call = CallSpec { body: Body::None, ..self.inherited.spec(Slot::Update, self.of, REVIVAL) };
        flow(cx, node, &catalogue::REVIVE_CALL, &FlowSpec { call, names: REVIVAL, fallback: None })
    }
}

/// Adds the paging: of the list itself, of the resource, of the backend, or none.
fn list_call(cx: &mut Context, mut call: Call, node: Option<&Node>, inherited: &Inherited<'_>) -> ListCall {
    let own = node.and_then(Node::as_table).and_then(|table| table.get("paging")).map(|entry| &entry.value);
    let own: Option<Paging> = own.and_then(|node| paging(cx, node)).map(|(paging, total)| {
        if let Some(total) = total {
            call.envelope.total = total;
        }
        paging
    });
    let paging = own.or_else(|| inherited.paging.cloned()).unwrap_or_else(unpaged);
    ListCall { call, paging, lacks: None }
}
