//! Backends: where native calls go, with which credential, how replies look and what refusals mean.

use super::{Keys, Kind, key};

pub(crate) static BACKEND: Keys = Keys {
    title: "`[backend.<name>]`",
    what: "a backend",
    about: "An application: where its native API is, and what all calls to it have in common.",
    own: &[
        key("url", Kind::Url, "Scheme, host, port and perhaps a path; constant, so that no caller chooses the host.").required(),
        key("auth", Kind::Table(&CREDENTIAL), "The credential that the adapter sends.").default("{ kind = \"none\" }"),
        key("headers", Kind::Map("header", &Kind::Template), "Headers sent with every call.").default("{}"),
        key("timeout", Kind::Duration, "Time for one native call.").default("\"10s\""),
        key("concurrency", Kind::Int(1, 10_000), "Native calls under way together.").default("16"),
        key("format", Kind::Words(&["json", "form"]), "How bodies are encoded.").default("\"json\""),
        key("envelope", Kind::Table(&ENVELOPE), "Where things are in a reply."),
        key("paging", Kind::Table(&PAGING), "How lists are paged.").default("{ style = \"none\" }"),
        key("ok", Kind::Expression, "What success is, over `status`, `headers` and `body`; without it any 2xx."),
        key("expired", Kind::Expression, "How a refusal of the adapter's own credential shows.").default("\"status == 401\""),
        key("error", Kind::List(&Kind::Table(&ERROR_RULE)), "Replies that are no success, one `[[backend.<name>.error]]` each, tried in order before the built-in table."),
    ],
    shared: &[],
    later: &["call", "query", "body", "rate", "retry", "tls", "idempotency", "openapi", "verify", "table"],
};

pub(crate) static CREDENTIAL: Keys = Keys {
    title: "`auth` of a backend",
    what: "`auth` of a backend",
    about: "The credential that the adapter sends.",
    own: &[
        key("kind", Kind::Words(&["none", "bearer", "header", "basic"]), "What kind of credential it is.").required(),
        key("token", Kind::Secret, "With `bearer` and `header`: what is sent."),
        key("name", Kind::Word, "With `header`: the name of the header."),
        key("prefix", Kind::Text, "With `header`: what stands before the token, as it is written.").default("\"\""),
        key("user", Kind::Word, "With `basic`: the user name."),
        key("password", Kind::Secret, "With `basic`: the password."),
    ],
    shared: &[],
    later: &["token_url", "client_id", "client_secret", "scope", "login", "send", "expired", "ttl"],
};

pub(crate) static ERROR_RULE: Keys = Keys {
    title: "`[[backend.<name>.error]]`",
    what: "an error rule",
    about: "What a reply that is no success means to the SCIM client.",
    own: &[
        key("id", Kind::Word, "A name, by which a file that extends this one replaces or unsets the rule."),
        key("on", Kind::List(&Kind::Text), "Call slots, perhaps of one type, such as `\"Group.get\"`; without it all."),
        key("when", Kind::Expression, "Which replies, over `status`, `headers` and `body`.").required(),
        key("scim", Kind::Table(&ERROR_ANSWER), "What the client reads; what is left out comes from the built-in table.").required(),
    ],
    shared: &[],
    later: &["retry"],
};

pub(crate) static ERROR_ANSWER: Keys = Keys {
    title: "`scim` of an error rule",
    what: "`scim` of an error rule",
    about: "A SCIM error (RFC 7644 section 3.12).",
    own: &[
        key("status", Kind::Int(400, 599), "Its status."),
        key("type", Kind::Words(SCIM_TYPES), "Its keyword."),
        key("detail", Kind::Template, "What the administrator reads."),
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
        key("end", Kind::Words(&["empty", "short"]), "With `page` and `offset`: what the last page looks like where nobody says the total; `short` trusts the application to fill its pages.").default("\"empty\""),
    ],
    shared: &[],
    later: &[],
};
