//! `id`: how SCIM ids and native keys relate.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::tree::{Data, Node};
use crate::expr::{Record, Type};
use crate::mapping::{Collision, IdKind, IdMutability, IdPart, IdRule, NativePath};
use crate::scim::ResourceType;

use super::context::Context;
use super::scopes::SCIM;
use super::slots::SlotScope;
use super::store;

pub(super) fn id(cx: &mut Context, node: Option<&Node>, of: &ResourceType) -> IdRule {
    let mut rule = IdRule {
        native: NativePath::parse("id").unwrap_or_else(|_| NativePath::whole()),
        join: Vec::new(),
        encoded: false,
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
    composite(cx, &fields, &mut rule);
    if let Some(entry) = fields.entry("born") {
        cx.native_path(&entry.value);
        store::needed(cx, &entry.key, "`born`", "delete the key: nothing is kept that could outlive an object");
    }
    rule
}

/// How many fields may make a key together.
const PARTS: RangeInclusive<usize> = 2..=4;

/// `join` and `encode`.
fn composite(cx: &mut Context, fields: &Fields<'_>, rule: &mut IdRule) {
    rule.encoded = fields.get("encode").and_then(|node| cx.report.choice(node, &[("b64url", true)])).unwrap_or(false);
    let Some(entry) = fields.entry("join") else { return };
    for name in ["native", "kind", "derive", "pattern"] {
        if let Some(other) = fields.entry(name) {
            let message = format!("`{name}` is about a key of one value, and `join` makes one of several");
            cx.report.error("E004", &other.key, message);
        }
    }
    if fields.get("encode").is_none() {
        let help = "add `encode = \"b64url\"`: without it nobody could tell where a part ends".to_owned();
        cx.report.error_help(
            "E006",
            &entry.key,
            "`join` makes one id of several values, and `encode` is missing",
            help,
        );
    }
    let items = cx.report.list(&entry.value).unwrap_or_default();
    if !PARTS.contains(&items.len()) && matches!(entry.value.data, Data::List(_)) {
        cx.report.error("E115", &entry.value.place, "two to four native fields make a key together");
    }
    for item in items {
        let Some(native) = cx.native_path(item) else { continue };
        let Some(name) = native.last_name().map(Arc::from) else {
            cx.report.error("E115", &item.place, format!("`{native}` does not end in the name of a field"));
            continue;
        };
        if rule.join.iter().any(|part| part.name == name) {
            cx.report.error("E115", &item.place, format!("two parts are called `{name}`"));
            continue;
        }
        rule.join.push(IdPart { name, native });
    }
}

/// What expressions see of the keys of each type that is composite, before any of them is compiled: calls of one type
/// may be about keys of another.
pub(super) fn composites(resources: Option<&Node>, defaults: Option<&Node>, types: &[ResourceType]) -> KeyTypes {
    let below = |node: &'_ Node, name: &str| node.as_table().and_then(|table| table.get(name)).map(|e| e.value.clone());
    let resource = |name: &str| resources.and_then(|node| below(node, name));
    let default = defaults.and_then(|node| below(node, "id"));
    let mut found = KeyTypes::default();
    for of in types {
        let Some(node) = resource(&of.name) else { continue };
        let join = below(&node, "id").or_else(|| default.clone()).and_then(|id| below(&id, "join"));
        if let Some(Data::List(items)) = join.map(|node| node.data) {
            let names =
                items.iter().filter_map(|item| NativePath::parse(item.as_text()?).ok()?.last_name().map(Box::from));
            let fields = names.map(|name| (name, Type::Any)).collect();
            let key = Type::Record(Arc::new(Record { name: "id".into(), fields, closed: true, ..Record::default() }));
            found.keys.insert(of.name.to_string(), key);
        }
        let member = below(&node, "members").and_then(|members| below(&members, "of"));
        if let Some(member) = member.as_ref().and_then(Node::as_text) {
            found.members.insert(of.name.to_string(), member.to_owned());
        }
    }
    found
}

/// Composite keys by type, and the type of the members of each type.
#[derive(Debug, Default)]
pub(super) struct KeyTypes {
    keys: BTreeMap<String, Type>,
    members: BTreeMap<String, String>,
    /// `value` in the plan at hand is a key.
    pub(super) value_is_key: bool,
}

impl KeyTypes {
    /// `id` in the calls of a type.
    pub(super) fn id(&self, of: &str) -> Type {
        self.keys.get(of).cloned().unwrap_or_default()
    }

    /// `member` in the calls of a type.
    pub(super) fn member(&self, of: &str) -> Type {
        let Some(id) = self.members.get(of).and_then(|of| self.keys.get(of)) else { return Type::Any };
        let any = ["display", "native", "scim", "object"].map(|name| (name.into(), Type::Any));
        let known = [("id".into(), id.clone()), ("value".into(), Type::String)];
        let fields = any.into_iter().chain(known).collect();
        Type::Record(Arc::new(Record { name: "member".into(), fields, ..Record::default() }))
    }
}

fn collision(cx: &mut Context, node: &Node) -> Option<Collision> {
    if matches!(node.as_text(), Some("adopt" | "suffix")) {
        let message = "this answer to a collision is not supported in this version";
        let help = "use \"reject\", or \"reuse\" where an object may have several names; `exists = \"adopt\"` takes over \
                    an object that is there";
        cx.report.error_help("E002", &node.place, message, help.to_owned());
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
