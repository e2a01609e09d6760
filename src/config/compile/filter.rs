//! `[resource.T.filter]`: which comparisons the application can answer itself, and how far a scan may go.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use std::time::Duration;

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::tree::{Entry, Node, Place};
use crate::expr::Name;
use crate::mapping::{
    Access, Body, Codec, FilterCall, FilterPlan, IdMutability, IdRule, ListCall, Operations, Scan, Slot, Source,
};
use crate::scim::filter::CompareOp;
use crate::scim::{AttrPath, AttributeType, ResourceType};

use super::calls::{CallSpec, EnvelopeParts, call, call_table, envelope, paging, query_part, refine, set};
use super::context::Context;
use super::coverage::call_uses;
use super::defaults::add_parts;
use super::lacks;
use super::resource::Inherited;
use super::rows::RowDraft;
use super::scopes::VALUE;
use super::slots::SlotScope;
use super::store;
use super::target::split_error;

/// How long a list may be kept. What changes natively shows that much later.
const CACHE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);

/// What the plans of a resource start from.
pub(super) struct FilterBase<'b> {
    pub(super) of: &'b ResourceType,
    pub(super) rows: &'b [RowDraft],
    pub(super) ops: &'b Operations,
    pub(super) id: &'b IdRule,
    pub(super) inherited: &'b Inherited<'b>,
}

pub(super) fn filters(cx: &mut Context, node: Option<&Node>, base: &FilterBase<'_>) -> (Vec<FilterPlan>, Option<Scan>) {
    let table = node.and_then(|node| cx.report.table(node));
    let (mut plans, mut scan) = (Vec::new(), None);
    for entry in table.map_or(&[][..], |table| &table.entries) {
        if entry.name == "*" {
            scan = rest(cx, &entry.value);
        } else {
            plans.extend(plan(cx, entry, base));
        }
    }
    inherit_for_mirrors(&mut plans, base.rows);
    (plans, scan)
}

fn rest(cx: &mut Context, node: &Node) -> Option<Scan> {
    let fields = Fields::of(&mut cx.report, node, &catalogue::REST)?;
    let node = fields.require(&mut cx.report, "scan", "how far a filter without a plan may read")?;
    let fields = Fields::of(&mut cx.report, node, &catalogue::SCAN)?;
    let node = fields.require(&mut cx.report, "max", "objects read at the most")?;
    let max = cx.report.integer(node, 1..=10_000_000);
    let cache = fields.get("cache").and_then(|node| cx.report.duration(node, CACHE));
    Some(Scan { max: u32::try_from(max?).ok()?, cache })
}

fn plan(cx: &mut Context, entry: &Entry, base: &FilterBase<'_>) -> Option<FilterPlan> {
    let key = key(cx, entry, base.of);
    cx.key_types.value_is_key = key.as_ref().is_some_and(|(path, ..)| *path == AttrPath::core("id", None));
    let how = how(cx, &entry.value, base);
    cx.key_types.value_is_key = false;
    let (path, ops, case_exact) = key?;
    let row = base.rows.iter().position(|draft| draft.row.target.path == path);
    let row = row.map(|index| primary(base.rows, index));
    let is_id = path == AttrPath::core("id", None);
    if row.is_none() && !is_id {
        if cx.is_faulty_row(&path.attribute) {
            return None;
        }
        let message = format!("no row reads `{path}`, so nothing could be compared");
        cx.report.error("E032", &entry.key, message);
        return None;
    }
    let how = how?;
    complete(cx, entry, &how, base, row, is_id, case_exact);
    Some(FilterPlan { path, ops, row, how, origin: cx.origin(&entry.key) })
}

/// `attr op op`.
fn key(cx: &mut Context, entry: &Entry, of: &ResourceType) -> Option<(AttrPath, Vec<CompareOp>, bool)> {
    let text = entry.name.as_str();
    if let Some((plain, _)) = text.split_once('[') {
        let help = format!("'{plain}.value eq' serves every spelling; the filter is checked again afterwards");
        cx.report.error_help("E033", &entry.key, "a plan is about an attribute, without a value filter", help);
        return None;
    }
    let words = words(text);
    let (first, rest) = words.split_first()?;
    let name = text.get(first.clone()).unwrap_or("");
    if rest.is_empty() {
        let help = format!("such as '{name} eq', or '*' for everything else");
        cx.report.error_help("E033", &entry.key, "expected an attribute and one or more operators", help);
        return None;
    }
    let mut ops = Vec::new();
    for word in rest {
        let text = text.get(word.clone()).unwrap_or("");
        match CompareOp::parse(text) {
            Some(op) => ops.push(op),
            None => {
                let place = cx.report.sources.within_key(entry, word.clone());
                let known = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"];
                cx.report.unknown("E033", &place, format!("`{text}` is no operator"), text, known);
            }
        }
    }
    match of.resolve_attribute(name) {
        Ok(resolved) => {
            let leaf = resolved.leaf();
            let mut path = resolved.path.clone();
            let mut case_exact = leaf.case_exact;
            if let (AttributeType::Complex, Some(value)) = (leaf.kind, leaf.sub_attribute("value")) {
                path.sub = Some(Arc::clone(&value.name));
                case_exact = value.case_exact;
            }
            (!ops.is_empty()).then_some((path, ops, case_exact))
        }
        Err(error) => {
            let (message, help) = split_error(&error);
            let place = cx.report.sources.within_key(entry, first.clone());
            cx.report.error_help("E010", &place, message, help);
            None
        }
    }
}

fn words(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (c == ' ', start) {
            (false, None) => start = Some(at),
            (true, Some(begin)) => {
                found.push(begin..at);
                start = None;
            }
            _ => {}
        }
    }
    found
}

fn how(cx: &mut Context, node: &Node, base: &FilterBase<'_>) -> Option<FilterCall> {
    let scope = SlotScope::of(VALUE, base.of);
    let Some(text) = node.as_text() else { return table_plan(cx, node, base) };
    match text {
        "get" => Some(FilterCall::Get { key: None }),
        "index" => {
            let help = "ask the application, such as `'userName eq' = \"?name={value}\"`, or scan: '*' = { scan = .. }";
            store::needed(cx, &node.place, "the plan `\"index\"`", help);
            None
        }
        _ if text.starts_with("get ") => {
            let key = cx.template_part(node, "get ".len()..text.len(), &scope)?;
            uses_value(cx, node, key.uses(Name::Value));
            Some(FilterCall::Get { key: Some(key) })
        }
        _ if text.starts_with('?') => {
            let query = query_part(cx, node, 1..text.len(), &scope)?;
            uses_value(cx, node, query.iter().any(|(_, template)| template.uses(Name::Value)));
            let mut list = own_list(cx, node, base)?;
            for (name, value) in query {
                set(&mut list.call.query, name, value);
            }
            Some(finish(cx, node, list))
        }
        _ => {
            let spec = CallSpec { body: Body::None, ..base.inherited.spec(Slot::List, base.of, VALUE) };
            let call = call(cx, node, &catalogue::PLAN, &spec, None)?;
            uses_value(cx, node, call_uses(&call, Name::Value));
            let paging = base.inherited.paging.cloned().unwrap_or_else(super::calls::unpaged);
            Some(FilterCall::List(Box::new(ListCall { call, paging, lacks: None })))
        }
    }
}

/// A change to the list call, or a call of its own.
fn table_plan(cx: &mut Context, node: &Node, base: &FilterBase<'_>) -> Option<FilterCall> {
    if node.as_table().is_some_and(|table| table.get("scan").is_some()) {
        let help = "say '*' = { scan = .. }: it serves every filter without a plan".to_owned();
        cx.report.error_help("E002", &node.place, "a scan for one attribute is not supported", help);
        return None;
    }
    let fields = Fields::of(&mut cx.report, node, &catalogue::PLAN)?;
    let own = fields.get("envelope").map_or_else(EnvelopeParts::default, |node| envelope(cx, node));
    if own.items.is_some() && own.item.is_some() {
        cx.report.error("E051", &node.place, "a reply holds `items` or one `item`, not both");
    }
    let single = own.item.is_some() && own.items.is_none();
    let spec = CallSpec { body: Body::None, ..base.inherited.spec(Slot::List, base.of, VALUE) };
    let mut list = if fields.get("call").is_some() {
        let call = call_table(cx, node, &fields, &spec, None)?;
        let paging = base.inherited.paging.cloned().unwrap_or_else(super::calls::unpaged);
        ListCall { call, paging, lacks: None }
    } else {
        let mut list = own_list(cx, node, base)?;
        base.inherited.defaults.check_shapes(cx, fields.get("body"));
        add_parts(cx, &mut list.call, &fields);
        refine(cx, &mut list.call, &fields, &spec.scope)?;
        list.call.origin = cx.origin(&node.place);
        list
    };
    list.call.envelope.single = single;
    lacks::lay_over(cx, &mut list, node.as_table(), &node.place);
    if let Some((paging, _)) = fields.get("paging").and_then(|node| paging(cx, node)) {
        list.paging = paging;
    }
    uses_value(cx, node, call_uses(&list.call, Name::Value));
    Some(FilterCall::List(Box::new(list)))
}

fn own_list(cx: &mut Context, node: &Node, base: &FilterBase<'_>) -> Option<ListCall> {
    if base.ops.list.is_none() && !cx.call_missing {
        cx.report.error("E040", &node.place, "this plan changes the list call, and there is none");
    }
    base.ops.list.clone()
}

fn finish(cx: &Context, node: &Node, mut list: ListCall) -> FilterCall {
    list.call.origin = cx.origin(&node.place);
    FilterCall::List(Box::new(list))
}

fn uses_value(cx: &mut Context, node: &Node, used: bool) {
    if !used {
        let message = "`{value}` is used nowhere: the plan would ask the same whatever is looked for";
        cx.report.error("E050", &node.place, message);
    }
}

/// A plan must return everything that the filter could match: it is only ever narrowed afterwards.
fn complete(
    cx: &mut Context,
    entry: &Entry,
    how: &FilterCall,
    base: &FilterBase<'_>,
    row: Option<usize>,
    is_id: bool,
    case_exact: bool,
) {
    if is_id {
        if matches!(how, FilterCall::Get { .. }) && base.ops.get.is_none() && !cx.call_missing {
            let help = "give it a query, such as { query = { id = \"{value}\" } }; that will serve as `get`, too";
            let message = "this plan uses the operation `get`, and there is none";
            cx.report.error_help("E040", &entry.value.place, message, help.to_owned());
        }
        return;
    }
    let draft = row.and_then(|index| base.rows.get(index));
    let target_exact = draft.map_or(case_exact, |draft| draft.row.target.case_exact);
    let folds = draft.is_some_and(|draft| match &draft.row.source {
        Source::Native { codec, .. } => codec.iter().any(|codec| matches!(codec, Codec::Lower | Codec::Upper)),
        _ => false,
    });
    let text = draft.is_none_or(|draft| draft.row.target.kind == AttributeType::String);
    let mapped = draft.is_some_and(|draft| match &draft.row.source {
        Source::Native { codec, .. } => codec.iter().any(|codec| matches!(codec, Codec::Map(_))),
        _ => false,
    });
    let ignores_case = text && !target_exact && !folds && !mapped;
    let place = &entry.value.place;
    match how {
        FilterCall::Get { .. } => {
            if base.ops.get.is_none() && !cx.call_missing {
                cx.report.error("E040", place, "this plan uses the operation `get`, and there is none");
            }
            let fixed = draft.is_some_and(|draft| matches!(draft.row.access, Access::Create | Access::Read));
            if base.id.mutable != IdMutability::Reject && !fixed {
                let place = value_place(cx, &entry.value);
                let help = "use a native query or a scan; or make the id immutable with `mutable = \"reject\"`";
                let message = "`{value}` is not complete: after a rename the key no longer follows from the value";
                cx.report.error_help("E036", &place, message, help.to_owned());
            } else if ignores_case {
                let place = value_place(cx, &entry.value);
                let help = "state `case = \"exact\"` on the row, so that the value is compared as it is written; only \
                            where no key of the application has capitals, `codec = [\"lower\"]` folds it instead"
                    .to_owned();
                let message = "`{value}` is not complete: the attribute ignores case, the key does not";
                cx.report.error_help("E037", &place, message, help);
            }
        }
        FilterCall::List(_) if ignores_case && !declared_superset(cx, &entry.value) => {
            let help = "if the application compares without case, say so: `{ query = { .. }, case = \"ignored\" }`";
            let message = format!("`{}` ignores case; does the application's query, too?", entry.name);
            cx.report.warn("W038", place, message, help.to_owned());
        }
        FilterCall::List(_) => {}
    }
}

/// `case = "ignored"`: the author vouches for the query.
fn declared_superset(cx: &mut Context, node: &Node) -> bool {
    let case = node.as_table().and_then(|table| table.get("case"));
    case.is_some_and(|entry| cx.report.choice(&entry.value, &[("ignored", ())]).is_some())
}

/// The place of `{value}` itself, where it is written.
fn value_place(cx: &Context, node: &Node) -> Place {
    match node.as_text().and_then(|text| text.find('{').map(|start| start..text.len())) {
        Some(part) => cx.report.part(node, part),
        None => node.place.clone(),
    }
}

/// The row that a mirror stands for.
fn primary(rows: &[RowDraft], index: usize) -> usize {
    match rows.get(index).map(|draft| &draft.row.source) {
        Some(Source::Mirror { row }) => *row,
        _ => index,
    }
}

/// A mirror is found the way its row is found.
fn inherit_for_mirrors(plans: &mut Vec<FilterPlan>, rows: &[RowDraft]) {
    let mut more = Vec::new();
    for draft in rows {
        let Source::Mirror { row } = draft.row.source else { continue };
        let Some(primary) = rows.get(row) else { continue };
        let own = |plan: &&FilterPlan| plan.path == draft.row.target.path;
        for plan in plans.iter().filter(|plan| plan.path == primary.row.target.path) {
            if !plans.iter().chain(&more).any(|other| own(&other) && other.ops == plan.ops) {
                more.push(FilterPlan { path: draft.row.target.path.clone(), row: Some(row), ..plan.clone() });
            }
        }
    }
    plans.extend(more);
}
