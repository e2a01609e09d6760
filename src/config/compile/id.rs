//! `id`: how SCIM ids and native keys relate.

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::tree::Node;
use crate::mapping::{Collision, IdKind, IdMutability, IdRule, NativePath};
use crate::scim::ResourceType;

use super::context::Context;
use super::slots::{SCIM, SlotScope};
use super::store;

pub(super) fn id(cx: &mut Context, node: Option<&Node>, of: &ResourceType) -> IdRule {
    let mut rule = IdRule {
        native: NativePath::parse("id").unwrap_or_else(|_| NativePath::whole()),
        kind: IdKind::String,
        derive: None,
        collision: Collision::Native,
        mutable: IdMutability::Keep,
        pattern: None,
    };
    let Some(node) = node else { return rule };
    if node.as_text().is_some() {
        rule.native = cx.native_path(node).unwrap_or(rule.native);
        return rule;
    }
    let Some(fields) = Fields::of(&mut cx.report, node, &catalogue::ID) else { return rule };
    rule.native = fields.get("native").and_then(|node| cx.native_path(node)).unwrap_or(rule.native);
    let kinds = [("string", IdKind::String), ("int", IdKind::Int)];
    rule.kind = fields.get("kind").and_then(|node| cx.report.choice(node, &kinds)).unwrap_or(rule.kind);
    rule.derive = fields.get("derive").and_then(|node| cx.text_template(node, &SlotScope::of(SCIM, of)));
    if let Some(node) = fields.get("collision") {
        rule.collision = collision(cx, node).unwrap_or(rule.collision);
        if fields.get("derive").is_none() {
            cx.report.error("E004", &node.place, "`collision` is about derived keys, and `derive` is missing");
        }
    }
    if let Some(node) = fields.get("mutable") {
        rule.mutable = mutable(cx, node).unwrap_or(rule.mutable);
    }
    rule.pattern = fields.get("pattern").and_then(|node| cx.anchored(node));
    if let Some(entry) = fields.entry("born") {
        cx.native_path(&entry.value);
        store::needed(cx, &entry.key, "`born`", "delete the key: nothing is kept that could outlive an object");
    }
    rule
}

fn collision(cx: &mut Context, node: &Node) -> Option<Collision> {
    if matches!(node.as_text(), Some("adopt" | "suffix")) {
        cx.report.error("E002", &node.place, "this answer to a collision is not supported in this version");
        return None;
    }
    let names = [("native", Collision::Native), ("reject", Collision::Reject), ("reuse", Collision::Reuse)];
    cx.report.choice(node, &names)
}

fn mutable(cx: &mut Context, node: &Node) -> Option<IdMutability> {
    let names = [("keep", Some(IdMutability::Keep)), ("reject", Some(IdMutability::Reject)), ("pin", None)];
    let chosen = cx.report.choice(node, &names)?;
    if chosen.is_none() {
        let help = "take a native key that outlives renames, or forbid them with `mutable = \"reject\"`";
        store::needed(cx, &node.place, "`mutable = \"pin\"`", help);
    }
    chosen
}
