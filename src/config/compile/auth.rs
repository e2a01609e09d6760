//! `[auth.<name>]`: who may come in.

use std::sync::Arc;

use crate::auth::{AuthKind, Authenticator, TokenFacts};
use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::secret::SecretKind;
use crate::config::tree::{Entry, Node};

use super::context::Context;

pub(super) fn authenticators(cx: &mut Context, node: Option<&Node>) -> Vec<Authenticator> {
    let Some(table) = node.and_then(|node| cx.report.table(node)) else { return Vec::new() };
    table.entries.iter().map(|entry| authenticator(cx, entry)).collect()
}

/// One per entry even if it is faulty, so that the numbers routes use stay right.
fn authenticator(cx: &mut Context, entry: &Entry) -> Authenticator {
    let name = Arc::from(entry.name.as_str());
    let fields = Fields::of(&mut cx.report, &entry.value, &catalogue::AUTHENTICATOR);
    let user = fields.as_ref().and_then(|fields| fields.get("user")).and_then(|node| cx.report.word(node));
    let user = user.map(str::to_owned);
    let kind = fields.and_then(|fields| kind(cx, entry, &fields));
    let (kind, tokens) = kind.unwrap_or((AuthKind::Bearer { tokens: Vec::new() }, Vec::new()));
    Authenticator { name, kind, user, tokens }
}

fn kind(cx: &mut Context, entry: &Entry, fields: &Fields<'_>) -> Option<(AuthKind, Vec<TokenFacts>)> {
    let Some(node) = fields.get("kind") else {
        cx.report.error("E006", &entry.key, "`kind` is missing: \"bearer\" or \"none\"");
        return None;
    };
    let bearer = cx.report.choice(node, &[("bearer", true), ("none", false)])?;
    if !bearer {
        if let Some(tokens) = fields.entry("tokens") {
            cx.report.error("E004", &tokens.key, "`tokens` belong to kind \"bearer\"");
        }
        return Some((AuthKind::None, Vec::new()));
    }
    let Some(list) = fields.get("tokens") else {
        cx.report.error("E006", &entry.key, "`tokens` is missing: without a token nobody could come in");
        return None;
    };
    let tokens = cx.report.list(list)?;
    if tokens.is_empty() {
        cx.report.error("E004", &list.place, "without a token nobody could come in");
    }
    let mut facts = Vec::new();
    let tokens = tokens.iter().enumerate().filter_map(|(index, node)| token(cx, index, node, &mut facts)).collect();
    Some((AuthKind::Bearer { tokens }, facts))
}

/// A token: a reference to a secret, or a table that holds one.
fn token(cx: &mut Context, index: usize, node: &Node, facts: &mut Vec<TokenFacts>) -> Option<usize> {
    if node.as_table().is_none() {
        let token = cx.token(node)?;
        facts.push(TokenFacts { name: place_name(cx, token, index), expires: None });
        return Some(token);
    }
    let fields = Fields::of(&mut cx.report, node, &catalogue::TOKEN)?;
    let expires = fields.get("expires").and_then(|node| cx.expiry(node));
    let given = fields.get("name").and_then(|node| Some((node, cx.report.word(node)?)));
    let token = fields.require(&mut cx.report, "token", "which one is it?").and_then(|node| cx.token(node))?;
    let name = given.map_or_else(|| place_name(cx, token, index), |(_, name)| Arc::from(name));
    if let Some((place, _)) = given.filter(|_| facts.iter().any(|other| other.name == name)) {
        cx.report.error("E004", &place.place, format!("another token is called `{name}`"));
    }
    facts.push(TokenFacts { name, expires });
    Some(token)
}

/// What a token is called by where it comes from; nothing of the token itself.
fn place_name(cx: &Context, token: usize, index: usize) -> Arc<str> {
    match cx.secrets.get(token).map(|secret| &secret.kind) {
        Some(SecretKind::Env(name)) => Arc::from(name.as_str()),
        Some(SecretKind::File(path)) => Arc::from(path.rsplit('/').next().unwrap_or(path)),
        _ => Arc::from(format!("tokens[{index}]")),
    }
}
