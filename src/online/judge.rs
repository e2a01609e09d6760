//! What the replies of an application say about the configuration. Pure: what was seen goes in, findings come out.
//!
//! A finding names paths, attributes and numbers, never a value of an object: the report may be handed on. Of a reference
//! table it names what a client would be told, too.

use serde_json::Value;

use crate::config::closest;
use crate::expr::Env;
use crate::mapping::row::{Access, Row, Source};
use crate::mapping::tables::Table;
use crate::mapping::{Call, Codec, FilterPlan, Guard, IdKind, Mapping, NativePath, Origin, Total, from_native};
use crate::plan::{NativeCall, NativeOutcome, NativeReply};
use crate::scim::AttrPath;

use super::{Finding, Seen, lists};

/// A value that nobody has.
pub(super) const NOBODY: &str = "scimshim-check-nobody";

/// An id that nobody has, of the kind that ids have here.
pub(super) fn nobody(mapping: &Mapping) -> &'static str {
    match mapping.id.kind {
        IdKind::Int => "999999999",
        IdKind::String => NOBODY,
    }
}

/// Reference tables: can they be read, and do they hold the names that the configuration itself needs?
pub(super) fn tables(tables: &[Table], seen: &Seen) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for table in tables {
        let mut calls = seen.calls.iter().filter(|(call, _)| call.origin == table.list.call.origin);
        if let Some((call, _)) = calls.next() {
            findings.push(Finding::fine(format!("table `{}`: {} {}", table.name, call.method, place(call))));
        }
    }
    let of = |name: &str| tables.iter().find(|table| *table.name == *name);
    if let Some(error) = &seen.response.report.error {
        let unread = tables.iter().find(|table| error.detail.contains(&format!("the table `{}`", table.name)));
        findings.extend(unread.map(|table| Finding::error(error.detail.clone(), &table.origin)));
    }
    for lacking in seen.body.as_array().into_iter().flatten() {
        let text = |key: &str| lacking.get(key).and_then(Value::as_str).unwrap_or_default();
        let line = lacking.get("line").and_then(Value::as_u64).and_then(|line| u32::try_from(line).ok());
        let origin = Origin { source: text("source").into(), line: line.unwrap_or_default() };
        let known = lacking.get("known").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let (table, name) = (text("table"), text("name"));
        let help = closest(name, known).map(|near| format!("did you mean '{near}'?"));
        let help = help.or_else(|| of(table).map(|of| format!("the table is read by {}", of.list.call.origin)));
        findings.push(
            Finding::error(format!("the table `{table}` has no one entry '{name}'"), &origin)
                .help(help.unwrap_or_default()),
        );
    }
    findings
}

/// The resources of a list answer.
pub(super) fn resources(seen: &Seen) -> &[Value] {
    let listed = seen.body.get("Resources").and_then(Value::as_array);
    listed.map(Vec::as_slice).unwrap_or_default()
}

/// A text at an attribute of a resource; of several values the first.
pub(super) fn value_of<'r>(resource: &'r Value, path: &AttrPath) -> Option<&'r str> {
    let base = match &path.extension {
        Some(extension) => resource.get(&**extension)?,
        None => resource,
    };
    let value = base.get(&*path.attribute)?;
    let value = value.as_array().map_or(Some(value), |values| values.first())?;
    match &path.sub {
        Some(sub) => value.get(&**sub),
        None => Some(value),
    }
    .and_then(Value::as_str)
}

/// The first list: does it come at all, in the announced shape, and do its items have what rows read?
pub(super) fn list(mapping: &Mapping, seen: &Seen) -> Vec<Finding> {
    let Some(list) = &mapping.ops.list else { return Vec::new() };
    if let Some(finding) = failure(seen, &list.call.origin) {
        return vec![finding];
    }
    let mut findings = Vec::new();
    let Some((call, reply)) = replies(seen).find(|(call, _)| lists(call)) else { return findings };
    let items = items(&list.call, reply);
    let total = seen.body.get("totalResults").cloned().unwrap_or_default();
    findings.push(Finding::fine(format!("list: {} {} has {} of {total}", call.method, place(call), items.len())));
    if let Total::Path(path) = &list.call.envelope.total
        && path.header().is_none()
        && path.find(&reply.body).is_none()
    {
        findings.push(
            Finding::error("the reply to the list has no total where `total` says", &list.call.origin).help(
                suggestion(path, &[reply.body.tree()])
                    .unwrap_or_else(|| "`total = \"walk\"` counts by reading to the end".into()),
            ),
        );
    }
    if list.paging.size.is_some() && items.len() > 2 {
        let text =
            format!("the list was asked for 2 and gave {}: it does not know `size`, or serves more", items.len());
        findings.push(Finding::warning(text, &list.call.origin));
    }
    if items.is_empty() {
        findings.push(Finding::warning("the list is empty, so nothing about rows can be said", &list.call.origin));
    } else if resources(seen).is_empty() && mapping.guards.iter().any(Guard::hides) {
        let text = "no item of the list is shown: a guard hides them all, or none has an id where `id` says";
        findings.push(Finding::warning(text, &list.call.origin));
    } else if resources(seen).is_empty() {
        let text = "no item of the list has an id where `id` says, or all are `gone`";
        let help = suggestion(&mapping.id.native, &items);
        let finding = Finding::error(text, &list.call.origin);
        findings.push(help.into_iter().fold(finding, Finding::help));
    }
    if mapping.ops.get.is_none() {
        findings.extend(rows(mapping, &items, &[]));
    }
    findings
}

/// The second page must not be the first again.
pub(super) fn second_page(mapping: &Mapping, first: &Seen, second: &Seen) -> Vec<Finding> {
    let Some(list) = &mapping.ops.list else { return Vec::new() };
    if let Some(finding) = failure(second, &list.call.origin) {
        return vec![finding];
    }
    let id = |seen: &Seen, index: usize| resources(seen).get(index).and_then(|found| found.get("id").cloned());
    match (id(first, 1), id(second, 0)) {
        (Some(expected), Some(found)) if expected != found => {
            let text = "what comes second depends on how it is asked for: are pages counted from 0 or from 1, and is the \
                        order of the list always the same?";
            vec![Finding::error(text, &list.call.origin)]
        }
        (Some(_), None) => {
            vec![Finding::error("the second object of the list is not on the second page", &list.call.origin)]
        }
        _ => Vec::new(),
    }
}

/// One object by its id, beside the item that the list had of it.
pub(super) fn get(mapping: &Mapping, list: &Seen, seen: &Seen) -> Vec<Finding> {
    let Some(get) = &mapping.ops.get else { return Vec::new() };
    if let Some(finding) = failure(seen, &get.origin) {
        return vec![finding.help("the id is one that the list showed")];
    }
    let documents: Vec<&Value> = replies(seen)
        .filter(|(call, _)| call.origin == get.origin)
        .filter_map(|(_, reply)| get.envelope.item.get(reply.body.tree()))
        .map(first_of)
        .collect();
    let listed = mapping.ops.list.as_ref().and_then(|list_call| {
        let (_, reply) = replies(list).find(|(call, _)| lists(call))?;
        Some(items(&list_call.call, reply))
    });
    let mut findings = vec![Finding::fine(format!(
        "get: {}",
        replies(seen).map(|(call, _)| place(call)).collect::<Vec<_>>().join(", ")
    ))];
    findings.extend(rows(mapping, &documents, &listed.unwrap_or_default()));
    findings
}

/// An id that nobody has must be 404: an identity provider takes anything else for an outage.
pub(super) fn absent(mapping: &Mapping, seen: &Seen) -> Vec<Finding> {
    let origin = mapping.ops.get.as_ref().map_or(&mapping.origin, |get| &get.origin);
    match (seen.response.status, replies(seen).last()) {
        (404, _) => Vec::new(),
        (status, Some((_, reply))) => {
            let text = format!("an id that nobody has: the application says {}, which becomes {status}", reply.status);
            vec![Finding::error(text, origin).help("say with an error rule on `get` that this reply is 404")]
        }
        (status, None) => vec![Finding::error(format!("an id that nobody has becomes {status}"), origin)],
    }
}

/// A look-up by a value that the first object has.
pub(super) fn hit(plan: &FilterPlan, first: &Value, seen: &Seen) -> Vec<Finding> {
    if let Some(finding) = failure(seen, &plan.origin) {
        return vec![finding];
    }
    let found = resources(seen).iter().any(|resource| resource.get("id") == first.get("id"));
    if found {
        return vec![Finding::fine(format!("filter: {} eq finds who has the value", plan.path))];
    }
    let came = came_back(seen);
    let text = format!("`{} eq` does not find an object by its own value ({came} came back)", plan.path);
    vec![Finding::error(text, &plan.origin).help("is the parameter meant for another field, or for a part of it?")]
}

/// A look-up by a value that nobody has.
pub(super) fn miss(mapping: &Mapping, plan: &FilterPlan, seen: &Seen) -> Vec<Finding> {
    let came = came_back(seen);
    if seen.response.status != 200 || came == 0 {
        // A value that cannot be one of this attribute is refused before anybody is asked.
        let refused_by_them = replies(seen).next().is_some() && seen.response.status >= 400;
        return failure(seen, &plan.origin).filter(|_| refused_by_them).into_iter().collect();
    }
    let name = &mapping.resource_type.name;
    let text = format!("`{} eq` for a value that no {name} has brought {came} objects back", plan.path);
    vec![Finding::warning(text, &plan.origin).help(
        "is the parameter spelt as the application spells it? Unknown ones are often ignored. Answers stay right, since \
         every object is compared again, but each look-up reads the list",
    )]
}

fn passes_a_table(row: &Row) -> bool {
    matches!(&row.source, Source::Native { codec, .. } if codec.iter().any(|codec| matches!(codec, Codec::Table(_))))
}

/// Rows against documents. `listed` are items of a list of the same objects, if there are both.
fn rows(mapping: &Mapping, documents: &[&Value], listed: &[&Value]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let readable = |row: &&Row| row.access != Access::Write;
    for row in mapping.rows.iter().filter(readable) {
        let Source::Native { path, .. } = &row.source else { continue };
        if path.header().is_some() || path.is_whole() {
            continue;
        }
        let seen = documents.iter().chain(listed).any(|document| path.get(document).is_some());
        if !seen {
            let text = format!("`{}` is in none of the {} objects that were seen", row.target, documents.len().max(1));
            let help = suggestion(path, documents).unwrap_or_else(|| {
                "fields that are empty may be left out; otherwise the native path is wrong".to_owned()
            });
            findings.push(Finding::warning(text, &row.origin).help(help));
        } else if !listed.is_empty() && is_thinner(mapping, path, documents, listed) {
            let text = format!("items of the list lack `{}`, which the object has", row.target);
            let help = "say `lacks = [..]` on `list`: then items are completed where it matters";
            findings.push(Finding::error(text, &row.origin).help(help));
        }
    }
    let mut faults = Vec::new();
    for document in documents.iter().chain(listed) {
        from_native::resource(mapping, &Value::clone(document).into(), &Env::default(), &mut faults);
    }
    faults.sort_by_key(|fault| fault.row);
    faults.dedup_by_key(|fault| fault.row);
    for fault in faults {
        // What a table says is looked at where tables are.
        let Some(row) = mapping.rows.get(fault.row).filter(|row| !passes_a_table(row)) else { continue };
        findings.push(Finding::error(format!("`{}` cannot be read: {}", row.target, fault.reason), &row.origin));
    }
    findings
}

/// Whether no item of the list has what the objects have, although the list does not say so.
fn is_thinner(mapping: &Mapping, path: &NativePath, documents: &[&Value], listed: &[&Value]) -> bool {
    let lacks = mapping.ops.list.as_ref().and_then(|list| list.lacks.as_ref());
    if lacks.is_some_and(|lacks| lacks.paths.iter().any(|said| said.overlaps(path))) {
        return false;
    }
    let has = |document: &&Value| path.get(document).is_some_and(|value| !value.is_null());
    documents.iter().any(has) && listed.iter().all(|item| path.get(item).is_none())
}

/// What the last step of a path might have meant, judged by what is beside it.
fn suggestion(path: &NativePath, documents: &[&Value]) -> Option<String> {
    let name = path.last_name()?;
    documents.iter().find_map(|document| {
        let names = names_in(document, 0);
        closest(name, names.iter().map(String::as_str)).map(|found| format!("did you mean `{found}`?"))
    })
}

/// Names of fields in a document, those of its objects included.
fn names_in(document: &Value, depth: usize) -> Vec<String> {
    match document {
        Value::Object(fields) if depth < 4 => fields
            .iter()
            .flat_map(|(name, value)| std::iter::once(name.clone()).chain(names_in(value, depth + 1)))
            .take(1000)
            .collect(),
        _ => Vec::new(),
    }
}

/// A request that failed, with what the client would have read.
fn failure(seen: &Seen, origin: &Origin) -> Option<Finding> {
    let error = seen.response.report.error.as_ref()?;
    let last = seen.calls.last();
    let (call, outcome) = match last {
        Some((call, NativeOutcome::Reply(reply))) => {
            (format!("{} {}: ", call.method, place(call)), format!(" (it said {})", reply.status))
        }
        Some((call, NativeOutcome::Failed(failure))) => {
            (format!("{} {}: ", call.method, place(call)), format!(" ({})", failure.as_str()))
        }
        None => (String::new(), String::new()),
    };
    let origin = last.map_or(origin, |(call, _)| &call.origin);
    Some(Finding::error(format!("{call}{} {}{outcome}", error.status, error.detail), origin))
}

/// How many objects the application sent back for a look-up.
fn came_back(seen: &Seen) -> usize {
    let lists = replies(seen).filter(|(call, _)| lists(call));
    lists.map(|(_, reply)| longest_list(reply.body.tree(), 0)).sum()
}

/// A filter plan may have an envelope of its own, so the longest list of the reply is taken.
fn longest_list(body: &Value, depth: usize) -> usize {
    match body {
        Value::Array(items) => items.len(),
        Value::Object(fields) if depth < 3 => {
            fields.values().map(|value| longest_list(value, depth + 1)).max().unwrap_or_default()
        }
        _ => 0,
    }
}

fn replies(seen: &Seen) -> impl Iterator<Item = (&NativeCall, &NativeReply)> {
    seen.calls.iter().filter_map(|(call, outcome)| match outcome {
        NativeOutcome::Reply(reply) => Some((call, reply)),
        NativeOutcome::Failed(_) => None,
    })
}

fn items<'r>(call: &Call, reply: &'r NativeReply) -> Vec<&'r Value> {
    let listed = call.envelope.items.get(reply.body.tree()).and_then(Value::as_array);
    listed.map(|items| items.iter().collect()).unwrap_or_default()
}

fn first_of(document: &Value) -> &Value {
    document.as_array().and_then(|items| items.first()).unwrap_or(document)
}

/// The path of a call without its query, whose values are somebody's.
fn place(call: &NativeCall) -> &str {
    call.target.split('?').next().unwrap_or_default()
}
