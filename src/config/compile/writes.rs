//! `[[resource.T.write]]`: calls of their own for some attributes.

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::tree::Node;
use crate::mapping::{Body, Order, RowSet, Slot, WriteRule};
use crate::scim::ResourceType;

use super::calls::CallSpec;
use super::context::Context;
use super::flow::{FlowSpec, flow_table};
use super::resource::Inherited;
use super::rows::RowDraft;
use super::scopes::WRITE_CALL;
use super::slots::SlotScope;

pub(super) fn writes(
    cx: &mut Context,
    node: Option<&Node>,
    of: &ResourceType,
    rows: &[RowDraft],
    inherited: &Inherited<'_>,
) -> Vec<WriteRule> {
    let items = node.and_then(|node| cx.report.list(node)).unwrap_or(&[]);
    let rules: Vec<Option<WriteRule>> = items.iter().map(|item| write(cx, item, of, rows, inherited)).collect();
    cx.call_missing |= rules.iter().any(Option::is_none);
    rules.into_iter().flatten().collect()
}

fn write(
    cx: &mut Context,
    node: &Node,
    of: &ResourceType,
    rows: &[RowDraft],
    inherited: &Inherited<'_>,
) -> Option<WriteRule> {
    let fields = Fields::of(&mut cx.report, node, &catalogue::WRITE_RULE)?;
    let scope = SlotScope::of(WRITE_CALL, of);
    let attrs = fields.require(&mut cx.report, "attrs", "the attributes the rule is about");
    let set = attrs.map_or(0, |node| row_set(cx, node, of, rows));
    let when = fields.get("when").map(|node| cx.condition(node, &scope));
    let (on_create, on_update) = fields.get("on").map_or((false, true), |node| occasions(cx, node));
    let claims = fields.get("claims").and_then(|node| cx.report.boolean(node)).unwrap_or(true);
    let orders = [("before", Order::Before), ("after", Order::After)];
    let order = fields.get("order").and_then(|node| cx.report.choice(node, &orders)).unwrap_or(if claims {
        Order::After
    } else {
        // Its attributes go out last, so that a retry after a failure still finds them different.
        Order::Before
    });
    let spec = CallSpec { scope, body: Body::None, ..inherited.spec(Slot::Update, of, WRITE_CALL) };
    let flow = flow_table(cx, node, &fields, &FlowSpec { call: spec, names: WRITE_CALL, fallback: None })?;
    let when = when.map_or(Some(None), |when| when.map(Some))?;
    Some(WriteRule { rows: set, on_create, on_update, when, flow, claims, order, origin: cx.origin(&node.place) })
}

fn row_set(cx: &mut Context, node: &Node, of: &ResourceType, rows: &[RowDraft]) -> RowSet {
    let mut set: RowSet = 0;
    for item in cx.report.list(node).unwrap_or(&[]) {
        let Some(name) = cx.report.text(item) else { continue };
        let path = of.resolve_attribute(name).ok().map(|resolved| resolved.path);
        let mut found = false;
        for (index, draft) in rows.iter().enumerate() {
            let target = &draft.row.target;
            // `emails` claims every row below it.
            let below = path
                .as_ref()
                .is_some_and(|path| target.path == *path || (path.sub.is_none() && target.path.same_attribute(path)));
            if below || target.to_string() == name {
                set |= 1 << index;
                found = true;
            }
        }
        if !found && !cx.is_faulty_row(name) {
            let names: Vec<String> = rows.iter().map(|draft| draft.row.target.to_string()).collect();
            let message = format!("no row is about `{name}`");
            cx.report.unknown("E007", &item.place, message, name, names.iter().map(String::as_str));
        }
    }
    set
}

/// `on = ["create", "update"]`.
pub(super) fn occasions(cx: &mut Context, node: &Node) -> (bool, bool) {
    let (mut create, mut update) = (false, false);
    for item in cx.report.list(node).unwrap_or(&[]) {
        match cx.report.choice(item, &[("create", true), ("update", false)]) {
            Some(true) => create = true,
            Some(false) => update = true,
            None => return (true, true),
        }
    }
    if !create && !update {
        cx.report.error("E004", &node.place, "name \"create\", \"update\" or both");
    }
    (create, update)
}
