//! The endpoints under `/api/teams`, the members of a team among them.

use std::collections::BTreeSet;

use http::StatusCode;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::fields::{self, TEAM};
use super::id::Id;
use super::page::{Page, Params};
use super::reply::{self, Refusal, Response};
use super::store::Store;
use super::table::rfc3339;

pub(super) fn list(store: &Store, params: &Params<'_>) -> Result<Response, Refusal> {
    let page = Page::parse(params)?;
    let (rows, total) = store.teams.select(params, page);
    Ok(reply::list(rows.into_iter().map(|(_, row)| row.rendered()), total, page))
}

pub(super) fn read(store: &Store, id: &Id) -> Result<Response, Refusal> {
    Ok(reply::one(StatusCode::OK, store.teams.row(id)?.rendered()))
}

pub(super) fn create(store: &mut Store, body: &[u8], now: Timestamp) -> Result<Response, Refusal> {
    let id = store.add_team(None, fields::parse(body, TEAM)?, now)?;
    let location = format!("/api/teams/{}", utf8_percent_encode(&id.to_string(), NON_ALPHANUMERIC));
    Ok(reply::created(location, store.teams.row(&id)?.rendered()))
}

pub(super) fn update(store: &mut Store, id: &Id, body: &[u8], now: Timestamp) -> Result<Response, Refusal> {
    store.teams.row(id)?;
    let changes = fields::parse(body, TEAM)?;
    Ok(reply::one(StatusCode::OK, store.update_team(id, changes, now)?.rendered()))
}

pub(super) fn delete(store: &mut Store, id: &Id) -> Result<Response, Refusal> {
    store.remove_team(id)?;
    Ok(reply::empty())
}

pub(super) fn members(store: &Store, team: &Id, params: &Params<'_>) -> Result<Response, Refusal> {
    let page = Page::parse(params)?;
    store.teams.row(team)?;
    let members = store.members.members(team);
    let total = members.len();
    let items = members.skip(page.skip()).take(page.size).map(|(id, added_at)| member(store, id, added_at));
    Ok(reply::list(items, total, page))
}

/// Adds one member (`{"employee_id": 7}`) or several (`{"employee_ids": [7, 8]}`).
///
/// One who is in the team already is refused when alone and counted when among several; an unknown employee
/// among several adds nobody.
pub(super) fn add_members(store: &mut Store, team: &Id, body: &[u8], now: Timestamp) -> Result<Response, Refusal> {
    store.teams.row(team)?;
    let body = fields::parse_object(body)?;
    if let Some(other) = body.keys().find(|name| !["employee_id", "employee_ids"].contains(&name.as_str())) {
        return Err(Refusal::invalid(reply::shorten(other), "unknown field"));
    }
    match (body.get("employee_id"), body.get("employee_ids")) {
        (Some(one), None) => add_one(store, team, one, now),
        (None, Some(Value::Array(several))) => add_several(store, team, several, now),
        (None, Some(_)) => Err(Refusal::invalid("employee_ids", "must be a list of ids")),
        _ => Err(Refusal::invalid("employee_id", "give either employee_id or employee_ids")),
    }
}

pub(super) fn remove_member(store: &mut Store, team: &Id, employee: &Id, now: Timestamp) -> Result<Response, Refusal> {
    store.teams.row(team)?;
    if !store.members.remove(team, employee) {
        return Err(Refusal::NotMember);
    }
    store.teams.touch(team, now);
    Ok(reply::empty())
}

fn add_one(store: &mut Store, team: &Id, employee: &Value, now: Timestamp) -> Result<Response, Refusal> {
    let employee = known_employee(store, employee, "employee_id")?;
    if store.members.contains(team, &employee) {
        return Err(Refusal::AlreadyMember);
    }
    require_room(store, team, 1)?;
    let added_at = rfc3339(now);
    store.members.add(team, &employee, &added_at);
    store.teams.touch(team, now);
    Ok(reply::one(StatusCode::CREATED, member(store, &employee, &added_at).as_bytes()))
}

fn add_several(store: &mut Store, team: &Id, employees: &[Value], now: Timestamp) -> Result<Response, Refusal> {
    if employees.len() > BULK_MAX {
        return Err(Refusal::invalid("employee_ids", format!("at most {BULK_MAX} at once")));
    }
    let employees: BTreeSet<Id> =
        employees.iter().map(|employee| known_employee(store, employee, "employee_ids")).collect::<Result<_, _>>()?;
    let newcomers: Vec<&Id> = employees.iter().filter(|employee| !store.members.contains(team, employee)).collect();
    require_room(store, team, newcomers.len())?;
    let added_at = rfc3339(now);
    for employee in &newcomers {
        store.members.add(team, employee, &added_at);
    }
    if !newcomers.is_empty() {
        store.teams.touch(team, now);
    }
    let (added, already) = (newcomers.len(), employees.len() - newcomers.len());
    let counts = json!({ "added": added, "already_members": already });
    Ok(reply::one(StatusCode::CREATED, counts.to_string().as_bytes()))
}

fn known_employee(store: &Store, employee: &Value, field: &str) -> Result<Id, Refusal> {
    let id = Id::from_json(employee).ok_or_else(|| Refusal::invalid(field, "an id is a number or a string"))?;
    if store.settings.check_members && store.employees.row(&id).is_err() {
        return Err(Refusal::NoSuchEmployee(id));
    }
    Ok(id)
}

/// Members that are no employees are bounded by nothing else.
fn require_room(store: &Store, team: &Id, more: usize) -> Result<(), Refusal> {
    let full = store.members.members(team).len() + more > store.settings.rows_max;
    if full { Err(Refusal::Full) } else { Ok(()) }
}

/// A member as clients read it. A reference to nobody, which only an unchecked store holds, has no login.
fn member(store: &Store, employee: &Id, added_at: &str) -> String {
    let login = store.employees.row(employee).ok().and_then(|row| row.text("login"));
    json!({ "employee_id": employee.to_json(store.settings.ids), "login": login, "added_at": added_at }).to_string()
}

/// The most members one call adds.
const BULK_MAX: usize = 500;
