//! The API as a function: the store and one request in, one response out.
//!
//! No sockets and no clock: the time of the call is part of the request. Reading the body within its bound is
//! the server's part.

use http::Method;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use subtle::ConstantTimeEq as _;

use super::id::Id;
use super::page::Params;
use super::reply::{Refusal, Response};
use super::store::Store;
use super::{employees, teams};

/// One call, as it came off the wire.
pub(super) struct Request<'a> {
    pub(super) method: &'a Method,
    /// Still percent-encoded.
    pub(super) path: &'a str,
    /// Without the `?`.
    pub(super) query: &'a str,
    pub(super) body: &'a [u8],
    pub(super) now: Timestamp,
}

/// Answers one authorised call.
pub(super) fn answer(store: &mut Store, request: &Request<'_>) -> Response {
    dispatch(store, request).unwrap_or_else(Refusal::into_response)
}

/// Compares the presented `X-Api-Key` with the one the application expects.
pub(super) fn authorise(token: &str, presented: Option<&[u8]>) -> Result<(), Refusal> {
    match presented {
        Some(presented) if bool::from(presented.ct_eq(token.as_bytes())) => Ok(()),
        _ => Err(Refusal::Unauthorised),
    }
}

fn dispatch(store: &mut Store, request: &Request<'_>) -> Result<Response, Refusal> {
    let route = Route::parse(request.path).ok_or(Refusal::NoSuchPath)?;
    let params = Params::parse(request.query);
    let &Request { body, now, .. } = request;
    match (&route, request.method.as_str()) {
        (Route::Employees, "GET") => employees::list(store, &params),
        (Route::Employees, "POST") => employees::create(store, body, now),
        (Route::Employee(id), "GET") => employees::read(store, id),
        (Route::Employee(id), "PATCH") => employees::update(store, id, body, now),
        (Route::Employee(id), "DELETE") => employees::delete(store, id, now),
        (Route::EmployeeEnabled(id, enabled), "POST") => employees::set_enabled(store, id, *enabled, now),
        (Route::EmployeeTeams(id), "GET") => employees::teams(store, id, &params),
        (Route::Teams, "GET") => teams::list(store, &params),
        (Route::Teams, "POST") => teams::create(store, body, now),
        (Route::Team(id), "GET") => teams::read(store, id),
        (Route::Team(id), "PATCH") => teams::update(store, id, body, now),
        (Route::Team(id), "DELETE") => teams::delete(store, id),
        (Route::Members(id), "GET") => teams::members(store, id, &params),
        (Route::Members(id), "POST") => teams::add_members(store, id, body, now),
        (Route::Member(id, employee), "DELETE") => teams::remove_member(store, id, employee, now),
        _ => Err(Refusal::MethodNotAllowed(route.methods())),
    }
}

/// The paths of the API.
enum Route {
    Employees,
    Employee(Id),
    /// `/disable` and `/enable`, and which of them.
    EmployeeEnabled(Id, bool),
    EmployeeTeams(Id),
    Teams,
    Team(Id),
    Members(Id),
    Member(Id, Id),
}

impl Route {
    /// Splits before decoding, so that an id may contain an encoded `/`.
    fn parse(path: &str) -> Option<Route> {
        let segments: Vec<&str> = path.strip_prefix("/api/")?.split('/').collect();
        Some(match segments.as_slice() {
            ["employees"] => Route::Employees,
            ["employees", id] => Route::Employee(id_segment(id)?),
            ["employees", id, "disable"] => Route::EmployeeEnabled(id_segment(id)?, false),
            ["employees", id, "enable"] => Route::EmployeeEnabled(id_segment(id)?, true),
            ["employees", id, "teams"] => Route::EmployeeTeams(id_segment(id)?),
            ["teams"] => Route::Teams,
            ["teams", id] => Route::Team(id_segment(id)?),
            ["teams", id, "members"] => Route::Members(id_segment(id)?),
            ["teams", id, "members", employee] => Route::Member(id_segment(id)?, id_segment(employee)?),
            _ => return None,
        })
    }

    fn methods(&self) -> &'static str {
        match self {
            Route::Employees | Route::Teams | Route::Members(_) => "GET, HEAD, POST",
            Route::Employee(_) | Route::Team(_) => "GET, HEAD, PATCH, DELETE",
            Route::EmployeeEnabled(..) => "POST",
            Route::EmployeeTeams(_) => "GET, HEAD",
            Route::Member(..) => "DELETE",
        }
    }
}

fn id_segment(segment: &str) -> Option<Id> {
    let text = percent_decode_str(segment).decode_utf8().ok()?;
    (!text.is_empty()).then(|| Id::parse(&text))
}
