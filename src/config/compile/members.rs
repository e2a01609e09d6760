//! `[resource.T.members]`: membership, and the `groups` of a member seen from the other side.

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::tree::{Node, Place};
use crate::expr::{Expr, Name, Scope, Template};
use crate::mapping::members::{InverseSource, MemberSource};
use crate::mapping::{
    Body, Call, Extract, Inverse, ListCall, MemberCall, Members, Missing, MissingPolicy, NativePath, Slot,
};
use crate::scim::{AttrPath, ResourceType};

use super::calls::{CallSpec, EnvelopeParts, call, call_table, envelope, extract, paging, unpaged};
use super::context::Context;
use super::resource::Inherited;
use super::slots::{BATCH, BY_ID, MEMBER, MEMBER_ONLY, REPLY, SlotScope};
use super::target::split_error;

pub(super) fn members(
    cx: &mut Context,
    node: &Node,
    of: &ResourceType,
    types: &[ResourceType],
    inherited: &Inherited<'_>,
) -> Option<(Members, Option<Inverse>)> {
    if of.schema.attribute("members").is_none() {
        cx.report.error("E010", &node.place, format!("`{}` has no attribute `members`", of.name));
        return None;
    }
    let fields = Fields::of(&mut cx.report, node, &catalogue::MEMBERS)?;
    let member_type = fields.require(&mut cx.report, "of", "the resource type of the members");
    let member_type = member_type.and_then(|node| member_of(cx, node, types));
    // A member list starts from the backend's envelope, not from the group's.
    let base = Inherited { envelope: inherited.backend_envelope.clone(), ..inherited.clone() };
    let source = source(cx, &fields, of, &base);
    let add = change(cx, fields.get("add"), Slot::MembersAdd, of, &base);
    let remove = change(cx, fields.get("remove"), Slot::MembersRemove, of, &base);
    let set = fields.get("set").and_then(|node| {
        let spec = CallSpec { body: Body::None, ..base.spec(Slot::MembersSet, of, BATCH) };
        call(cx, node, &catalogue::SET, &spec, None)
    });
    let missing = fields.get("missing").map_or(Some(nothing_missing()), |node| missing(cx, node, member_type));
    let diff = [("always", true), ("needed", false)];
    let always_diff = fields.get("diff").and_then(|node| cx.report.choice(node, &diff)).unwrap_or(false);
    let allow_clear = fields.get("allow_clear").and_then(|node| cx.report.boolean(node)).unwrap_or(false);
    let parallel = fields.get("parallel").and_then(|node| cx.report.integer(node, 1..=64)).unwrap_or(4);
    let inverse = fields.get("inverse").and_then(|node| inverse(cx, node, of, member_type, &base));
    let (source, value, display) = source?;
    let members = Members {
        of: member_type?.name.to_string(),
        source,
        value,
        display,
        add,
        remove,
        set,
        missing: missing?,
        allow_clear,
        always_diff,
        parallel: usize::try_from(parallel).unwrap_or(4),
        origin: cx.origin(&node.place),
    };
    Some((members, inverse))
}

fn member_of<'t>(cx: &mut Context, node: &Node, types: &'t [ResourceType]) -> Option<&'t ResourceType> {
    let name = cx.report.text(node)?;
    let found = types.iter().find(|of| *of.name == *name);
    if found.is_none() {
        let names = types.iter().map(|of| &*of.name);
        cx.report.unknown("E007", &node.place, format!("there is no `[resource.{name}]`"), name, names);
    }
    found
}

type SourceParts = (MemberSource, Extract, Option<Extract>);

fn source(cx: &mut Context, fields: &Fields<'_>, of: &ResourceType, inherited: &Inherited<'_>) -> Option<SourceParts> {
    match (fields.entry("native"), fields.get("list")) {
        (Some(native), None) => {
            let path = cx.native_path(&native.value)?;
            let value = fields.get("value").map_or(Some(whole()), |node| extract(cx, node));
            let display = fields.get("display").and_then(|node| extract(cx, node));
            Some((MemberSource::Native(path), value?, display))
        }
        (None, Some(list)) => member_list(cx, list, fields, of, inherited),
        (Some(native), Some(_)) => {
            cx.report.error("E004", &native.key, "members are read from `native` or from `list`, not from both");
            None
        }
        (None, None) => {
            let message = "how are the members read? `native` or `list` is missing";
            cx.report.error("E006", fields.place, message);
            None
        }
    }
}

fn member_list(
    cx: &mut Context,
    node: &Node,
    outer: &Fields<'_>,
    of: &ResourceType,
    inherited: &Inherited<'_>,
) -> Option<SourceParts> {
    let spec = CallSpec { body: Body::None, ..inherited.spec(Slot::MembersList, of, BY_ID) };
    let inner = node.as_table().and_then(|_| Fields::of(&mut cx.report, node, &catalogue::MEMBER_LIST));
    let mut list = match &inner {
        Some(fields) => call_table(cx, node, fields, &spec, None),
        None => call(cx, node, &catalogue::MEMBER_LIST, &spec, None),
    };
    let field = |key: &str| inner.as_ref().and_then(|fields| fields.get(key)).or_else(|| outer.get(key));
    let value = field("value").map_or(Some(whole()), |node| extract(cx, node));
    let display = field("display").and_then(|node| extract(cx, node));
    let own = inner.as_ref().and_then(|fields| fields.get("paging")).and_then(|node| paging(cx, node));
    if let (Some((_, Some(total))), Some(list)) = (&own, &mut list) {
        list.envelope.total = total.clone();
    }
    let paging = own.map(|(paging, _)| paging).or_else(|| inherited.backend_paging.cloned()).unwrap_or_else(unpaged);
    Some((MemberSource::List(Box::new(ListCall { call: list?, paging })), value?, display))
}

fn whole() -> Extract {
    Extract { native: NativePath::whole(), codec: Vec::new() }
}

fn change(
    cx: &mut Context,
    node: Option<&Node>,
    slot: Slot,
    of: &ResourceType,
    inherited: &Inherited<'_>,
) -> Option<MemberCall> {
    let node = node?;
    let batch = node.as_table().and_then(|table| table.get("batch"));
    let names = if batch.is_some() { BATCH } else { MEMBER };
    let spec = CallSpec { body: Body::None, ..inherited.spec(slot, of, names) };
    let call = call(cx, node, &catalogue::CHANGE, &spec, None);
    let batch = batch.map(|entry| cx.report.integer(&entry.value, 1..=10_000));
    let batch = batch.map_or(Some(None), |batch| batch.map(Some))?.and_then(|batch| usize::try_from(batch).ok());
    let call = call?;
    names_the_member(cx, node, &call, slot, batch.is_some());
    Some(MemberCall { call, batch })
}

fn names_the_member(cx: &mut Context, node: &Node, call: &Call, slot: Slot, batched: bool) {
    let wanted = if batched { Name::Batch } else { Name::Member };
    if !super::coverage::call_uses(call, wanted) {
        let name = if batched { "{batch}" } else { "{member.id}" };
        let message = format!("the call does not say which member it is about: `{name}` is used nowhere");
        cx.report.error("E050", &node.place, message);
    }
    if slot == Slot::MembersAdd {
        let paths = super::coverage::call_paths(call, Name::Member);
        if paths.iter().any(|path| path.first().is_some_and(|first| first == "native")) {
            let message = "`member.native` is the membership as it was read, so it is there in `remove` only";
            cx.report.error("E024", &node.place, message);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Reject,
    Ignore,
    Create,
}

fn nothing_missing() -> Missing {
    Missing { when: None, policy: MissingPolicy::Reject }
}

fn missing(cx: &mut Context, node: &Node, member_type: Option<&ResourceType>) -> Option<Missing> {
    let short = [("reject", Policy::Reject), ("ignore", Policy::Ignore)];
    if node.as_text().is_some() {
        let policy = cx.report.choice(node, &short)?;
        let policy = if policy == Policy::Ignore { MissingPolicy::Ignore } else { MissingPolicy::Reject };
        return Some(Missing { when: not_found(), policy });
    }
    let fields = Fields::of(&mut cx.report, node, &catalogue::MISSING)?;
    let when = fields.get("when").map_or_else(|| Some(not_found()), |node| cx.condition(node, &REPLY).map(Some))?;
    let policies = [("reject", Policy::Reject), ("ignore", Policy::Ignore), ("create", Policy::Create)];
    let policy = match (fields.get("policy"), fields.get("create")) {
        (Some(node), _) => cx.report.choice(node, &policies)?,
        (None, Some(_)) => Policy::Create,
        (None, None) => Policy::Reject,
    };
    let policy = match (policy, fields.get("create")) {
        (Policy::Create, Some(node)) => MissingPolicy::Create(creation(cx, node, member_type)?),
        (Policy::Create, None) => {
            cx.report.error("E006", &node.place, "`create` is missing: the attributes of the member to create");
            return None;
        }
        (_, Some(create)) => {
            cx.report.error("E004", &create.place, "`create` belongs to `policy = \"create\"`");
            return None;
        }
        (Policy::Reject, None) => MissingPolicy::Reject,
        (Policy::Ignore, None) => MissingPolicy::Ignore,
    };
    Some(Missing { when, policy })
}

fn not_found() -> Option<Expr> {
    Expr::compile("status == 404", &Scope::new().with("status", Name::Status)).ok()
}

fn creation(cx: &mut Context, node: &Node, member_type: Option<&ResourceType>) -> Option<Vec<(AttrPath, Template)>> {
    let table = cx.report.table(node)?;
    let scope = SlotScope { names: MEMBER_ONLY, route_variables: true, resource_type: None };
    let mut found = Vec::new();
    for entry in &table.entries {
        let template = cx.template(&entry.value, &scope);
        match member_type?.resolve_attribute(&entry.name) {
            Ok(resolved) => found.extend(template.map(|template| (resolved.path, template))),
            Err(error) => {
                let (message, help) = split_error(&error);
                cx.report.error_help("E010", &entry.key, message, help);
            }
        }
    }
    Some(found)
}

fn inverse(
    cx: &mut Context,
    node: &Node,
    group: &ResourceType,
    member_type: Option<&ResourceType>,
    inherited: &Inherited<'_>,
) -> Option<Inverse> {
    let fields = Fields::of(&mut cx.report, node, &catalogue::INVERSE)?;
    if let Some(member_type) = member_type
        && member_type.schema.attribute("groups").is_none()
    {
        cx.report.error("E010", &node.place, format!("`{}` has no attribute `groups`", member_type.name));
    }
    let value = fields.get("value").map_or(Some(whole()), |node| extract(cx, node));
    let display = fields.get("display").and_then(|node| extract(cx, node));
    let source = inverse_source(cx, node, &fields, group, inherited);
    let from_call = fields.get("call").is_some();
    let returned = [("default", false), ("request", true)];
    let on_request = fields.get("returned").and_then(|node| cx.report.choice(node, &returned)).unwrap_or(from_call);
    let origin = cx.origin(&node.place);
    Some(Inverse { group: group.name.to_string(), source: source?, value: value?, display, on_request, origin })
}

fn inverse_source(
    cx: &mut Context,
    node: &Node,
    fields: &Fields<'_>,
    group: &ResourceType,
    inherited: &Inherited<'_>,
) -> Option<InverseSource> {
    match (fields.get("native"), fields.get("call")) {
        (Some(native), None) => cx.native_path(native).map(InverseSource::Native),
        (None, Some(_)) => {
            let spec = CallSpec { body: Body::None, ..inherited.spec(Slot::Inverse, group, BY_ID) };
            let call = call_table(cx, node, fields, &spec, None)?;
            let own = fields.get("envelope").map_or_else(EnvelopeParts::default, |node| envelope(cx, node));
            let shape = own.over(spec.envelope).finish();
            Some(InverseSource::Call(Box::new(call), Box::new(shape)))
        }
        _ => {
            let message = "where are the groups of a member? `native` or `call`, one of them";
            cx.report.error("E006", &place_of(fields), message);
            None
        }
    }
}

fn place_of(fields: &Fields<'_>) -> Place {
    fields.place.clone()
}
