//! Request bodies: structure whose leaves are templates.

use std::sync::Arc;

use serde_json::{Number, Value};

use crate::config::tree::{Data, Entry, Node, Table};
use crate::mapping::{Body, BodyNode, Slot, Spread};

use super::context::Context;
use super::slots::SlotScope;

/// A body that many calls have in common: a table, without rows.
pub(super) fn common(cx: &mut Context, node: &Node, scope: &SlotScope<'_>) -> Option<BodyNode> {
    build(cx, node, scope, Slot::List, &mut 0)
}

/// Whether it is a table of fields, which merges with another.
pub(super) fn is_table(node: &Node) -> bool {
    node.as_table().is_some_and(|table| secret(table).is_none())
}

/// `"none"`, or anything that JSON can hold.
pub(super) fn body(cx: &mut Context, node: &Node, scope: &SlotScope<'_>, slot: Slot) -> Option<Body> {
    if node.as_text() == Some("none") {
        return Some(Body::None);
    }
    let mut spreads = 0;
    let built = build(cx, node, scope, slot, &mut spreads)?;
    if spreads > 1 {
        cx.report.error("E004", &node.place, "the rows can be spread once in a body");
    }
    Some(Body::Built(built))
}

/// Depth is bounded by the TOML parser.
fn build(cx: &mut Context, node: &Node, scope: &SlotScope<'_>, slot: Slot, spreads: &mut usize) -> Option<BodyNode> {
    match &node.data {
        Data::Text(_) => {
            cx.may_generate = slot == Slot::Create;
            let template = cx.template(node, scope);
            cx.may_generate = false;
            let template = template?;
            let constant = template.constant().map(|text| BodyNode::Literal(Value::from(text)));
            Some(constant.filter(|_| !template.source().contains('{')).unwrap_or(BodyNode::Leaf(template)))
        }
        Data::Int(number) => Some(BodyNode::Literal(Value::from(*number))),
        Data::Float(number) => {
            let finite = Number::from_f64(*number);
            if finite.is_none() {
                cx.report.error("E004", &node.place, "JSON has no such number");
            }
            finite.map(|number| BodyNode::Literal(Value::Number(number)))
        }
        Data::Bool(value) => Some(BodyNode::Literal(Value::Bool(*value))),
        Data::List(items) => {
            let built: Vec<_> = items.iter().map(|item| build(cx, item, scope, slot, spreads)).collect();
            built.into_iter().collect::<Option<Vec<_>>>().map(BodyNode::Array)
        }
        Data::Table(table) => match secret(table) {
            Some(reference) => cx.secret(reference).map(BodyNode::Secret),
            None => object(cx, table, scope, slot, spreads),
        },
        Data::Date => {
            cx.report.error("E003", &node.place, "JSON has no dates: write a string");
            None
        }
        Data::Broken => None,
    }
}

/// `{ secret = "env:X" }`. A field of that name is `{ secret = { secret = "env:X" } }`.
fn secret(table: &Table) -> Option<&Node> {
    match table.entries.as_slice() {
        [entry] if entry.name == "secret" && entry.value.as_text().is_some() => Some(&entry.value),
        _ => None,
    }
}

fn object(cx: &mut Context, table: &Table, scope: &SlotScope<'_>, slot: Slot, spreads: &mut usize) -> Option<BodyNode> {
    let mut fields = Vec::with_capacity(table.entries.len());
    let mut spread = None;
    let mut fine = true;
    for entry in &table.entries {
        if entry.name == "..." {
            *spreads += 1;
            spread = self::spread(cx, entry, slot);
            fine &= spread.is_some();
            continue;
        }
        cx.names.add(&entry.name, entry.key.clone());
        match build(cx, &entry.value, scope, slot, spreads) {
            Some(node) => fields.push((Arc::from(entry.name.as_str()), node)),
            None => fine = false,
        }
    }
    fine.then_some(BodyNode::Object { fields, spread })
}

fn spread(cx: &mut Context, entry: &Entry, slot: Slot) -> Option<Spread> {
    if !matches!(slot, Slot::Create | Slot::Update | Slot::Replace) {
        cx.report.error("E042", &entry.key, "there are no rows to spread in this call");
        return None;
    }
    cx.report.choice(&entry.value, &[("mapped", Spread::Mapped), ("changed", Spread::Changed)])
}

/// A body laid over another: tables merge, everything else is replaced.
pub(super) fn merged(base: Body, over: Body) -> Body {
    match (base, over) {
        (Body::Built(base), Body::Built(over)) => Body::Built(merged_node(base, over)),
        (_, over) => over,
    }
}

fn merged_node(base: BodyNode, over: BodyNode) -> BodyNode {
    match (base, over) {
        (BodyNode::Object { fields: mut base, spread }, BodyNode::Object { fields: over, spread: more }) => {
            for (name, node) in over {
                match base.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, old)) => *old = merged_node(old.clone(), node),
                    None => base.push((name, node)),
                }
            }
            BodyNode::Object { fields: base, spread: spread.or(more) }
        }
        (_, over) => over,
    }
}
