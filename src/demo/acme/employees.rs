//! The endpoints under `/api/employees`: one function each, from checked path and raw body to a response.

use std::borrow::Cow;

use http::StatusCode;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::fields::{self, Document, EMPLOYEE};
use super::id::Id;
use super::page::{Page, Params};
use super::reply::{self, Refusal, Response};
use super::store::Store;
use super::table::Row;

pub(super) fn list(store: &Store, params: &Params<'_>) -> Result<Response, Refusal> {
    let page = Page::parse(params)?;
    let (rows, total) = store.employees.select(params, page);
    Ok(reply::list(rows.into_iter().map(|(id, row)| shown(store, id, row)), total, page))
}

pub(super) fn read(store: &Store, id: &Id) -> Result<Response, Refusal> {
    Ok(reply::one(StatusCode::OK, &shown(store, id, store.employees.row(id)?)))
}

pub(super) fn create(store: &mut Store, body: &[u8], now: Timestamp) -> Result<Response, Refusal> {
    let id = store.add_employee(None, fields::parse(body, EMPLOYEE)?, now)?;
    let location = format!("/api/employees/{}", utf8_percent_encode(&id.to_string(), NON_ALPHANUMERIC));
    Ok(reply::created(location, &shown(store, &id, store.employees.row(&id)?)))
}

pub(super) fn update(store: &mut Store, id: &Id, body: &[u8], now: Timestamp) -> Result<Response, Refusal> {
    store.employees.row(id)?;
    let changes = fields::parse(body, EMPLOYEE)?;
    if changes.contains_key("enabled") {
        let message = "is changed by POST /api/employees/{id}/enable and /disable";
        return Err(Refusal::invalid("enabled", message));
    }
    store.update_employee(id, changes, now)?;
    read(store, id)
}

pub(super) fn set_enabled(store: &mut Store, id: &Id, enabled: bool, now: Timestamp) -> Result<Response, Refusal> {
    let changes = Document::from_iter([("enabled".to_owned(), enabled.into())]);
    store.employees.update(id, changes, now)?;
    read(store, id)
}

pub(super) fn delete(store: &mut Store, id: &Id, now: Timestamp) -> Result<Response, Refusal> {
    store.remove_employee(id, now)?;
    Ok(reply::empty())
}

/// A row as clients read it, with the employee's teams in it where there are any.
fn shown<'s>(store: &'s Store, id: &Id, row: &'s Row) -> Cow<'s, [u8]> {
    let teams: Vec<Value> = store.members.teams(id).filter_map(|team| summary(store, team)).collect();
    match (row.rendered().strip_suffix(b"}"), teams.is_empty()) {
        (Some(open), false) => {
            let mut text = open.to_vec();
            text.extend_from_slice(b",\"teams\":");
            text.extend_from_slice(Value::Array(teams).to_string().as_bytes());
            text.push(b'}');
            Cow::Owned(text)
        }
        _ => Cow::Borrowed(row.rendered()),
    }
}

fn summary(store: &Store, team: &Id) -> Option<Value> {
    let name = store.teams.row(team).ok()?.text("name");
    Some(json!({ "id": team.to_json(store.settings.ids), "name": name }))
}

/// The teams of an employee, as `{"id", "name"}`.
pub(super) fn teams(store: &Store, id: &Id, params: &Params<'_>) -> Result<Response, Refusal> {
    let page = Page::parse(params)?;
    store.employees.row(id)?;
    let teams = store.members.teams(id);
    let total = teams.len();
    let items = teams.skip(page.skip()).take(page.size).filter_map(|team| Some(summary(store, team)?.to_string()));
    Ok(reply::list(items, total, page))
}
