//! `[resource.<Type>]`: one mapping per resource type and backend.

use std::sync::Arc;

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::tree::{Entry, Node, Place};
use crate::expr::{Expr, Name, Template};
use crate::mapping::index::Index;
use crate::mapping::layout::Layout;
use crate::mapping::members::MemberSource;
use crate::mapping::sends::Sends;
use crate::mapping::writing::Writing;
use crate::mapping::{Body, Inverse, Mapping, MissingPolicy, NativePath, Omit, Operations, Paging, PutOmitted, Slot};
use crate::scim::{AttrPath, ResourceType};

use super::backend::BackendParts;
use super::calls::{CallSpec, EnvelopeParts, envelope, extract, paging, segments};
use super::context::Context;
use super::defaults::CallDefaults;
use super::filter::{FilterBase, filters};
use super::lacks::{self, LackedPath};
use super::route::RouteParts;
use super::rows::{OMIT, RowDraft, rows};
use super::scopes::{NO_NAMES, READ};
use super::slots::SlotScope;
use super::{
    announce, coverage, deletion, entra, exists, guard, id, laws, members, ops, overlap, parts, probe, store, writes,
};

/// What the calls of a resource inherit.
#[derive(Clone)]
pub(super) struct Inherited<'i> {
    pub(super) path: Option<&'i [Template]>,
    pub(super) envelope: EnvelopeParts,
    pub(super) backend_envelope: EnvelopeParts,
    pub(super) paging: Option<&'i Paging>,
    pub(super) backend_paging: Option<&'i Paging>,
    pub(super) ok: Option<&'i Expr>,
    pub(super) defaults: &'i CallDefaults,
}

impl Inherited<'_> {
    pub(super) fn spec<'s>(&'s self, slot: Slot, of: &'s ResourceType, names: &'s [(&'s str, Name)]) -> CallSpec<'s> {
        CallSpec {
            slot,
            scope: SlotScope::of(names, of),
            path: self.path,
            envelope: &self.envelope,
            ok: self.ok,
            body: Body::None,
            defaults: self.defaults,
            paging: self.backend_paging,
        }
    }
}

/// A mapping on its way.
struct Draft {
    mapping: Mapping,
    rows: Vec<RowDraft>,
    inverse: Option<Inverse>,
    lacked: Vec<LackedPath>,
    parts: Vec<Place>,
    place: Place,
}

/// The mappings of one backend, for the types that the given routes serve; all types if there are no routes.
pub(super) fn mappings(
    cx: &mut Context,
    resources: Option<&Node>,
    defaults: Option<&Node>,
    types: &[ResourceType],
    backend: &BackendParts,
    routes: &[RouteParts],
) -> Vec<Arc<Mapping>> {
    if let Some(node) = defaults {
        Fields::of(&mut cx.report, node, &catalogue::DEFAULTS);
    }
    check_variables(cx, None, &routes.iter().collect::<Vec<_>>(), backend.used_variables.clone());
    cx.key_types = id::composites(resources, defaults, types);
    cx.tables.clone_from(&backend.tables);
    let mut drafts = Vec::new();
    for of in types {
        let serving: Vec<&RouteParts> = routes.iter().filter(|route| route.serves(&of.name)).collect();
        let entry = resources.and_then(Node::as_table).and_then(|table| table.get(&of.name));
        let Some(entry) = entry.filter(|_| routes.is_empty() || !serving.is_empty()) else { continue };
        cx.take_used();
        cx.used_tables.clear();
        cx.used_names.clear();
        let Some(draft) = resource(cx, entry, defaults, of, types, backend) else { continue };
        let used = cx.take_used();
        check_variables(cx, Some(&of.name), &serving, used);
        if serving.iter().any(|route| route.entra) {
            entra::check(cx, &draft.mapping, &draft.rows, &draft.place);
        }
        check_member_type(cx, &draft, &serving);
        drafts.push(draft);
    }
    check_members(cx, &drafts);
    check_locks(cx, &drafts, resources);
    let parts: Vec<_> = drafts.iter().map(|draft| (&draft.mapping, &draft.place, draft.inverse.as_ref())).collect();
    guard::check(cx, &parts, resources);
    if let Some(account) = &backend.own_account {
        let users = parts.iter().map(|(mapping, ..)| *mapping).find(|mapping| &*mapping.resource_type.name == "User");
        guard::check_own_account(cx, account, users);
    }
    give_inverses(cx, &mut drafts);
    for draft in &mut drafts {
        lacks::resolve(cx, &mut draft.mapping, &draft.lacked);
        let entry = resources.and_then(Node::as_table).and_then(|table| table.get(&draft.mapping.resource_type.name));
        let filter = entry.and_then(|entry| entry.value.as_table()).and_then(|table| table.get("filter"));
        parts::resolve(cx, &mut draft.mapping, &draft.parts, filter.map(|entry| &entry.value));
    }
    drafts.into_iter().map(|draft| Arc::new(finish(draft))).collect()
}

fn resource(
    cx: &mut Context,
    entry: &Entry,
    defaults: Option<&Node>,
    of: &ResourceType,
    types: &[ResourceType],
    backend: &BackendParts,
) -> Option<Draft> {
    let fields = Fields::of(&mut cx.report, &entry.value, &catalogue::RESOURCE)?;
    cx.call_missing = cx.preset_missing;
    // A faulty path was reported; the calls below it are checked all the same.
    let path = fields.get("path").map(|node| path(cx, node, of).unwrap_or_default());
    let (own_envelope, own_paging) = shape(cx, &fields);
    let inherited = Inherited {
        path: path.as_deref(),
        envelope: own_envelope.over(&backend.envelope),
        backend_envelope: backend.envelope.clone(),
        paging: own_paging.as_ref().or(backend.paging.as_ref()),
        backend_paging: backend.paging.as_ref(),
        ok: backend.ok.as_ref(),
        defaults: &backend.defaults,
    };
    let default_id = defaults.and_then(Node::as_table).and_then(|table| table.get("id")).map(|entry| &entry.value);
    store::tombstone(cx, &fields);
    let id = id::id(cx, fields.get("id").or(default_id), of);
    let ops = ops::operations(cx, fields.get("ops"), defaults, of, &id, &inherited);
    let mut rows = attribute_table(cx, entry, &fields, of, &ops);
    let (parts, part_places) = parts::parts(cx, fields.get("part"), of, &inherited);
    if fields.get("omit").is_none() {
        parts::omit(&parts, &mut rows);
    }
    let writes = writes::writes(cx, fields.get("write"), of, &rows, &inherited);
    let base = FilterBase { of, rows: &rows, ops: &ops, id: &id, inherited: &inherited };
    let (filters, scan) = filters(cx, fields.get("filter"), &base);
    let exists = fields.get("exists").and_then(|node| exists::exists(cx, node, &rows, &filters, scan.is_some()));
    let members = fields.get("members").map(|node| members::members(cx, node, of, types, &inherited));
    let (members, inverse) = members.flatten().map_or((None, None), |(members, inverse)| (Some(members), inverse));
    let read_scope = SlotScope { names: READ, route_variables: true, resource_type: None };
    let guards = guard::guards(cx, fields.get("guard"), of, &id);
    let mut mapping = Mapping {
        resource_type: of.clone(),
        origin: cx.origin(&entry.key),
        id,
        rows: rows.iter().map(|draft| draft.row.clone()).collect(),
        ops,
        writes,
        filters,
        scan,
        members,
        inverse: None,
        exists,
        put_omitted: fields
            .get("put_omitted")
            .and_then(|node| cx.report.choice(node, &PUT_OMITTED))
            .unwrap_or(PutOmitted::Clear),
        tables: std::mem::take(&mut cx.used_tables).into_iter().collect(),
        table_names: std::mem::take(&mut cx.used_names).into_iter().collect(),
        guards,
        gone: fields.get("gone").and_then(|node| cx.condition(node, &read_scope)),
        version: fields.get("version").and_then(|node| extract(cx, node)),
        strip: fields.get("strip").map_or(Vec::new(), |node| strip(cx, node)),
        parts,
        lock: fields.get("lock").and_then(|node| cx.report.word(node)).map(Arc::from),
        index: Index::default(),
        sends: Sends::default(),
        writing: Writing::default(),
        layout: None,
    };
    mapping.index = Index::of(&mapping.rows);
    parts::give_rows(&mut mapping);
    mapping.sends = Sends::of(&mapping);
    let lacked = std::mem::take(&mut cx.lacked);
    let draft = Draft { mapping, rows, inverse, lacked, parts: part_places, place: entry.key.clone() };
    Some(checked(cx, draft, &fields))
}

/// The rows, each with what the resource says for all of them.
fn attribute_table(
    cx: &mut Context,
    entry: &Entry,
    fields: &Fields<'_>,
    of: &ResourceType,
    ops: &Operations,
) -> Vec<RowDraft> {
    let changes_sent = ops.update.is_some() || ops.replace.is_none();
    if fields.get("attrs").is_none() {
        cx.report.error("E006", &entry.key, "`attrs` is missing: the attribute table");
    }
    let omit = fields.get("omit").and_then(|node| cx.report.choice(node, &OMIT));
    let omit = omit.unwrap_or(if changes_sent { Omit::Null } else { Omit::Absent });
    let mut rows = rows(cx, fields.get("attrs"), of, omit);
    if let Some(node) = fields.get("whole") {
        whole(cx, node, &mut rows, changes_sent);
    }
    rows
}

/// Whether everything in a mapping fits together.
fn checked(cx: &mut Context, mut draft: Draft, fields: &Fields<'_>) -> Draft {
    let mapping = &mut draft.mapping;
    parts::check(cx, mapping, &draft.parts, fields);
    deletion::complete(cx, fields.get("ops"), mapping, &draft.rows);
    if mapping.ops.list.is_none() && mapping.ops.get.is_none() && !cx.call_missing {
        let help = "give it a `path` and `extends = [\"preset:rest@1\"]`, or `ops`".to_owned();
        let message = format!("no call reads a `{}`", mapping.resource_type.name);
        cx.report.error_help("E040", &draft.place, message, help);
    }
    lacks::check(cx, mapping, &mut draft.lacked);
    if !cx.faulty_rows.is_empty() {
        // One of them may read what seems to be read by nobody.
        draft.lacked.clear();
    }
    let said = laws::check(cx, &draft.rows) | overlap::check(cx, &draft.rows);
    coverage::check(cx, &draft.mapping, &draft.rows, &draft.place);
    probe::check(cx, &draft.mapping, &draft.rows, said);
    draft
}

/// `envelope` and `paging` of the resource itself.
fn shape(cx: &mut Context, fields: &Fields<'_>) -> (EnvelopeParts, Option<Paging>) {
    let mut own = fields.get("envelope").map_or_else(EnvelopeParts::default, |node| envelope(cx, node));
    let paging = fields.get("paging").and_then(|node| paging(cx, node)).map(|(paging, total)| {
        own.total = own.total.take().or(total);
        paging
    });
    (own, paging)
}

/// `path` of the resource: what `{path}` stands for.
fn path(cx: &mut Context, node: &Node, of: &ResourceType) -> Option<Vec<Template>> {
    let text = cx.report.word(node)?;
    let (nothing, defaults) = (EnvelopeParts::default(), CallDefaults::default());
    let spec = CallSpec {
        slot: Slot::List,
        scope: SlotScope::of(NO_NAMES, of),
        path: None,
        envelope: &nothing,
        ok: None,
        body: Body::None,
        defaults: &defaults,
        paging: None,
    };
    if text.contains('?') && !text.contains('{') {
        cx.report.error("E021", &node.place, "the path of a resource has no query");
        return None;
    }
    segments(cx, node, 0..text.len(), &spec)
}

fn strip(cx: &mut Context, node: &Node) -> Vec<NativePath> {
    let items = cx.report.list(node).unwrap_or(&[]);
    items.iter().filter_map(|item| cx.native_path(item)).collect()
}

/// `whole`: top-level fields that the application replaces as a whole.
fn whole(cx: &mut Context, node: &Node, rows: &mut [RowDraft], changes_sent: bool) {
    if !changes_sent {
        let message = "`whole` is about `update`; `replace` sends the whole object anyway";
        cx.report.error("E004", &node.place, message);
        return;
    }
    for item in cx.report.list(node).unwrap_or(&[]) {
        let Some(path) = cx.native_path(item) else { continue };
        let Some(field) = path.field() else {
            cx.report.error("E004", &item.place, "a field of the object itself is meant, such as \"attributes\"");
            continue;
        };
        let paths = rows.iter_mut().filter_map(|draft| draft.row.native_path_mut());
        if paths.filter_map(|path| path.send_whole(field).then_some(())).count() == 0 {
            cx.report.error("E004", &item.place, format!("no row is about a part of `{path}`"));
        }
    }
}

/// Every route must know the variables that the calls behind it use. `name` is the resource type, for what belongs to
/// one.
fn check_variables(cx: &mut Context, name: Option<&str>, routes: &[&RouteParts], used: Vec<(usize, Place)>) {
    for (variable, place) in used {
        let Some(route) = routes.iter().find(|route| !route.variables.contains(&variable)) else { continue };
        let variable = cx.variables.get(variable).map_or_else(String::new, ToString::to_string);
        let message = format!("the route in line {} has no variable `{variable}`", route.origin.line);
        let leave = name.map_or_else(String::new, |name| format!(", or leave `{name}` out of its `resources`"));
        let help = format!("give it one with `set = {{ {variable} = \"...\" }}`{leave}");
        cx.report.error_help("E028", &place, message, help);
    }
}

fn check_member_type(cx: &mut Context, draft: &Draft, routes: &[&RouteParts]) {
    let Some(members) = &draft.mapping.members else { return };
    if let Some(route) = routes.iter().find(|route| !route.serves(&members.of)) {
        let message = format!("the route in line {} does not serve the members, `{}`", route.origin.line, members.of);
        cx.report.error("E007", &draft.place, message);
    }
}

/// What membership asks of the type of the members.
fn check_members(cx: &mut Context, drafts: &[Draft]) {
    for draft in drafts {
        let Some(members) = &draft.mapping.members else { continue };
        let named = |other: &&Draft| *other.mapping.resource_type.name == *members.of;
        let Some(of) = drafts.iter().find(named).map(|draft| &draft.mapping) else { continue };
        if matches!(members.missing.policy, MissingPolicy::Create(_)) && of.ops.create.is_none() && !cx.call_missing {
            let message = format!("unknown members are to be created, and no call creates a `{}`", members.of);
            cx.report.error("E123", &draft.place, message);
        }
        let reads =
            [&members.add, &members.remove].into_iter().flatten().any(|call| call.reads.scim || call.reads.object);
        let by_id = of.ops.get.is_some() || of.filters.iter().any(|plan| &*plan.path.attribute == "id");
        let lacks = matches!(&members.source, MemberSource::List(list) if list.lacks.is_some());
        if (reads || lacks || members.exclusive.is_some()) && !by_id && !cx.call_missing {
            let message = format!("the members have to be read one by one, and no call reads one `{}`", members.of);
            cx.report.error("E124", &draft.place, message);
        }
    }
}

/// A lock that one type has for itself makes its writes wait for nothing.
fn check_locks(cx: &mut Context, drafts: &[Draft], resources: Option<&Node>) {
    for draft in drafts {
        let Some(lock) = &draft.mapping.lock else { continue };
        let others = drafts.iter().filter(|other| other.mapping.lock.as_ref() == Some(lock)).count();
        let of = resources.and_then(Node::as_table).and_then(|table| table.get(&draft.mapping.resource_type.name));
        let entry = of.and_then(|entry| entry.value.as_table()).and_then(|table| table.get("lock"));
        if let Some(entry) = entry.filter(|_| others == 1) {
            let message = format!("no other type has the lock `{lock}`, and each object has one of its own already");
            let help = "give the other side of the relation the same `lock`, or delete it".to_owned();
            cx.report.warn("W052", &entry.value.place, message, help);
        }
    }
}

/// The relation is declared with the group and shown by its members.
fn give_inverses(cx: &mut Context, drafts: &mut [Draft]) {
    for index in 0..drafts.len() {
        let taken = drafts.get_mut(index).and_then(|draft| {
            let of = draft.mapping.members.as_ref()?.of.clone();
            Some((of, draft.inverse.take()?, draft.place.clone()))
        });
        let Some((of, inverse, place)) = taken else { continue };
        let Some(member) = drafts.iter_mut().find(|draft| *draft.mapping.resource_type.name == *of) else { continue };
        let groups = AttrPath::core("groups", None);
        if member.rows.iter().any(|draft| draft.row.target.path.same_attribute(&groups))
            || member.mapping.inverse.is_some()
        {
            let message = format!("`groups` of `{of}` is given twice: by `inverse` and by a row or another `inverse`");
            cx.report.error("E035", &place, message);
        }
        member.mapping.inverse = Some(inverse);
    }
}

fn finish(draft: Draft) -> Mapping {
    let mut mapping = draft.mapping;
    mapping.resource_type.announced = announce::announced(&mapping, &draft.rows);
    mapping.writing = Writing::of(&mapping);
    mapping.layout = Layout::of(&mapping);
    mapping
}

const PUT_OMITTED: [(&str, PutOmitted); 2] = [("clear", PutOmitted::Clear), ("keep", PutOmitted::Keep)];
