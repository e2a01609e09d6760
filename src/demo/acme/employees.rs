//! The endpoints under `/api/employees`: one function each, from checked path and raw body to a response.

use http::StatusCode;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::fields::{self, Document, EMPLOYEE};
use super::id::Id;
use super::page::{Page, Params};
use super::reply::{self, Refusal, Response};
use super::store::Store;
use super::table::Row;

pub(super) fn list(store: &Store, params: &Params<'_>) -> Result<Response, Refusal> {
    let page = Page::parse(params)?;
    let (rows, total) = store.employees.select(params, page);
    Ok(reply::list(rows.into_iter().map(Row::rendered), total, page))
}

pub(super) fn read(store: &Store, id: &Id) -> Result<Response, Refusal> {
    Ok(reply::one(StatusCode::OK, store.employees.row(id)?.rendered()))
}

pub(super) fn create(store: &mut Store, body: &[u8], now: Timestamp) -> Result<Response, Refusal> {
    let id = store.add_employee(None, fields::parse(body, EMPLOYEE)?, now)?;
    let location = format!("/api/employees/{}", utf8_percent_encode(&id.to_string(), NON_ALPHANUMERIC));
    Ok(reply::created(location, store.employees.row(&id)?.rendered()))
}

pub(super) fn update(store: &mut Store, id: &Id, body: &[u8], now: Timestamp) -> Result<Response, Refusal> {
    store.employees.row(id)?;
    let changes = fields::parse(body, EMPLOYEE)?;
    if changes.contains_key("enabled") {
        let message = "is changed by POST /api/employees/{id}/enable and /disable";
        return Err(Refusal::invalid("enabled", message));
    }
    Ok(reply::one(StatusCode::OK, store.update_employee(id, changes, now)?.rendered()))
}

pub(super) fn set_enabled(store: &mut Store, id: &Id, enabled: bool, now: Timestamp) -> Result<Response, Refusal> {
    let changes = Document::from_iter([("enabled".to_owned(), enabled.into())]);
    Ok(reply::one(StatusCode::OK, store.employees.update(id, changes, now)?.rendered()))
}

pub(super) fn delete(store: &mut Store, id: &Id, now: Timestamp) -> Result<Response, Refusal> {
    store.remove_employee(id, now)?;
    Ok(reply::empty())
}

/// The teams of an employee, as `{"id", "name"}`.
pub(super) fn teams(store: &Store, id: &Id, params: &Params<'_>) -> Result<Response, Refusal> {
    let page = Page::parse(params)?;
    store.employees.row(id)?;
    let teams = store.members.teams(id);
    let total = teams.len();
    let items = teams.skip(page.skip()).take(page.size).filter_map(|team| {
        let name = store.teams.row(team).ok()?.text("name");
        Some(json!({ "id": team.to_json(store.settings.ids), "name": name }).to_string())
    });
    Ok(reply::list(items, total, page))
}
