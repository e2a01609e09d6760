//! Slots for writes: a call string, a call table, or a table with `steps`.

use std::sync::Arc;

use crate::config::catalogue::{self, Keys};
use crate::config::read::Fields;
use crate::config::tree::Node;
use crate::expr::Name;
use crate::mapping::{Body, Call, Each, Flow, ListCall, Paging, PagingStyle, Phase, Slot, Step};

use super::calls::{CallSpec, call, call_table, paging, phases};
use super::context::{Context, KnownStep};
use super::slots::SlotScope;

/// A slot whose calls are being compiled.
pub(super) struct FlowSpec<'s> {
    /// The slot's own call.
    pub(super) call: CallSpec<'s>,
    /// What its steps and `undo` see; on a create that is the id besides.
    pub(super) names: &'s [(&'s str, Name)],
    /// The call string of a preset.
    pub(super) fallback: Option<&'s Node>,
}

/// Keys that only a call has.
pub(super) const OWN_CALL: [&str; 9] =
    ["call", "query", "headers", "body", "ok", "also_ok", "envelope", "save", "idempotent"];

/// What stands in a write slot.
pub(super) fn flow(cx: &mut Context, node: &Node, keys: &'static Keys, spec: &FlowSpec<'_>) -> Option<Flow> {
    if node.as_text().is_some() {
        return call(cx, node, keys, &spec.call, None).map(Flow::of);
    }
    let fields = Fields::of(&mut cx.report, node, keys)?;
    let when = fields.if_known("when").map(|node| cx.condition(node, &spec.call.scope));
    let mut flow = flow_table(cx, node, &fields, spec)?;
    if let Some(when) = when {
        let when = when?;
        match flow.steps.first_mut().filter(|_| flow.has_own_call) {
            Some(step) => step.when = Some(when),
            None => {
                let place = fields.if_known("when").map_or(&node.place, |node| &node.place);
                cx.report.error("E004", place, "`when` is about a call, and this table has only `steps`");
            }
        }
    }
    Some(flow)
}

/// The same for a table whose keys have been checked, and whose `when` means something else.
pub(super) fn flow_table(cx: &mut Context, node: &Node, fields: &Fields<'_>, spec: &FlowSpec<'_>) -> Option<Flow> {
    let steps = fields.if_known("steps");
    let own = steps.is_none() || OWN_CALL.iter().any(|key| fields.get(key).is_some());
    let mut found = Vec::new();
    let mut fine = true;
    if own {
        match own_step(cx, node, fields, spec) {
            Some(step) => found.push(step),
            None => fine = false,
        }
    } else if let Some(entry) =
        ["for", "as", "max", "parallel", "undo"].iter().find_map(|key| fields.entry_if_known(key))
    {
        let message = format!("`{}` is about a call, and this table has only `steps`", entry.name);
        cx.report.error("E004", &entry.key, message);
    }
    if let Some(node) = steps {
        match self::steps(cx, node, spec) {
            Some(steps) => found.extend(steps),
            None => fine = false,
        }
    }
    let then = fields.if_known("then").map_or(Vec::new(), |node| phases(cx, node));
    let slot = spec.call.slot;
    if slot != Slot::Create && then.iter().any(|phase| *phase != Phase::Get) {
        let message = "only `then = \"get\"` can follow here; the others are phases of a create";
        cx.report.error("E004", fields.if_known("then").map_or(&node.place, |node| &node.place), message);
    }
    let origin = cx.origin(&node.place);
    fine.then_some(Flow { steps: found, has_own_call: own, then, slot, origin })
}

fn own_step(cx: &mut Context, node: &Node, fields: &Fields<'_>, spec: &FlowSpec<'_>) -> Option<Step> {
    let local = element_name(cx, fields, &spec.call.scope);
    let names = with_local(spec.call.scope.names, local.as_deref());
    let each = each(cx, fields, &spec.call.scope, local.is_some());
    let scope = SlotScope { names: &names, ..spec.call.scope };
    let inner = CallSpec { scope, body: spec.call.body.clone(), ..spec.call };
    let call = call_table(cx, node, fields, &inner, spec.fallback);
    let undo = undo(cx, fields, &SlotScope { names: spec.names, ..scope }, &inner);
    Some(Step { id: None, when: None, each: each?, call: call?, list: None, undo: undo? })
}

/// `steps = [..]`: each sees what the ones before it saved.
fn steps(cx: &mut Context, node: &Node, spec: &FlowSpec<'_>) -> Option<Vec<Step>> {
    let items = cx.report.list(node)?;
    if items.is_empty() {
        cx.report.error("E004", &node.place, "`steps` holds at least one step");
    }
    let id_of = |item: &Node| Some(item.as_table()?.get("id")?.value.as_text()?.to_owned());
    cx.known_steps.clear();
    cx.later_steps = items.iter().filter_map(id_of).collect();
    let mut found = Vec::with_capacity(items.len());
    let mut fine = !items.is_empty();
    for item in items {
        match step(cx, item, spec) {
            Some(step) => found.push(step),
            None => fine = false,
        }
    }
    cx.known_steps.clear();
    cx.later_steps.clear();
    fine.then_some(found)
}

fn step(cx: &mut Context, node: &Node, spec: &FlowSpec<'_>) -> Option<Step> {
    let fields = Fields::of(&mut cx.report, node, &catalogue::STEP)?;
    let mut names = spec.names.to_vec();
    names.push(("steps", Name::Steps));
    let outer = SlotScope { names: &names, ..spec.call.scope };
    let local = element_name(cx, &fields, &outer);
    let names = with_local(&names, local.as_deref());
    let scope = SlotScope { names: &names, ..spec.call.scope };
    let each = each(cx, &fields, &outer, local.is_some());
    let when = fields.if_known("when").map_or(Some(None), |node| cx.condition(node, &scope).map(Some));
    let inner = CallSpec { scope, body: Body::None, ..spec.call };
    let call = call_table(cx, node, &fields, &inner, None);
    let id = fields.get("id").and_then(|node| step_id(cx, node));
    let saved: Vec<String> = saved_names(&fields);
    if let (Some(entry), None) = (fields.entry("save"), fields.get("id")) {
        cx.report.error("E006", &entry.key, "`id` is missing: the name by which later steps find what is saved");
    }
    // Known even if it is faulty, so that to refer to it is no further mistake; its own `undo` sees it too.
    if let Some(id) = &id {
        let looped = fields.if_known("for").is_some();
        cx.known_steps.push(KnownStep { id: id.to_string(), saved, looped });
    }
    let undo = undo(cx, &fields, &scope, &inner);
    let call = call?;
    let list = list(cx, &fields, &call, spec.call.paging)?;
    Some(Step { id, when: when?, each: each?, call, list, undo: undo? })
}

/// `paging` of a step. A list of which one page is read would look like all of it, so where the backend pages its lists
/// a step that saves one says how it is read. The outer `None` is a mistake.
#[expect(clippy::option_option, reason = "a mistake and an absent key are different")]
fn list(
    cx: &mut Context,
    fields: &Fields<'_>,
    call: &Call,
    of_backend: Option<&Paging>,
) -> Option<Option<Box<ListCall>>> {
    let reads = &*call.method == "GET";
    let Some(entry) = fields.entry("paging") else {
        let pages = of_backend.is_some_and(|paging| paging.style != PagingStyle::None);
        let saved = call.save.iter().find(|(_, from)| from.native.reads_list(&call.envelope.items));
        if let (true, true, Some((name, _)), Some(save)) = (reads, pages, saved, fields.entry("save")) {
            let message = format!("`{name}` is a list of which one page would be read: the backend pages its lists");
            let help = "say how it is read to its end, `paging = { style = .. }`, or that one reply is enough, \
                        `paging = { style = \"none\" }`";
            cx.report.error_help("E161", &save.key, message, help.to_owned());
        }
        return Some(None);
    };
    let (paging, total) = paging(cx, &entry.value)?;
    let saves = call.save.iter().any(|(_, from)| from.native.reads_list(&call.envelope.items));
    if !reads || !saves {
        let why = if reads { "`save` takes nothing from its list" } else { "it is no GET" };
        let message = format!("`paging` reads the list of a reply to its end, and of this call {why}");
        cx.report.error("E004", &entry.key, message);
        return None;
    }
    if paging.style == PagingStyle::None {
        return Some(None);
    }
    let mut call = call.clone();
    call.envelope.total = total.unwrap_or(call.envelope.total);
    Some(Some(Box::new(ListCall { call, paging, lacks: None })))
}

fn saved_names(fields: &Fields<'_>) -> Vec<String> {
    let table = fields.get("save").and_then(Node::as_table);
    table.map_or(Vec::new(), |table| table.entries.iter().map(|entry| entry.name.clone()).collect())
}

fn step_id(cx: &mut Context, node: &Node) -> Option<Arc<str>> {
    let id = cx.report.word(node)?;
    if !is_name(id) {
        cx.report.error("E104", &node.place, "the id of a step is a word: letters, digits and `_`");
        return None;
    }
    if cx.known_steps.iter().any(|step| step.id == id) {
        cx.report.error("E104", &node.place, format!("there is a step `{id}` before this one"));
        return None;
    }
    Some(Arc::from(id))
}

/// `as`: the name of an element. It must not hide another name of its slot.
fn element_name(cx: &mut Context, fields: &Fields<'_>, scope: &SlotScope<'_>) -> Option<String> {
    let node = fields.if_known("as")?;
    let name = cx.report.word(node)?;
    let taken =
        scope.names.iter().any(|(known, _)| *known == name) || cx.variables.iter().any(|known| **known == *name);
    if taken || !is_name(name) {
        let what = if taken { "is taken" } else { "is not a word: letters, digits and `_`" };
        cx.report.error("E104", &node.place, format!("the name `{name}` {what}"));
        return None;
    }
    Some(name.to_owned())
}

fn is_name(text: &str) -> bool {
    let keyword = matches!(text, "true" | "false" | "null" | "in" | "has");
    !keyword
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn with_local<'n>(names: &[(&'n str, Name)], local: Option<&'n str>) -> Vec<(&'n str, Name)> {
    names.iter().copied().chain(local.map(|local| (local, Name::Local(0)))).collect()
}

/// `for`, `max`, `parallel`. The outer `None` is a mistake.
#[expect(clippy::option_option, reason = "a mistake and an absent key are different")]
fn each(cx: &mut Context, fields: &Fields<'_>, scope: &SlotScope<'_>, named: bool) -> Option<Option<Each>> {
    let Some(node) = fields.if_known("for") else {
        for entry in ["as", "max", "parallel"].iter().filter_map(|key| fields.entry_if_known(key)) {
            cx.report.error("E004", &entry.key, format!("`{}` belongs to `for`, which is missing", entry.name));
        }
        return Some(None);
    };
    if fields.if_known("as").is_none() {
        cx.report.error("E006", fields.place, "`as` is missing: the name of an element of `for`");
    }
    let number = |cx: &mut Context, key: &str, default: u64, max: u64| {
        let number = fields.if_known(key).and_then(|node| cx.report.integer(node, 1..=max)).unwrap_or(default);
        usize::try_from(number).unwrap_or(1)
    };
    let (max, parallel) = (number(cx, "max", EACH_MAX, 10_000), number(cx, "parallel", 1, 64));
    let list = cx.expr(node, scope)?;
    if list.constant().is_some_and(|value| !value.is_array()) {
        cx.report.error("E004", &node.place, "`for` takes a list");
        return None;
    }
    named.then_some(Some(Each { list, max, parallel }))
}

/// `undo`. The outer `None` is a mistake.
#[expect(clippy::option_option, reason = "a mistake and an absent key are different")]
fn undo(
    cx: &mut Context,
    fields: &Fields<'_>,
    scope: &SlotScope<'_>,
    spec: &CallSpec<'_>,
) -> Option<Option<crate::mapping::Call>> {
    let Some(entry) = fields.entry_if_known("undo") else { return Some(None) };
    if spec.slot != Slot::Create {
        let message = "only a create is undone: an update that fails half-way is completed by the client's retry";
        cx.report.error("E100", &entry.key, message);
        return None;
    }
    let spec = CallSpec { scope: *scope, body: Body::None, ..*spec };
    call(cx, &entry.value, &catalogue::UNDO, &spec, None).map(Some)
}

/// Elements that `for` takes unless `max` says otherwise.
const EACH_MAX: u64 = 1000;
