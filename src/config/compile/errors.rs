//! `[[backend.<name>.error]]`: what replies that are no success mean.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::snapshot::{ErrorRule, RuleRetry};
use crate::config::tree::{Node, Place};
use crate::expr::{Env, Expr, Name, Template};
use crate::mapping::Slot;
use crate::scim::{ResourceType, ScimType};

use super::context::Context;
use super::slots::{REPLY, REPLY_DETAIL};

pub(super) fn error_rules(cx: &mut Context, node: &Node, types: &[ResourceType]) -> Vec<ErrorRule> {
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
    let when_node = fields.require(&mut cx.report, "when", "an expression over `status`, `headers` and `body`");
    let when = when_node.and_then(|node| cx.condition(node, &REPLY));
    let scim = fields.require(&mut cx.report, "scim", "what the client reads: `{ status, type, detail }`");
    let (status, scim_type, detail) = scim.map_or((None, None, None), |node| answer(cx, node));
    let retry = fields.get("retry").and_then(|node| rule_retry(cx, node));
    let when = when?;
    let names_status = when.uses(Name::Status);
    if let Some(outage) = outage_met(&when).filter(|_| status == Some(404)) {
        let place = when_node.map_or(&node.place, |node| &node.place);
        let message =
            format!("a reply with {outage} would read as \"not found\", and clients create what is not found");
        let help = "name the statuses it is about: \"status == 404 || ..\"".to_owned();
        cx.report.error_help("E141", place, message, help);
    }
    Some(ErrorRule { on, names_status, when, status, scim_type, detail, retry, origin: cx.origin(&node.place) })
}

fn answer(cx: &mut Context, node: &Node) -> (Option<u16>, Option<ScimType>, Option<Template>) {
    let Some(fields) = Fields::of(&mut cx.report, node, &catalogue::ERROR_ANSWER) else { return (None, None, None) };
    let status = fields.get("status").and_then(|node| status(cx, node));
    let types = ScimType::ALL.map(|kind| (kind.as_str(), kind));
    let scim_type = fields.get("type").and_then(|node| cx.report.choice(node, &types));
    let detail = fields.get("detail").and_then(|node| cx.template(node, &REPLY_DETAIL));
    (status, scim_type, detail)
}

fn status(cx: &mut Context, node: &Node) -> Option<u16> {
    let status = cx.report.integer(node, 400..=599)?;
    if status == 401 {
        let message = "401 tells the client that its own token is bad, and clients stop when they read that";
        let help = "leave replies that refuse the adapter's credential to `expired`".to_owned();
        cx.report.error_help("E142", &node.place, message, help);
        return None;
    }
    u16::try_from(status).ok()
}

fn rule_retry(cx: &mut Context, node: &Node) -> Option<RuleRetry> {
    let fields = Fields::of(&mut cx.report, node, &catalogue::RULE_RETRY)?;
    let range = Duration::from_millis(10)..=Duration::from_secs(60);
    let after = fields.get("after").map(|node| cx.report.duration(node, range));
    let max = fields.get("max").map(|node| cx.report.integer(node, 1..=10));
    Some(RuleRetry {
        after: after.unwrap_or(Some(RETRY_AFTER))?,
        max: max.unwrap_or(Some(RETRY_MAX)).and_then(|max| u32::try_from(max).ok())?,
    })
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
    when.constant() == Some(&Value::Bool(true))
}

fn covers(wider: &[(Option<Arc<str>>, Slot)], on: &[(Option<Arc<str>>, Slot)]) -> bool {
    let holds = |(of, slot): &(Option<Arc<str>>, Slot)| {
        wider.iter().any(|(other, same)| same == slot && (other.is_none() || other == of))
    };
    wider.is_empty() || (!on.is_empty() && on.iter().all(holds))
}

/// `ok` must not hold for what a proxy in front of an application says while it is away.
pub(super) fn check_ok(cx: &mut Context, ok: &Expr, place: &Place) {
    if let Some(outage) = outage_met(ok) {
        let message = format!("a reply with {outage} and no body counts as success, so that an outage would too");
        let help = "name the statuses that are a success: \"status == 200 && ..\"".to_owned();
        cx.report.warn("W141", place, message, help);
    }
}

/// The first status of an outage for which a condition that names `status` holds.
fn outage_met(condition: &Expr) -> Option<u16> {
    // Others never see such a reply.
    let headers = Value::Object(Map::new());
    let holds = |status: &u16| {
        let status = Value::from(*status);
        let env = Env { status: Some(&status), headers: Some(&headers), body: Some(&Value::Null), ..Env::default() };
        condition.test(&env).unwrap_or(false)
    };
    [502, 503, 504].into_iter().filter(|_| condition.uses(Name::Status)).find(holds)
}

/// `retry` without `after`.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// `retry` without `max`.
const RETRY_MAX: u64 = 2;
