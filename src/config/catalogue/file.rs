//! The top of the file, the server, its bounds, who may come in, base URLs and schemas.

use super::{BACKEND, Key, Keys, Kind, RESOURCE, TLS, key};

pub(crate) static FILE: Keys = Keys {
    title: "Top of the file",
    what: "the file",
    about: "One file configures one adapter.",
    own: &[
        key("version", Kind::OneOf(&[1]), "The version of this language, not of the program.").required(),
        key("extends", Kind::List(&Kind::Word), "Presets (`\"preset:rest@1\"`) and files beside this one that are laid under it, left to right.").default("[]"),
        key("unset", Kind::List(&Kind::Word), "Keys of what this file extends that are taken away, such as `\"resource.Group\"`.").default("[]"),
        key("needs", Kind::Requirement, "Versions of the program that the file is for, such as `\">=0.1\"`; any other refuses it and says so."),
        key("lint", Kind::Table(&LINT), "Warnings that are accepted."),
        key("server", Kind::Table(&SERVER), "The listeners and how they stop."),
        key("log", Kind::Table(&LOG), "What is logged, and how."),
        key("trace", Kind::Table(&TRACE), "Spans, and where they are sent; without it no span is made."),
        key("limits", Kind::Table(&LIMITS), "Bounds on everything that comes from outside."),
        key("metrics", Kind::Table(&METRICS), "What is counted."),
        key("store", Kind::Table(&STORE), "What the adapter would keep itself; this version keeps nothing and refuses it (E107)."),
        key("patterns", Kind::Map("name", &Kind::Pattern), "Regular expressions for use as `\"$name\"`."),
        key("auth", Kind::Map("name", &Kind::Table(&AUTHENTICATOR)), "Who may come in."),
        key("backend", Kind::Map("name", &Kind::Table(&BACKEND)), "The applications behind the adapter.").required(),
        key("route", Kind::List(&Kind::Table(&ROUTE)), "The base URLs, one `[[route]]` each.").required(),
        key("schema", Kind::Map("name", &Kind::Table(&SCHEMA)), "Schemas of your own."),
        key("resource", Kind::Map("type", &Kind::Table(&RESOURCE)), "The resource types that are served.").required(),
        key("defaults", Kind::Table(&DEFAULTS), "What resources do not say themselves; mostly given by a preset."),
    ],
    shared: &[],
    later: &["tenants"],
};

pub(crate) static STORE: Keys = Keys {
    title: "`[store]`",
    what: "[store]",
    about: "A place for what the application cannot keep. This version has none and refuses the table (E107).",
    own: &[
        key("kind", Kind::Word, "What holds it."),
        key("path", Kind::Word, "Where it is."),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static LINT: Keys = Keys {
    title: "`[lint]`",
    what: "[lint]",
    about: "Warnings that are accepted.",
    own: &[key("allow", Kind::Map("code", &Kind::Word), "The reason why a warning is none, by its code: `{ W038 = \"the application ignores case\" }`.").default("{}")],
    shared: &[],
    later: &[],
};

pub(crate) static SERVER: Keys = Keys {
    title: "`[server]`",
    what: "[server]",
    about: "The listeners. `listen`, `admin_listen`, `threads` and `max_connections` need a restart to change.",
    own: &[
        key("listen", Kind::Address, "Where SCIM and everything passed through is served.").default("\"127.0.0.1:8080\""),
        key("admin_listen", Kind::Address, "Where `/metrics`, `/livez` and `/readyz` are served.").default("\"127.0.0.1:9090\""),
        key("threads", Kind::Int(1, 256), "Worker threads of `listen`.").default("2"),
        key("max_connections", Kind::Int(1, 1_000_000), "Connections on `listen` at the most.").default("10000"),
        key("passthrough", Kind::Name("backend"), "Where everything that is not SCIM goes, or `\"none\"`; without it the only backend."),
        key("trusted_proxies", Kind::List(&Kind::AddressRange), "Peers whose `X-Forwarded-*` headers are believed.").default("[]"),
        key("keep_accepting", Kind::Duration, "After SIGTERM: how long connections are still accepted.").default("\"5s\""),
        key("drain_timeout", Kind::Duration, "After that: how long work in flight may take.").default("\"30s\""),
        key("group_patch_status", Kind::OneOf(&[200, 204]), "Answer to a PATCH that only changes members: 204, which reads nothing, or 200 with the group and all its members.").default("204"),
    ],
    shared: &[],
    later: &["tls"],
};

pub(crate) static LOG: Keys = Keys {
    title: "`[log]`",
    what: "[log]",
    about: "Log lines, on standard output. Everything here takes effect with a reload; flags and the environment come first.",
    own: &[
        key("level", Kind::LogLevels, "How much is said, and how much by single targets: `\"info,scimshim::native=debug\"`.").default("\"info\""),
        key("format", Kind::Words(&["auto", "json", "text"]), "A line of JSON, or one for people; `auto` is text on a terminal and JSON elsewhere.").default("\"auto\""),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static TRACE: Keys = Keys {
    title: "`[trace]`",
    what: "[trace]",
    about: "Spans of requests and native calls, sent to a collector as OTLP over HTTP. Trace context (W3C) is passed on with or without it.",
    own: &[
        key("endpoint", Kind::Url, "The collector, such as `\"http://127.0.0.1:4318\"`; `/v1/traces` is added.").required(),
        key("headers", Kind::Map("name", &Kind::Secret), "Headers of every delivery, each a secret.").default("{}"),
        key("tls", Kind::Table(&TLS), "How an `https` endpoint is verified."),
        key("sample", Kind::Share, "How many of the traces that begin here are recorded; one that began elsewhere is recorded if its beginner does.").default("1.0"),
        key("service", Kind::Word, "`service.name`.").default("\"scimshim\""),
        key("resource", Kind::Map("attribute", &Kind::Text), "Further attributes of the resource: `{ \"deployment.environment.name\" = \"prod\" }`.").default("{}"),
        key("timeout", Kind::Duration, "Of one delivery.").default("\"10s\""),
        key("interval", Kind::Duration, "How long spans are gathered before they are sent.").default("\"5s\""),
        key("batch_max", Kind::Int(1, 10_000), "Spans of one delivery at the most.").default("512"),
        key("queue_max", Kind::Int(1, 1_000_000), "Spans that wait at the most; more are dropped and counted.").default("4096"),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static LIMITS: Keys = Keys {
    title: "`[limits]`",
    what: "[limits]",
    about: "Bounds on everything that comes from outside.",
    own: &[
        key("header_max_bytes", Kind::Size, "Request headers, all together.").default("\"32KiB\""),
        key("header_timeout", Kind::Duration, "Until a request header is complete.").default("\"10s\""),
        key("body_max_bytes", Kind::Size, "A SCIM request body; what passes through is not bounded.").default("\"1MiB\""),
        key("body_timeout", Kind::Duration, "Until a SCIM request body is complete.").default("\"30s\""),
        key("keepalive_timeout", Kind::Duration, "Idle time of a kept connection.").default("\"60s\""),
        key("json_max_depth", Kind::Int(1, 100), "Nesting of a SCIM body.").default("32"),
        key("filter_max_depth", Kind::Int(1, 50), "Nesting of a filter.").default("16"),
        key("filter_max_terms", Kind::Int(1, 1_000), "Comparisons in a filter.").default("64"),
        key("patch_max_operations", Kind::Int(1, 100_000), "Operations in one PATCH.").default("1000"),
        key("members_max", Kind::Int(1, 1_000_000), "Members named in one request, or read of one group.").default("10000"),
        key("page_max", Kind::Int(1, 10_000), "Largest `count` that is served, and the one without `count`.").default("100"),
        key("calls_max", Kind::Int(1, 1_000_000), "Native calls that one SCIM request may become.").default("1000"),
        key("request_timeout", Kind::Duration, "A SCIM request as a whole.").default("\"30s\""),
        key("reply_max_bytes", Kind::Size, "One native reply.").default("\"8MiB\""),
        key("bulk_max_operations", Kind::Int(1, 10_000), "Operations in one `/Bulk` request.").default("100"),
        key("upstream_connect_timeout", Kind::Duration, "Opening a connection to a backend.").default("\"5s\""),
        key("upstream_read_timeout", Kind::Duration, "Between two reads of what is passed through.").default("\"60s\""),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static METRICS: Keys = Keys {
    title: "`[metrics]`",
    what: "[metrics]",
    about: "What is counted; `docs/metrics.md` lists the metrics.",
    own: &[
        key("tenants", Kind::Int(0, 10_000), "Tenants that metrics tell apart: values of route variables in requests whose credential was accepted. All further ones are counted together as `other`; one that was silent for a day gives its place away. 0 tells none apart.").default("100"),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static AUTHENTICATOR: Keys = Keys {
    title: "`[auth.<name>]`",
    what: "an authenticator",
    about: "Who may come in; a route names one.",
    own: &[
        key("kind", Kind::Words(&["bearer", "none"]), "`bearer` asks for one of the tokens (RFC 6750), `none` lets everybody in.").required(),
        key("tokens", Kind::List(&Kind::Either(&[Kind::Token, Kind::Table(&TOKEN)])), "The tokens; several, so that a new one can be handed out before the old one goes."),
        key("user", Kind::Word, "The id of the user resource that the credential belongs to; without it `/Me` answers 501."),
    ],
    shared: &[],
    later: &["users", "issuer", "audience", "jwks"],
};

pub(crate) static TOKEN: Keys = Keys {
    title: "A token of `[auth.<name>]`",
    what: "a token",
    about: "A token with what is to be known about it: `{ token = \"env:SCIM_TOKEN\", expires = \"2027-03-01\" }`.",
    own: &[
        key("token", Kind::Token, "The token.").required(),
        key("name", Kind::Word, "What metrics call it; without it the name of the variable or file that it comes from."),
        key("expires", Kind::Date, "When it expires, for `check` and for metrics; it is accepted all the same. Without it a JWT is asked itself."),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static ROUTE: Keys = Keys {
    title: "`[[route]]`",
    what: "a route",
    about: "A base URL. No two routes may match the same path.",
    own: &[
        key("path", Kind::Text, "The base URL; `{variables}` capture one segment each.").required(),
        key("vars", Kind::Map("variable", &Kind::Pattern), "What the variables must look like; anything else is 404."),
        key("set", Kind::Map("variable", &Kind::Text), "Variables with a constant value."),
        key("auth", Kind::Name("auth"), "Who may come in here.").required(),
        key("backend", Kind::Name("backend"), "Where its calls go; without it the only backend."),
        key("idp", Kind::Words(&["entra", "okta", "onelogin", "ping", "jumpcloud", "google", "other"]), "The identity provider: which checks apply; repairs of what clients send are always on."),
        key("resources", Kind::List(&Kind::Name("resource")), "The types served here; without it all."),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static SCHEMA: Keys = Keys {
    title: "`[schema.<name>]`",
    what: "a schema",
    about: "A schema of your own: an extension, or the core of a new resource type.",
    own: &[
        key("urn", Kind::Urn, "Its identifier.").required(),
        key("name", Kind::Text, "Its name in `/Schemas`; without it that of the table."),
        key("description", Kind::Text, "Its description in `/Schemas`.").default("\"\""),
        key("extends", Kind::Name("resource"), "The type it adds to; without it the schema is the core of a new type."),
        key("attributes", Kind::List(&Kind::Table(&ATTRIBUTE)), "Its attributes.").required(),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static ATTRIBUTE: Keys = Keys {
    title: "An attribute of a schema",
    what: "an attribute",
    about: "As RFC 7643 section 7 describes an attribute.",
    own: &[
        key("name", Kind::Word, "Its name.").required(),
        key("type", Kind::Words(&["string", "boolean", "decimal", "integer", "dateTime", "binary", "reference", "complex"]), "Its type.").default("\"string\""),
        key("multi_valued", Kind::Bool, "Whether it has several values.").default("false"),
        key("case_exact", Kind::Bool, "Whether comparisons regard case; the default follows from the type."),
        key("required", Kind::Bool, "Whether a resource must have it.").default("false"),
        key("unique", Kind::Bool, "Whether no two resources have the same value.").default("false"),
        key("description", Kind::Text, "Its description in `/Schemas`.").default("\"\""),
        key("canonical_values", Kind::List(&Kind::Text), "Its usual values.").default("[]"),
        key("reference_types", Kind::List(&Kind::Text), "What a reference leads to.").default("[]"),
        key("sub_attributes", Kind::List(&Kind::Table(&ATTRIBUTE)), "The parts of a complex attribute."),
    ],
    shared: &[],
    later: &["mutability", "returned"],
};

/// What an operation is by default: the call of the operation that it stands for.
const DEFAULT_CALLS: &[Key] = &[
    key("list", Kind::Call, "`ops.list` of a resource with a `path`."),
    key("get", Kind::Call, "`ops.get` of a resource with a `path`."),
    key("create", Kind::Call, "`ops.create` of a resource with a `path`."),
    key("replace", Kind::Call, "`ops.replace` of a resource with a `path`."),
    key("update", Kind::Call, "`ops.update` of a resource with a `path`."),
    key("delete", Kind::Call, "`ops.delete` of a resource with a `path`."),
];

pub(crate) static DEFAULTS: Keys = Keys {
    title: "`[defaults]`",
    what: "`defaults`",
    about: "What resources do not say themselves. Presets are made of this.",
    own: &[
        key("id", Kind::Path, "Where the native key is."),
        key("backend", Kind::Table(&BACKEND), "Laid under every backend."),
    ],
    shared: DEFAULT_CALLS,
    later: &[],
};
