//! Every metric. A further one is an entry here, a name in [`ALL`] and a field of the metrics; a test compares them.

use super::labels::{
    AUTH_FAILURE, BACKEND, BOUND, CALL, CODE, DROPPED, FILTER, HASH, LOGIN_OUTCOME, METHOD, NATIVE_CODE, NATIVE_OUTCOME,
    OPERATION, OUTCOME, PROTOCOL, RELOAD, REPAIR, RETRY, ROUTE, ROUTE_REJECTION, SCIM_TYPE, SPANS, TENANT, TOKEN, TYPE,
    VERSION,
};
use super::{Entry, Kind, Label};

const fn counter(name: &'static str, labels: &'static [Label], help: &'static str, advice: &'static str) -> Entry {
    Entry { name, kind: Kind::Counter, help, labels, advice }
}

const fn gauge(name: &'static str, labels: &'static [Label], help: &'static str, advice: &'static str) -> Entry {
    Entry { name, kind: Kind::Gauge, help, labels, advice }
}

const fn histogram(
    name: &'static str, buckets: &'static [f64], labels: &'static [Label], help: &'static str, advice: &'static str,
) -> Entry {
    Entry { name, kind: Kind::Histogram(buckets), help, labels, advice }
}

/// The buckets that OpenTelemetry advises for HTTP.
const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Fewer of them, for there may be many tenants.
const TENANT_SECONDS: [f64; 8] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Work without waiting.
const WORK_SECONDS: [f64; 10] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 1.0];
const CALLS: [f64; 8] = [0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0];

pub(crate) static REQUESTS: Entry = counter("requests_total", &[ROUTE, TYPE, OPERATION, METHOD, CODE, SCIM_TYPE, OUTCOME],
    "SCIM requests answered.",
    "`rejected` is for the administrator of the identity provider: the provisioning log there shows the detail. `failed` is for you: the log line of the request and `scimshim_native_requests_total` say which backend and why.");
pub(crate) static REQUEST_DURATION: Entry = histogram("request_duration_seconds", &SECONDS, &[TYPE, OPERATION],
    "Time from the head of a SCIM request to the end of its answer.",
    "Compare it with the time of native calls and with `scimshim_native_calls_per_request`: it is the application that is slow, or the mapping that asks it too often.");
pub(crate) static MAPPING_DURATION: Entry = histogram("mapping_duration_seconds", &WORK_SECONDS, &[TYPE, OPERATION],
    "Time that a SCIM request took in the adapter itself, from its body on, without waiting for native calls and turns.",
    "Milliseconds mean large documents or scans, or a machine that has too little to give: look at the CPU time of the process and at `scimshim_scanned_items_total`.");
pub(crate) static REQUESTS_IN_FLIGHT: Entry = gauge("requests_in_flight", &[],
    "SCIM requests under way.",
    "Rising without end means that the application answers more slowly than requests come; see `scimshim_native_queued`.");
pub(crate) static CALLS_PER_REQUEST: Entry = histogram("native_calls_per_request", &CALLS, &[OPERATION],
    "Native calls that one SCIM request became.",
    "Many calls for a list mean members or parts read one by one; give the mapping a list call for them, or let scans be kept.");
pub(crate) static TENANT_REQUESTS: Entry = counter("tenant_requests_total", &[ROUTE, TENANT, OUTCOME],
    "SCIM requests with an accepted credential, by tenant.",
    "Failures of one tenant alone point to its data or its credential, of all tenants to the application.");
pub(crate) static TENANT_DURATION: Entry = histogram("tenant_request_duration_seconds", &TENANT_SECONDS, &[ROUTE, TENANT],
    "Time of SCIM requests with an accepted credential, by tenant.",
    "One slow tenant is often one large group; see the operations of its requests in the log.");
pub(crate) static TENANT_LAST: Entry = gauge("tenant_last_request_timestamp_seconds", &[ROUTE, TENANT],
    "When the tenant's identity provider last sent a SCIM request with an accepted credential; before the first one, when the adapter started.",
    "Entra comes every 40 minutes, Okta when something changes. Silence means a stopped or quarantined job, a changed URL or an expired token: look at the provisioning job.");
pub(crate) static WINDOW_REQUESTS: Entry = gauge("tenant_window_requests", &[ROUTE, TENANT],
    "Provisioning events of the last 24 hours: writes, and reads that failed.",
    "Zero for a day although people come and go means that provisioning has stopped.");
pub(crate) static WINDOW_FAILURES: Entry = gauge("tenant_window_failures", &[ROUTE, TENANT],
    "Provisioning events of the last 24 hours that failed.",
    "The provisioning log of the identity provider names the objects, and the detail says what to change.");
pub(crate) static QUARANTINE_RATIO: Entry = gauge("tenant_quarantine_ratio", &[ROUTE, TENANT],
    "How near the tenant is to the nearest of Entra's thresholds for quarantine; at 1 the job is quarantined.",
    "See Quarantine below. From 0.5 on, find what fails most in `scimshim_requests_total` before Entra slows the job down.");
pub(crate) static NATIVE_REQUESTS: Entry = counter("native_requests_total", &[BACKEND, CALL, NATIVE_CODE, NATIVE_OUTCOME],
    "Calls to the native API; `kept` were answered from memory.",
    "Outcomes other than `reply` and `kept` are connections and timeouts: look at the application and the way to it. `code` 4xx is what the mapping or the data is refused for.");
pub(crate) static NATIVE_DURATION: Entry = histogram("native_request_duration_seconds", &SECONDS, &[BACKEND, CALL],
    "Time of a call to the native API, waiting and repetitions included.",
    "Look at the application, and at `scimshim_native_queued` for time that is spent waiting here.");
pub(crate) static NATIVE_IN_FLIGHT: Entry = gauge("native_requests_in_flight", &[BACKEND],
    "Calls to the native API under way.",
    "Constantly at `concurrency` of the backend, it is what holds requests up: raise it if the application can take more.");
pub(crate) static NATIVE_RETRIES: Entry = counter("native_retries_total", &[BACKEND, RETRY],
    "Calls to the native API that were sent again.",
    "`connect`, `interrupted` and `unavailable` are the application or the network; `rate_limited` asks for a lower `rate`; `credential` is a session that ended early; `rule` is what an error rule asks for.");
pub(crate) static NATIVE_QUEUED: Entry = gauge("native_queued", &[BACKEND],
    "Calls to the native API that wait for a place or for the rate.",
    "More than a moment above 0 means that `concurrency` or `rate` of the backend is too low for what comes, or the application too slow.");
pub(crate) static TURNS_WAITING: Entry = gauge("turns_waiting", &[],
    "SCIM requests that wait for another one to the same resource or under the same lock.",
    "Many waiting are changes of one group in single members; the identity provider may be able to send them together.");
pub(crate) static BREAKER_STATE: Entry = gauge("native_breaker_state", &[BACKEND],
    "Circuit breaker: 0 closed, 1 half open, 2 open.",
    "At 2 the application fails and is left alone, and requests are answered 503: mend the application.");
pub(crate) static BREAKER_OPENED: Entry = counter("native_breaker_opened_total", &[BACKEND],
    "How often the circuit breaker opened.",
    "Opening again and again is an application at its limit: lower `concurrency` or `rate`.");
pub(crate) static CREDENTIAL_REFUSALS: Entry = counter("native_credential_refusals_total", &[BACKEND],
    "Calls whose credential, a fresh one where it can be renewed, was refused.",
    "Renew the credential of the backend; until then nothing is provisioned.");
pub(crate) static LOGINS: Entry = counter("native_logins_total", &[BACKEND, LOGIN_OUTCOME],
    "Logins and fetched access tokens.",
    "`login_refused` means that the login itself has to be renewed. Many `ok` mean that sessions end early: set `ttl`.");
pub(crate) static REPAIRS: Entry = counter("repairs_total", &[REPAIR],
    "Habits of identity providers corrected.",
    "Nothing has to be done; [Repairs](repairs.md) describes each. A repair that is new here shows a client that has changed.");
pub(crate) static DROPPED_ATTRIBUTES: Entry = counter("dropped_attributes_total", &[TYPE, DROPPED],
    "Attributes received that the application did not get: `unmapped` has no row, `unknown` is in no schema, of `collapsed` it holds one of the values that were sent.",
    "Add rows for what the application could hold, or take the attribute out of the mapping of the identity provider.");
pub(crate) static FILTERS: Entry = counter("filters_total", &[TYPE, FILTER],
    "Lists by how their filter was answered: `lookup` by one object's key, `pushed` down to a native query, `scanned` by reading every object, `refused`; `none` had no filter.",
    "`refused` is a client that cannot find what it looks for: give the mapping a plan for that filter. `scanned` is slow with many objects: the same helps.");
pub(crate) static SCANNED_ITEMS: Entry = counter("scanned_items_total", &[TYPE],
    "Objects read to answer filters and orders that the application does not know.",
    "Compare it with the filters that were scanned: the quotient is the size of the list each of them reads.");
pub(crate) static MOVED_MEMBERS: Entry = counter("moved_members_total", &[],
    "Members who left another group by joining one, as it is allowed.",
    "People who move back and forth are in two groups of the identity provider that exclude each other here.");
pub(crate) static AUTH_FAILURES: Entry = counter("auth_failures_total", &[AUTH_FAILURE],
    "Requests refused with 401.",
    "`unknown` in the rhythm of the identity provider is an old token there: Entra quarantines the job for it. Anything else is strangers.");
pub(crate) static ROUTE_REJECTIONS: Entry = counter("route_rejections_total", &[ROUTE_REJECTION],
    "Requests below a SCIM base URL refused for their path.",
    "`bad_variable` is a tenant that cannot be one: the URL in the identity provider is wrong. `unknown_endpoint` is a type that the route does not serve. The others are scanners.");
pub(crate) static PROTOCOL_REJECTIONS: Entry = counter("protocol_rejections_total", &[PROTOCOL],
    "Requests refused for how they were sent.",
    "Scanners and broken clients; from a known proxy they show what it makes of requests.");
pub(crate) static BOUND_REFUSALS: Entry = counter("bound_refusals_total", &[BOUND],
    "Requests refused by a bound, by its key in `[limits]`.",
    "Raise the bound if the requests are honest; the detail of the answer says what was too much.");
pub(crate) static CONNECTIONS: Entry = gauge("connections", &[],
    "Open downstream connections.",
    "Near `server.max_connections`, raise that or find who keeps them open.");
pub(crate) static CONNECTIONS_REJECTED: Entry = counter("connections_rejected_total", &[],
    "Downstream connections over the limit.",
    "Raise `server.max_connections`, or the limit on open files with it.");
pub(crate) static PASSTHROUGH: Entry = counter("passthrough_requests_total", &[CODE],
    "Requests passed through, by answer; 0 is a client that was gone first.",
    "502 and 504 are the application, out of reach or slow.");
pub(crate) static PANICS: Entry = counter("panics_total", &[],
    "Panics caught while serving a request.",
    "A fault of the adapter: report it with the log line that names the place.");
pub(crate) static TOKEN_EXPIRY: Entry = gauge("inbound_token_expiry_timestamp_seconds", &[ROUTE, TOKEN],
    "When a token of the identity provider expires: its `expires`, or else the `exp` of one that is a JWT.",
    "Put a new token beside the old one, enter it in the identity provider, then remove the old one.");
pub(crate) static CREDENTIAL_EXPIRY: Entry = gauge("native_credential_expiry_timestamp_seconds", &[BACKEND],
    "When the credential of a backend expires: its `expires`, or else the `exp` of one that is a JWT. Tokens that the adapter fetches and renews itself are not shown.",
    "Renew the credential in the application and where the configuration refers to it; a changed file is read at once.");
pub(crate) static CONFIG_RELOADS: Entry = counter("config_reloads_total", &[RELOAD],
    "Attempts to load the configuration, the first one included.",
    "`invalid` and `unreadable` leave the old one in force: `scimshim check` says what is wrong. `restart_needed` waits for a restart.");
pub(crate) static CONFIG_SUCCESSFUL: Entry = gauge("config_last_reload_successful", &[],
    "Whether the last load of the configuration succeeded.",
    "At 0 the adapter runs with an older configuration than the file's: `scimshim check` says why.");
pub(crate) static CONFIG_SUCCESS_TIME: Entry = gauge("config_last_reload_success_timestamp_seconds", &[],
    "When the configuration in force was loaded.",
    "Older than the file means that a reload failed or has not come.");
pub(crate) static CONFIG_INFO: Entry = gauge("config_info", &[HASH],
    "Always 1; the configuration in force.",
    "Replicas that differ for longer than a rollout takes do not all have the same configuration.");
pub(crate) static CONFIG_GENERATION: Entry = gauge("config_generation", &[],
    "1 at the start, and one more with every reload that took effect.",
    "Rising by itself is a file or a secret that something keeps writing.");
pub(crate) static DRAINING: Entry = gauge("draining", &[],
    "1 from the moment at which the adapter begins to leave.",
    "At 1 for longer than a stop takes, somebody drained it and did not end it.");
pub(crate) static LOG_DROPPED: Entry = counter("log_dropped_lines_total", &[],
    "Log lines dropped because nobody took them.",
    "Whoever reads standard output is too slow, or the log level too talkative.");
pub(crate) static SPANS_EXPORTED: Entry = counter("spans_exported_total", &[SPANS],
    "Spans of traces by what became of them.",
    "`failed` and `dropped` are a collector out of reach or too slow; requests are not held up by it.");
pub(crate) static BUILD_INFO: Entry = gauge("build_info", &[VERSION],
    "Always 1; the labels say what is running.",
    "Two versions for longer than a rollout takes are a rollout that is stuck.");

/// All of them, in the order of the page.
pub(crate) static ALL: &[&Entry] = &[
    &REQUESTS, &REQUEST_DURATION, &MAPPING_DURATION, &REQUESTS_IN_FLIGHT, &CALLS_PER_REQUEST, &TURNS_WAITING,
    &TENANT_REQUESTS, &TENANT_DURATION, &TENANT_LAST, &WINDOW_REQUESTS, &WINDOW_FAILURES, &QUARANTINE_RATIO,
    &NATIVE_REQUESTS, &NATIVE_DURATION, &NATIVE_IN_FLIGHT, &NATIVE_RETRIES, &NATIVE_QUEUED, &BREAKER_STATE,
    &BREAKER_OPENED, &CREDENTIAL_REFUSALS, &LOGINS, &CREDENTIAL_EXPIRY, &REPAIRS, &DROPPED_ATTRIBUTES, &FILTERS,
    &SCANNED_ITEMS, &MOVED_MEMBERS, &AUTH_FAILURES, &TOKEN_EXPIRY, &ROUTE_REJECTIONS, &PROTOCOL_REJECTIONS,
    &BOUND_REFUSALS, &CONNECTIONS, &CONNECTIONS_REJECTED, &PASSTHROUGH, &PANICS, &CONFIG_RELOADS, &CONFIG_SUCCESSFUL,
    &CONFIG_SUCCESS_TIME, &CONFIG_INFO, &CONFIG_GENERATION, &DRAINING, &LOG_DROPPED, &SPANS_EXPORTED, &BUILD_INFO,
];

/// What the library has about the process, in the order of the page.
pub(super) static OTHERS: [(&str, &str); 7] = [
    ("process_cpu_seconds_total", "CPU time, of the user and the system."),
    ("process_max_fds", "Files that may be open."),
    ("process_open_fds", "Files that are open, sockets included."),
    ("process_resident_memory_bytes", "Memory in use."),
    ("process_start_time_seconds", "When the process started, in seconds since 1970."),
    ("process_threads", "Threads."),
    ("process_virtual_memory_bytes", "Memory mapped."),
];
