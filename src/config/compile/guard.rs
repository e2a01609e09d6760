//! `[[resource.T.guard]]`: what must not be touched, or not be seen.

use crate::config::catalogue;
use crate::config::read::Fields;
use crate::config::tree::{Data, Node, Place};
use crate::expr::{Expr, Name};
use crate::mapping::guard::{Denied, Verb};
use crate::mapping::{Extract, Guard, IdRule, Inverse, Mapping, PagingStyle};
use crate::scim::ResourceType;

use super::context::Context;
use super::scopes::GUARD;
use super::slots::SlotScope;

pub(super) fn guards(cx: &mut Context, node: Option<&Node>, of: &ResourceType, id: &IdRule) -> Vec<Guard> {
    let items = node.and_then(|node| cx.report.list(node)).unwrap_or(&[]);
    items.iter().filter_map(|item| guard(cx, item, of, id)).collect()
}

fn guard(cx: &mut Context, node: &Node, of: &ResourceType, id: &IdRule) -> Option<Guard> {
    let fields = Fields::of(&mut cx.report, node, &catalogue::GUARD)?;
    let scope = SlotScope::of(GUARD, of);
    let when_node = fields.require(&mut cx.report, "when", "which objects it is about");
    let when = when_node.and_then(|node| cx.condition(node, &scope));
    let deny_node = fields.require(&mut cx.report, "deny", "what must not be done");
    let deny = deny_node.and_then(|node| denied(cx, node));
    let detail = fields.get("detail").map_or(Some(None), |node| cx.text_template(node, &scope).map(Some));
    let (when, deny) = (when?, deny?);
    if let Some(node) = when_node {
        check_when(cx, node, &when, deny, id);
    }
    Some(Guard { when, deny, detail: detail?, origin: cx.origin(&node.place) })
}

fn denied(cx: &mut Context, node: &Node) -> Option<Denied> {
    let items = cx.report.list(node)?;
    let verbs: Vec<Option<Verb>> = items.iter().map(|item| cx.report.choice(item, &Verb::ALL)).collect();
    if verbs.is_empty() {
        cx.report.error("E004", &node.place, "a guard that denies nothing has no effect");
        return None;
    }
    verbs.into_iter().collect()
}

/// Names that say nothing on the occasions that the guard is about.
fn check_when(cx: &mut Context, node: &Node, when: &Expr, deny: Denied, id: &IdRule) {
    if when.constant().is_some() {
        let help = "an operation that is never offered is `\"reject\"` in `ops`".to_owned();
        cx.report.error_help("E081", &node.place, "the same for every object", help);
        return;
    }
    let others = [Verb::Delete, Verb::Members, Verb::Member];
    let reads = deny.names(Verb::Read);
    let unknown = [
        ("scim", Name::Scim, reads, "is the state that a request asks for, and `read` is decided without any"),
        ("old", Name::Old, reads, "is the resource as it was, and `read` decides before there is one: use `native`"),
        ("native", Name::Native, deny.names(Verb::Create) && !reads, "is not there before an object is created"),
        ("old", Name::Old, deny.names(Verb::Create) && !reads, "is not there before an object is created"),
        (
            "id",
            Name::Id,
            deny.names(Verb::Create) && !reads && id.derive.is_none(),
            "is not known before an object is created, unless `id.derive` computes it",
        ),
        (
            "scim",
            Name::Scim,
            !reads && others.iter().any(|verb| deny.names(*verb)),
            "is there for `create` and `update` only",
        ),
    ];
    for (text, name, wrong, why) in unknown {
        if wrong && when.uses(name) {
            let help = "write a guard of its own for the other verbs".to_owned();
            cx.report.error_help("E080", &node.place, format!("`{text}` {why}"), help);
        }
    }
}

/// What guards ask of other types. `drafts` are the mappings of one backend with their places and inverses.
pub(super) fn check(cx: &mut Context, mappings: &[(&Mapping, &Place, Option<&Inverse>)], resources: Option<&Node>) {
    for (mapping, place, _) in mappings {
        let name = &*mapping.resource_type.name;
        let grouped =
            mappings.iter().find(|(other, ..)| other.members.as_ref().is_some_and(|members| *members.of == *name));
        for guard in &mapping.guards {
            let at = deny_node(cx, resources, name, guard).map_or_else(|| (*place).clone(), |node| node.place.clone());
            if guard.deny.names(Verb::Members) && mapping.members.is_none() {
                cx.report.error("E082", &at, format!("a `{name}` has no members here"));
            }
            if guard.deny.names(Verb::Member) && grouped.is_none() {
                cx.report.error("E082", &at, format!("a `{name}` is a member of nothing here"));
            }
            if guard.hides() && guard.when.uses(Name::Native) {
                let members = grouped.and_then(|(group, ..)| group.members.as_ref()).map(|members| &members.value);
                if members.is_some_and(|value| !shows(value, mapping)) {
                    let message =
                        "member lists hold ids alone, and this guard needs the object: they may show what it hides";
                    cx.report.warn("W081", &at, message, HELP.to_owned());
                }
                let groups =
                    mappings.iter().filter_map(|(.., inverse)| *inverse).find(|inverse| *inverse.group == *name);
                if groups.is_some_and(|inverse| !shows(&inverse.value, mapping)) {
                    let message = "`groups` of members hold ids alone, and this guard needs the object: they may show what it hides";
                    cx.report.warn("W081", &at, message, HELP.to_owned());
                }
            }
        }
        let pages = mapping.ops.list.as_ref().is_some_and(|list| list.paging.style != PagingStyle::None);
        if pages && mapping.scan.is_none() && mapping.guards.iter().any(Guard::hides) {
            let message =
                format!("to leave out what is hidden, a list of `{name}` is read whole, and so is limited to 1000");
            let help = "say how many there may be: '*' = { scan = { max = .., cache = .. } }; or let the list call leave them out";
            cx.report.warn("W083", place, message, help.to_owned());
        }
    }
}

/// Whether an item shows the object that its id is about.
fn shows(value: &Extract, mapping: &Mapping) -> bool {
    value.codec.is_empty() && value.native.before(&mapping.id.native).is_some()
}

fn deny_node<'n>(cx: &Context, resources: Option<&'n Node>, name: &str, guard: &Guard) -> Option<&'n Node> {
    let resource = &resources?.as_table()?.get(name)?.value;
    let Data::List(items) = &resource.as_table()?.get("guard")?.value.data else { return None };
    let item = items.iter().find(|item| cx.origin(&item.place) == guard.origin)?;
    Some(&item.as_table()?.get("deny")?.value)
}

/// The account that the adapter uses is one that nobody should switch off by accident.
pub(super) fn own_account(auth: &Node) -> Option<(String, Place)> {
    let table = auth.as_table()?;
    let named = |node: &Node| {
        let fields = node.as_table()?;
        let found = ["user", "username", "user_name", "login", "email"].iter().find_map(|name| fields.get(name))?;
        let text = found.value.as_text().filter(|text| !text.contains('{') && !text.is_empty())?;
        Some((text.to_owned(), found.value.place.clone()))
    };
    match table.get("kind")?.value.as_text()? {
        "basic" => named(auth),
        "session" => named(&table.get("login")?.value.as_table()?.get("body")?.value),
        _ => None,
    }
}

/// Warns where the adapter could be told to lock itself out.
pub(super) fn check_own_account(cx: &mut Context, account: &(String, Place), users: Option<&Mapping>) {
    let (name, place) = account;
    let Some(users) = users else { return };
    let writes = users.ops.update.is_some() || users.ops.replace.is_some() || users.ops.delete.is_some();
    let guarded = users.guards.iter().any(|guard| guard.when.source().to_lowercase().contains(&name.to_lowercase()));
    if writes && !guarded {
        let message = "no guard matches the account that the adapter itself uses";
        let help = format!(
            "if it is a user of the application: [[resource.User.guard]] when = \"native.login == '{name}'\", deny = [\"update\", \"delete\"]"
        );
        cx.report.warn("W082", place, message, help);
    }
}

const HELP: &str = "decide by `id` or route variables, or let the call return the objects themselves";
