//! From a SCIM request to native calls and an answer.
//!
//! In: a [`ScimRequest`] and its [`Context`] (snapshot, route, variables). Out: one [`Step`] at a time: calls to
//! carry out, or the answer. A plan does no IO, reads no clock and holds no secret; the same plan is driven by the
//! executor, by tests with canned replies, and by `explain`.

pub mod call;
pub mod form;
pub mod marks;

mod advice;
mod answer;
mod bulk;
mod change;
mod complete;
mod coroutine;
mod create;
mod cursor;
mod delete;
mod direct;
mod discovery;
mod exists;
mod guard;
mod headers;
mod judge;
mod login;
mod lookup;
mod lost;
mod members;
mod pages;
mod parts;
mod query;
mod read;
mod recent;
mod render;
mod revive;
mod run;
mod search;
mod show;
mod steps;
mod tables;
mod trace;
mod turn;
mod update;
mod veil;

#[cfg(test)]
mod harness;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;

pub use call::{
    Content, FilterPath, NativeCall, NativeFailure, NativeOutcome, NativeReply, Report, ScimResponse, Step,
};
pub use discovery::{can_change, capabilities};
pub use headers::ReplyHeaders;
pub use judge::{Demand, demand, repeating};
pub use login::{LoginFault, login_call, login_token};

use crate::config::Snapshot;

use crate::mapping::tables::Entries;
use crate::route::Endpoint;
use crate::scim::ScimError;

pub use crate::expr::RequestFacts;
pub use crate::mapping::Success;
pub use crate::mapping::to_native::SECRET_MARKER;
pub use trace::{Decision, RowsUsed, Trace};
pub use turn::{Share, TurnRequest};

pub(crate) use coroutine::boxed;
use coroutine::{Asked, Coroutine, Native, Resumed};
use run::Run;

/// A SCIM request after routing and authentication, as sent.
#[derive(Clone, Debug)]
pub struct ScimRequest {
    /// HTTP method in upper case.
    pub method: String,
    /// What it addresses.
    pub endpoint: Endpoint,
    /// Raw query without `?`.
    pub query: String,
    /// Body bytes, within the size bound.
    pub body: Vec<u8>,
    /// `If-Match`.
    pub if_match: Option<String>,
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
}

/// Where a request belongs.
#[derive(Clone, Debug)]
pub struct Context {
    /// The configuration this request began with.
    pub snapshot: Arc<Snapshot>,
    /// Index into `Snapshot::routes`.
    pub route: usize,
    /// Route variables by `Snapshot::variables` index, captured and `set` ones.
    pub variables: Arc<Vec<Option<Value>>>,
    /// Base of every location, without a trailing slash: `https://host/scim/v2/acme/prod`.
    pub base_url: String,
    /// Facts about the request that expressions see as `req`.
    pub request: RequestFacts,
    /// Seconds since the Unix epoch, for cursors.
    pub now: u64,
    /// Signs cursors; the same on every replica.
    pub cursor_key: [u8; 32],
    /// What earlier requests learned about the paging of lists.
    pub marks: Arc<marks::Marks>,
    /// New and random for every request that writes: what generated passwords are drawn from.
    pub seed: Option<[u8; 32]>,
}

/// A resumable plan.
pub struct Plan {
    coroutine: Coroutine<Result<ScimResponse, ScimError>>,
}

impl Plan {
    /// Begins; nothing happens before the first [`Plan::next`].
    pub fn begin(context: Context, request: ScimRequest) -> Self {
        let native = Native::new(context.snapshot.limits.calls_max);
        Self::of(native, context, request)
    }

    fn of(native: Native, context: Context, request: ScimRequest) -> Self {
        let handle = native.clone();
        Self { coroutine: Coroutine::new(native, move || async move { dispatch(&context, &request, &handle).await }) }
    }

    /// As [`Plan::begin`], gathering a [`Trace`] on the way. The entries of tables that are given are all that there
    /// are; those tables are not read.
    pub fn begin_traced(context: Context, request: ScimRequest, given: Entries) -> Self {
        let native = Native::traced(context.snapshot.limits.calls_max);
        let plan = Self::of(native, context, request);
        plan.coroutine.give_tables(given);
        plan
    }

    /// Reads the reference tables of a route. The answer is a list of the names that the configuration itself needs and
    /// that are not there: `table`, `name`, `source` and `line` of the place, and the names that are `known`.
    pub fn tables(context: Context) -> Self {
        let native = Native::new(context.snapshot.limits.calls_max);
        let handle = native.clone();
        let lacking = async move { tables::lacking(&Run::new(&context, 0, &handle)?).await };
        Self { coroutine: Coroutine::new(native, || lacking) }
    }

    /// What a traced plan has used and changed so far.
    pub fn trace(&self) -> Trace {
        self.coroutine.trace()
    }

    /// Takes the outcomes of the calls asked for last (none at first, and none for a turn that was given) and says what
    /// is next.
    pub fn next(&mut self, outcomes: Vec<NativeOutcome>) -> Step {
        match self.coroutine.resume(outcomes) {
            Resumed::Asked(Asked::Calls(calls, parallel)) => Step::Calls { calls, parallel },
            Resumed::Asked(Asked::Turn(request)) => Step::Turn(request),
            Resumed::Done(result) => {
                let mut response = result.unwrap_or_else(|error| answer::error(&error));
                let gathered = self.coroutine.take_report();
                response.report = Report { error: response.report.error.take(), ..gathered };
                Step::Reply(Box::new(response))
            }
        }
    }

    /// What happened so far, while the plan waits for outcomes; the answer carries the whole report.
    pub fn report(&self) -> Report {
        self.coroutine.report()
    }
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Plan")
    }
}

/// The methods an endpoint knows, for 405 and `Allow`.
pub fn allowed(endpoint: &Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Collection { .. } => "GET, POST",
        Endpoint::Resource { .. } | Endpoint::Me => "GET, PUT, PATCH, DELETE",
        Endpoint::Search { .. } | Endpoint::Bulk => "POST",
        Endpoint::ServiceProviderConfig | Endpoint::ResourceTypes(_) | Endpoint::Schemas(_) => "GET",
    }
}

#[inline]
async fn dispatch(context: &Context, request: &ScimRequest, native: &Native) -> Result<ScimResponse, ScimError> {
    // HEAD is GET without a body; the edge leaves the body out.
    let method = if request.method == "HEAD" { "GET" } else { request.method.as_str() };
    let run;
    let flow = match (&request.endpoint, method) {
        (Endpoint::Collection { type_index } | Endpoint::Resource { type_index, .. }, _) => {
            run = Run::new(context, *type_index, native)?;
            tables::ready(&run).await?;
            flow_of_type(&run, request, method)
        }
        (Endpoint::Search { type_index }, _) => {
            tables::ready(&Run::new(context, 0, native)?).await?;
            (method == "POST").then(|| boxed(|| query::search(context, native, *type_index, request)) as Flow<'_>)
        }
        (Endpoint::Bulk, "POST") => Some(boxed(|| bulk::bulk(context, native, request)) as Flow<'_>),
        (Endpoint::Me, "GET" | "PUT" | "PATCH" | "DELETE" | "POST") => {
            Some(boxed(|| me(context, request, native)) as _)
        }
        (Endpoint::ServiceProviderConfig | Endpoint::ResourceTypes(_) | Endpoint::Schemas(_), "GET") => {
            return discovery::answer(context, request);
        }
        _ => None,
    };
    match flow {
        Some(flow) => flow.await,
        None => Err(method_not_allowed(&request.method, &request.endpoint)),
    }
}

/// The flow of one request. Boxed, because the largest would otherwise be the size of all.
type Flow<'a> = Pin<Box<dyn Future<Output = Result<ScimResponse, ScimError>> + Send + 'a>>;

/// `None` if the endpoint does not know the method.
fn flow_of_type<'a>(run: &'a Run<'_>, request: &'a ScimRequest, method: &str) -> Option<Flow<'a>> {
    Some(match (&request.endpoint, method) {
        (Endpoint::Collection { .. }, "GET") => boxed(|| query::list(run, request)),
        (Endpoint::Collection { .. }, "POST") => boxed(|| create::create(run, request)),
        (Endpoint::Resource { id, .. }, "GET") => boxed(|| read::get(run, id, request)),
        (Endpoint::Resource { id, .. }, "PUT") => boxed(|| update::replace(run, id, request)),
        (Endpoint::Resource { id, .. }, "PATCH") => boxed(|| update::patch(run, id, request)),
        (Endpoint::Resource { id, .. }, "DELETE") => boxed(|| delete::delete(run, id, request)),
        _ => return None,
    })
}

/// A request within a request. Boxed, because a future cannot contain itself.
fn dispatch_again<'a>(context: &'a Context, request: &'a ScimRequest, native: &'a Native) -> Flow<'a> {
    boxed(|| dispatch(context, request, native))
}

/// `/Me` (RFC 7644 3.11) is another name for the user that the credential belongs to.
#[inline]
async fn me(context: &Context, request: &ScimRequest, native: &Native) -> Result<ScimResponse, ScimError> {
    let endpoint = own_resource(&context.snapshot, context.route).ok_or_else(|| {
        ScimError::new(501, "/Me is not available: this credential does not belong to a user resource")
    })?;
    dispatch_again(context, &ScimRequest { endpoint, ..request.clone() }, native).await
}

/// The resource that `/Me` names on a route, where its credential belongs to a user.
fn own_resource(snapshot: &Snapshot, route: usize) -> Option<Endpoint> {
    let route = snapshot.routes.get(route)?;
    let id = snapshot.authenticators.get(route.auth?)?.user.clone()?;
    let type_index = route.mappings.iter().position(|mapping| &*mapping.resource_type.name == "User")?;
    Some(Endpoint::Resource { type_index, id })
}

fn method_not_allowed(method: &str, endpoint: &Endpoint) -> ScimError {
    ScimError::new(405, format!("{method} is not possible here; possible: {}", allowed(endpoint)))
}
