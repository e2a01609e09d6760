//! Acme HR: an in-memory REST application for employees and teams that has never heard of SCIM.
//!
//! In comes HTTP/1.1 on a listener the caller has bound; out go the application's own JSON, in its own words,
//! and a few pages that only a pass-through proxy needs. It keeps nothing on disk and offers no TLS.
//!
//! | module | in -> out | side |
//! |---|---|---|
//! | `server` | a connection -> requests, answers, faults, call records | shell |
//! | `pages` | the pages beside the API (`/`, `/echo`, `/stream`, `/ws` ...) | shell |
//! | `fault`, `record` | what calls meet instead of an answer; what calls there were | pure |
//! | `answer` | store + request -> store + response | pure |
//! | `employees`, `teams` | one endpoint each -> response | pure |
//! | `fields` | a JSON body -> a checked document | pure |
//! | `store`, `table`, `membership` | rows, unique columns, who is in which team | pure |
//! | `page`, `reply`, `id` | query parameters, envelopes and errors, identifiers | pure |
//!
//! # The API in short
//!
//! Every call under `/api` carries `X-Api-Key`. One object is `{"data": {...}}`, a list is
//! `{"data": [...], "meta": {"total": N, "page": P, "per_page": K}}`, an error is
//! `{"error": {"code": "...", "field": "...", "message": "..."}}`. Query parameters the application does not
//! know are ignored, as most frameworks do.
//!
//! ```text
//! GET POST          /api/employees                      ?page&per_page&login&email&sso_id&display_name
//! GET PATCH DELETE  /api/employees/{id}
//! POST              /api/employees/{id}/disable         and /enable
//! GET               /api/employees/{id}/teams           ?page&per_page
//! GET POST          /api/teams                          ?page&per_page&name&sso_id
//! GET PATCH DELETE  /api/teams/{id}
//! GET POST          /api/teams/{id}/members             ?page&per_page
//! DELETE            /api/teams/{id}/members/{employee_id}
//! ```

mod answer;
mod employees;
mod fault;
mod fields;
mod id;
mod membership;
mod page;
mod pages;
mod record;
mod reply;
mod server;
mod store;
mod table;
mod teams;
#[cfg(test)]
mod tests;

pub use fault::Fault;
pub use id::Ids;
pub use record::CallRecord;
pub use server::{Acme, AcmeOptions};
