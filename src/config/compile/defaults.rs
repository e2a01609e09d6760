//! What the calls of a backend have in common: `call`, `query` and `body` of `[backend.<name>]`.
//!
//! In: the keys of a backend. Out: what is laid under every call, with the places it came from. Tables merge deeply;
//! what a call says itself wins. `headers` are added when a call is made, and only named here.

use std::cell::Cell;
use std::sync::Arc;

use crate::config::read::Fields;
use crate::config::tree::{Data, Node};
use crate::expr::Template;
use crate::mapping::{Body, BodyNode, Call, Origin, Part};

use super::body::{self, merged};
use super::calls::{line_of, pairs};
use super::context::Context;
use super::slots::SlotScope;

/// What is laid under every call of a backend.
#[derive(Clone, Debug, Default)]
pub(super) struct CallDefaults {
    /// The call string, for tables that name none.
    call: Option<Node>,
    query: Vec<(Arc<str>, Template)>,
    body: Option<BodyNode>,
    /// Where they stand.
    nodes: Nodes,
    used: Used,
}

#[derive(Clone, Debug, Default)]
struct Nodes {
    query: Option<Node>,
    headers: Option<Node>,
    body: Option<Node>,
}

/// Whether any call took something.
#[derive(Clone, Debug, Default)]
struct Used {
    call: Cell<bool>,
    body: Cell<bool>,
}

/// What a backend says about its calls.
pub(super) fn call_defaults(cx: &mut Context, fields: &Fields<'_>, scope: &SlotScope<'_>) -> CallDefaults {
    let call = fields.get("call").filter(|node| line_of(cx, node, scope));
    let query = fields.get("query").map_or(Vec::new(), |node| pairs(cx, node, scope));
    let body = fields.get("body").and_then(|node| {
        cx.report.table(node)?;
        body::common(cx, node, scope)
    });
    let filled = |key: &str| {
        let node = fields.get(key);
        node.filter(|node| node.as_table().is_some_and(|table| !table.entries.is_empty())).cloned()
    };
    let nodes = Nodes { query: filled("query"), headers: filled("headers"), body: fields.get("body").cloned() };
    CallDefaults { call: call.cloned(), query, body, nodes, used: Used::default() }
}

impl CallDefaults {
    /// The call string where a table names none.
    pub(super) fn call(&self) -> Option<&Node> {
        self.call.as_ref()
    }

    /// Lays the defaults under a call whose own keys follow. `line` is the node of its call string.
    pub(super) fn lay_under(
        &self,
        cx: &mut Context,
        call: &mut Call,
        node: &Node,
        line: &Node,
        fields: Option<&Fields<'_>>,
    ) -> Option<()> {
        let own = |key: &str| fields.and_then(|fields| fields.if_known(key));
        let origin = |cx: &Context, node: &Node| cx.origin(&node.place);
        let mut parts = Vec::new();
        if self.call.as_ref().is_some_and(|default| default.place == line.place) {
            self.used.call.set(true);
            parts.push(Part { name: "call", origins: vec![origin(cx, line)] });
        }
        let own_query = own("query").or_else(|| Some(line).filter(|_| !call.query.is_empty()));
        for (name, value) in &self.query {
            if !call.query.iter().any(|(known, _)| known == name) {
                call.query.push((Arc::clone(name), value.clone()));
            }
        }
        let laid = self.lay_body(cx, call, node, own("body"))?;
        let under = [
            ("query", &self.nodes.query, own_query),
            ("headers", &self.nodes.headers, own("headers")),
            ("body", &self.nodes.body, own("body")),
        ];
        for (name, default, own) in under {
            let Some(default) = default.as_ref().filter(|_| name != "body" || laid) else { continue };
            let origins: Vec<Origin> = std::iter::once(default).chain(own).map(|node| origin(cx, node)).collect();
            parts.push(Part { name, origins });
        }
        // Headers alone are shown with the call and need no line of their own.
        call.parts = parts.iter().any(|part| part.name != "headers").then(|| Arc::from(parts));
        Some(())
    }

    /// Whether the default body is part of the call; `None` is a mistake.
    fn lay_body(&self, cx: &mut Context, call: &mut Call, node: &Node, own: Option<&Node>) -> Option<bool> {
        let Some(default) = &self.body else { return Some(false) };
        let takes = match (own, &call.body) {
            (Some(own), _) => body::is_table(own),
            (None, Body::Rows) => {
                let message = "where do the rows belong in the body that the backend gives to every call?";
                let help = "such as `body = { args = { \"...\" = \"mapped\" } }`; `body = \"none\"` sends nothing";
                cx.report.error_help("E041", &node.place, message, help.to_owned());
                return None;
            }
            (None, _) => matches!(&*call.method, "POST" | "PUT" | "PATCH"),
        };
        if takes {
            self.used.body.set(true);
            self.check_shapes(cx, own);
            call.body = Body::Built(default.clone());
        }
        Some(takes)
    }

    /// A table stays a table, and a value a value: otherwise a part of the default would silently be lost.
    pub(super) fn check_shapes(&self, cx: &mut Context, own: Option<&Node>) {
        if let (Some(default), Some(own)) = (&self.body, own.filter(|own| body::is_table(own))) {
            shapes(cx, default, own);
        }
    }

    /// Defaults that no call takes.
    pub(super) fn check_used(&self, cx: &mut Context) {
        let unused = [
            (&self.call, &self.used.call, "no operation is without a `call` of its own, so nothing uses this one"),
            (&self.nodes.body, &self.used.body, "no call sends a body, so nothing holds this one"),
        ];
        for (node, used, message) in unused {
            if let Some(node) = node.as_ref().filter(|_| !used.get()) {
                cx.report.warn("W080", &node.place, message, "delete it".to_owned());
            }
        }
    }
}

/// Depth is bounded by the TOML parser.
fn shapes(cx: &mut Context, default: &BodyNode, own: &Node) {
    let (BodyNode::Object { fields, .. }, Data::Table(table)) = (default, &own.data) else { return };
    for entry in &table.entries {
        let Some((_, below)) = fields.iter().find(|(name, _)| **name == *entry.name) else { continue };
        let (is, was) = (body::is_table(&entry.value), matches!(below, BodyNode::Object { .. }));
        if is != was {
            let what = if was { "a table" } else { "no table" };
            let message = format!("`{}` is {what} in the body that the backend gives to every call", entry.name);
            let help = "tables merge; write a table over a table, and a value over a value".to_owned();
            cx.report.error_help("E041", &entry.key, message, help);
        } else if is {
            shapes(cx, below, &entry.value);
        }
    }
}

/// A filter plan that changes the list call: its own parts stand behind those of the list.
pub(super) fn add_parts(cx: &Context, call: &mut Call, fields: &Fields<'_>) {
    let Some(parts) = &call.parts else { return };
    let more = parts.iter().map(|part| {
        let own = fields.if_known(part.name).filter(|_| part.name != "call");
        let origins = part.origins.iter().cloned().chain(own.map(|node| cx.origin(&node.place)));
        Part { name: part.name, origins: origins.collect() }
    });
    call.parts = Some(more.collect());
}

/// A body laid over what a call has already.
pub(super) fn over(call: &mut Call, own: Body) {
    call.body = merged(std::mem::replace(&mut call.body, Body::None), own);
}

#[cfg(test)]
mod tests {
    use crate::config::{Source, compile};
    use crate::mapping::{Body, Call};
    use std::sync::Arc;

    /// The calls `list`, `get`, `delete` of a backend with defaults.
    fn calls(ops: &str) -> Vec<Call> {
        let text = format!(
            "version = 1\nauth = {{ idp = {{ kind = \"none\" }} }}\nroute = [{{ path = \"/scim\", auth = \"idp\" }}]\n\
             [backend.app]\nurl = \"http://127.0.0.1:1\"\ncall = \"POST /rpc\"\nquery = {{ format = \"json\", v = 1 }}\n\
             body = {{ api = 2, who = {{ name = \"a\", key = {{ secret = \"plain:x\" }} }} }}\n\
             [resource.User]\nattrs = {{ displayName = {{ native = \"name\", access = \"read\" }} }}\n[resource.User.ops]\n{ops}"
        );
        let snapshot = compile(Source { name: Arc::from("t.toml"), text }).unwrap_or_else(|found| panic!("{found:?}"));
        let ops = &snapshot.routes[0].mappings[0].ops;
        let deletion = ops.delete.as_ref().map(|flow| &flow.steps[0].call);
        ops.list.iter().map(|list| &list.call).chain(&ops.get).chain(deletion).cloned().collect()
    }

    fn shown(call: &Call) -> String {
        let query = call.query.iter().map(|(name, value)| format!("{name}={}", value.source()));
        let target: Vec<&str> = call.segments.iter().map(crate::expr::Template::source).collect();
        format!("{} /{}?{} {}", call.method, target.join("/"), query.collect::<Vec<_>>().join("&"), body(&call.body))
    }

    fn body(body: &Body) -> String {
        match body {
            Body::None => "none".to_owned(),
            Body::Rows => "rows".to_owned(),
            Body::Built(node) => super::tests::node(node),
        }
    }

    fn node(node: &crate::mapping::BodyNode) -> String {
        use crate::mapping::BodyNode;
        match node {
            BodyNode::Leaf(template) => template.source().to_owned(),
            BodyNode::Literal(value) => value.to_string(),
            BodyNode::Secret(_) => "***".to_owned(),
            BodyNode::Array(items) => format!("{:?}", items.iter().map(self::node).collect::<Vec<_>>()),
            BodyNode::Object { fields, .. } => {
                let fields = fields.iter().map(|(name, value)| format!("{name}:{}", self::node(value)));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            }
        }
    }

    #[test]
    fn what_a_call_says_wins_and_the_rest_is_laid_under() {
        for (ops, expected) in [
            ("list = {}", "POST /rpc?format=json&v=1 {api:2,who:{name:\"a\",key:***}}"),
            (
                "list = { query = { v = 2 }, body = { who = { name = \"b\" }, q = [1] } }",
                "POST /rpc?format=json&v=2 {api:2,who:{name:\"b\",key:***},q:[\"1\"]}",
            ),
            (
                "list = { call = \"PUT /x?v=7\", body = { who = { key = { secret = \"plain:y\" } } } }",
                "PUT /x?v=7&format=json {api:2,who:{name:\"a\",key:***}}",
            ),
            ("list = { body = \"none\", query = { v = \"{null}\" } }", "POST /rpc?format=json&v={null} none"),
            ("list = { body = [1] }", "POST /rpc?format=json&v=1 [\"1\"]"),
            ("list = \"GET /x\"", "GET /x?format=json&v=1 none"),
            ("list = { call = \"GET /x\", body = {} }", "GET /x?format=json&v=1 {api:2,who:{name:\"a\",key:***}}"),
        ] {
            assert_eq!(shown(&calls(ops)[0]), expected, "{ops}");
        }
    }

    #[test]
    fn every_place_that_gave_something_is_kept() {
        let call = calls("list = { call = \"POST /y?a=1\", body = { q = 1 } }").remove(0);
        let parts = call.parts.unwrap_or_default();
        let shown: Vec<String> = parts.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["query t.toml:7 + t.toml:12", "body t.toml:8 + t.toml:12"]);
        let call = calls("list = {}").remove(0);
        let shown: Vec<String> = call.parts.unwrap_or_default().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["call t.toml:6", "query t.toml:7", "body t.toml:8"]);
    }
}
