//! Whether calls and rows fit together: every writable row is sent by some call, every required attribute can be set.

use serde_json::Value;

use crate::config::tree::Place;
use crate::expr::{Env, Expr, Name};
use crate::mapping::part::Part;
use crate::mapping::{
    Access, Body, BodyNode, Call, Flow, IdRule, Mapping, Phase, Row, RowSet, Source, Target, WriteRule,
};
use crate::scim::{AttributeType, Resource};

use super::context::Context;
use super::rows::RowDraft;
use super::slots::scim_path;

pub(super) fn check(cx: &mut Context, mapping: &Mapping, drafts: &[RowDraft], place: &Place) {
    let by_rules = |wanted: fn(&crate::mapping::WriteRule) -> bool| -> RowSet {
        mapping.writes.iter().filter(|rule| wanted(rule)).fold(0, |set, rule| set | rule.rows)
    };
    let (rules_create, rules_update) = (by_rules(|rule| rule.on_create), by_rules(|rule| rule.on_update));
    for (index, draft) in drafts.iter().enumerate() {
        let bit: RowSet = 1 << index;
        both_values(cx, mapping, draft, bit);
        let before = cx.report.count();
        one_way(cx, draft, rules_update & bit != 0);
        if cx.report.count() != before {
            continue;
        }
        let (row, target) = (&draft.row, &draft.row.target);
        let sent_on_update = rules_update & bit != 0 || updates_send(mapping, row);
        if row.updatable() && row.on_update && !sent_on_update && !cx.call_missing {
            let message = format!("no call sends `{target}` on update");
            let help =
                "add it to a call or a write rule, or say `access = \"create\"` or `access = \"read\"`".to_owned();
            cx.report.error_help("E025", &draft.place, message, help);
        }
        let writable = matches!(row.access, Access::Both | Access::Write | Access::Create);
        let sent_on_create = rules_create & bit != 0
            || mapping.ops.create.as_ref().is_none_or(|create| create_sends(create, mapping, row));
        if writable && row.on_create && !sent_on_create && !cx.call_missing {
            let message = format!("no call sends `{target}` on create");
            let help = "name it in the body, let `then = \"update\"` follow, or say `on = [\"update\"]`".to_owned();
            cx.report.error_help("E025", &draft.place, message, help);
        }
    }
    required(cx, mapping, drafts, place);
}

/// A row that only knows one direction, although it is said to have two.
fn one_way(cx: &mut Context, draft: &RowDraft, claimed: bool) {
    let Source::Computed { read, write, .. } = &draft.row.source else { return };
    let target = &draft.row.target;
    match (read.is_some(), write.is_some(), draft.row.access) {
        (true, false, Access::Both | Access::Create) if !claimed => {
            let message = format!("`{target}` has `read` and no `write`");
            let help = "add `write`, let a write rule claim it, or say `access = \"read\"`".to_owned();
            cx.report.error_help("E013", &draft.place, message, help);
        }
        (false, true, Access::Both | Access::Create) => {
            let message = format!("`{target}` has `write` and no `read`");
            cx.report.error_help("E013", &draft.place, message, "add `read`, or say `access = \"write\"`".to_owned());
        }
        (true, false, Access::Mirror) if draft.row.lossy.is_none() => {
            let message =
                format!("`{target}` is computed, so what clients write is ignored: state `lossy = \"reason\"`");
            cx.report.error("E013", &draft.place, message);
        }
        _ => {}
    }
}

fn updates_send(mapping: &Mapping, row: &Row) -> bool {
    let own = [&mapping.ops.update, &mapping.ops.replace].into_iter().flatten();
    match part_of(mapping, row) {
        None => own.into_iter().any(|flow| sends(flow, mapping, row)),
        // The object's own calls send a row of a part only by name.
        Some(part) => {
            part.update.as_ref().is_some_and(|flow| sends(flow, mapping, row))
                || own.into_iter().any(|flow| names(flow, mapping, row))
        }
    }
}

fn part_of<'m>(mapping: &'m Mapping, row: &Row) -> Option<&'m Part> {
    let path = row.native_path()?;
    mapping.parts.iter().find(|part| part.holds(path))
}

/// Whether a call of a flow names the attribute of a row.
pub(super) fn names(flow: &Flow, mapping: &Mapping, row: &Row) -> bool {
    mentions(&flow.paths(Name::Scim), mapping, &row.target)
}

fn create_sends(create: &Flow, mapping: &Mapping, row: &Row) -> bool {
    let by_key = create.uses(Name::Id) && derives_from(&mapping.id, mapping, &row.target);
    if let Some(part) = part_of(mapping, row) {
        // What a part takes follows the create.
        let followed = row.on_update && row.updatable() && part.update.is_some() && updates_send(mapping, row);
        return followed || by_key || names(create, mapping, row);
    }
    sends(create, mapping, row) || by_key || (create.then.contains(&Phase::Update) && updates_send(mapping, row))
}

/// Rules that together are silent about one value of a boolean, which no other call sends: whoever asks for it is told
/// that it worked.
fn both_values(cx: &mut Context, mapping: &Mapping, draft: &RowDraft, bit: RowSet) {
    let (row, target) = (&draft.row, &draft.row.target);
    let about = |rule: &&WriteRule| rule.rows & bit != 0;
    if target.kind != AttributeType::Boolean || !row.updatable() || !row.on_update || updates_send(mapping, row) {
        return;
    }
    if !mapping.writes.iter().filter(about).any(|rule| rule.on_update) || cx.call_missing {
        return;
    }
    for value in [true, false] {
        if !sends_value(mapping, draft, bit, value) {
            let message = format!("no call sends `{target}` when it becomes {value}");
            let attribute = match &target.path.extension {
                None => format!("scim.{target}"),
                Some(urn) => format!("scim['{urn}'].{}", target.path.attribute),
            };
            let help = format!("add a write rule with `when = \"{attribute} == {value}\"`, or let `update` send it");
            cx.report.warn("W181", &draft.place, message, help);
        }
    }
}

/// Whether some call on update may send this value of a boolean.
pub(super) fn sends_value(mapping: &Mapping, draft: &RowDraft, bit: RowSet, value: bool) -> bool {
    let target = &draft.row.target;
    let mut resource = Resource::default();
    target.write(&mut resource, Value::Bool(value));
    let scim = Value::Object(resource.0);
    let env = Env { scim: Some(&scim), ..Env::default() };
    let may_send = |rule: &WriteRule| match &rule.when {
        // What depends on more than the value may hold.
        Some(when) if !is_about(when, mapping, target) => true,
        Some(when) => when.test(&env).unwrap_or(true),
        None => true,
    };
    let mut rules = mapping.writes.iter().filter(|rule| rule.on_update && rule.rows & bit != 0);
    rules.any(may_send) || updates_send(mapping, &draft.row)
}

/// Whether a condition reads this attribute and nothing else.
fn is_about(when: &Expr, mapping: &Mapping, target: &Target) -> bool {
    let others = [Name::Old, Name::Native, Name::Id, Name::Req, Name::Mapped, Name::Changed, Name::Steps];
    let paths = when.field_paths(Name::Scim);
    let own = paths.iter().all(|path| mentions(std::slice::from_ref(path), mapping, target));
    own && !others.iter().any(|name| when.uses(*name)) && !when.uses_variables()
}

fn derives_from(id: &IdRule, mapping: &Mapping, target: &Target) -> bool {
    let paths = id.derive.as_ref().map_or(Vec::new(), |derive| derive.field_paths(Name::Scim));
    mentions(&paths, mapping, target)
}

/// Whether a call of a flow carries a row: with all the rows, or by name.
fn sends(flow: &Flow, mapping: &Mapping, row: &Row) -> bool {
    let with_rows = flow.calls().any(carries_rows) || flow.uses(Name::Mapped) || flow.uses(Name::Changed);
    // A row without a `write` has no native form of its own.
    let has_form = !matches!(row.source, Source::Computed { write: None, .. });
    (with_rows && has_form) || mentions(&flow.paths(Name::Scim), mapping, &row.target)
}

fn carries_rows(call: &Call) -> bool {
    match &call.body {
        Body::None => false,
        Body::Rows => true,
        Body::Built(node) => spreads(node),
    }
}

fn mentions(paths: &[Vec<String>], mapping: &Mapping, target: &Target) -> bool {
    paths.iter().any(|path| {
        let Some((attribute, _)) = scim_path(path, &mapping.resource_type) else { return true };
        let resolved = mapping.resource_type.resolve_attribute(&attribute);
        resolved.is_ok_and(|resolved| resolved.path.same_attribute(&target.path))
    })
}

fn spreads(node: &BodyNode) -> bool {
    match node {
        BodyNode::Object { fields, spread } => spread.is_some() || fields.iter().any(|(_, node)| spreads(node)),
        BodyNode::Array(items) => items.iter().any(spreads),
        _ => false,
    }
}

/// Attributes that RFC 7643 or the author requires must be settable when a resource is made.
fn required(cx: &mut Context, mapping: &Mapping, drafts: &[RowDraft], place: &Place) {
    let of = &mapping.resource_type;
    if mapping.ops.create.is_none() {
        return;
    }
    for attribute in of.schema.attributes.iter().filter(|attribute| attribute.required) {
        let mapped = drafts.iter().any(|draft| {
            draft.row.target.path.extension.is_none() && draft.row.target.path.attribute == attribute.name
        });
        if !mapped && !cx.is_faulty_row(&attribute.name) {
            let message = format!("`{}` is required in SCIM, and no row holds it", attribute.name);
            cx.report.error("E023", place, message);
        }
    }
    for draft in drafts.iter().filter(|draft| draft.row.required && draft.row.access == Access::Read) {
        let message = format!("`{}` is required and cannot be written", draft.row.target);
        cx.report.error("E023", &draft.place, message);
    }
}

/// Whether any part of a call reads a name.
pub(super) fn call_uses(call: &Call, name: Name) -> bool {
    let mut used = false;
    call.each_template(&mut |template| used |= template.uses(name));
    used
}
