//! `auth` of a backend: which credential native calls carry, where, and how its refusal shows.

use std::sync::Arc;
use std::time::Duration;

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::snapshot::{BaseUrl, ClientAuth, ClientCredentials, OutboundAuth, SendAs, SessionLogin, TokenPlace};
use crate::config::tree::{Node, Place};
use crate::expr::{Expr, Name, Template};
use crate::mapping::members::{InverseSource, MemberSource};
use crate::mapping::{Body, BodyNode, Call, FilterCall, Flow, Mapping, Slot};

use super::backend::parse_url;
use super::calls::{CallSpec, EnvelopeParts, call, is_header_name};
use crate::mapping::tables::Table;

use super::context::Context;
use super::defaults::CallDefaults;
use super::scopes::{self, NO_NAMES};
use super::slots::{REPLY, SlotScope};

/// What `auth` says.
#[derive(Debug)]
pub(super) struct CredentialParts {
    pub(super) auth: OutboundAuth,
    pub(super) expires: Option<i64>,
    pub(super) expired: Option<Expr>,
    /// Where `send` stands, if it puts the token into bodies.
    pub(super) in_body: Option<Place>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    None,
    Forward,
    Bearer,
    Header,
    Token,
    Basic,
    OAuth2,
    Session,
}

const KINDS: [(&str, Kind); 8] = [
    ("none", Kind::None),
    ("forward", Kind::Forward),
    ("bearer", Kind::Bearer),
    ("header", Kind::Header),
    ("token", Kind::Token),
    ("basic", Kind::Basic),
    ("oauth2", Kind::OAuth2),
    ("session", Kind::Session),
];

const WHY: &str = "this kind of credential needs it";

/// `ok` is what the backend says success is.
pub(super) fn credential(cx: &mut Context, node: &Node, ok: Option<&Expr>, defaults: &CallDefaults) -> CredentialParts {
    let nothing = || CredentialParts { auth: OutboundAuth::None, expires: None, expired: None, in_body: None };
    let Some(fields) = Fields::of(&mut cx.report, node, &catalogue::CREDENTIAL) else { return nothing() };
    let expired = fields.get("expired").and_then(|node| cx.condition(node, &REPLY));
    let why = "\"bearer\", \"header\", \"token\", \"basic\", \"oauth2\", \"session\", \"forward\" or \"none\"";
    let kind = fields.require(&mut cx.report, "kind", why).and_then(|node| cx.report.choice(node, &KINDS));
    let Some(kind) = kind else { return nothing() };
    unfitting_keys(cx, &fields, kind);
    let auth = auth(cx, &fields, kind, ok, defaults).unwrap_or(OutboundAuth::None);
    let in_body = matches!(auth.send().map(|send| &send.place), Some(TokenPlace::Body(_)));
    let in_body = in_body.then(|| fields.get("send").unwrap_or(node).place.clone());
    let end = fields.get("expires").and_then(|node| cx.expiry(node));
    CredentialParts { auth, expires: end, expired, in_body }
}

fn unfitting_keys(cx: &mut Context, fields: &Fields<'_>, kind: Kind) {
    let wanted: &[&str] = match kind {
        Kind::None | Kind::Forward => &[],
        Kind::Bearer => &["token", "expires"],
        Kind::Header => &["token", "name", "prefix", "expires"],
        Kind::Token => &["token", "send", "expires"],
        Kind::Basic => &["user", "password", "expires"],
        Kind::OAuth2 => &["token_url", "client_id", "client_secret", "client_auth", "scope", "send", "ttl", "expires"],
        Kind::Session => &["login", "send", "ttl", "expires"],
    };
    for name in
        catalogue::CREDENTIAL.names().filter(|name| !wanted.contains(name) && !matches!(*name, "kind" | "expired"))
    {
        if let Some(entry) = fields.entry(name) {
            cx.report.error("E004", &entry.key, format!("`{name}` does not belong to this kind of credential"));
        }
    }
}

fn auth(
    cx: &mut Context,
    fields: &Fields<'_>,
    kind: Kind,
    ok: Option<&Expr>,
    defaults: &CallDefaults,
) -> Option<OutboundAuth> {
    match kind {
        Kind::None => Some(OutboundAuth::None),
        Kind::Forward => Some(OutboundAuth::Forward),
        Kind::Bearer => {
            let token = secret(cx, fields, "token");
            Some(OutboundAuth::Token { token: token?, send: bearer() })
        }
        Kind::Header => {
            let name = fields.require(&mut cx.report, "name", WHY).and_then(|node| header_name(cx, node));
            let token = secret(cx, fields, "token");
            let prefix = prefix(cx, fields.get("prefix"));
            Some(OutboundAuth::Token { token: token?, send: SendAs { place: TokenPlace::Header(name?), prefix } })
        }
        Kind::Token => {
            let token = secret(cx, fields, "token");
            let send = fields.require(&mut cx.report, "send", WHY).and_then(|node| send(cx, node));
            Some(OutboundAuth::Token { token: token?, send: send? })
        }
        Kind::Basic => {
            let user = fields.require(&mut cx.report, "user", WHY);
            let user = user.and_then(|node| cx.report.word(node).map(|user| (node, user)));
            if let Some((node, _)) = user.filter(|(_, user)| user.starts_with("env:") || user.starts_with("file:")) {
                let message = "a user name is no secret and is taken as it stands: write the name itself";
                cx.report.error("E060", &node.place, message);
            }
            let password = secret(cx, fields, "password");
            Some(OutboundAuth::Basic { user: user?.1.to_owned(), password: password? })
        }
        Kind::OAuth2 => oauth2(cx, fields),
        Kind::Session => session(cx, fields, ok, defaults),
    }
}

fn secret(cx: &mut Context, fields: &Fields<'_>, name: &str) -> Option<usize> {
    fields.require(&mut cx.report, name, WHY).and_then(|node| cx.secret(node))
}

fn bearer() -> SendAs {
    SendAs { place: TokenPlace::Header("Authorization".to_owned()), prefix: "Bearer ".to_owned() }
}

pub(super) fn header_name(cx: &mut Context, node: &Node) -> Option<String> {
    let name = cx.report.word(node)?;
    if !is_header_name(name) {
        cx.report.error("E004", &node.place, format!("`{name}` cannot be a header of a native call"));
        return None;
    }
    Some(name.to_owned())
}

fn prefix(cx: &mut Context, node: Option<&Node>) -> String {
    let Some((node, text)) = node.and_then(|node| Some((node, cx.report.text(node)?))) else { return String::new() };
    if text.ends_with(|c: char| c.is_ascii_alphanumeric()) {
        let message = "the token follows the prefix without a space";
        cx.report.warn("W140", &node.place, message, format!("is it `\"{text} \"`?"));
    }
    text.to_owned()
}

fn ttl(cx: &mut Context, fields: &Fields<'_>) -> Option<Duration> {
    let range = Duration::from_secs(1)..=Duration::from_secs(7 * 24 * 3600);
    fields.get("ttl").and_then(|node| cx.report.duration(node, range))
}

fn oauth2(cx: &mut Context, fields: &Fields<'_>) -> Option<OutboundAuth> {
    let token_url = fields.require(&mut cx.report, "token_url", WHY).and_then(|node| token_url(cx, node));
    let client_id = fields.require(&mut cx.report, "client_id", WHY).and_then(|node| cx.report.word(node));
    let client_secret = secret(cx, fields, "client_secret");
    let scope = fields.get("scope").and_then(|node| cx.report.word(node)).map(str::to_owned);
    let ways = [("basic", ClientAuth::Basic), ("body", ClientAuth::Body)];
    let client_auth = fields.get("client_auth").and_then(|node| cx.report.choice(node, &ways));
    let send = match fields.get("send") {
        Some(node) => send(cx, node),
        None => Some(bearer()),
    };
    Some(OutboundAuth::OAuth2(Box::new(ClientCredentials {
        token_url: token_url?,
        client_id: client_id?.to_owned(),
        client_secret: client_secret?,
        scope,
        client_auth: client_auth.unwrap_or(ClientAuth::Basic),
        send: send?,
        ttl: ttl(cx, fields),
    })))
}

fn token_url(cx: &mut Context, node: &Node) -> Option<BaseUrl> {
    let text = cx.report.word(node)?;
    let parsed = parse_url(text).filter(|_| !text.contains(['{', '}']));
    let Some(mut url) = parsed else {
        let help = "such as \"https://login.example.com/oauth2/token\", without variables".to_owned();
        cx.report.error_help("E004", &node.place, "not the URL of a token endpoint", help);
        return None;
    };
    // Unlike the base of calls, this is the whole URL, so that a slash at its end counts.
    if text.ends_with('/') {
        url.path.push('/');
    }
    Some(url)
}

fn session(cx: &mut Context, fields: &Fields<'_>, ok: Option<&Expr>, defaults: &CallDefaults) -> Option<OutboundAuth> {
    let login = fields.require(&mut cx.report, "login", WHY).and_then(|node| login(cx, node, ok, defaults));
    let saved: Option<Vec<Arc<str>>> =
        login.as_ref().map(|login| login.save.iter().map(|(name, _)| Arc::clone(name)).collect());
    let send = fields.require(&mut cx.report, "send", WHY);
    let (send, value) = send.and_then(|node| send_value(cx, node, saved.as_deref()))?;
    let login = login?;
    let mut secrets = Vec::new();
    if let Body::Built(node) = &login.body {
        body_secrets(node, &mut secrets);
    }
    let ttl = ttl(cx, fields);
    let variables = Vec::new();
    Some(OutboundAuth::Session(Box::new(SessionLogin { login, value, send, ttl, variables, secrets })))
}

fn login(cx: &mut Context, node: &Node, ok: Option<&Expr>, defaults: &CallDefaults) -> Option<Call> {
    let spec = CallSpec {
        slot: Slot::Login,
        scope: SlotScope { names: NO_NAMES, route_variables: true, resource_type: None },
        path: None,
        envelope: &EnvelopeParts::default(),
        ok,
        body: Body::None,
        defaults,
        paging: None,
    };
    let login = call(cx, node, &catalogue::LOGIN, &spec, None)?;
    if login.save.is_empty() {
        let message = "`save` is missing: nothing of the login would be kept";
        cx.report.error_help("E006", &node.place, message, "such as `save = { token = \"access.token\" }`".to_owned());
        return None;
    }
    Some(login)
}

fn body_secrets(node: &BodyNode, found: &mut Vec<usize>) {
    match node {
        BodyNode::Secret(index) => found.push(*index),
        BodyNode::Object { fields, .. } => fields.iter().for_each(|(_, node)| body_secrets(node, found)),
        BodyNode::Array(items) => items.iter().for_each(|node| body_secrets(node, found)),
        BodyNode::Leaf(_) | BodyNode::Literal(_) => {}
    }
}

/// `send` of a session: with a value over what the login saves; `None` is a login with mistakes of its own.
fn send_value(cx: &mut Context, node: &Node, saved: Option<&[Arc<str>]>) -> Option<(SendAs, Template)> {
    let fields = Fields::of(&mut cx.report, node, &catalogue::SEND)?;
    let send = placement(cx, node, &fields);
    let value = session_value(cx, &fields, node, saved);
    Some((send?, value?))
}

/// `send` of a token that is known already.
fn send(cx: &mut Context, node: &Node) -> Option<SendAs> {
    let fields = Fields::of(&mut cx.report, node, &catalogue::SEND)?;
    let send = placement(cx, node, &fields);
    if let Some(entry) = fields.entry("value") {
        cx.report.error("E004", &entry.key, "`value` belongs to a session: here the token itself is sent");
    }
    send
}

fn placement(cx: &mut Context, node: &Node, fields: &Fields<'_>) -> Option<SendAs> {
    let named: Vec<&str> =
        ["header", "cookie", "query", "body"].into_iter().filter(|key| fields.get(key).is_some()).collect();
    let [place] = named.as_slice() else {
        let found = if named.is_empty() { "none".to_owned() } else { format!("`{}`", named.join("`, `")) };
        let message = format!("`send` names exactly one of `header`, `cookie`, `query` and `body`, and here {found}");
        cx.report.error("E043", &node.place, message);
        return None;
    };
    let at = fields.get(place)?;
    let place = match *place {
        "header" => header_name(cx, at).map(TokenPlace::Header),
        "cookie" => cookie_name(cx, at).map(TokenPlace::Cookie),
        "query" => {
            let message = "a token in the query stands in the logs of every server on the way";
            cx.report.warn("W044", &at.place, message, None);
            cx.report.word(at).map(|name| TokenPlace::Query(name.to_owned()))
        }
        _ => field_path(cx, at).map(TokenPlace::Body),
    };
    let prefix = prefix(cx, fields.get("prefix"));
    Some(SendAs { place: place?, prefix })
}

fn cookie_name(cx: &mut Context, node: &Node) -> Option<String> {
    let name = cx.report.word(node)?;
    // A cookie's name is a token, as a header's is (RFC 6265 4.1.1).
    let fine = name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c));
    if !fine {
        cx.report.error("E004", &node.place, format!("`{name}` cannot be the name of a cookie"));
    }
    fine.then(|| name.to_owned())
}

fn field_path(cx: &mut Context, node: &Node) -> Option<crate::mapping::NativePath> {
    let path = cx.writable_path(node)?;
    if path.is_whole() || path.whole_field().is_some() {
        cx.report.error("E045", &node.place, format!("a token goes into one field of the body, and `{path}` is none"));
        return None;
    }
    Some(path)
}

fn session_value(cx: &mut Context, fields: &Fields<'_>, node: &Node, saved: Option<&[Arc<str>]>) -> Option<Template> {
    const LOGIN: SlotScope<'static> = SlotScope { names: scopes::LOGIN, route_variables: false, resource_type: None };
    let Some(value) = fields.get("value") else {
        // One saved value is what is sent.
        let [only] = saved? else {
            cx.report.error("E006", &node.place, "`value` is missing: which of the saved values is sent?");
            return None;
        };
        let scope = crate::expr::Scope::new().with("login", Name::Login);
        return Template::compile(&format!("{{login['{only}']}}"), &scope).ok();
    };
    let template = cx.template(value, &LOGIN)?;
    if !template.uses(Name::Login) {
        cx.report.error("E004", &value.place, "the value is the same before and after a login");
        return None;
    }
    let saved = saved?;
    for path in template.field_paths(Name::Login) {
        if let Some(field) = path.first().filter(|field| !saved.iter().any(|name| **name == ***field)) {
            let message = format!("the login saves no `{field}`");
            cx.report.unknown("E024", &value.place, message, field, saved.iter().map(|name| &**name));
            return None;
        }
    }
    Some(template)
}

/// A token in the body needs calls that have one.
pub(super) fn check_bodies(cx: &mut Context, place: &Place, mappings: &[Arc<Mapping>], tables: &[Table]) {
    let of_tables = tables.iter().filter(|table| has_no_body(&table.list.call));
    let mut without: Vec<String> =
        of_tables.map(|table| format!("table `{}` (line {})", table.name, table.origin.line)).collect();
    for mapping in mappings {
        for call in calls(mapping).into_iter().filter(|call| has_no_body(call)) {
            without.push(format!(
                "`{}.{}` (line {})",
                mapping.resource_type.name,
                call.slot.as_str(),
                call.origin.line
            ));
        }
    }
    without.dedup();
    if let Some((first, rest)) = without.split_first() {
        let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        let message = format!("the token goes into the body, and these calls have none: {first}{more}");
        let help = "give them a body, be it `body = {}`, or send the token in a header".to_owned();
        cx.report.error_help("E044", place, message, help);
    }
}

fn has_no_body(call: &Call) -> bool {
    match call.body {
        Body::None => true,
        Body::Rows => !matches!(call.slot, Slot::Create | Slot::Replace | Slot::Update),
        Body::Built(_) => false,
    }
}

/// Every call of a mapping.
fn calls(mapping: &Mapping) -> Vec<&Call> {
    let ops = &mapping.ops;
    let flows = ops.flows().chain(mapping.writes.iter().map(|rule| &rule.flow));
    let written = flows.flat_map(|flow| &flow.steps).flat_map(|step| std::iter::once(&step.call).chain(&step.undo));
    let plans = mapping.filters.iter().filter_map(|plan| match &plan.how {
        FilterCall::List(list) => Some(&list.call),
        FilterCall::Get { .. } => None,
    });
    let list = ops.list.iter().map(|list| &list.call);
    let inverse = mapping.inverse.iter().filter_map(|inverse| match &inverse.source {
        InverseSource::Call(list) => Some(&list.call),
        InverseSource::Native(_) => None,
    });
    let members = mapping.members.iter().flat_map(|members| {
        let listed = match &members.source {
            MemberSource::List(list) => Some(&list.call),
            MemberSource::Native(_) => None,
        };
        let changes = || [&members.add, &members.remove].into_iter().flatten();
        let looked_up = changes().filter_map(|change| change.lookup.as_ref()).map(|lookup| &lookup.list.call);
        let single = changes().flat_map(|change| change.flow.calls()).chain(looked_up);
        listed.into_iter().chain(single).chain(members.set.iter().flat_map(Flow::calls))
    });
    list.chain(&ops.get).chain(written).chain(plans).chain(members).chain(inverse).collect()
}
