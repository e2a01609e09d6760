//! The top of the file: version, presets, patterns, and what becomes of the parts.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::auth::{AuthKind, Authenticator};
use crate::config::catalogue;
use crate::config::layers::{Fetch, Layered, layered};
use crate::config::read::{Fields, Report};
use crate::config::snapshot::{
    Backend, Limits, LogRule, MetricsRule, OutboundAuth, Route, Server, Snapshot, TraceRule,
};
use crate::config::tree::{Node, Place, Source, SourceMap, Table};
use crate::mapping::Mapping;
use crate::scim::ResourceType;

use super::backend::BackendParts;
use super::context::Context;
use super::route::{RouteAuth, RouteParts};
use super::{auth, backend, credential, lint, observe, resource, route, schema, server, store};

/// Parses the file and lays it on what it extends.
pub(crate) fn document(source: Source, fetch: Fetch<'_>) -> (Context, Table) {
    let mut report = Report::new(SourceMap::new(vec![source]));
    let Layered { root, incomplete } = layered(&mut report, fetch);
    (Context { preset_missing: incomplete, ..Context::new(report) }, root)
}

/// Everything that resources need, before there are any mappings.
pub(super) struct Parts<'n> {
    server: Server,
    passthrough: Option<usize>,
    log: LogRule,
    trace: Option<TraceRule>,
    limits: Limits,
    metrics: MetricsRule,
    authenticators: Vec<Authenticator>,
    backends: Vec<(Backend, BackendParts)>,
    routes: Vec<RouteParts>,
    types: Vec<ResourceType>,
    fields: Fields<'n>,
}

pub(super) fn parts<'n>(cx: &mut Context, root: &'n Table) -> Parts<'n> {
    let fields = Fields::of_table(&mut cx.report, root, &TOP, &catalogue::FILE);
    version(cx, &fields);
    lint::lint(cx, fields.get("lint"));
    store::table(cx, fields.entry("store"));
    cx.patterns = patterns(cx, &fields);
    let (server, passthrough_node) = server::server(cx, fields.get("server"));
    let log = observe::log(cx, fields.get("log"));
    let trace = observe::trace(cx, fields.get("trace"));
    let limits = server::limits(cx, fields.get("limits"));
    let metrics = server::metrics(cx, fields.get("metrics"));
    let authenticators = auth::authenticators(cx, fields.get("auth"));
    let backend_names = names(fields.get("backend"));
    let types = schema::resource_types(cx, fields.get("schema"), fields.get("resource"));
    let auth_names: Vec<(String, bool)> =
        authenticators.iter().map(|known| (known.name.to_string(), known.kind != AuthKind::None)).collect();
    let routes = route::routes(cx, fields.get("route"), &backend_names, &auth_names, &types);
    let backends = backend::backends(cx, fields.get("backend"), &types);
    let passthrough = server::passthrough(cx, passthrough_node, &backend_names);
    Parts { server, passthrough, log, trace, limits, metrics, authenticators, backends, routes, types, fields }
}

/// Compiles the mappings and puts the snapshot together; `None` if something is missing that was reported.
pub(super) fn assemble(cx: &mut Context, parts: Parts<'_>, hash: String) -> Option<Snapshot> {
    let resources = parts.fields.get("resource");
    let defaults = parts.fields.get("defaults");
    let mut by_backend: BTreeMap<usize, Vec<Arc<Mapping>>> = BTreeMap::new();
    let mut used: Vec<usize> = parts.routes.iter().filter_map(|route| route.backend).collect();
    used.sort_unstable();
    used.dedup();
    // Without a usable route the resources are checked all the same.
    let fallback = BackendParts::default();
    if used.is_empty() {
        resource::mappings(cx, resources, defaults, &parts.types, &fallback, &parts.routes);
    }
    for index in used {
        let backend = parts.backends.get(index).map_or(&fallback, |(_, parts)| parts);
        let serving: Vec<RouteParts> =
            parts.routes.iter().filter(|route| route.backend == Some(index)).cloned().collect();
        let mappings = resource::mappings(cx, resources, defaults, &parts.types, backend, &serving);
        if let Some(place) = &backend.token_in_body {
            let tables = parts.backends.get(index).map_or(&[][..], |(backend, _)| &backend.tables);
            credential::check_bodies(cx, place, &mappings, tables);
        }
        if !cx.report.has_errors() {
            backend.defaults.check_used(cx);
        }
        by_backend.insert(index, mappings);
    }
    let forwards =
        |index: usize| parts.backends.get(index).is_some_and(|(known, _)| matches!(known.auth, OutboundAuth::Forward));
    route::check_forwarding(cx, &parts.routes, forwards);
    route::check_unused(cx, &parts.routes);
    route::check_served(cx, &parts.routes, &parts.types, resources);
    let routes = parts.routes.iter().map(|route| finish_route(route, &by_backend)).collect::<Option<Vec<_>>>()?;
    Some(Snapshot {
        hash,
        server: Server { passthrough: parts.passthrough, ..parts.server },
        log: parts.log,
        trace: parts.trace,
        limits: parts.limits,
        metrics: parts.metrics,
        variables: cx.variables.clone(),
        routes,
        backends: parts.backends.into_iter().map(|(backend, _)| backend).collect(),
        authenticators: parts.authenticators,
        secrets: std::mem::take(&mut cx.secrets),
        warnings: Vec::new(),
    })
}

fn finish_route(route: &RouteParts, mappings: &BTreeMap<usize, Vec<Arc<Mapping>>>) -> Option<Route> {
    let backend = route.backend?;
    let serves = |mapping: &&Arc<Mapping>| route.serves(&mapping.resource_type.name);
    Some(Route {
        label: Arc::clone(&route.label),
        template: route.template.clone()?,
        set: route.set.clone(),
        auth: match route.auth? {
            RouteAuth::Open => None,
            RouteAuth::Required(index) => Some(index),
        },
        backend,
        mappings: mappings.get(&backend)?.iter().filter(serves).cloned().collect(),
        origin: route.origin.clone(),
    })
}

fn version(cx: &mut Context, fields: &Fields<'_>) {
    let why = "this adapter reads `version = 1`";
    let Some(node) = fields.require(&mut cx.report, "version", why) else { return };
    if cx.report.integer(node, 0..=u64::MAX).is_some_and(|version| version != 1) {
        cx.report.error("E009", &node.place, why);
    }
}

fn patterns(cx: &mut Context, fields: &Fields<'_>) -> BTreeMap<String, Option<String>> {
    let Some(table) = fields.get("patterns").and_then(|node| cx.report.table(node)) else { return BTreeMap::new() };
    table.entries.iter().map(|entry| (entry.name.clone(), cx.pattern(&entry.value))).collect()
}

/// Names of the entries of a table, in file order.
pub(super) fn names(node: Option<&Node>) -> Vec<String> {
    let entries = node.and_then(Node::as_table).map_or(&[][..], |table| &table.entries);
    entries.iter().map(|entry| entry.name.clone()).collect()
}

static TOP: std::sync::LazyLock<Place> = std::sync::LazyLock::new(Place::default);
