//! What the application says back: envelopes for rows and lists, and the whole error contract.
//!
//! Rows come in as JSON already rendered (see `table`), so an answer is a concatenation and not another pass
//! over the document.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::id::Id;
use super::page::Page;

/// One answer of the API. The body is JSON, or empty for 204.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: StatusCode,
    /// The path of a row that was created.
    pub(super) location: Option<String>,
    /// The methods a path takes, with 405.
    pub(super) allow: Option<&'static str>,
    pub(super) body: Bytes,
}

/// Why a call was refused. [`Refusal::into_response`] is the only place that gives these a status.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    Unauthorised,
    NoSuchPath,
    NotFound,
    NotMember,
    MethodNotAllowed(&'static str),
    TooLarge { max_bytes: usize },
    BadJson(String),
    BadQuery { parameter: &'static str, message: &'static str },
    Duplicate { field: &'static str },
    AlreadyMember,
    NoSuchEmployee(Id),
    Invalid { field: String, message: String },
    Full,
}

impl Refusal {
    pub(super) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Refusal {
        Refusal::Invalid { field: field.into(), message: message.into() }
    }

    pub(super) fn into_response(self) -> Response {
        let allow = match self {
            Refusal::MethodNotAllowed(methods) => Some(methods),
            _ => None,
        };
        let (status, error) = self.contract();
        let body = Bytes::from(json!({ "error": error }).to_string());
        Response { status, location: None, allow, body }
    }

    fn contract(self) -> (StatusCode, Value) {
        let plain = |code: &str, message: &str| json!({ "code": code, "message": message });
        match self {
            Refusal::Unauthorised => (StatusCode::UNAUTHORIZED, plain("unauthorised", "X-Api-Key is missing or wrong")),
            Refusal::NoSuchPath => (StatusCode::NOT_FOUND, plain("not_found", "no such path")),
            Refusal::NotFound => (StatusCode::NOT_FOUND, plain("not_found", "no such row")),
            Refusal::NotMember => (StatusCode::NOT_FOUND, plain("not_member", "the employee is not in this team")),
            Refusal::MethodNotAllowed(_) => {
                (StatusCode::METHOD_NOT_ALLOWED, plain("method_not_allowed", "see the Allow header"))
            }
            Refusal::TooLarge { max_bytes } => {
                let message = format!("the body is larger than {max_bytes} bytes");
                (StatusCode::PAYLOAD_TOO_LARGE, plain("too_large", &message))
            }
            Refusal::BadJson(message) => (StatusCode::BAD_REQUEST, plain("bad_json", &message)),
            Refusal::BadQuery { parameter, message } => {
                (StatusCode::BAD_REQUEST, json!({ "code": "bad_query", "field": parameter, "message": message }))
            }
            Refusal::Duplicate { field } => {
                let message = format!("this {field} is taken");
                (StatusCode::CONFLICT, json!({ "code": "duplicate", "field": field, "message": message }))
            }
            Refusal::AlreadyMember => {
                (StatusCode::CONFLICT, plain("already_member", "the employee is in this team already"))
            }
            Refusal::NoSuchEmployee(id) => {
                let message = format!("no employee {}", shorten(&id.to_string()));
                (StatusCode::UNPROCESSABLE_ENTITY, plain("no_such_employee", &message))
            }
            Refusal::Invalid { field, message } => {
                (StatusCode::UNPROCESSABLE_ENTITY, json!({ "code": "invalid", "field": field, "message": message }))
            }
            Refusal::Full => (StatusCode::INSUFFICIENT_STORAGE, plain("full", "no room for another row")),
        }
    }
}

/// A name out of a request, short enough to repeat in an answer.
pub(super) fn shorten(name: &str) -> String {
    name.chars().take(NAME_SHOWN_MAX_CHARS).collect()
}

/// `{"data": <item>}` around one rendered row.
pub(super) fn one(status: StatusCode, item: &[u8]) -> Response {
    let mut body = Vec::with_capacity(item.len() + 9);
    body.extend_from_slice(b"{\"data\":");
    body.extend_from_slice(item);
    body.push(b'}');
    Response { status, location: None, allow: None, body: body.into() }
}

/// `{"data": <item>}` with 201 and the path of the row.
pub(super) fn created(location: String, item: &[u8]) -> Response {
    Response { location: Some(location), ..one(StatusCode::CREATED, item) }
}

/// `{"data": [...], "meta": {...}}` around one page of rendered rows; `total` counts all pages.
pub(super) fn list<T: AsRef<[u8]>>(items: impl Iterator<Item = T>, total: usize, page: Page) -> Response {
    let mut body = b"{\"data\":[".to_vec();
    for (position, item) in items.enumerate() {
        if position > 0 {
            body.push(b',');
        }
        body.extend_from_slice(item.as_ref());
    }
    let meta = json!({ "total": total, "page": page.number, "per_page": page.size });
    body.extend_from_slice(format!("],\"meta\":{meta}}}").as_bytes());
    Response { status: StatusCode::OK, location: None, allow: None, body: body.into() }
}

/// 204.
pub(super) fn empty() -> Response {
    Response { status: StatusCode::NO_CONTENT, location: None, allow: None, body: Bytes::new() }
}

const NAME_SHOWN_MAX_CHARS: usize = 64;
