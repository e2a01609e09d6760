//! `[resource.T.part]`: documents beside the object's own.

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::tree::{Entry, Node, Place};
use crate::expr::Name;
use crate::mapping::part::{MAX_PARTS, Part, PartSource};
use crate::mapping::{
    Access, Body, Flow, IdRule, ListCall, Mapping, NativePath, Omit, Readers, RowSet, Slot, fields_meet,
};
use crate::scim::ResourceType;

use super::calls::{CallSpec, EnvelopeParts, call, paging, unpaged};
use super::context::Context;
use super::coverage::names;
use super::flow::{FlowSpec, flow};
use super::resource::Inherited;
use super::rows::RowDraft;
use super::scopes::{BY_ID, WRITE_CALL};

/// Parts, and where each of them is written.
pub(super) type PartPlaces = Vec<Place>;

/// The parts of a resource; their rows and readers are found out by [`give_rows`] and [`resolve`].
pub(super) fn parts(
    cx: &mut Context,
    node: Option<&Node>,
    of: &ResourceType,
    inherited: &Inherited<'_>,
) -> (Vec<Part>, PartPlaces) {
    let table = node.and_then(|node| cx.report.table(node));
    let entries = table.map_or(&[][..], |table| &table.entries);
    if let Some(entry) = entries.get(MAX_PARTS) {
        cx.report.error("E004", &entry.key, format!("a resource type has at most {MAX_PARTS} parts"));
    }
    let found: Vec<Option<(Part, Place)>> = entries
        .iter()
        .take(MAX_PARTS)
        .map(|entry| Some((part(cx, entry, of, inherited)?, entry.key.clone())))
        .collect();
    cx.call_missing |= found.iter().any(Option::is_none);
    found.into_iter().flatten().unzip()
}

fn part(cx: &mut Context, entry: &Entry, of: &ResourceType, inherited: &Inherited<'_>) -> Option<Part> {
    let fields = Fields::of(&mut cx.report, &entry.value, &catalogue::PART)?;
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !entry.name.chars().all(word) || !entry.name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        cx.report.error("E104", &entry.key, format!("`{}` cannot be the name of a part", entry.name));
        return None;
    }
    // What a reply holds besides is not known, so nothing is taken from the envelopes of objects.
    let own = Inherited { envelope: EnvelopeParts::default(), ..inherited.clone() };
    let source = match (fields.get("get"), fields.get("list")) {
        (Some(node), None) => {
            let spec = CallSpec { body: Body::None, ..own.spec(Slot::Part, of, BY_ID) };
            call(cx, node, &catalogue::READ_CALL, &spec, None).map(|call| PartSource::Get(Box::new(call)))
        }
        (None, Some(node)) => list(cx, node, of, inherited).map(|list| PartSource::List(Box::new(list))),
        (get, _) => {
            let both = get.is_some();
            let message =
                if both { "a part is read by `get` or by `list`, not by both" } else { "nothing reads the part" };
            cx.report.error_help(
                "E073",
                &entry.key,
                message,
                "say `get = \"GET ..\"` or `list = \"GET ..\"`".to_owned(),
            );
            None
        }
    };
    let update = fields.get("update").map(|node| {
        let spec = CallSpec { body: Body::Rows, ..own.spec(Slot::Update, of, WRITE_CALL) };
        flow(cx, node, &catalogue::WRITE_CALL, &FlowSpec { call: spec, names: WRITE_CALL, fallback: None })
    });
    let number = |cx: &mut Context, key: &str, max: u64| {
        let number = fields.get(key).and_then(|node| cx.report.integer(node, 1..=max));
        number.and_then(|number| usize::try_from(number).ok())
    };
    let (parallel, max) = (number(cx, "parallel", 64).unwrap_or(4), number(cx, "max", 10_000).unwrap_or(200));
    Some(Part {
        name: entry.name.as_str().into(),
        source: source?,
        update: update.map_or(Some(None), |update| update.map(Some))?,
        readers: Readers::default(),
        rows: 0,
        named: 0,
        parallel,
        max,
        origin: cx.origin(&entry.key),
    })
}

fn list(cx: &mut Context, node: &Node, of: &ResourceType, inherited: &Inherited<'_>) -> Option<ListCall> {
    let base = Inherited { envelope: inherited.backend_envelope.clone(), ..inherited.clone() };
    let spec = CallSpec { body: Body::None, ..base.spec(Slot::Part, of, BY_ID) };
    let mut call = call(cx, node, &catalogue::PART_LIST, &spec, None);
    let own = node.as_table().and_then(|table| table.get("paging"));
    let own = own.and_then(|entry| paging(cx, &entry.value));
    if let (Some((_, Some(total))), Some(call)) = (&own, &mut call) {
        call.envelope.total = total.clone();
    }
    let paging = own.map(|(paging, _)| paging).or_else(|| inherited.backend_paging.cloned()).unwrap_or_else(unpaged);
    Some(ListCall { call: call?, paging, lacks: None })
}

/// How "unassigned" looks in a part follows from the call of the part, not from those of the object: an object that is
/// replaced whole may have a part that takes changes.
pub(super) fn omit(parts: &[Part], rows: &mut [RowDraft]) {
    for part in parts {
        let (Some(update), PartSource::Get(_)) = (&part.update, &part.source) else { continue };
        let omit = if update.sends_all_rows() { Omit::Absent } else { Omit::Null };
        let own = rows.iter_mut().filter(|draft| draft.row.native_path().is_some_and(|path| part.holds(path)));
        own.for_each(|draft| draft.omit_otherwise(omit));
    }
}

/// Tells parts which rows are written there.
pub(super) fn give_rows(mapping: &mut Mapping) {
    let mut parts = std::mem::take(&mut mapping.parts);
    for part in &mut parts {
        let own = [&mapping.ops.update, &mapping.ops.replace];
        for (index, row) in mapping.rows.iter().enumerate() {
            let writes = matches!(row.access, Access::Both | Access::Write | Access::Create);
            if writes && row.native_path().is_some_and(|path| part.holds(path)) {
                part.rows |= 1 << index;
                if own.iter().copied().flatten().any(|flow| names(flow, mapping, row)) {
                    part.named |= 1 << index;
                }
            }
        }
    }
    mapping.parts = parts;
}

/// What a part may not be about, and what it costs.
pub(super) fn check(cx: &mut Context, mapping: &Mapping, places: &[Place], fields: &Fields<'_>) {
    for (part, place) in mapping.parts.iter().zip(places) {
        if let Some(what) = of_the_object(&mapping.id, mapping, part, fields, cx) {
            let message = format!("`{}` is the name of a part, and {what} is in the object itself", part.name);
            cx.report.error_help("E049", place, message, "give the part another name".to_owned());
        }
        for row in mapping.rows_in(part.rows).map(|(_, row)| row) {
            if row.default.as_ref().is_some_and(crate::expr::Template::generates) {
                let message =
                    format!("`{}` is not sent when an object is made: it is in the part `{}`", row.target, part.name);
                cx.report.error_help("E054", place, message, "name it in the body of `create`".to_owned());
            }
        }
    }
}

/// What of the object is read below the name of a part.
fn of_the_object(
    id: &IdRule,
    mapping: &Mapping,
    part: &Part,
    fields: &Fields<'_>,
    cx: &mut Context,
) -> Option<&'static str> {
    let ids: Vec<&NativePath> =
        if id.join.is_empty() { vec![&id.native] } else { id.join.iter().map(|part| &part.native).collect() };
    let whole = fields.get("whole").and_then(|node| cx.report.list(node)).unwrap_or(&[]);
    let version = mapping.version.as_ref().map(|version| &version.native);
    if ids.into_iter().any(|path| part.holds(path)) {
        Some("its id")
    } else if version.is_some_and(|path| part.holds(path)) {
        Some("its version")
    } else if mapping.strip.iter().any(|path| part.holds(path)) {
        Some("what `strip` names")
    } else if whole.iter().any(|node| node.as_text() == Some(&*part.name)) {
        Some("what `whole` names")
    } else {
        None
    }
}

/// Finds out who reads the parts, when everything about the type is known.
pub(super) fn resolve(cx: &mut Context, mapping: &mut Mapping, places: &[Place], filter: Option<&Node>) {
    let mut parts = std::mem::take(&mut mapping.parts);
    for (part, place) in parts.iter_mut().zip(places) {
        let Ok(path) = NativePath::parse(&part.name) else { continue };
        part.readers = Readers::of(mapping, std::slice::from_ref(&path));
        if part.readers.is_empty() && part.rows == 0 && !is_named(mapping, &path) && cx.faulty_rows.is_empty() {
            let help = "delete it, or map what it holds".to_owned();
            cx.report.warn("W071", place, format!("nothing reads or writes `{}`", part.name), help);
        }
    }
    mapping.parts = parts;
    let scanned: RowSet = mapping.parts.iter().fold(0, |set, part| set | part.readers.rows);
    let plans = filter.and_then(Node::as_table).map_or(&[][..], |table| &table.entries);
    let rest = plans.iter().find(|entry| entry.name == "*");
    if let (Some(scan), Some(entry), true) = (mapping.scan, rest, scanned != 0) {
        let named: Vec<String> = mapping.rows_in(scanned).map(|(_, row)| format!("`{}`", row.target)).collect();
        let count = mapping.parts.iter().filter(|part| part.readers.rows != 0).count();
        let calls = u64::from(scan.max).saturating_mul(count as u64);
        let message = format!("a filter on {} may take {calls} calls for parts", named.join(", "));
        let help =
            "give it a plan of its own, or lower `max`; beyond `limits.calls_max` it is 400 `tooMany`".to_owned();
        cx.report.warn("W049", &entry.key, message, help);
    }
}

/// Whether a call or a condition that writes reads something there.
fn is_named(mapping: &Mapping, path: &NativePath) -> bool {
    let ops = &mapping.ops;
    let flows = [&ops.create, &ops.update, &ops.replace, &ops.delete].into_iter().flatten();
    let of_parts = mapping.parts.iter().filter_map(|part| part.update.as_ref());
    let rules = mapping.writes.iter().map(|rule| &rule.flow);
    let meets = |fields: &[Vec<String>]| fields_meet(fields, std::slice::from_ref(path));
    let conditions = mapping.writes.iter().filter_map(|rule| rule.when.as_ref());
    let in_flow = |flow: &Flow| meets(&flow.paths(Name::Native));
    flows.chain(of_parts).chain(rules).any(in_flow)
        || conditions.into_iter().any(|when| meets(&when.field_paths(Name::Native)))
}
