//! `[backend.<name>]`: where native calls go, with which credential, and how replies look.

use std::sync::Arc;
use std::time::Duration;

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::snapshot::{Backend, BackendTls, BaseUrl, BreakerRule, Format, OutboundAuth, Retry};
use crate::config::tree::{Entry, Node, Place};
use crate::config::units;
use crate::expr::Expr;
use crate::mapping::Paging;
use crate::scim::ResourceType;

use super::calls::{EnvelopeParts, envelope, headers, paging};
use super::context::Context;
use super::credential::{credential, header_name};
use super::defaults::{CallDefaults, call_defaults};
use super::errors::{check_ok, error_rules};
use super::guard;
use super::scopes::REQUEST;
use super::slots::{REPLY, SlotScope};
use super::tables;

/// What calls inherit from their backend.
#[derive(Clone, Debug, Default)]
pub(super) struct BackendParts {
    pub(super) envelope: EnvelopeParts,
    pub(super) paging: Option<Paging>,
    pub(super) ok: Option<Expr>,
    /// Names of its reference tables.
    pub(super) tables: Vec<String>,
    /// `call`, `query` and `body`.
    pub(super) defaults: CallDefaults,
    /// Route variables that its headers, and what else all calls have in common, read; and where.
    pub(super) used_variables: Vec<(usize, Place)>,
    /// Where `send` stands, if the token goes into bodies.
    pub(super) token_in_body: Option<Place>,
    /// The account that it uses, and where that is said.
    pub(super) own_account: Option<(String, Place)>,
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
        queue: 1000,
        spacing: None,
        retry: RETRIES,
        idempotency: None,
        breaker: Some(BREAKS),
        tls: BackendTls::default(),
        format: Format::Json,
        expires: None,
        expired: None,
        expired_origin: cx.origin(&entry.key),
        errors: Vec::new(),
        tables: Vec::new(),
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
    inherited.ok = fields.get("ok").and_then(|node| ok(cx, node));
    let scope = SlotScope { names: REQUEST, route_variables: true, resource_type: None };
    cx.take_used();
    inherited.defaults = call_defaults(cx, &fields, &scope);
    if let Some(node) = fields.get("auth") {
        let parts = credential(cx, node, inherited.ok.as_ref(), &inherited.defaults);
        inherited.own_account = guard::own_account(node);
        (backend.auth, backend.expires) = (parts.auth, parts.expires);
        (backend.expired, inherited.token_in_body) = (parts.expired, parts.in_body);
        let expired = node.as_table().and_then(|table| table.get("expired"));
        backend.expired_origin = cx.origin(expired.map_or(&node.place, |entry| &entry.key));
    }
    backend.headers = fields.get("headers").map_or(Vec::new(), |node| headers(cx, node, &scope));
    inherited.used_variables = cx.take_used();
    if let OutboundAuth::Session(session) = &mut backend.auth {
        // The backend's headers go with the login too.
        session.variables = inherited.used_variables.iter().map(|(index, _)| *index).collect();
        session.variables.sort_unstable();
        session.variables.dedup();
    }
    let range = Duration::from_millis(10)..=Duration::from_secs(3600);
    backend.timeout = fields.get("timeout").and_then(|node| cx.report.duration(node, range)).unwrap_or(backend.timeout);
    load(cx, &fields, &mut backend);
    let formats = [("json", Format::Json), ("form", Format::Form)];
    backend.format = fields.get("format").and_then(|node| cx.report.choice(node, &formats)).unwrap_or(Format::Json);
    backend.errors = fields.get("error").map_or(Vec::new(), |node| error_rules(cx, node, types));
    inherited.envelope = fields.get("envelope").map_or_else(EnvelopeParts::default, |node| envelope(cx, node));
    if let Some((paging, total)) = fields.get("paging").and_then(|node| paging(cx, node)) {
        inherited.paging = Some(paging);
        inherited.envelope.total = inherited.envelope.total.take().or(total);
    }
    backend.tables = fields.get("table").map_or(Vec::new(), |node| tables::tables(cx, node, &inherited));
    inherited.used_variables.extend(cx.take_used());
    // Faulty ones too, so that to use them is no further mistake: their numbers are of no use then.
    let named = fields.get("table").and_then(Node::as_table).map_or(&[][..], |table| &table.entries);
    inherited.tables = named.iter().map(|entry| entry.name.clone()).collect();
    (backend, inherited)
}

fn ok(cx: &mut Context, node: &Node) -> Option<Expr> {
    let ok = cx.condition(node, &REPLY)?;
    check_ok(cx, &ok, &node.place);
    Some(ok)
}

/// How much is asked of the backend at once, and what happens when it fails.
fn load(cx: &mut Context, fields: &Fields<'_>, backend: &mut Backend) {
    let concurrency = fields.get("concurrency").and_then(|node| cx.report.integer(node, 1..=10_000));
    backend.concurrency = concurrency.and_then(|number| usize::try_from(number).ok()).unwrap_or(backend.concurrency);
    let queue = fields.get("queue").and_then(|node| cx.report.integer(node, 0..=100_000));
    backend.queue = queue.and_then(|number| usize::try_from(number).ok()).unwrap_or(backend.queue);
    backend.spacing = fields.get("rate").and_then(|node| rate(cx, node));
    backend.retry = fields.get("retry").map_or(RETRIES, |node| retry(cx, node));
    backend.idempotency = fields.get("idempotency").and_then(|node| header_name(cx, node)).map(Arc::from);
    backend.breaker = fields.get("breaker").map_or(Some(BREAKS), |node| breaker(cx, node));
    if let Some(entry) = fields.entry("tls") {
        backend.tls = tls(cx, entry, backend.url.tls);
    }
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

pub(super) fn parse_url(text: &str) -> Option<BaseUrl> {
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

fn retry(cx: &mut Context, node: &Node) -> Retry {
    let Some(fields) = Fields::of(&mut cx.report, node, &catalogue::RETRY) else { return RETRIES };
    let attempts = fields.get("attempts").and_then(|node| cx.report.integer(node, 1..=10));
    let range = Duration::from_millis(1)..=Duration::from_secs(60);
    let delay = fields.get("delay").and_then(|node| cx.report.duration(node, range));
    Retry {
        attempts: attempts.and_then(|attempts| u32::try_from(attempts).ok()).unwrap_or(RETRIES.attempts),
        delay: delay.unwrap_or(RETRIES.delay),
    }
}

/// `"off"`, or after how many failures for how long.
fn breaker(cx: &mut Context, node: &Node) -> Option<BreakerRule> {
    if node.as_text().is_some() {
        return cx.report.choice(node, &[("off", None)]).unwrap_or(Some(BREAKS));
    }
    let Some(fields) = Fields::of(&mut cx.report, node, &catalogue::BREAKER) else { return Some(BREAKS) };
    let failures = fields.get("failures").and_then(|node| cx.report.integer(node, 1..=10_000));
    let range = Duration::from_millis(100)..=Duration::from_secs(600);
    let pause = fields.get("pause").and_then(|node| cx.report.duration(node, range));
    Some(BreakerRule {
        failures: failures.and_then(|failures| u32::try_from(failures).ok()).unwrap_or(BREAKS.failures),
        pause: pause.unwrap_or(BREAKS.pause),
    })
}

/// Calls per second, or a text such as `"300/m"`: the time between two calls.
fn rate(cx: &mut Context, node: &Node) -> Option<Duration> {
    let (number, per) = match node.as_text() {
        None => (cx.report.integer(node, 1..=100_000)?, Duration::from_secs(1)),
        Some(text) => {
            let parsed = text.split_once('/').and_then(|(number, unit)| {
                let per = units::duration(&format!("1{unit}")).filter(|per| *per >= Duration::from_secs(1))?;
                Some((number.parse().ok().filter(|number| (1..=100_000).contains(number))?, per))
            });
            let Some(parsed) = parsed else {
                let help = "a number of calls per second, or \"300/m\", \"5000/h\"".to_owned();
                cx.report.error_help("E004", &node.place, format!("`{text}` is no rate"), help);
                return None;
            };
            parsed
        }
    };
    Some(per / u32::try_from(number).ok()?)
}

pub(super) fn tls(cx: &mut Context, entry: &Entry, is_https: bool) -> BackendTls {
    let Some(fields) = Fields::of(&mut cx.report, &entry.value, &catalogue::TLS) else { return BackendTls::default() };
    if !is_https {
        cx.report.error("E004", &entry.key, "`tls` belongs to a URL that is https");
    }
    let ca = fields.get("ca").and_then(|node| cx.secret(node));
    let server_name = fields.get("server_name").and_then(|node| server_name(cx, node));
    let cert = fields.get("client_cert").map(|node| (node, cx.secret(node)));
    let key = fields.get("client_key").map(|node| (node, cx.secret(node)));
    let client = match (cert, key) {
        (Some((_, cert)), Some((_, key))) => cert.zip(key),
        (None, None) => None,
        (Some((node, _)), None) | (None, Some((node, _))) => {
            cx.report.error("E006", &node.place, "`client_cert` and `client_key` belong together");
            None
        }
    };
    BackendTls { ca, server_name, client }
}

fn server_name(cx: &mut Context, node: &Node) -> Option<String> {
    let name = cx.report.word(node)?;
    let fine = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte));
    if !fine {
        cx.report.error("E004", &node.place, format!("`{name}` is not the name of a server"));
    }
    fine.then(|| name.to_owned())
}

/// `retry` of a backend that says nothing.
const RETRIES: Retry = Retry { attempts: 3, delay: Duration::from_millis(100) };
/// `breaker` of a backend that says nothing.
const BREAKS: BreakerRule = BreakerRule { failures: 10, pause: Duration::from_secs(10) };

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
