//! `[auth.<name>]`: who may come in.

use std::sync::Arc;

use crate::auth::{AuthKind, Authenticator};
use crate::config::catalogue;
use crate::config::read::Fields;
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
    Authenticator { name, kind: kind.unwrap_or(AuthKind::Bearer { tokens: Vec::new() }), user }
}

fn kind(cx: &mut Context, entry: &Entry, fields: &Fields<'_>) -> Option<AuthKind> {
    let Some(node) = fields.get("kind") else {
        cx.report.error("E006", &entry.key, "`kind` is missing: \"bearer\" or \"none\"");
        return None;
    };
    let bearer = cx.report.choice(node, &[("bearer", true), ("none", false)])?;
    if !bearer {
        if let Some(tokens) = fields.entry("tokens") {
            cx.report.error("E004", &tokens.key, "`tokens` belong to kind \"bearer\"");
        }
        return Some(AuthKind::None);
    }
    let Some(list) = fields.get("tokens") else {
        cx.report.error("E006", &entry.key, "`tokens` is missing: without a token nobody could come in");
        return None;
    };
    let tokens = cx.report.list(list)?;
    if tokens.is_empty() {
        cx.report.error("E004", &list.place, "without a token nobody could come in");
    }
    Some(AuthKind::Bearer { tokens: tokens.iter().filter_map(|node| cx.token(node)).collect() })
}
