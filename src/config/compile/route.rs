//! `[[route]]`: base URLs, their variables, and which credential and backend they lead to.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::catalogue;
use crate::config::diagnostic::closest;
use crate::config::read::Fields;
use crate::config::tree::{Node, Place};
use crate::mapping::Origin;
use crate::route::PathTemplate;
use crate::scim::ResourceType;

use super::context::Context;

/// A route before its mappings are known. What could not be read is `None` and was reported.
#[derive(Clone, Debug)]
pub(super) struct RouteParts {
    pub(super) label: Arc<str>,
    pub(super) template: Option<PathTemplate>,
    pub(super) set: Vec<(usize, String)>,
    set_places: Vec<Place>,
    pub(super) auth: Option<RouteAuth>,
    pub(super) backend: Option<usize>,
    /// Names of the resource types; `None` is all.
    pub(super) resources: Option<Vec<String>>,
    /// Numbers of the variables it captures, then of those it sets.
    pub(super) variables: Vec<usize>,
    /// How many it captures.
    captured: usize,
    pub(super) entra: bool,
    pub(super) origin: Origin,
    pub(super) place: Place,
}

/// Who may use a route.
#[derive(Clone, Copy, Debug)]
pub(super) enum RouteAuth {
    /// Everybody.
    Open,
    /// Whoever the authenticator of that number lets in.
    Required(usize),
}

impl RouteParts {
    pub(super) fn serves(&self, resource_type: &str) -> bool {
        self.resources.as_ref().is_none_or(|names| names.iter().any(|name| name == resource_type))
    }
}

pub(super) fn routes(
    cx: &mut Context,
    node: Option<&Node>,
    backends: &[String],
    auths: &[(String, bool)],
    types: &[ResourceType],
) -> Vec<RouteParts> {
    let Some(node) = node else {
        cx.report.error("E006", &Place::default(), "`[[route]]` is missing: at least one base URL is needed");
        return Vec::new();
    };
    let tables = cx.report.list(node).unwrap_or(&[]);
    let routes: Vec<RouteParts> = tables.iter().filter_map(|table| route(cx, table, backends, auths, types)).collect();
    check_overlap(cx, &routes);
    check_endpoints(cx, &routes, types);
    routes
}

fn route(
    cx: &mut Context,
    node: &Node,
    backends: &[String],
    auths: &[(String, bool)],
    types: &[ResourceType],
) -> Option<RouteParts> {
    let fields = Fields::of(&mut cx.report, node, &catalogue::ROUTE)?;
    let path = fields.require(&mut cx.report, "path", "a base URL such as \"/scim/v2\"");
    let template = path.and_then(|path| template(cx, path, fields.get("vars")));
    let mut variables: Vec<usize> =
        template.iter().flat_map(PathTemplate::names).map(|name| number(cx, name)).collect();
    let captured = variables.len();
    let (set, set_places) = constants(cx, fields.get("set"), &variables).into_iter().unzip();
    let set: Vec<(usize, String)> = set;
    variables.extend(set.iter().map(|(index, _)| *index));
    let idps = ["entra", "okta", "onelogin", "ping", "jumpcloud", "google", "other"].map(|name| (name, name));
    let idp = fields.get("idp").and_then(|node| cx.report.choice(node, &idps));
    Some(RouteParts {
        label: Arc::from(path.and_then(Node::as_text).unwrap_or("?")),
        template,
        set,
        set_places,
        captured,
        auth: auth(cx, &fields, auths),
        backend: backend(cx, &fields, backends),
        resources: fields.get("resources").map(|node| resources(cx, node, types)),
        variables,
        entra: idp == Some("entra"),
        origin: cx.origin(&node.place),
        place: node.place.clone(),
    })
}

fn template(cx: &mut Context, path: &Node, vars: Option<&Node>) -> Option<PathTemplate> {
    let mut patterns = BTreeMap::new();
    let table = vars.and_then(|node| cx.report.table(node));
    for entry in table.map_or(&[][..], |table| &table.entries) {
        if let Some(pattern) = cx.pattern(&entry.value) {
            patterns.insert(entry.name.clone(), pattern);
        }
    }
    let text = cx.report.text(path)?;
    let template = match PathTemplate::compile(text, &patterns) {
        Ok(template) => template,
        Err(error) => {
            let place = cx.report.part(path, error.span);
            let help = error.suggestion.map(|suggestion| format!("write `{suggestion}`"));
            cx.report.error_help("E020", &place, error.message, help);
            return None;
        }
    };
    let names: Vec<&Arc<str>> = template.names().collect();
    for entry in table.map_or(&[][..], |table| &table.entries) {
        if !names.iter().any(|name| ***name == *entry.name) {
            let message = format!("the path has no variable `{}`", entry.name);
            cx.report.unknown("E007", &entry.key, message, &entry.name, names.iter().map(|name| &***name));
        }
    }
    for name in names {
        if RESERVED.contains(&&**name) {
            let message = format!("`{name}` has a meaning of its own in templates; call the variable otherwise");
            cx.report.error("E020", &path.place, message);
        }
    }
    Some(template)
}

fn constants(cx: &mut Context, node: Option<&Node>, captured: &[usize]) -> Vec<((usize, String), Place)> {
    let Some(table) = node.and_then(|node| cx.report.table(node)) else { return Vec::new() };
    let mut constants = Vec::new();
    for entry in &table.entries {
        let index = number(cx, &Arc::from(entry.name.as_str()));
        if captured.contains(&index) || RESERVED.contains(&entry.name.as_str()) {
            let message =
                format!("`{}` cannot be set: it is a variable of the path or a name of the language", entry.name);
            cx.report.error("E020", &entry.key, message);
        } else if let Some(value) = cx.report.text(&entry.value) {
            constants.push(((index, value.to_owned()), entry.key.clone()));
        }
    }
    constants
}

/// The number of a variable, a new one if need be.
fn number(cx: &mut Context, name: &Arc<str>) -> usize {
    cx.variables.iter().position(|known| known == name).unwrap_or_else(|| {
        cx.variables.push(Arc::clone(name));
        cx.variables.len() - 1
    })
}

fn auth(cx: &mut Context, fields: &Fields<'_>, auths: &[(String, bool)]) -> Option<RouteAuth> {
    let why = "the name of an `[auth.<name>]`; `kind = \"none\"` there lets everybody in";
    let node = fields.require(&mut cx.report, "auth", why)?;
    let name = cx.report.text(node)?;
    let Some((index, (_, asks))) = auths.iter().enumerate().find(|(_, (known, _))| known == name) else {
        let names = auths.iter().map(|(name, _)| name.as_str());
        cx.report.unknown("E007", &node.place, format!("there is no `[auth.{name}]`"), name, names);
        return None;
    };
    Some(if *asks { RouteAuth::Required(index) } else { RouteAuth::Open })
}

fn backend(cx: &mut Context, fields: &Fields<'_>, backends: &[String]) -> Option<usize> {
    let Some(node) = fields.get("backend") else {
        if backends.len() == 1 {
            return Some(0);
        }
        cx.report.error("E006", fields.place, "`backend` is missing: the name of a `[backend.<name>]`");
        return None;
    };
    let name = cx.report.text(node)?;
    let found = backends.iter().position(|known| known == name);
    if found.is_none() {
        let names = backends.iter().map(String::as_str);
        cx.report.unknown("E007", &node.place, format!("there is no `[backend.{name}]`"), name, names);
    }
    found
}

fn resources(cx: &mut Context, node: &Node, types: &[ResourceType]) -> Vec<String> {
    let mut names = Vec::new();
    for item in cx.report.list(node).unwrap_or(&[]) {
        let Some(name) = cx.report.text(item) else { continue };
        if types.iter().any(|known| *known.name == *name) {
            names.push(name.to_owned());
        } else {
            let known = types.iter().map(|known| &*known.name);
            cx.report.unknown("E007", &item.place, format!("there is no `[resource.{name}]`"), name, known);
        }
    }
    names
}

fn check_overlap(cx: &mut Context, routes: &[RouteParts]) {
    for (index, route) in routes.iter().enumerate() {
        let earlier = routes.iter().take(index).find(|earlier| match (&earlier.template, &route.template) {
            (Some(a), Some(b)) => a.overlaps(b),
            _ => false,
        });
        if let Some(earlier) = earlier {
            let message = format!(
                "`{}` and `{}` (line {}) may match the same path",
                route.label, earlier.label, earlier.origin.line
            );
            let help = "give the variables patterns that tell the two apart, or the paths different words".to_owned();
            cx.report.error_help("E027", &route.place, message, help);
        }
    }
}

/// A constant that nothing reads and no other route captures is a misspelt one.
pub(super) fn check_unused(cx: &mut Context, routes: &[RouteParts]) {
    for route in routes {
        for ((index, _), place) in route.set.iter().zip(&route.set_places) {
            let captured =
                routes.iter().any(|other| other.variables.iter().take(other.captured).any(|known| known == index));
            if !captured && !cx.ever_used.contains(index) {
                let name = cx.variables.get(*index).map_or_else(String::new, ToString::to_string);
                let known = cx.variables.iter().filter(|known| ***known != *name);
                let help = closest(&name, known.map(|known| &**known)).map(|name| format!("did you mean `{name}`?"));
                cx.report.warn("W054", place, format!("nothing reads the variable `{name}`"), help);
            }
        }
    }
}

/// A token that the adapter knows would be sent to an application that has tokens of its own.
pub(super) fn check_forwarding(cx: &mut Context, routes: &[RouteParts], forwards: impl Fn(usize) -> bool) {
    for route in routes {
        let asks = matches!(route.auth, Some(RouteAuth::Required(_)));
        if asks && route.backend.is_some_and(&forwards) {
            let message = "this route's backend is sent the caller's own credential, and the adapter asks for another";
            let help =
                "let the application decide who may come in: an `[auth.<name>]` with `kind = \"none\"`".to_owned();
            cx.report.error_help("E140", &route.place, message, help);
        }
    }
}

/// A type that no route serves is not compiled, so nothing in it is checked.
pub(super) fn check_served(cx: &mut Context, routes: &[RouteParts], types: &[ResourceType], resources: Option<&Node>) {
    for of in types.iter().filter(|of| !routes.is_empty() && !routes.iter().any(|route| route.serves(&of.name))) {
        if let Some(entry) = resources.and_then(Node::as_table).and_then(|table| table.get(&of.name)) {
            cx.report.warn("W053", &entry.key, format!("no route serves `{}`", of.name), None);
        }
    }
}

/// Two types may share an endpoint as long as no route serves both.
fn check_endpoints(cx: &mut Context, routes: &[RouteParts], types: &[ResourceType]) {
    for route in routes {
        let served: Vec<&ResourceType> = types.iter().filter(|of| route.serves(&of.name)).collect();
        for (index, of) in served.iter().enumerate() {
            if let Some(other) = served.iter().take(index).find(|other| other.endpoint == of.endpoint) {
                let message = format!("`{}` and `{}` are both served at `{}`", other.name, of.name, of.endpoint);
                let help = "name those this route serves: `resources = [\"User\"]`".to_owned();
                cx.report.error_help("E027", &route.place, message, help);
            }
        }
    }
}

/// Names that templates know already.
const RESERVED: [&str; 18] = [
    "id", "scim", "old", "native", "mapped", "changed", "req", "steps", "member", "batch", "value", "status",
    "headers", "body", "login", "table", "path", "tenants",
];
