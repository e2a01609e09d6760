//! Native calls: `"METHOD /path?query"` and call tables.

use std::ops::Range;
use std::sync::Arc;

use crate::config::catalogue::{self, Keys};
use crate::config::diagnostic::listed;
use crate::config::read::Fields;
use crate::config::tree::{Data, Node};
use crate::expr::{Expr, Template};
use crate::mapping::{
    AlsoOk, Body, Call, Envelope, Extract, NativePath, Paging, PagingStyle, Phase, Slot, Success, Total,
};

use super::body;
use super::codecs;
use super::context::Context;
use super::defaults::{self, CallDefaults};
use super::slots::{REPLY, SlotScope, placeholder_mask};

/// What a call slot brings along.
pub(super) struct CallSpec<'s> {
    pub(super) slot: Slot,
    pub(super) scope: SlotScope<'s>,
    /// What `{path}` stands for; none outside resources.
    pub(super) path: Option<&'s [Template]>,
    pub(super) envelope: &'s EnvelopeParts,
    pub(super) ok: Option<&'s Expr>,
    pub(super) body: Body,
    /// What the backend lays under every call.
    pub(super) defaults: &'s CallDefaults,
    /// How the backend pages its lists.
    pub(super) paging: Option<&'s Paging>,
}

/// A call slot: a call string, or a table. `fallback` is the call string where the table has none.
pub(super) fn call(
    cx: &mut Context,
    node: &Node,
    keys: &'static Keys,
    spec: &CallSpec<'_>,
    fallback: Option<&Node>,
) -> Option<Call> {
    if node.as_text().is_some() {
        let mut call = request_line(cx, node, spec).map(|line| plain_call(cx, node, line, spec))?;
        spec.defaults.lay_under(cx, &mut call, node, node, None)?;
        look_up(cx, &mut call);
        return Some(call);
    }
    let fields = Fields::of(&mut cx.report, node, keys)?;
    call_table(cx, node, &fields, spec, fallback)
}

/// The common part of a call table whose keys have been checked.
pub(super) fn call_table(
    cx: &mut Context,
    node: &Node,
    fields: &Fields<'_>,
    spec: &CallSpec<'_>,
    fallback: Option<&Node>,
) -> Option<Call> {
    let Some(line_node) = fields.get("call").or(fallback).or_else(|| spec.defaults.call()) else {
        let help = "or give the backend a `call` that is meant where none is written".to_owned();
        cx.report.error_help("E040", &node.place, "`call` is missing: \"METHOD /path\"", help);
        return None;
    };
    let line = request_line(cx, line_node, spec);
    let mut call = plain_call(cx, node, line.unwrap_or_default(), spec);
    let laid = spec.defaults.lay_under(cx, &mut call, node, line_node, Some(fields));
    refine(cx, &mut call, fields, &spec.scope)?;
    (!call.method.is_empty() && laid.is_some()).then_some(call)
}

/// Lays the keys of a call table, but for `call`, over a call.
pub(super) fn refine(cx: &mut Context, call: &mut Call, fields: &Fields<'_>, scope: &SlotScope<'_>) -> Option<()> {
    if let Some(query) = fields.get("query") {
        for (name, value) in pairs(cx, query, scope) {
            set(&mut call.query, name, value);
        }
    }
    if let Some(own) = fields.get("headers") {
        for (name, value) in headers(cx, own, scope) {
            call.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
            call.headers.push((name, value));
        }
    }
    let body = fields.get("body").map(|node| body::body(cx, node, scope, call.slot));
    if let Some(node) = fields.get("ok") {
        Arc::make_mut(&mut call.success).ok = cx.condition(node, &REPLY);
    }
    if let Some(node) = fields.if_known("also_ok") {
        Arc::make_mut(&mut call.success).also_ok = also_ok(cx, node);
    }
    if let Some(node) = fields.if_known("envelope") {
        envelope(cx, node).apply(&mut call.envelope);
    }
    if let Some(node) = fields.get("save") {
        call.save = save(cx, node);
    }
    if let Some(explicit) = fields.if_known("idempotent").and_then(|node| cx.report.boolean(node)) {
        call.idempotent = explicit;
    }
    if let Some(body) = body {
        defaults::over(call, body?);
    }
    look_up(cx, call);
    Some(())
}

/// Notes which names of reference tables a call needs.
fn look_up(cx: &mut Context, call: &mut Call) {
    call.names = call.looked_up();
    cx.used_names.extend(call.names.iter().cloned());
}

fn plain_call(cx: &Context, node: &Node, line: RequestLine, spec: &CallSpec<'_>) -> Call {
    let repeatable = spec.slot.reads() || matches!(&*line.method, "GET" | "PUT" | "DELETE");
    Call {
        method: line.method,
        segments: line.segments,
        trailing_slash: line.trailing_slash,
        query: line.query,
        headers: Vec::new(),
        body: spec.body.clone(),
        success: Arc::new(Success { ok: spec.ok.cloned(), also_ok: Vec::new() }),
        envelope: spec.envelope.clone().finish(),
        save: Vec::new(),
        idempotent: repeatable,
        slot: spec.slot,
        origin: cx.origin(&node.place),
        parts: None,
        names: Vec::new(),
    }
}

/// Whether a text is a call string in itself; what it may name besides is seen where it is used.
pub(super) fn line_of(cx: &mut Context, node: &Node, scope: &SlotScope<'_>) -> bool {
    let (envelope, defaults) = (EnvelopeParts::default(), CallDefaults::default());
    let spec = CallSpec {
        slot: Slot::List,
        scope: *scope,
        path: Some(&[]),
        envelope: &envelope,
        ok: None,
        body: Body::None,
        defaults: &defaults,
        paging: None,
    };
    request_line(cx, node, &spec).is_some()
}

/// Method, path and query of a call.
pub(super) struct RequestLine {
    pub(super) method: Arc<str>,
    pub(super) segments: Vec<Template>,
    pub(super) trailing_slash: bool,
    pub(super) query: Vec<(Arc<str>, Template)>,
}

impl Default for RequestLine {
    fn default() -> Self {
        Self { method: Arc::from(""), segments: Vec::new(), trailing_slash: false, query: Vec::new() }
    }
}

fn request_line(cx: &mut Context, node: &Node, spec: &CallSpec<'_>) -> Option<RequestLine> {
    let text = cx.report.word(node)?;
    let method = text.split(' ').next().unwrap_or("");
    let start = method.len() + 1;
    if !METHODS.contains(&method) {
        let place = cx.report.part(node, 0..method.len());
        let message = format!("a call is \"METHOD /path\", with a method of {}", listed(&METHODS));
        cx.report.unknown("E021", &place, message, method, METHODS);
        return None;
    }
    let target = text.get(start..).unwrap_or("");
    if !target.starts_with('/') && !target.starts_with("{path}") {
        let place = cx.report.part(node, start.min(text.len())..text.len());
        cx.report.error("E021", &place, "the path of a call begins with `/`, below the URL of its backend");
        return None;
    }
    let mask = placeholder_mask(text);
    let literal =
        |at: &usize, c: char| text.get(*at..).is_some_and(|rest| rest.starts_with(c)) && mask.get(*at) == Some(&false);
    let end = (start..text.len()).find(|at| literal(at, '?')).unwrap_or(text.len());
    cx.names_in(node, start..end);
    let segments = segments(cx, node, start..end, spec);
    let ends_in_slash = text.get(start..end).is_some_and(|path| path.len() > 1 && path.ends_with('/'));
    let query =
        if end < text.len() { query_part(cx, node, end + 1..text.len(), &spec.scope) } else { Some(Vec::new()) };
    Some(RequestLine { method: Arc::from(method), segments: segments?, trailing_slash: ends_in_slash, query: query? })
}

/// A path as one template per segment. Everything is compiled, so that all mistakes are found.
pub(super) fn segments(
    cx: &mut Context,
    node: &Node,
    range: Range<usize>,
    spec: &CallSpec<'_>,
) -> Option<Vec<Template>> {
    let text = node.as_text().unwrap_or("");
    let mut start = range.start;
    let mut segments = Vec::new();
    if text.get(range.clone()).is_some_and(|target| target.starts_with("{path}")) {
        let Some(path) = spec.path else {
            let place = cx.report.part(node, start..start + "{path}".len());
            cx.report.error("E022", &place, "`{path}` needs a `path` of the resource");
            return None;
        };
        segments.extend_from_slice(path);
        start += "{path}".len();
    }
    let mut fine = true;
    let pieces = split(text, start..range.end, b'/');
    let (first, rest) = pieces.split_first()?;
    if !first.is_empty() {
        let place = cx.report.part(node, first.clone());
        cx.report.error("E021", &place, "expected `/`");
        fine = false;
    }
    let rest = match rest {
        // One slash at the end is no segment.
        [init @ .., last] if last.is_empty() => init,
        rest => rest,
    };
    for piece in rest {
        let literal = text.get(piece.clone()).unwrap_or("");
        if matches!(literal, "" | "." | "..") || literal.contains('#') {
            let place = cx.report.part(node, piece.clone());
            cx.report.error("E021", &place, "a path has no empty or dotted segment and no `#`");
            fine = false;
            continue;
        }
        match cx.url_part(node, piece.clone(), &spec.scope) {
            Some(template) => segments.push(template),
            None => fine = false,
        }
    }
    fine.then_some(segments)
}

/// `a=1&b={value}`.
pub(super) fn query_part(
    cx: &mut Context,
    node: &Node,
    range: Range<usize>,
    scope: &SlotScope<'_>,
) -> Option<Vec<(Arc<str>, Template)>> {
    let text = node.as_text().unwrap_or("");
    let mut query = Vec::new();
    let mut fine = true;
    for piece in split(text, range, b'&') {
        let pair = text.get(piece.clone()).unwrap_or("");
        let equals = pair.find('=').unwrap_or(pair.len());
        let name = pair.get(..equals).unwrap_or("");
        if name.is_empty() || name.contains(['{', '}', '#']) {
            let place = cx.report.part(node, piece);
            cx.report.error("E021", &place, "expected `name=value`");
            fine = false;
            continue;
        }
        cx.names_in(node, piece.start..piece.start + equals);
        let value = (piece.start + equals + 1).min(piece.end)..piece.end;
        match cx.url_part(node, value, scope) {
            Some(template) => set(&mut query, Arc::from(name), template),
            None => fine = false,
        }
    }
    fine.then_some(query)
}

/// Splits at a separator that stands outside placeholders.
fn split(text: &str, range: Range<usize>, separator: u8) -> Vec<Range<usize>> {
    let mask = placeholder_mask(text);
    let mut pieces = Vec::new();
    let mut start = range.start;
    for at in range.clone() {
        if text.as_bytes().get(at) == Some(&separator) && mask.get(at) == Some(&false) {
            pieces.push(start..at);
            start = at + 1;
        }
    }
    pieces.push(start..range.end);
    pieces
}

pub(super) fn set(list: &mut Vec<(Arc<str>, Template)>, name: Arc<str>, value: Template) {
    list.retain(|(known, _)| *known != name);
    list.push((name, value));
}

pub(super) fn pairs(cx: &mut Context, node: &Node, scope: &SlotScope<'_>) -> Vec<(Arc<str>, Template)> {
    let entries = cx.report.table(node).map_or(&[][..], |table| &table.entries);
    let compile = |entry: &crate::config::tree::Entry| {
        // As part of a URL where it is text, so that literals are encoded like those of a call string.
        let template = match entry.value.as_text() {
            Some(text) => cx.url_part(&entry.value, 0..text.len(), scope),
            None => cx.text_template(&entry.value, scope),
        };
        Some((Arc::from(entry.name.as_str()), template?))
    };
    entries.iter().filter_map(compile).collect()
}

pub(super) fn headers(cx: &mut Context, node: &Node, scope: &SlotScope<'_>) -> Vec<(Arc<str>, Template)> {
    let mut found = Vec::new();
    for entry in cx.report.table(node).map_or(&[][..], |table| &table.entries) {
        if !is_header_name(&entry.name) {
            let message = format!("`{}` cannot be a header of a native call", entry.name);
            cx.report.error("E004", &entry.key, message);
        } else if let Some(template) = cx.text_template(&entry.value, scope) {
            found.push((Arc::from(entry.name.as_str()), template));
        }
    }
    found
}

/// A token of RFC 9110 5.6.2 that is not about the connection or the framing of the message.
pub(super) fn is_header_name(name: &str) -> bool {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !name.is_empty() && name.chars().all(token) && !FRAMING.iter().any(|framing| framing.eq_ignore_ascii_case(name))
}

fn also_ok(cx: &mut Context, node: &Node) -> Vec<AlsoOk> {
    let mut found = Vec::new();
    for item in cx.report.list(node).unwrap_or(&[]) {
        match item.data {
            Data::Int(_) => {
                let status = cx.report.integer(item, 100..=599).and_then(|status| u16::try_from(status).ok());
                found.extend(status.map(AlsoOk::Status));
            }
            _ => found.extend(cx.condition(item, &REPLY).map(AlsoOk::When)),
        }
    }
    found
}

fn save(cx: &mut Context, node: &Node) -> Vec<(Arc<str>, Extract)> {
    let entries = cx.report.table(node).map_or(&[][..], |table| &table.entries);
    let extracts = entries.iter().map(|entry| (Arc::from(entry.name.as_str()), extract(cx, &entry.value)));
    extracts.filter_map(|(name, extract)| Some((name, extract?))).collect()
}

pub(super) fn phases(cx: &mut Context, node: &Node) -> Vec<Phase> {
    let names = [("update", Phase::Update), ("members", Phase::Members), ("get", Phase::Get)];
    match &node.data {
        Data::List(items) => items.iter().filter_map(|item| cx.report.choice(item, &names)).collect(),
        _ => cx.report.choice(node, &names).into_iter().collect(),
    }
}

/// A path, or `{ native, codec }`; reading only.
pub(super) fn extract(cx: &mut Context, node: &Node) -> Option<Extract> {
    if node.as_text().is_some() {
        return Some(Extract { native: cx.native_path(node)?, codec: Vec::new() });
    }
    let fields = Fields::of(&mut cx.report, node, &catalogue::EXTRACT)?;
    let native = fields.require(&mut cx.report, "native", "where the value is").and_then(|node| cx.native_path(node));
    let codec = fields.get("codec").map_or(Some(Vec::new()), |node| codecs::codecs(cx, node, None));
    Some(Extract { native: native?, codec: codec? })
}

/// An envelope as far as one level of the configuration says.
#[derive(Clone, Debug, Default)]
pub(super) struct EnvelopeParts {
    pub(super) items: Option<NativePath>,
    pub(super) item: Option<NativePath>,
    pub(super) wrap: Option<NativePath>,
    pub(super) total: Option<Total>,
}

impl EnvelopeParts {
    /// This level laid over a wider one, key by key.
    pub(super) fn over(&self, wider: &Self) -> Self {
        let own = self.clone();
        let wider = wider.clone();
        Self {
            items: own.items.or(wider.items),
            item: own.item.or(wider.item),
            wrap: own.wrap.or(wider.wrap),
            total: own.total.or(wider.total),
        }
    }

    /// This level laid over a finished envelope.
    fn apply(self, envelope: &mut Envelope) {
        let Envelope { items, item, wrap, total, .. } = envelope;
        *items = self.items.unwrap_or_else(|| items.clone());
        *item = self.item.unwrap_or_else(|| item.clone());
        *total = self.total.unwrap_or_else(|| total.clone());
        if self.wrap.is_some() {
            *wrap = self.wrap;
        }
    }

    pub(super) fn finish(self) -> Envelope {
        Envelope {
            items: self.items.unwrap_or_else(NativePath::whole),
            item: self.item.unwrap_or_else(NativePath::whole),
            wrap: self.wrap,
            total: self.total.unwrap_or(Total::Walk),
            single: false,
        }
    }
}

pub(super) fn envelope(cx: &mut Context, node: &Node) -> EnvelopeParts {
    let Some(fields) = Fields::of(&mut cx.report, node, &catalogue::ENVELOPE) else { return EnvelopeParts::default() };
    EnvelopeParts {
        items: fields.get("items").and_then(|node| cx.native_path(node)),
        item: fields.get("item").and_then(|node| cx.native_path(node)),
        wrap: fields.get("wrap").and_then(|node| cx.writable_path(node)),
        total: fields.get("total").and_then(|node| total(cx, node)),
    }
}

fn total(cx: &mut Context, node: &Node) -> Option<Total> {
    match cx.report.text(node)? {
        "walk" => Some(Total::Walk),
        "open" => Some(Total::Open),
        _ => cx.native_path(node).map(Total::Path),
    }
}

#[derive(Clone, Copy)]
enum Style {
    None,
    Page,
    Offset,
    Cursor,
    Link,
}

pub(super) fn paging(cx: &mut Context, node: &Node) -> Option<(Paging, Option<Total>)> {
    let fields = Fields::of(&mut cx.report, node, &catalogue::PAGING)?;
    let styles = [
        ("none", Style::None),
        ("page", Style::Page),
        ("offset", Style::Offset),
        ("cursor", Style::Cursor),
        ("link", Style::Link),
    ];
    let style = fields.require(&mut cx.report, "style", "\"page\", \"offset\", \"cursor\", \"link\" or \"none\"")?;
    let style = cx.report.choice(style, &styles)?;
    let name = |cx: &mut Context, key: &str, default: &str| {
        let name = fields.get(key).and_then(|node| cx.report.word(node));
        Arc::<str>::from(name.unwrap_or(default))
    };
    let first = |cx: &mut Context, default: u32| {
        let first = fields.get("first").and_then(|node| cx.report.integer(node, 0..=1));
        first.and_then(|first| u32::try_from(first).ok()).unwrap_or(default)
    };
    let next = |cx: &mut Context, default: &str| {
        let own = fields.get("next").map(|node| cx.native_path(node));
        own.unwrap_or_else(|| NativePath::parse(default).ok())
    };
    let style = match style {
        Style::None => PagingStyle::None,
        Style::Page => PagingStyle::Page { page: name(cx, "page", "page"), first: first(cx, 1) },
        Style::Offset => PagingStyle::Offset { offset: name(cx, "offset", "offset"), first: first(cx, 0) },
        Style::Cursor => {
            fields.require(&mut cx.report, "next", "where the next marker is in a reply")?;
            PagingStyle::Cursor { cursor: name(cx, "cursor", "cursor"), next: next(cx, "next")? }
        }
        Style::Link => PagingStyle::Link { next: next(cx, "@link")? },
    };
    unfitting_keys(cx, &fields, &style);
    let size = fields.get("size").and_then(|node| cx.report.word(node)).map(Arc::from);
    let max = fields.get("max").and_then(|node| cx.report.integer(node, 1..=100_000));
    let max = max.and_then(|max| u32::try_from(max).ok()).unwrap_or(DEFAULT_PAGE);
    let ends = [("empty", false), ("short", true)];
    let short_ends = fields.get("end").and_then(|node| cx.report.choice(node, &ends)).unwrap_or(false);
    let total = fields.get("total").and_then(|node| total(cx, node));
    check_total(cx, &fields, &style, total.as_ref());
    Some((Paging { style, size, max, short_ends }, total))
}

fn unfitting_keys(cx: &mut Context, fields: &Fields<'_>, style: &PagingStyle) {
    let wanted: &[&str] = match style {
        PagingStyle::None => &["style", "total"],
        PagingStyle::Page { .. } => &["style", "page", "first", "size", "max", "total", "end"],
        PagingStyle::Offset { .. } => &["style", "offset", "first", "size", "max", "total", "end"],
        PagingStyle::Cursor { .. } => &["style", "cursor", "next", "size", "max", "total"],
        PagingStyle::Link { .. } => &["style", "next", "size", "max", "total"],
    };
    for key in catalogue::PAGING.names().filter(|key| !wanted.contains(key)) {
        if let Some(entry) = fields.entry(key) {
            cx.report.error("E004", &entry.key, format!("`{key}` does not belong to this style of paging"));
        }
    }
}

fn check_total(cx: &mut Context, fields: &Fields<'_>, style: &PagingStyle, total: Option<&Total>) {
    if let (PagingStyle::None, Some(Total::Open), Some(entry)) = (style, total, fields.entry("total")) {
        let message = "a list without pages is always read whole, so its total is never open";
        cx.report.error("E160", &entry.value.place, message);
    }
}

/// The whole list in one reply.
pub(super) fn unpaged() -> Paging {
    Paging { style: PagingStyle::None, size: None, max: DEFAULT_PAGE, short_ends: false }
}

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
const FRAMING: [&str; 9] = [
    "Host",
    "Connection",
    "Content-Length",
    "Transfer-Encoding",
    "Upgrade",
    "TE",
    "Trailer",
    "Keep-Alive",
    "Proxy-Connection",
];
const DEFAULT_PAGE: u32 = 100;
