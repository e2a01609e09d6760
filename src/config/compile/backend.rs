//! `[backend.<name>]`: where native calls go, with which credential, and how replies look.

use std::sync::Arc;
use std::time::Duration;

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::snapshot::{Backend, BaseUrl, ErrorRule, Format, OutboundAuth};
use crate::config::tree::{Entry, Node, Place};
use crate::expr::{Expr, Name, Template};
use crate::mapping::{Paging, Slot};
use crate::scim::{ResourceType, ScimType};

use super::calls::{EnvelopeParts, envelope, headers, paging};
use super::context::Context;
use super::slots::{REPLY, REQUEST, SlotScope};

/// What calls inherit from their backend.
#[derive(Clone, Debug, Default)]
pub(super) struct BackendParts {
    pub(super) envelope: EnvelopeParts,
    pub(super) paging: Option<Paging>,
    pub(super) ok: Option<Expr>,
    /// Route variables that its headers read, and where.
    pub(super) used_variables: Vec<(usize, Place)>,
}

pub(super) fn backends(cx: &mut Context, node: Option<&Node>, types: &[ResourceType]) -> Vec<(Backend, BackendParts)> {
    let Some(table) = node.and_then(|node| cx.report.table(node)) else {
        cx.report.error("E006", &Place::default(), "`[backend.<name>]` is missing: where is the application?");
        return Vec::new();
    };
    // One per entry even if it is faulty, so that the numbers routes use stay right.
    table.entries.iter().map(|entry| backend(cx, entry, types)).collect()
}

fn backend(cx: &mut Context, entry: &Entry, types: &[ResourceType]) -> (Backend, BackendParts) {
    let mut backend = Backend {
        name: Arc::from(entry.name.as_str()),
        url: BaseUrl { tls: false, host: String::new(), port: 80, path: String::new() },
        auth: OutboundAuth::None,
        headers: Vec::new(),
        timeout: Duration::from_secs(10),
        concurrency: 16,
        format: Format::Json,
        expired: None,
        errors: Vec::new(),
        origin: cx.origin(&entry.key),
    };
    let mut inherited = BackendParts::default();
    let Some(fields) = Fields::of(&mut cx.report, &entry.value, &catalogue::BACKEND) else {
        return (backend, inherited);
    };
    match fields.get("url") {
        Some(node) => backend.url = url(cx, node).unwrap_or(backend.url),
        None => cx.report.error("E006", &entry.key, "`url` is missing: where is the application?"),
    }
    backend.auth = fields.get("auth").and_then(|node| outbound_auth(cx, node)).unwrap_or(OutboundAuth::None);
    let scope = SlotScope { names: REQUEST, route_variables: true, resource_type: None };
    cx.take_used();
    backend.headers = fields.get("headers").map_or(Vec::new(), |node| headers(cx, node, &scope));
    inherited.used_variables = cx.take_used();
    let range = Duration::from_millis(10)..=Duration::from_secs(3600);
    backend.timeout = fields.get("timeout").and_then(|node| cx.report.duration(node, range)).unwrap_or(backend.timeout);
    let concurrency = fields.get("concurrency").and_then(|node| cx.report.integer(node, 1..=10_000));
    backend.concurrency = concurrency.and_then(|number| usize::try_from(number).ok()).unwrap_or(backend.concurrency);
    let formats = [("json", Format::Json), ("form", Format::Form)];
    backend.format = fields.get("format").and_then(|node| cx.report.choice(node, &formats)).unwrap_or(Format::Json);
    backend.expired = fields.get("expired").and_then(|node| cx.condition(node, &REPLY));
    backend.errors = fields.get("error").map_or(Vec::new(), |node| error_rules(cx, node, types));
    inherited.envelope = fields.get("envelope").map_or_else(EnvelopeParts::default, |node| envelope(cx, node));
    if let Some((paging, total)) = fields.get("paging").and_then(|node| paging(cx, node)) {
        inherited.paging = Some(paging);
        inherited.envelope.total = inherited.envelope.total.take().or(total);
    }
    inherited.ok = fields.get("ok").and_then(|node| cx.condition(node, &REPLY));
    (backend, inherited)
}

fn url(cx: &mut Context, node: &Node) -> Option<BaseUrl> {
    let text = cx.report.word(node)?;
    if text.contains(['{', '}']) {
        let message = "the URL of a backend is constant: a variable in it would let callers choose the host";
        cx.report.error("E029", &node.place, message);
        return None;
    }
    let parsed = parse_url(text);
    if parsed.is_none() {
        let help =
            "such as \"http://127.0.0.1:3000/api\"; credentials, a query or a fragment do not belong here".to_owned();
        cx.report.error_help("E004", &node.place, "not the URL of a backend", help);
    }
    parsed
}

fn parse_url(text: &str) -> Option<BaseUrl> {
    let (tls, rest) = match text.split_once("://")? {
        ("http", rest) => (false, rest),
        ("https", rest) => (true, rest),
        _ => return None,
    };
    let printable = rest.bytes().all(|byte| byte.is_ascii_graphic());
    if !printable || rest.contains(['?', '#', '@', '\\', '"', '<', '>']) {
        return None;
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let after_host = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let (host, port) = match authority.get(after_host..)?.rfind(':') {
        Some(colon) => {
            let (host, port) = authority.split_at(after_host + colon);
            (host, port.get(1..)?.parse().ok().filter(|port| *port != 0)?)
        }
        None => (authority, if tls { 443 } else { 80 }),
    };
    let segments_fine = path.split('/').all(|segment| !matches!(segment, "." | ".."));
    if host.is_empty() || !segments_fine || path.trim_end_matches('/').contains("//") {
        return None;
    }
    Some(BaseUrl { tls, host: host.to_owned(), port, path: path.trim_end_matches('/').to_owned() })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    None,
    Bearer,
    Header,
    Basic,
}

fn outbound_auth(cx: &mut Context, node: &Node) -> Option<OutboundAuth> {
    let fields = Fields::of(&mut cx.report, node, &catalogue::CREDENTIAL)?;
    let kinds = [("none", Kind::None), ("bearer", Kind::Bearer), ("header", Kind::Header), ("basic", Kind::Basic)];
    let kind = fields.require(&mut cx.report, "kind", "\"bearer\", \"header\", \"basic\" or \"none\"")?;
    let kind = cx.report.choice(kind, &kinds)?;
    let wanted: &[&str] = match kind {
        Kind::None => &["kind"],
        Kind::Bearer => &["kind", "token"],
        Kind::Header => &["kind", "token", "name", "prefix"],
        Kind::Basic => &["kind", "user", "password"],
    };
    for name in catalogue::CREDENTIAL.names().filter(|name| !wanted.contains(name)) {
        if let Some(entry) = fields.entry(name) {
            cx.report.error("E004", &entry.key, format!("`{name}` does not belong to this kind of credential"));
        }
    }
    let why = "this kind of credential needs it";
    match kind {
        Kind::None => Some(OutboundAuth::None),
        Kind::Bearer => {
            let token = fields.require(&mut cx.report, "token", why)?;
            cx.secret(token).map(OutboundAuth::Bearer)
        }
        Kind::Header => {
            let name = fields.require(&mut cx.report, "name", why).and_then(|node| header_name(cx, node));
            let token = fields.require(&mut cx.report, "token", why).and_then(|node| cx.secret(node));
            let prefix = fields.get("prefix").and_then(|node| cx.report.text(node)).unwrap_or("");
            Some(OutboundAuth::Header { name: name?, prefix: prefix.to_owned(), token: token? })
        }
        Kind::Basic => {
            let user = fields.require(&mut cx.report, "user", why).and_then(|node| cx.report.word(node));
            let password = fields.require(&mut cx.report, "password", why).and_then(|node| cx.secret(node));
            Some(OutboundAuth::Basic { user: user?.to_owned(), password: password? })
        }
    }
}

fn header_name(cx: &mut Context, node: &Node) -> Option<String> {
    let name = cx.report.word(node)?;
    if !super::calls::is_header_name(name) {
        cx.report.error("E004", &node.place, format!("`{name}` cannot be a header of a native call"));
        return None;
    }
    Some(name.to_owned())
}

fn error_rules(cx: &mut Context, node: &Node, types: &[ResourceType]) -> Vec<ErrorRule> {
    let mut rules: Vec<ErrorRule> = Vec::new();
    for item in cx.report.list(node).unwrap_or(&[]) {
        let Some(rule) = error_rule(cx, item, types) else { continue };
        let shadow = rules.iter().find(|earlier| is_always(&earlier.when) && covers(&earlier.on, &rule.on));
        if let Some(shadow) = shadow {
            let line = shadow.origin.line;
            if rule.names_status && !shadow.names_status {
                // A rule that does not name the status never sees these; a later one may.
                let message = format!("the rule in line {line} leaves only replies with 401, 429 or 5xx to this one");
                cx.report.warn("W026", &item.place, message, None);
            } else {
                let message = format!("this rule is never reached: the one in line {line} always applies");
                cx.report.error("E026", &item.place, message);
            }
        }
        rules.push(rule);
    }
    rules
}

fn error_rule(cx: &mut Context, node: &Node, types: &[ResourceType]) -> Option<ErrorRule> {
    let fields = Fields::of(&mut cx.report, node, &catalogue::ERROR_RULE)?;
    let on = fields.get("on").map_or(Vec::new(), |node| slots(cx, node, types));
    let when = fields.require(&mut cx.report, "when", "an expression over `status`, `headers` and `body`");
    let when = when.and_then(|node| cx.condition(node, &REPLY));
    let scim = fields.require(&mut cx.report, "scim", "what the client reads: `{ status, type, detail }`");
    let (status, scim_type, detail) = scim.map_or((None, None, None), |node| answer(cx, node));
    let when = when?;
    let names_status = when.uses(Name::Status);
    Some(ErrorRule { on, names_status, when, status, scim_type, detail, origin: cx.origin(&node.place) })
}

fn answer(cx: &mut Context, node: &Node) -> (Option<u16>, Option<ScimType>, Option<Template>) {
    let Some(fields) = Fields::of(&mut cx.report, node, &catalogue::ERROR_ANSWER) else { return (None, None, None) };
    let status = fields.get("status").and_then(|node| cx.report.integer(node, 400..=599));
    let types = ScimType::ALL.map(|kind| (kind.as_str(), kind));
    let scim_type = fields.get("type").and_then(|node| cx.report.choice(node, &types));
    let detail = fields.get("detail").and_then(|node| cx.template(node, &REPLY));
    (status.and_then(|status| u16::try_from(status).ok()), scim_type, detail)
}

fn slots(cx: &mut Context, node: &Node, types: &[ResourceType]) -> Vec<(Option<Arc<str>>, Slot)> {
    let mut found = Vec::new();
    for item in cx.report.list(node).unwrap_or(&[]) {
        let Some(text) = cx.report.text(item) else { continue };
        let of = text.split_once('.').and_then(|(name, rest)| Some((types.iter().find(|of| *of.name == *name)?, rest)));
        let (of, slot) = of.map_or((None, text), |(of, rest)| (Some(Arc::clone(&of.name)), rest));
        match Slot::parse(slot) {
            Some(slot) => found.push((of, slot)),
            None => {
                let names = Slot::ALL.map(Slot::as_str);
                let message = format!("`{text}` is no call slot, nor one of a declared type");
                cx.report.unknown("E007", &item.place, message, slot, names);
            }
        }
    }
    found
}

fn is_always(when: &Expr) -> bool {
    when.constant() == Some(&serde_json::Value::Bool(true))
}

fn covers(wider: &[(Option<Arc<str>>, Slot)], on: &[(Option<Arc<str>>, Slot)]) -> bool {
    let holds = |(of, slot): &(Option<Arc<str>>, Slot)| {
        wider.iter().any(|(other, same)| same == slot && (other.is_none() || other == of))
    };
    wider.is_empty() || (!on.is_empty() && on.iter().all(holds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let parts = |text: &str| parse_url(text).map(|url| (url.tls, url.host, url.port, url.path));
        let url = |tls, host: &str, port, path: &str| Some((tls, host.to_owned(), port, path.to_owned()));
        assert_eq!(parts("http://127.0.0.1:3000/api/"), url(false, "127.0.0.1", 3000, "/api"));
        assert_eq!(parts("https://app.example"), url(true, "app.example", 443, ""));
        assert_eq!(parts("http://[::1]:8081"), url(false, "[::1]", 8081, ""));
        for bad in [
            "",
            "app",
            "ftp://x",
            "http://",
            "http://u:p@h",
            "http://h:0",
            "http://h:x",
            "http://h/?q",
            "http://h/../x",
        ] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }
}
