//! `[resource.T.members]`: membership, and the `groups` of a member seen from the other side.

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::tree::{Node, Place};
use crate::expr::{Expr, Name, Scope, Template};
use crate::mapping::members::{InverseSource, MemberSource};
use crate::mapping::{
    Body, Call, Exclusive, Extract, Flow, Inverse, ListCall, MemberCall, MemberLookup, MemberReads, Members, Missing,
    MissingPolicy, NativePath, Paging, Slot, fields_meet,
};
use crate::scim::{AttrPath, ResourceType};

use super::calls::{CallSpec, call, call_table, extract, paging, unpaged};
use super::context::Context;
use super::coverage;
use super::flow::{FlowSpec, flow};
use super::lacks;
use super::resource::Inherited;
use super::scopes::{BATCH, BATCH_ONLY, BY_ID, MEMBER, MEMBER_ONLY};
use super::slots::{REPLY, SlotScope};
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
    let add = change(cx, fields.get("add"), Slot::MembersAdd, of, &base, member_type);
    let remove = change(cx, fields.get("remove"), Slot::MembersRemove, of, &base, member_type);
    let set = fields.get("set").and_then(|node| {
        let spec = CallSpec { body: Body::None, ..base.spec(Slot::MembersSet, of, BATCH) };
        let set = flow(cx, node, &catalogue::SET, &FlowSpec { call: spec, names: BATCH, fallback: None })?;
        if !set.uses(Name::Batch) {
            let message = "the call does not say who the members are: `{batch}` is used nowhere";
            cx.report.error("E050", &node.place, message);
        }
        Some(set)
    });
    let missing = fields.get("missing").map_or(Some(nothing_missing()), |node| missing(cx, node, member_type));
    let diff = [("always", true), ("needed", false)];
    let always_diff = fields.get("diff").and_then(|node| cx.report.choice(node, &diff)).unwrap_or(false);
    let allow_clear = fields.get("allow_clear").and_then(|node| cx.report.boolean(node)).unwrap_or(false);
    let parallel = fields.get("parallel").and_then(|node| cx.report.integer(node, 1..=64)).unwrap_or(4);
    let parallel = usize::try_from(parallel).unwrap_or(4);
    let max = fields.get("max").and_then(|node| cx.report.integer(node, 1..=1_000_000));
    let exclusive = exclusive(cx, &fields);
    let inverse = fields.get("inverse").and_then(|node| inverse(cx, node, of, member_type, &base, parallel));
    check_ways(cx, &fields, missing.as_ref());
    if let Some(add) = add.as_ref().filter(|add| add.single().is_none()) {
        check_one_reply(cx, &fields, "add", &add.flow);
    }
    if let (None, Some(set)) = (&add, set.as_ref().filter(|set| set.single().is_none())) {
        check_one_reply(cx, &fields, "set", set);
    }
    let (source, value, display) = source?;
    if let (Some(remove), MemberSource::List(list)) = (&remove, &source) {
        check_lacked(cx, fields.get("remove").map_or(fields.place, |node| &node.place), remove, list);
    }
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
        parallel,
        max: max.and_then(|max| usize::try_from(max).ok()),
        exclusive,
        origin: cx.origin(&node.place),
    };
    Some((members, inverse))
}

fn exclusive(cx: &mut Context, fields: &Fields<'_>) -> Option<Exclusive> {
    let entry = fields.entry("exclusive")?;
    let kinds = [("move", Exclusive::Move), ("refuse", Exclusive::Refuse)];
    let found = cx.report.choice(&entry.value, &kinds);
    if fields.get("inverse").is_none() {
        let message = "`exclusive` needs `inverse`: how else is it known which group a member is in?";
        cx.report.error("E122", &entry.key, message);
    }
    found
}

/// What the calls together cannot do.
fn check_ways(cx: &mut Context, fields: &Fields<'_>, missing: Option<&Missing>) {
    let has = |key: &str| fields.get(key).is_some();
    let tolerant = missing.is_some_and(|missing| !matches!(missing.policy, MissingPolicy::Reject));
    if let Some(entry) = fields.entry("missing").filter(|_| tolerant && !has("add")) {
        let message = "without `add` nobody can be left out or created: a reply to `set` does not say who is unknown";
        cx.report.error("E121", &entry.key, message);
    }
    let one_way = match (has("add"), has("remove")) {
        (true, false) => Some(("added", "removed", "remove")),
        (false, true) => Some(("removed", "added", "add")),
        _ => None,
    };
    if let Some((can, cannot, key)) = one_way.filter(|_| !has("set")) {
        let message =
            format!("members can be {can} but not {cannot}: a request for that is refused with 400 `mutability`");
        cx.report.warn("W120", fields.place, message, format!("add `{key}`, or `set`"));
    }
}

/// `missing.when` is about the reply of `add`, so there has to be one.
fn check_one_reply(cx: &mut Context, fields: &Fields<'_>, slot: &str, flow: &Flow) {
    let when = fields.get("missing").and_then(Node::as_table).and_then(|table| table.get("when"));
    if let Some(when) = when {
        let message = format!(
            "`when` looks at the reply of one call, and `{slot}` makes it depend on conditions or makes several"
        );
        let help = format!(
            "leave `when` out: what the error rules make 404 is a missing member (`{slot}` in line {})",
            flow.origin.line
        );
        cx.report.error_help("E125", &when.key, message, help);
    }
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
    let own = inner.as_ref().and_then(|fields| fields.get("paging"));
    let paging = list_paging(cx, own, list.as_mut(), inherited);
    let lacks = lacks::of_members(cx, node.as_table(), &node.place, value.as_ref(), display.as_ref());
    Some((MemberSource::List(Box::new(ListCall { call: list?, paging, lacks })), value?, display))
}

/// Its own paging, the backend's, or none.
fn list_paging(cx: &mut Context, node: Option<&Node>, list: Option<&mut Call>, inherited: &Inherited<'_>) -> Paging {
    let own = node.and_then(|node| paging(cx, node));
    if let (Some((_, Some(total))), Some(list)) = (&own, list) {
        list.envelope.total = total.clone();
    }
    own.map(|(paging, _)| paging).or_else(|| inherited.backend_paging.cloned()).unwrap_or_else(unpaged)
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
    member_type: Option<&ResourceType>,
) -> Option<MemberCall> {
    let node = node?;
    let batch = node.as_table().and_then(|table| table.get("batch"));
    let names = if batch.is_some() { BATCH } else { MEMBER };
    let spec = CallSpec { body: Body::None, ..inherited.spec(slot, of, names) };
    let flow = flow(cx, node, &catalogue::CHANGE, &FlowSpec { call: spec, names, fallback: None });
    let batch = batch.map(|entry| cx.report.integer(&entry.value, 1..=10_000));
    let batch = batch.map_or(Some(None), |batch| batch.map(Some))?.and_then(|batch| usize::try_from(batch).ok());
    let flow = flow?;
    names_the_member(cx, node, &flow, slot, batch.is_some());
    let paths = flow.paths(Name::Member);
    check_member_scim(cx, node, &paths, member_type);
    let whole = paths.iter().any(Vec::is_empty);
    let reads = |field: &str| whole || paths.iter().any(|path| path.first().is_some_and(|first| first == field));
    let row = slot == Slot::MembersRemove && (reads("native") || reads("display"));
    let reads = MemberReads { row, scim: reads("scim"), object: reads("object") };
    let lookup = node.as_table().and_then(|table| table.get("in"));
    let lookup = lookup.and_then(|entry| {
        if !reads.scim && !reads.object {
            let message =
                "`in` reads the objects of members, and the call needs neither `member.scim` nor `member.object`";
            cx.report.error("E004", &entry.key, message);
        }
        self::lookup(cx, &entry.value, member_type.unwrap_or(of), inherited)
    });
    Some(MemberCall { flow, batch, reads, lookup: lookup.map(Box::new) })
}

/// `in`: several objects by one call.
fn lookup(cx: &mut Context, node: &Node, of: &ResourceType, inherited: &Inherited<'_>) -> Option<MemberLookup> {
    let spec = CallSpec { body: Body::None, ..inherited.spec(Slot::List, of, BATCH_ONLY) };
    let fields = node.as_table().and_then(|_| Fields::of(&mut cx.report, node, &catalogue::MEMBERS_IN));
    let mut list = match &fields {
        Some(fields) => call_table(cx, node, fields, &spec, None),
        None => call(cx, node, &catalogue::MEMBERS_IN, &spec, None),
    };
    let own = |key: &str| fields.as_ref().and_then(|fields| fields.get(key));
    let paging = list_paging(cx, own("paging"), list.as_mut(), inherited);
    let batch = own("batch").and_then(|node| cx.report.integer(node, 1..=1000)).unwrap_or(100);
    let call = list?;
    if !coverage::call_uses(&call, Name::Batch) {
        cx.report.error("E050", &node.place, "the call does not say whom it is about: `{batch}` is used nowhere");
    }
    let batch = usize::try_from(batch).unwrap_or(100);
    Some(MemberLookup { list: ListCall { call, paging, lacks: None }, batch })
}

/// A removal sees the membership as it was listed, and completing a whole group for one member would be out of
/// proportion.
fn check_lacked(cx: &mut Context, place: &Place, remove: &MemberCall, list: &ListCall) {
    let Some(lacks) = &list.lacks else { return };
    for path in remove.flow.paths(Name::Member) {
        let lacking = match path.split_first().map(|(first, rest)| (first.as_str(), rest)) {
            Some(("native", rest)) => fields_meet(&[rest.to_vec()], &lacks.paths),
            Some(("display", _)) => true,
            _ => false,
        };
        if lacking {
            let message = format!("`member.{}` is not in the list of members: it `lacks` that", path.join("."));
            let help = "read the member's own object: `member.object` or `member.scim`".to_owned();
            cx.report.error_help("E072", place, message, help);
        }
    }
}

/// `member.scim` has the attributes of the members' type.
fn check_member_scim(cx: &mut Context, node: &Node, paths: &[Vec<String>], member_type: Option<&ResourceType>) {
    let Some(member_type) = member_type else { return };
    for path in paths {
        let Some(("scim", rest)) = path.split_first().map(|(first, rest)| (first.as_str(), rest)) else { continue };
        let Some((attribute, sub)) = super::slots::scim_path(rest, member_type) else { continue };
        let text = sub.map_or(attribute.clone(), |sub| format!("{attribute}.{sub}"));
        if let Err(error) = member_type.resolve_attribute(&text) {
            let (message, help) = split_error(&error);
            cx.report.error_help("E024", &node.place, format!("`member.scim`: {message}"), help);
        }
    }
}

fn names_the_member(cx: &mut Context, node: &Node, flow: &Flow, slot: Slot, batched: bool) {
    let wanted = if batched { Name::Batch } else { Name::Member };
    if !flow.uses(wanted) {
        let name = if batched { "{batch}" } else { "{member.id}" };
        let message = format!("the call does not say which member it is about: `{name}` is used nowhere");
        cx.report.error("E050", &node.place, message);
    }
    if slot == Slot::MembersAdd {
        let paths = flow.paths(Name::Member);
        let known_later = |field: &&str| paths.iter().any(|path| path.first().is_some_and(|first| first == field));
        for field in ["native", "display"].iter().filter(|field| known_later(field)) {
            let message =
                format!("`member.{field}` is of the membership as it was read, so it is there in `remove` only");
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
    parallel: usize,
) -> Option<Inverse> {
    let fields = Fields::of(&mut cx.report, node, &catalogue::INVERSE)?;
    if let Some(member_type) = member_type
        && member_type.schema.attribute("groups").is_none()
    {
        cx.report.error("E010", &node.place, format!("`{}` has no attribute `groups`", member_type.name));
    }
    let value = fields.get("value").map_or(Some(whole()), |node| extract(cx, node));
    let display = fields.get("display").and_then(|node| extract(cx, node));
    let source = inverse_source(cx, node, &fields, member_type.unwrap_or(group), inherited);
    let from_call = fields.get("native").is_none();
    let returned = [("default", false), ("request", true)];
    let on_request = fields.get("returned").and_then(|node| cx.report.choice(node, &returned)).unwrap_or(from_call);
    let origin = cx.origin(&node.place);
    let (group, source, value) = (group.name.to_string(), source?, value?);
    Some(Inverse { group, source, value, display, on_request, parallel, origin })
}

fn inverse_source(
    cx: &mut Context,
    node: &Node,
    fields: &Fields<'_>,
    of: &ResourceType,
    inherited: &Inherited<'_>,
) -> Option<InverseSource> {
    match (fields.get("native"), fields.get("call")) {
        (Some(native), None) => {
            if let Some(entry) = fields.entry("paging") {
                cx.report.error("E004", &entry.key, "`paging` belongs to `call`");
            }
            cx.native_path(native).map(InverseSource::Native)
        }
        (None, call) if call.is_some() || inherited.defaults.call().is_some() => {
            let spec = CallSpec { body: Body::None, ..inherited.spec(Slot::Inverse, of, BY_ID) };
            let mut call = call_table(cx, node, fields, &spec, None);
            let paging = list_paging(cx, fields.get("paging"), call.as_mut(), inherited);
            Some(InverseSource::Call(Box::new(ListCall { call: call?, paging, lacks: None })))
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
