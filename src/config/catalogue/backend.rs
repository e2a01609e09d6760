//! Backends: where native calls go, with which credential, how replies look and what refusals mean.

use super::resource::{CALL, EXTRACTED};
use super::{Keys, Kind, key};

pub(crate) static BACKEND: Keys = Keys {
    title: "`[backend.<name>]`",
    what: "a backend",
    about: "An application: where its native API is, and what all calls to it have in common.",
    own: &[
        key("url", Kind::Url, "Scheme, host, port and perhaps a path; constant, so that no caller chooses the host.").required(),
        key("auth", Kind::Table(&CREDENTIAL), "The credential that the adapter sends.").default("{ kind = \"none\" }"),
        key("call", Kind::Call, "The call of operations whose table names none."),
        key("query", Kind::Map("parameter", &Kind::Template), "Parameters of every call; one that a call names itself wins.").default("{}"),
        key("headers", Kind::Map("header", &Kind::Template), "Headers sent with every call.").default("{}"),
        key("body", Kind::Map("field", &Kind::Body), "Laid under the body of every call, table by table; POST, PUT and PATCH without a body of their own send it alone."),
        key("timeout", Kind::Duration, "Time for one native call.").default("\"10s\""),
        key("concurrency", Kind::Int(1, 10_000), "Native calls under way together.").default("16"),
        key("queue", Kind::Int(0, 100_000), "Native calls that may wait for their turn.").default("1000"),
        key("rate", Kind::Either(&[Kind::Int(1, 100_000), Kind::Text]), "Native calls that may begin per second, or a text such as `\"300/m\"`; without it no limit."),
        key("retry", Kind::Table(&RETRY), "When calls that may be repeated are."),
        key("idempotency", Kind::Word, "A header for which the application carries out equal keys once, such as `\"Idempotency-Key\"`: every call that could not be repeated gets a key, and may be."),
        key("breaker", Kind::Either(&[Kind::Words(&["off"]), Kind::Table(&BREAKER)]), "When an application that keeps failing is left alone."),
        key("tls", Kind::Table(&TLS), "How `https` is verified."),
        key("format", Kind::Words(&["json", "form"]), "How bodies are encoded.").default("\"json\""),
        key("envelope", Kind::Table(&ENVELOPE), "Where things are in a reply."),
        key("paging", Kind::Table(&PAGING), "How lists are paged.").default("{ style = \"none\" }"),
        key("ok", Kind::Expression, "What success is, over `status`, `headers` and `body`; without it any 2xx."),
        key("table", Kind::Map("table", &Kind::Table(&TABLE)), "Reference tables: what people call something, and what the application calls it."),
        key("error", Kind::List(&Kind::Table(&ERROR_RULE)), "Replies that are no success, one `[[backend.<name>.error]]` each, tried in order before the built-in table."),
    ],
    shared: &[],
    later: &["openapi", "verify"],
};

pub(crate) static TABLE: Keys = Keys {
    title: "`[backend.<name>.table.<table>]`",
    what: "a reference table",
    about: "A list of the application that gives names to keys: `codec = { table = \"<table>\" }` in a row, `{table.<table>['<name>']}` in a call.",
    own: &[
        key("key", EXTRACTED, "What the application uses.").required(),
        key("name", EXTRACTED, "What people use.").default("\"name\""),
        key("cache", Kind::Duration, "How long what was read serves; a name or key that is missing has it read again, at most every 5 s.").default("\"60s\""),
        key("max", Kind::Int(1, 100_000), "Entries at the most.").default("1000"),
        key("paging", Kind::Table(&PAGING), "Replaces the backend's."),
    ],
    shared: CALL,
    later: &[],
};

pub(crate) static CREDENTIAL: Keys = Keys {
    title: "`auth` of a backend",
    what: "`auth` of a backend",
    about: "The credential that the adapter sends.",
    own: &[
        key("kind", Kind::Words(&["none", "bearer", "header", "token", "basic", "oauth2", "session", "forward"]), "What kind of credential it is.").required(),
        key("token", Kind::Secret, "With `bearer`, `header` and `token`: what is sent."),
        key("name", Kind::Word, "With `header`: the name of the header."),
        key("prefix", Kind::Text, "With `header`: what stands before the token, as it is written.").default("\"\""),
        key("user", Kind::Word, "With `basic`: the user name."),
        key("password", Kind::Secret, "With `basic`: the password."),
        key("token_url", Kind::Url, "With `oauth2`: the token endpoint."),
        key("client_id", Kind::Word, "With `oauth2`: the client."),
        key("client_secret", Kind::Secret, "With `oauth2`: its secret."),
        key("client_auth", Kind::Words(&["basic", "body"]), "With `oauth2`: how the client shows itself (RFC 6749 section 2.3.1).").default("\"basic\""),
        key("scope", Kind::Word, "With `oauth2`: what is asked for."),
        key("login", Kind::Either(&[Kind::Call, Kind::Table(&LOGIN)]), "With `session`: the call that logs in."),
        key("send", Kind::Table(&SEND), "With `token`, `oauth2` and `session`: where the token goes; with `oauth2` it is a bearer token without it."),
        key("expired", Kind::Expression, "How a refusal of the credential shows, over `status`, `headers` and `body`.").default("\"status == 401\""),
        key("expires", Kind::Date, "When the credential expires, for `check` and for metrics; it is sent all the same. Without it a JWT is asked itself."),
        key("ttl", Kind::Duration, "With `session` and `oauth2`: how long a token is used, unless the token endpoint says."),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static SEND: Keys = Keys {
    title: "`send`",
    what: "`send`",
    about: "Where a token goes in every call: exactly one of `header`, `cookie`, `query` and `body`.",
    own: &[
        key("header", Kind::Word, "A header of this name."),
        key("prefix", Kind::Text, "What stands before the token, as it is written.").default("\"\""),
        key("cookie", Kind::Word, "A cookie of this name."),
        key("query", Kind::Word, "A query parameter of this name."),
        key("body", Kind::Path, "A field of every body."),
        key("value", Kind::Template, "With `session`: what is sent, over `login`; without it the one value that the login saves."),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static LOGIN: Keys = Keys {
    title: "`login`",
    what: "a login call",
    about: "The call whose reply holds a session.",
    own: &[
        key("call", Kind::Call, "Method, path and query; without it the backend's."),
        key("query", Kind::Map("parameter", &Kind::Template), "Query parameters."),
        key("headers", Kind::Map("header", &Kind::Template), "Headers."),
        key("body", Kind::Body, "The body."),
        key("ok", Kind::Expression, "What success is; without it as for the backend."),
        key("save", Kind::Map("name", &super::resource::EXTRACTED), "What is kept of the reply: paths from the whole body, or `@header:Name`.").required(),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static RETRY: Keys = Keys {
    title: "`retry`",
    what: "`retry`",
    about: "Repetition of calls that read, are idempotent, or say so.",
    own: &[
        key("attempts", Kind::Int(1, 10), "Attempts at the most, the first one included.").default("3"),
        key("delay", Kind::Duration, "The longest wait before the first repetition; it doubles from one to the next.").default("\"100ms\""),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static BREAKER: Keys = Keys {
    title: "`breaker`",
    what: "`breaker`",
    about: "A circuit breaker.",
    own: &[
        key("failures", Kind::Int(1, 10_000), "Failures in a row that open it.").default("10"),
        key("pause", Kind::Duration, "How long no call is made before one may try.").default("\"10s\""),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static TLS: Keys = Keys {
    title: "`tls`",
    what: "`tls`",
    about: "Whom to trust, and whom to show oneself as; PEM texts, read again when their files change.",
    own: &[
        key("ca", Kind::Secret, "Certificates that are trusted instead of the system's."),
        key("server_name", Kind::Word, "The name on the server's certificate, where it is not the host."),
        key("client_cert", Kind::Secret, "The chain of certificates that is shown."),
        key("client_key", Kind::Secret, "Its private key."),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static ERROR_RULE: Keys = Keys {
    title: "`[[backend.<name>.error]]`",
    what: "an error rule",
    about: "What a reply that is no success means to the SCIM client.",
    own: &[
        key("id", Kind::Word, "A name, by which a file that extends this one replaces or unsets the rule."),
        key("on", Kind::List(&Kind::Slot), "The calls it is about, perhaps of one type, such as `\"Group.get\"`; without it all."),
        key("when", Kind::Expression, "Which replies, over `status`, `headers` and `body`.").required(),
        key("scim", Kind::Table(&ERROR_ANSWER), "What the client reads; what is left out comes from the built-in table.").required(),
        key("retry", Kind::Table(&RULE_RETRY), "The reply says that nothing was done: the call is first sent again."),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static RULE_RETRY: Keys = Keys {
    title: "`retry` of an error rule",
    what: "`retry` of an error rule",
    about: "Repetition of a call by what its reply says.",
    own: &[
        key("after", Kind::Duration, "How long to wait.").default("\"1s\""),
        key("max", Kind::Int(1, 10), "Repetitions at the most.").default("2"),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static ERROR_ANSWER: Keys = Keys {
    title: "`scim` of an error rule",
    what: "`scim` of an error rule",
    about: "A SCIM error (RFC 7644 section 3.12).",
    own: &[
        key("status", Kind::Int(400, 599), "Its status."),
        key("type", Kind::Words(SCIM_TYPES), "Its keyword."),
        key("detail", Kind::Template, "What the administrator reads; over the reply and the variables of the route."),
    ],
    shared: &[],
    later: &[],
};

/// RFC 7644 table 9, and RFC 9865.
const SCIM_TYPES: &[&str] = &[
    "invalidFilter", "tooMany", "uniqueness", "mutability", "invalidSyntax", "invalidPath", "noTarget", "invalidValue",
    "invalidVers", "sensitive", "invalidCursor", "expiredCursor", "invalidCount",
];

pub(crate) static ENVELOPE: Keys = Keys {
    title: "`envelope`",
    what: "an envelope",
    about: "Where things are in a reply; inherited key by key from backend, resource and call.",
    own: &[
        key("items", Kind::Path, "The list in the reply to a list call.").default("\"\""),
        key("item", Kind::Path, "The object in the reply to any other call.").default("\"\""),
        key("wrap", Kind::Path, "Where the rows stand in bodies that the adapter makes itself."),
        key("total", Kind::Path, "The number of all objects, or `\"walk\"`: count by reading to the end.").default("\"walk\""),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static PAGING: Keys = Keys {
    title: "`paging`",
    what: "`paging`",
    about: "How lists are paged. A resource or a call replaces the paging of its backend as a whole.",
    own: &[
        key("style", Kind::Words(&["none", "page", "offset", "cursor", "link"]), "How the next page is asked for.").required(),
        key("page", Kind::Word, "With `page`: the parameter with the number of the page.").default("\"page\""),
        key("offset", Kind::Word, "With `offset`: the parameter with the number of objects to skip.").default("\"offset\""),
        key("cursor", Kind::Word, "With `cursor`: the parameter with the marker.").default("\"cursor\""),
        key("next", Kind::Path, "With `cursor`: where the next marker is; with `link`: where the next URL is, by default `\"@link\"`."),
        key("size", Kind::Word, "The parameter with the size of a page; without it none is sent."),
        key("first", Kind::Int(0, 1), "The number of the first page (1) or object (0)."),
        key("max", Kind::Int(1, 100_000), "The largest page the application serves.").default("100"),
        key("total", Kind::Path, "As in `envelope`."),
        key("end", Kind::Words(&["empty", "short"]), "With `page` and `offset`: what the last page looks like where nobody says the total; `short` trusts the application to keep to the size it is asked for, up to `max`, so that a list is also entered in its middle without a look at its first page.").default("\"empty\""),
    ],
    shared: &[],
    later: &[],
};
