//! Stages 2 to 9 for one configuration: the [`ScimService`] behind the data listener.
//!
//! In: the head of a request, then the request with its body. Out: an answer. Routing, authentication and planning are
//! pure functions called here in order; native calls go through the snapshot's own client. No type of the proxy
//! library appears here.

mod expiry;
mod labels;
mod memory;
mod transcript;
mod turns;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, IF_MATCH, IF_NONE_MATCH, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue};
use serde_json::Value;
use tokio::time::Instant;

use crate::auth::{AuthFailure, AuthKind, BearerVerifier, TokenHash};
use crate::config::{ResolvedSecrets, Route, Snapshot};
use crate::native::{
    CallContext, CallRecord, Forwarded, Keeping, KeptReplies, NativeClient, NativeClientError, Observer, ShownBy,
    Steps, execute,
};
use crate::plan::marks::Marks;
use crate::plan::{self, Content, Context, NativeOutcome, Plan, RequestFacts, ScimRequest, ScimResponse, Step, boxed};
use crate::proxy::edge::{
    Admission, Claim, EdgeRequest, EdgeResponse, Exchange, HeaderList, Headers as _, RequestHead, RequestLabels,
    ScimService, Work,
};
use crate::route::{Endpoint, Matched, NotFoundReason, Outcome, RouteTable};
use crate::scim::{Bound, ScimError};
use crate::telemetry::Metrics;
use crate::telemetry::events::{NativeCalled, ScimPlanned};
use crate::telemetry::tenants::{RouteTenants, Tenant};

pub use transcript::{ExchangeRecord, ExchangeSink, NativeRecord};
pub use turns::ResourceLocks;

use expiry::Expiries;
use labels::{BackendCalls, RouteLabels, method_word};
use turns::RequestTurns;

/// Everything that answering SCIM requests by one snapshot takes.
pub struct Adapter {
    core: Arc<Core>,
}

struct Core {
    snapshot: Arc<Snapshot>,
    routes: RouteTable,
    /// By `Snapshot::authenticators`; `None` asks for no credential.
    verifiers: Vec<Option<BearerVerifier>>,
    /// By route.
    cursor_keys: Vec<[u8; 32]>,
    client: NativeClient,
    kept: KeptReplies,
    /// By route: the types that show something of a type.
    shown_by: Vec<Vec<ShownBy>>,
    marks: Mutex<Arc<Marks>>,
    /// By route: what its requests are counted under.
    labels: Vec<RouteLabels>,
    /// By backend.
    calls: Vec<BackendCalls>,
    /// By route.
    tenants: Vec<RouteTenants>,
    expiries: Expiries,
    shared: Shared,
}

/// What outlives a snapshot.
#[derive(Clone)]
pub struct Shared {
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Writes to one resource take turns, across reloads.
    pub locks: Arc<ResourceLocks>,
    /// Is shown every exchange with its native calls; for the demo and for tests.
    pub sink: Option<Arc<dyn ExchangeSink>>,
}

/// Why a snapshot cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    /// An inbound token cannot be one.
    #[error("auth.{name}: {reason}")]
    Token {
        /// The authenticator.
        name: Arc<str>,
        /// What is wrong with it, without the token.
        reason: String,
    },
    /// The native client cannot be made.
    #[error(transparent)]
    Client(#[from] NativeClientError),
}

impl Adapter {
    /// Prepares a snapshot for serving.
    ///
    /// # Errors
    /// [`AdapterError`]: a secret that is missing or cannot be what it should be.
    pub fn new(snapshot: Arc<Snapshot>, secrets: &ResolvedSecrets, shared: Shared) -> Result<Self, AdapterError> {
        let endpoints = snapshot.routes.iter().map(|route| {
            let names = route.mappings.iter().map(|mapping| mapping.resource_type.endpoint.clone());
            (&route.template, names.collect::<Vec<_>>())
        });
        let routes = RouteTable::new(&snapshot.variables, endpoints);
        let verifiers = verifiers(&snapshot, secrets)?;
        let key = |auth: Option<usize>| match auth.and_then(|index| verifiers.get(index)) {
            Some(Some(verifier)) => verifier.derive_key(b"scimshim cursor"),
            _ => TokenHash::of(&snapshot.hash).derive_key(b"scimshim cursor"),
        };
        let cursor_keys = snapshot.routes.iter().map(|route| key(route.auth)).collect();
        let client = NativeClient::new(&snapshot, secrets, Arc::clone(&shared.metrics))?;
        let shown_by = snapshot.routes.iter().map(memory::shown_by).collect();
        let (kept, marks) = (KeptReplies::default(), Mutex::default());
        let labels = snapshot.routes.iter().map(RouteLabels::new).collect();
        let calls = snapshot.backends.iter().map(|_| BackendCalls::default()).collect();
        let tenants = snapshot.routes.iter().map(|route| tenants_of(route, &snapshot, &shared.metrics)).collect();
        let expiries = Expiries::of(&snapshot, secrets);
        let core = Core {
            snapshot,
            routes,
            verifiers,
            cursor_keys,
            client,
            kept,
            shown_by,
            marks,
            labels,
            calls,
            tenants,
            expiries,
            shared,
        };
        core.make_series();
        Ok(Self { core: Arc::new(core) })
    }
}

fn tenants_of(route: &Route, snapshot: &Snapshot, metrics: &Metrics) -> RouteTenants {
    metrics.tenants.of_route(&route.label, route.template.names().next().is_some(), snapshot.metrics.tenants)
}

fn verifiers(snapshot: &Snapshot, secrets: &ResolvedSecrets) -> Result<Vec<Option<BearerVerifier>>, AdapterError> {
    let verifier = |authenticator: &crate::auth::Authenticator| match &authenticator.kind {
        AuthKind::None => Ok(None),
        AuthKind::Bearer { tokens } => {
            let fault = |reason: String| AdapterError::Token { name: authenticator.name.clone(), reason };
            let hash = |index: &usize| {
                let secret = secrets.get(index).ok_or_else(|| fault("a token is not resolved".to_owned()))?;
                TokenHash::parse(secret.expose()).map_err(|error| fault(error.to_string()))
            };
            let hashes = tokens.iter().map(hash).collect::<Result<Vec<_>, _>>()?;
            Ok(Some(BearerVerifier::new(authenticator.name.clone(), hashes)))
        }
    };
    snapshot.authenticators.iter().map(verifier).collect()
}

impl ScimService for Adapter {
    fn claim(&self, path: &str) -> Option<Box<dyn Claim>> {
        let core = &self.core;
        let found = match core.routes.resolve(path) {
            Outcome::PassThrough => return None,
            Outcome::Scim(matched) => Ok(matched),
            Outcome::NotFound(reason) => Err(core.not_found(&reason)),
            Outcome::Refused(refusal) => {
                core.shared.metrics.route_rejections.with_label_values(&[refusal.0.as_str()]).inc();
                let error = ScimError::new(refusal.status(), refusal.to_string());
                Err(EdgeResponse::error(&error, RequestLabels::default()))
            }
        };
        Some(Box::new(Routed { core: Arc::clone(core), found }))
    }

    fn put_in_force(&self) {
        let Core { snapshot, shared, expiries, .. } = &*self.core;
        expiries.show(&shared.metrics);
        let routes: Vec<Arc<str>> = snapshot.routes.iter().map(|route| Arc::clone(&route.label)).collect();
        shared.metrics.tenants.keep_to(&routes, snapshot.metrics.tenants);
    }
}

/// A request whose path was looked at.
struct Routed {
    core: Arc<Core>,
    found: Result<Matched, EdgeResponse>,
}

impl Claim for Routed {
    fn admit(self: Box<Self>, head: &RequestHead<'_>) -> Admission {
        let Self { core, found } = *self;
        let matched = match found {
            Ok(matched) => matched,
            Err(mut answer) => {
                answer.labels.method = method_word(head.method);
                return Admission::Answer(answer);
            }
        };
        let mut labels = core.labels(&matched, head.method);
        match core.authenticate(&matched, head.headers) {
            Ok(accepted) => {
                labels.tenant = core.tenant(&matched, accepted);
                Admission::Scim(Box::new(Admitted { core, matched, labels, accepted }))
            }
            Err(failure) => Admission::Answer(core.unauthenticated(failure, labels)),
        }
    }
}

impl Core {
    fn not_found(&self, reason: &NotFoundReason) -> EdgeResponse {
        self.shared.metrics.route_rejections.with_label_values(&[reason.as_str()]).inc();
        EdgeResponse::error(&ScimError::new(404, reason.to_string()), RequestLabels::default())
    }

    fn authenticate(&self, matched: &Matched, headers: &HeaderList) -> Result<Accepted, AuthFailure> {
        let auth = self.snapshot.routes.get(matched.route).and_then(|route| route.auth);
        let Some(Some(verifier)) = auth.and_then(|index| self.verifiers.get(index)) else {
            return Ok(Accepted::Anybody);
        };
        let mut values = headers.all(&AUTHORIZATION);
        let value = match (values.next(), values.next()) {
            (None, _) => None,
            (Some(value), None) => Some(value.to_str().map_err(|_| AuthFailure::Malformed)?),
            (Some(_), Some(_)) => return Err(AuthFailure::Malformed),
        };
        verifier.verify(value).map(|_| Accepted::Credential)
    }

    /// Whose request it is. Somebody whom nobody has let in yet takes no place.
    fn tenant(&self, matched: &Matched, accepted: Accepted) -> Option<Arc<Tenant>> {
        let of_route = self.tenants.get(matched.route)?;
        let values = matched.values.iter().map(|(_, value)| value.as_str());
        let tenants = &self.shared.metrics.tenants;
        Some(match accepted {
            Accepted::Credential => tenants.take_in(of_route, values),
            Accepted::Anybody => tenants.find(of_route, &values),
        })
    }

    /// Makes the series whose labels the configuration knows.
    fn make_series(&self) {
        let metrics = &self.shared.metrics;
        self.labels.iter().for_each(|labels| labels.known(metrics));
        for (index, backend) in self.snapshot.backends.iter().enumerate() {
            let routes = self.snapshot.routes.iter().filter(|route| route.backend == index);
            BackendCalls::known(metrics, backend, routes.flat_map(|route| &route.mappings));
        }
    }

    fn unauthenticated(&self, failure: AuthFailure, labels: RequestLabels) -> EdgeResponse {
        self.shared.metrics.auth_failures.with_label_values(&[failure.as_str()]).inc();
        let mut response = EdgeResponse::error(&ScimError::new(AuthFailure::STATUS, failure.to_string()), labels);
        response.headers.push((WWW_AUTHENTICATE, HeaderValue::from_static(failure.challenge())));
        response
    }

    fn labels(&self, matched: &Matched, method: &http::Method) -> RequestLabels {
        let of_route = self.labels.get(matched.route);
        of_route.map_or_else(RequestLabels::default, |labels| labels.of(&matched.endpoint, method))
    }

    /// The template of the path of a request.
    fn http_route(&self, matched: &Matched) -> String {
        let route = self.snapshot.routes.get(matched.route);
        let label = route.map(|route| route.label.trim_end_matches('/')).unwrap_or_default();
        let of_type = |index: usize| {
            let mapping = route.and_then(|route| route.mappings.get(index));
            mapping.map(|mapping| &*mapping.resource_type.endpoint).unwrap_or_default()
        };
        match &matched.endpoint {
            Endpoint::Collection { type_index } => format!("{label}{}", of_type(*type_index)),
            Endpoint::Resource { type_index, .. } => format!("{label}{}/{{id}}", of_type(*type_index)),
            Endpoint::Search { type_index } => {
                format!("{label}{}/.search", type_index.map(of_type).unwrap_or_default())
            }
            Endpoint::Me => format!("{label}/Me"),
            Endpoint::Bulk => format!("{label}/Bulk"),
            Endpoint::ServiceProviderConfig => format!("{label}/ServiceProviderConfig"),
            Endpoint::ResourceTypes(None) => format!("{label}/ResourceTypes"),
            Endpoint::ResourceTypes(Some(_)) => format!("{label}/ResourceTypes/{{id}}"),
            Endpoint::Schemas(None) => format!("{label}/Schemas"),
            Endpoint::Schemas(Some(_)) => format!("{label}/Schemas/{{id}}"),
        }
    }

    /// An error may hold what the application said, and an application may say what it was sent.
    fn redact(&self, matched: &Matched, response: &mut ScimResponse) {
        let Some(route) = self.snapshot.routes.get(matched.route) else { return };
        let Some(error) = &mut response.report.error else { return };
        let mut detail = error.detail.clone();
        self.client.redact(route.backend, &mut detail);
        if detail == error.detail {
            return;
        }
        error.detail.clone_from(&detail);
        if let Some(Content::Tree(Value::Object(body))) = &mut response.body {
            body.insert("detail".to_owned(), Value::from(detail));
        }
    }

    fn variables(&self, matched: &Matched) -> Vec<Option<Value>> {
        let mut variables = vec![None; self.snapshot.variables.len()];
        let set = self.snapshot.routes.get(matched.route).map(|route| route.set.as_slice()).unwrap_or_default();
        for (index, value) in set.iter().chain(&matched.values) {
            if let Some(slot) = variables.get_mut(*index) {
                *slot = Some(Value::from(value.as_str()));
            }
        }
        variables
    }
}

/// Why a request is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accepted {
    /// Its credential was accepted.
    Credential,
    /// The route asks for none: the application decides.
    Anybody,
}

struct Admitted {
    core: Arc<Core>,
    matched: Matched,
    labels: RequestLabels,
    accepted: Accepted,
}

impl Exchange for Admitted {
    fn labels(&self) -> RequestLabels {
        self.labels.clone()
    }

    fn answer<'a>(self: Box<Self>, request: EdgeRequest) -> Pin<Box<dyn Future<Output = EdgeResponse> + Send + 'a>> {
        boxed(|| answer(self, request))
    }
}

#[inline]
async fn answer(admitted: Box<Admitted>, request: EdgeRequest) -> EdgeResponse {
    let Admitted { core, matched, mut labels, accepted } = *admitted;
    let begun = Instant::now();
    let deadline = begun + core.snapshot.limits.request_timeout;
    let mut watcher = Watcher {
        core: &core,
        route: matched.route,
        request: &request,
        native: Vec::new(),
        calls: 0,
        waited: Duration::ZERO,
    };
    let credential = request.headers.get(&AUTHORIZATION);
    let mut turns = RequestTurns::new(&core.shared.locks, &core.shared.metrics.turns_waiting, deadline, credential);
    let mut response = carry_out(&core, &matched, &request, deadline, &mut watcher, &mut turns).await;
    core.redact(&matched, &mut response);
    turns.end(&response);
    note_lateness(&mut response, deadline);
    if accepted == Accepted::Anybody && response.status < 400 {
        labels.tenant = core.tenant(&matched, Accepted::Credential);
    }
    let Watcher { native, calls, waited, .. } = watcher;
    let report = &response.report;
    let (request_id, trace_id) = (&*request.request_id, request.trace.id());
    ScimPlanned { labels: &labels, report, request_id, trace_id, calls }.emit(&core.shared.metrics);
    if let Some(recording) = request.trace.recording() {
        recording.planned(begun.into_std(), report, calls);
        recording.set_route(core.http_route(&matched));
    }
    if let Some(sink) = &core.shared.sink {
        sink.exchange(transcript::record(&request, &response, native));
    }
    let work = Work { begun: begun.into_std(), waited };
    EdgeResponse { work: Some(work), ..edge_response(*response, labels, &matched.endpoint) }
}

/// A failure after the deadline is one of the time that a request has.
fn note_lateness(response: &mut ScimResponse, deadline: Instant) {
    if let Some(error) = &mut response.report.error
        && matches!(error.status, 503 | 504)
        && error.bound.is_none()
        && Instant::now() >= deadline
    {
        error.bound = Some(Bound::RequestTimeout);
    }
}

/// Random bytes for a request that writes; what needs them fails where the system has none.
fn seed(method: &http::Method) -> Option<[u8; 32]> {
    let mut seed = [0; 32];
    (!method.is_safe() && getrandom::fill(&mut seed).is_ok()).then_some(seed)
}

#[inline]
async fn carry_out(
    core: &Core,
    matched: &Matched,
    request: &EdgeRequest,
    deadline: Instant,
    watcher: &mut Watcher<'_>,
    turns: &mut RequestTurns<'_>,
) -> Box<ScimResponse> {
    let variables = Arc::new(core.variables(matched));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let plan = begin(core, matched, request, &variables, now);
    let backend = core.snapshot.routes.get(matched.route).map_or(0, |route| route.backend);
    let forwarded =
        Forwarded::from_request(&request.headers).with_trace(&request.trace).with_request_id(&request.request_id);
    let shown_by = core.shown_by.get(matched.route).map(Vec::as_slice).unwrap_or_default();
    let owner = || memory::owner(backend, &variables);
    let credential = || memory::credential(&request.headers);
    let keeping = Keeping { kept: &core.kept, owner: &owner, credential: &credential, shown_by };
    let call = CallContext { backend, deadline, forwarded: &forwarded, variables: &variables, keeping: Some(keeping) };
    let mut response = execute(plan, &core.client, &call, watcher, turns).await;
    memory::learn(core, &mut response, now);
    response
}

fn begin(core: &Core, matched: &Matched, request: &EdgeRequest, variables: &Arc<Vec<Option<Value>>>, now: u64) -> Plan {
    let context = Context {
        snapshot: Arc::clone(&core.snapshot),
        route: matched.route,
        variables: Arc::clone(variables),
        base_url: [request.origin.as_str(), &matched.base].concat(),
        request: RequestFacts::new(&request.request_id),
        now,
        cursor_key: core.cursor_keys.get(matched.route).copied().unwrap_or_default(),
        marks: memory::marks(core),
        seed: seed(&request.method),
    };
    let header = |name: HeaderName| request.headers.get(&name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let scim = ScimRequest {
        method: request.method.as_str().to_owned(),
        endpoint: matched.endpoint.clone(),
        query: request.query.clone().unwrap_or_default(),
        body: request.body.to_vec(),
        if_match: header(IF_MATCH),
        if_none_match: header(IF_NONE_MATCH),
    };
    Plan::begin(context, scim)
}

impl Steps for Plan {
    fn next(&mut self, outcomes: Vec<NativeOutcome>) -> Step {
        Plan::next(self, outcomes)
    }
}

/// Counts native calls, and remembers them where somebody wants to see them.
struct Watcher<'a> {
    core: &'a Core,
    route: usize,
    request: &'a EdgeRequest,
    native: Vec<NativeRecord>,
    calls: usize,
    /// For calls and turns.
    waited: Duration,
}

impl Observer for Watcher<'_> {
    fn native_call(&mut self, record: CallRecord<'_>) {
        let snapshot = &self.core.snapshot;
        let index = snapshot.routes.get(self.route).map(|route| route.backend);
        let named = index.and_then(|index| snapshot.backends.get(index)).zip(index);
        if !record.kept {
            self.calls += 1;
        }
        if let Some((backend, index)) = named
            && let Some(calls) = self.core.calls.get(index)
        {
            let series = calls.of(record.call.slot);
            let (request_id, trace_id) = (&*self.request.request_id, self.request.trace.id());
            NativeCalled { backend: &backend.name, record, series, request_id, trace_id }
                .emit(&self.core.shared.metrics);
        }
        if self.core.shared.sink.is_some() {
            self.native.push(transcript::native(&record));
        }
    }

    fn waited(&mut self, time: Duration) {
        self.waited += time;
    }
}

fn edge_response(response: ScimResponse, labels: RequestLabels, endpoint: &Endpoint) -> EdgeResponse {
    let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(response.headers.len() + 1);
    for (name, value) in response.headers {
        if let (Ok(name), Ok(value)) = (name.parse(), HeaderValue::try_from(value)) {
            headers.push((name, value));
        }
    }
    if response.status == 401 {
        headers.push((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
    }
    if response.status == 405 {
        headers.push((ALLOW, HeaderValue::from_static(plan::allowed(endpoint))));
    }
    let error = response.report.error.as_ref();
    EdgeResponse {
        status: response.status,
        headers,
        body: response.body.map(|body| Bytes::from(body.into_bytes())).unwrap_or_default(),
        scim_type: error.and_then(|error| error.scim_type).map(crate::scim::ScimType::as_str),
        bound: error.and_then(|error| error.bound),
        work: None,
        labels,
    }
}
