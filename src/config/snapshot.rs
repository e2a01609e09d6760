//! One compiled configuration: immutable, shared by the requests that began with it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::Authenticator;
use crate::config::levels::Levels;
use crate::config::secret::SecretRef;
use crate::expr::{Expr, Template};
use crate::mapping::tables::Table;
use crate::mapping::{Call, Mapping, NativePath, Origin, Slot};
use crate::route::PathTemplate;
use crate::scim::ScimType;

/// Everything a request needs to know.
#[derive(Debug)]
pub struct Snapshot {
    /// Hash of the configuration text, 16 hex digits: shown by metrics and logs.
    pub hash: String,
    /// `[server]`.
    pub server: Server,
    /// `[log]`.
    pub log: LogRule,
    /// `[trace]`; `None` makes no span.
    pub trace: Option<TraceRule>,
    /// Bounds.
    pub limits: Limits,
    /// `[metrics]`.
    pub metrics: MetricsRule,
    /// Names of route variables; `Name::Var(i)` indexes this list.
    pub variables: Vec<Arc<str>>,
    /// Routes in file order; no two can match the same path.
    pub routes: Vec<Route>,
    /// Backends.
    pub backends: Vec<Backend>,
    /// Inbound credentials by `[auth.<name>]`.
    pub authenticators: Vec<Authenticator>,
    /// Every secret, by index; resolved by the shell at load. Never printed.
    pub secrets: Vec<SecretRef>,
    /// Warnings of the load.
    pub warnings: Vec<crate::config::Diagnostic>,
}

/// `[server]`: keys that need a restart are marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Listener of the data side. Restart.
    pub listen: SocketAddr,
    /// Listener of `/metrics`, `/livez`, `/readyz`. Restart.
    pub admin_listen: SocketAddr,
    /// Worker threads of the data side. Restart.
    pub threads: usize,
    /// Connections at the most, on the data side. Restart.
    pub max_connections: usize,
    /// Where everything that is not SCIM goes; an index into `backends`. `None` answers 404.
    pub passthrough: Option<usize>,
    /// Peers whose `X-Forwarded-*` are believed.
    pub trusted_proxies: Vec<Cidr>,
    /// SIGTERM: how long to go on accepting.
    pub keep_accepting: Duration,
    /// SIGTERM: how long work in flight may take after that.
    pub drain_timeout: Duration,
    /// The answer to a PATCH that changes nothing but members: 204, or 200 with the resource, as any other PATCH.
    pub group_patch_status: u16,
}

/// `[log]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRule {
    /// What is written.
    pub levels: Levels,
    /// How.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// An object of JSON.
    Json,
    /// For people.
    Text,
}

/// `[trace]`. Numbers index `Snapshot::secrets`.
#[derive(Clone, Debug)]
pub struct TraceRule {
    /// The collector; its path is as written.
    pub endpoint: BaseUrl,
    /// Headers of every delivery.
    pub headers: Vec<(Arc<str>, usize)>,
    /// How `https` is verified.
    pub tls: BackendTls,
    /// Of the traces that begin here, how many are recorded: from 0 to 1.
    pub sample: f64,
    /// `service.name`.
    pub service: String,
    /// Further attributes of the resource.
    pub resource: Vec<(String, String)>,
    /// Of one delivery.
    pub timeout: Duration,
    /// How long spans are gathered.
    pub interval: Duration,
    /// Spans of one delivery.
    pub batch_max: usize,
    /// Spans that wait.
    pub queue_max: usize,
}

/// `[metrics]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsRule {
    /// Tenants that are told apart; all others are counted together.
    pub tenants: usize,
}

/// An address range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// First address.
    pub addr: std::net::IpAddr,
    /// Prefix length in bits.
    pub prefix: u8,
}

/// Bounds on everything from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Request header bytes, all together.
    pub header_max_bytes: usize,
    /// Time for a whole request header.
    pub header_timeout: Duration,
    /// SCIM request body bytes.
    pub body_max_bytes: usize,
    /// Time for a whole SCIM request body.
    pub body_timeout: Duration,
    /// Idle time of a kept connection.
    pub keepalive_timeout: Duration,
    /// Nesting of JSON in a SCIM body.
    pub json_max_depth: usize,
    /// Nesting of a filter.
    pub filter_max_depth: usize,
    /// Comparisons in a filter.
    pub filter_max_terms: usize,
    /// Operations in one PATCH.
    pub patch_max_operations: usize,
    /// Members named in one request (and elements of other lists), or read of one group.
    pub members_max: usize,
    /// Largest `count` served; also the default one.
    pub page_max: usize,
    /// Native calls one SCIM request may become.
    pub calls_max: usize,
    /// Time for a SCIM request as a whole.
    pub request_timeout: Duration,
    /// Native reply bytes.
    pub reply_max_bytes: usize,
    /// Operations in one bulk request.
    pub bulk_max_operations: usize,
    /// Time an upstream connection may take to open.
    pub upstream_connect_timeout: Duration,
    /// Time between two reads of a pass-through.
    pub upstream_read_timeout: Duration,
}

/// `[[route]]`.
#[derive(Clone, Debug)]
pub struct Route {
    /// The template as written: label of logs and metrics.
    pub label: Arc<str>,
    /// The compiled template.
    pub template: PathTemplate,
    /// Constants: index into `Snapshot::variables` and value.
    pub set: Vec<(usize, String)>,
    /// Index into `Snapshot::authenticators`; `None` for `kind = "none"`.
    pub auth: Option<usize>,
    /// Index into `Snapshot::backends`.
    pub backend: usize,
    /// Resource types served, in file order.
    pub mappings: Vec<Arc<Mapping>>,
    /// Its place.
    pub origin: Origin,
}

/// `[backend.<name>]`.
#[derive(Clone, Debug)]
pub struct Backend {
    /// Its name: label of metrics.
    pub name: Arc<str>,
    /// Where it is.
    pub url: BaseUrl,
    /// Credentials sent to it.
    pub auth: OutboundAuth,
    /// Headers sent with every native call.
    pub headers: Vec<(Arc<str>, Template)>,
    /// Time for one native call.
    pub timeout: Duration,
    /// Calls under way together.
    pub concurrency: usize,
    /// Calls that may wait for their turn.
    pub queue: usize,
    /// The least time between the beginnings of two calls.
    pub spacing: Option<Duration>,
    /// Repetition of calls.
    pub retry: Retry,
    /// The header that carries the key of a call which is no repetition of another one.
    pub idempotency: Option<Arc<str>>,
    /// The circuit breaker; `None` is none.
    pub breaker: Option<BreakerRule>,
    /// How `https` is verified.
    pub tls: BackendTls,
    /// How bodies are encoded.
    pub format: Format,
    /// Seconds since 1970 at which the credential expires.
    pub expires: Option<i64>,
    /// Recognises the application's refusal of the adapter's own credential; default: status 401.
    pub expired: Option<Expr>,
    /// Where that stands, or the credential it is about.
    pub expired_origin: Origin,
    /// Error rules in file order.
    pub errors: Vec<ErrorRule>,
    /// Reference tables.
    pub tables: Vec<Table>,
    /// Its place.
    pub origin: Origin,
}

/// A backend's base URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    /// `https` rather than `http`.
    pub tls: bool,
    /// Host as written.
    pub host: String,
    /// Port, explicit or of the scheme.
    pub port: u16,
    /// Path without a trailing slash, perhaps empty.
    pub path: String,
}

/// How bodies of native calls are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

/// Credentials sent to a backend. Numbers index `Snapshot::secrets`.
#[derive(Clone, Debug)]
pub enum OutboundAuth {
    /// None.
    None,
    /// The caller's own `Authorization`.
    Forward,
    /// Basic credentials.
    Basic {
        /// User name.
        user: String,
        /// Password.
        password: usize,
    },
    /// A secret that is sent as it is: kinds `bearer`, `header` and `token`.
    Token {
        /// The secret.
        token: usize,
        /// Where it goes.
        send: SendAs,
    },
    /// Client credentials (RFC 6749 4.4).
    OAuth2(Box<ClientCredentials>),
    /// What a login call answers.
    Session(Box<SessionLogin>),
}

impl OutboundAuth {
    /// Where a token goes, for the kinds that hold one.
    pub fn send(&self) -> Option<&SendAs> {
        match self {
            Self::None | Self::Forward | Self::Basic { .. } => None,
            Self::Token { send, .. } => Some(send),
            Self::OAuth2(client) => Some(&client.send),
            Self::Session(session) => Some(&session.send),
        }
    }

    /// Whether a refused credential is fetched again.
    pub fn is_renewed(&self) -> bool {
        matches!(self, Self::OAuth2(_) | Self::Session(_))
    }

    /// The secrets that it takes.
    pub fn secrets(&self) -> Vec<usize> {
        match self {
            Self::None | Self::Forward => Vec::new(),
            Self::Basic { password: secret, .. } | Self::Token { token: secret, .. } => vec![*secret],
            Self::OAuth2(client) => vec![client.client_secret],
            Self::Session(session) => session.secrets.clone(),
        }
    }
}

/// Where a token goes in every call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendAs {
    /// The place.
    pub place: TokenPlace,
    /// Put before the token as written (`"token "`).
    pub prefix: String,
}

/// A place for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenPlace {
    /// A header of this name.
    Header(String),
    /// A cookie of this name.
    Cookie(String),
    /// A query parameter of this name.
    Query(String),
    /// A field of the body.
    Body(NativePath),
}

/// The client credentials grant of RFC 6749 4.4.
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    /// The token endpoint; its path is as written.
    pub token_url: BaseUrl,
    /// The client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: usize,
    /// What is asked for.
    pub scope: Option<String>,
    /// How the client shows itself to the token endpoint.
    pub client_auth: ClientAuth,
    /// Where the access token goes.
    pub send: SendAs,
    /// How long a token is used if the endpoint does not say how long it lasts.
    pub ttl: Option<Duration>,
}

/// RFC 6749 2.3.1: the two ways of sending a client's password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// HTTP Basic.
    Basic,
    /// `client_id` and `client_secret` in the body.
    Body,
}

/// A login call and what becomes of its answer.
#[derive(Clone, Debug)]
pub struct SessionLogin {
    /// The call.
    pub login: Call,
    /// What is sent, over `login`: the values that the call saves.
    pub value: Template,
    /// Where it goes.
    pub send: SendAs,
    /// How long a session is used before the next login.
    pub ttl: Option<Duration>,
    /// Route variables that the call reads: sessions are shared among requests that agree on these.
    pub variables: Vec<usize>,
    /// Secrets of its body.
    pub secrets: Vec<usize>,
}

/// `retry`: when a call that may be repeated is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts at the most, the first one included.
    pub attempts: u32,
    /// Longest wait before the first repetition; doubles from one to the next.
    pub delay: Duration,
}

/// `breaker`: when a backend that fails is left alone for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerRule {
    /// Failures in a row that open it.
    pub failures: u32,
    /// How long it stays open before one call may try.
    pub pause: Duration,
}

/// `tls` of a backend. Numbers index `Snapshot::secrets`: PEM texts, read again when their files change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackendTls {
    /// Certificates that are trusted instead of the system's.
    pub ca: Option<usize>,
    /// The name on the server's certificate, where it is not the host of the URL.
    pub server_name: Option<String>,
    /// Certificate chain and private key that the adapter shows.
    pub client: Option<(usize, usize)>,
}

/// `[[backend.x.error]]`.
#[derive(Clone, Debug)]
pub struct ErrorRule {
    /// Slots it is about, each perhaps of one resource type; empty is all.
    pub on: Vec<(Option<Arc<str>>, Slot)>,
    /// Condition over `status`, `headers`, `body`.
    pub when: Expr,
    /// Whether the condition itself names `status` (otherwise it never sees 401, 429 and 5xx).
    pub names_status: bool,
    /// SCIM status; the built-in table's where absent.
    pub status: Option<u16>,
    /// SCIM keyword.
    pub scim_type: Option<ScimType>,
    /// Detail.
    pub detail: Option<Template>,
    /// The reply says that nothing was done, so that the call is sent again first.
    pub retry: Option<RuleRetry>,
    /// Its place.
    pub origin: Origin,
}

/// `retry` of an error rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleRetry {
    /// How long to wait.
    pub after: Duration,
    /// Repetitions at the most.
    pub max: u32,
}

/// Secrets by index, resolved: what the shell holds beside a snapshot.
pub type ResolvedSecrets = BTreeMap<usize, crate::config::secret::Secret>;
