//! What is asked, and what it is compared with.
//!
//! In: the ids of resources that exist. Out: for each [`Subject`] its requests, by number. The bare proxy gets the very
//! native call that the SCIM request becomes, so that both carry a request and an answer of the same kind.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::load::request;

/// The one secret of the run: the application's key and the sidecar's bearer token alike.
pub(crate) const TOKEN: &str = "bench-only-token";
const SCIM_BASE: &str = "/scim/v2/demo/bench";
/// Resources that are read and changed in turn; above the number of connections, so that no two meet on one.
pub(crate) const POOL: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A native `GET`, to the application itself.
    Direct,
    /// A native `GET` through the bare proxy, and the same through the sidecar.
    BareRead,
    Pass,
    /// `GET /Users/{id}`.
    Read,
    /// `POST /Users`.
    BareCreate,
    Create,
    /// `PATCH /Users/{id}` of a text.
    BarePatch,
    Patch,
    /// `GET /Users?filter=userName eq "..."`.
    BareFilter,
    Filter,
    /// `GET /Users?count=100`.
    BareList,
    List,
}

impl Subject {
    /// Whoever is compared stands beside what it is compared with.
    pub(crate) const ALL: [Self; 12] = [
        Self::Direct,
        Self::Pass,
        Self::BareRead,
        Self::Read,
        Self::BareCreate,
        Self::Create,
        Self::BarePatch,
        Self::Patch,
        Self::BareFilter,
        Self::Filter,
        Self::BareList,
        Self::List,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "application: GET",
            Self::BareRead => "bare proxy: GET",
            Self::Pass => "sidecar, passed through: GET",
            Self::Read => "sidecar, SCIM: GET",
            Self::BareCreate => "bare proxy: POST",
            Self::Create => "sidecar, SCIM: POST",
            Self::BarePatch => "bare proxy: PATCH",
            Self::Patch => "sidecar, SCIM: PATCH",
            Self::BareFilter => "bare proxy: filter, 1 found",
            Self::Filter => "sidecar, SCIM: filter, 1 found",
            Self::BareList => "bare proxy: list of 100",
            Self::List => "sidecar, SCIM: list of 100",
        }
    }

    /// What it is compared with.
    pub(crate) fn yardstick(self) -> Self {
        match self {
            Self::Direct | Self::BareRead | Self::Pass | Self::Read => Self::BareRead,
            Self::BareCreate | Self::Create => Self::BareCreate,
            Self::BarePatch | Self::Patch => Self::BarePatch,
            Self::BareFilter | Self::Filter => Self::BareFilter,
            Self::BareList | Self::List => Self::BareList,
        }
    }

    pub(crate) fn is_bare(self) -> bool {
        self != Self::Direct && self.yardstick() == self
    }

    /// Lists are fewer, because each takes so long.
    pub(crate) fn share_of(self, requests: usize) -> usize {
        match self {
            Self::List | Self::BareList => requests.div_ceil(10),
            _ => requests,
        }
    }
}

/// What the requests are about.
#[derive(Clone, Default)]
pub(crate) struct Population {
    /// Of the same people on both sides.
    pub(crate) native_ids: Arc<Vec<String>>,
    pub(crate) scim_ids: Arc<Vec<String>>,
    pub(crate) names: Arc<Vec<String>>,
    /// Numbers names, so that no `POST` of the whole run meets an earlier one.
    pub(crate) made: Arc<AtomicUsize>,
}

impl Population {
    /// The requests of a subject, by number.
    pub(crate) fn requests(&self, subject: Subject) -> Box<dyn Fn(usize) -> Vec<u8> + Send + Sync> {
        let Self { native_ids, scim_ids, names, made } = self.clone();
        match subject {
            Subject::Direct | Subject::BareRead | Subject::Pass => Box::new(move |number| {
                let id = &native_ids[number % POOL];
                native("GET", &format!("/api/employees/{id}"), "")
            }),
            Subject::Read => Box::new(move |number| {
                let id = &scim_ids[number % POOL];
                scim("GET", &format!("/Users/{id}"), "")
            }),
            Subject::BareCreate => Box::new(move |_| native_create(&made)),
            Subject::Create => Box::new(move |_| scim_create(&made).1),
            Subject::BarePatch => Box::new(move |number| {
                let id = &native_ids[number % POOL];
                native("PATCH", &format!("/api/employees/{id}"), &format!(r#"{{"job_title":"Title {number}"}}"#))
            }),
            Subject::Patch => Box::new(move |number| {
                let id = &scim_ids[number % POOL];
                scim("PATCH", &format!("/Users/{id}"), &patch_body(number))
            }),
            Subject::BareFilter => Box::new(move |number| {
                let name = names[number % POOL].replace('@', "%40");
                native("GET", &format!("/api/employees?login={name}&page=1&per_page=100"), "")
            }),
            Subject::Filter => Box::new(move |number| {
                let name = names[number % POOL].replace('@', "%40");
                scim("GET", &format!("/Users?filter=userName%20eq%20%22{name}%22"), "")
            }),
            Subject::BareList => Box::new(|_| native("GET", "/api/employees?page=1&per_page=100", "")),
            Subject::List => Box::new(|_| scim("GET", "/Users?count=100", "")),
        }
    }
}

fn native(method: &str, path: &str, body: &str) -> Vec<u8> {
    request(method, path, &format!("X-Api-Key: {TOKEN}\r\nContent-Type: application/json\r\n"), body)
}

fn scim(method: &str, path: &str, body: &str) -> Vec<u8> {
    let headers = format!("Authorization: Bearer {TOKEN}\r\nContent-Type: application/scim+json\r\n");
    request(method, &format!("{SCIM_BASE}{path}"), &headers, body)
}

/// What the sidecar makes of [`scim_create`].
fn native_create(made: &AtomicUsize) -> Vec<u8> {
    let number = made.fetch_add(1, Ordering::Relaxed);
    let body = format!(
        r#"{{"login":"user{number}@example.com","sso_id":"ext-{number}","enabled":true,"first_name":"Given","last_name":"Family","contact_emails":[{{"value":"user{number}@example.com","type":"work","primary":true}}]}}"#
    );
    native("POST", "/api/employees", &body)
}

/// A request for somebody new, and the name.
pub(crate) fn scim_create(made: &AtomicUsize) -> (String, Vec<u8>) {
    let number = made.fetch_add(1, Ordering::Relaxed);
    let name = format!("user{number}@example.com");
    let body = format!(
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"{name}","externalId":"ext-{number}","name":{{"givenName":"Given","familyName":"Family"}},"emails":[{{"value":"{name}","type":"work","primary":true}}],"active":true}}"#
    );
    (name, scim("POST", "/Users", &body))
}

fn patch_body(number: usize) -> String {
    format!(
        r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{{"op":"replace","path":"title","value":"Title {number}"}}]}}"#
    )
}
