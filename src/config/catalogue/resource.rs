//! Resource types: their rows, calls, write rules and filter plans.

use super::{ENVELOPE, Key, Keys, Kind, MEMBERS, PAGING, key};

pub(crate) static RESOURCE: Keys = Keys {
    title: "`[resource.<Type>]`",
    what: "a resource",
    about: "A resource type: `User`, `Group`, or one with a schema of its own.",
    own: &[
        key("path", Kind::Template, "What `{path}` stands for in calls: the path of the collection."),
        key("schema", Kind::Urn, "The core schema of a type that is neither `User` nor `Group`."),
        key("endpoint", Kind::Text, "Where the type is served; required for a type of your own."),
        key("id", Kind::Either(&[Kind::Path, Kind::Table(&ID)]), "How SCIM ids and native keys relate.").default("\"id\""),
        key("envelope", Kind::Table(&ENVELOPE), "Laid over the backend's, key by key."),
        key("paging", Kind::Table(&PAGING), "Replaces the backend's."),
        key("attrs", Kind::Map("SCIM attribute", &Kind::Either(&[Kind::Path, Kind::Table(&ROW)])), "The attribute table: one row an attribute, its native path or a table.").required(),
        key("ops", Kind::Table(&OPERATIONS), "Its operations; what is left out comes from `[defaults]`."),
        key("write", Kind::List(&Kind::Table(&WRITE_RULE)), "Calls of their own for some attributes, one `[[resource.<Type>.write]]` each."),
        key("filter", Kind::Map("comparison", &Kind::Either(&[Kind::Plan, Kind::Table(&PLAN), Kind::Table(&REST)])), "Comparisons that the application can answer: `'attribute op op' = plan`; `'*'` is everything else."),
        key("members", Kind::Table(&MEMBERS), "The membership of a group."),
        key("put_omitted", Kind::Words(&["clear", "keep"]), "What becomes of attributes that a PUT leaves out (RFC 7644 section 3.5.1: `clear`).").default("\"clear\""),
        key("gone", Kind::Expression, "Objects that are treated as absent, over `native` and `id`."),
        key("strip", Kind::List(&Kind::Path), "Native fields removed before an object is sent back whole.").default("[]"),
        key("version", EXTRACTED, "Where the native version is, for `ETag` and `If-Match`."),
    ],
    shared: &[],
    later: &["exists", "deactivate", "off", "unmapped", "guard", "part", "lock", "whole"],
};

/// A path, or a table with codecs; reading only.
pub(super) const EXTRACTED: Kind = Kind::Either(&[Kind::Path, Kind::Table(&EXTRACT)]);
const CODEC_CHAIN: Kind = Kind::Either(&[Kind::Codec, Kind::List(&Kind::Codec)]);

pub(crate) static ID: Keys = Keys {
    title: "`id` of a resource",
    what: "`id`",
    about: "How SCIM ids and native keys relate.",
    own: &[
        key("native", Kind::Path, "Where the native key is.").default("\"id\""),
        key("kind", Kind::Words(&["string", "int"]), "Its type; a SCIM id that is no number is 404 with `int`.").default("\"string\""),
        key("derive", Kind::Template, "The key of a new object, made of its attributes."),
        key("collision", Kind::Words(&["native", "reject", "reuse"]), "If a derived key is taken: let the application answer, look first and refuse, or answer with the holder.").default("\"native\""),
        key("mutable", Kind::Words(&["keep", "reject"]), "What a rename does: the key stays, or the attribute cannot change.").default("\"keep\""),
        key("pattern", Kind::Pattern, "What a key looks like; any other id is 404 without a call."),
    ],
    shared: &[],
    later: &["join", "encode", "born"],
};

pub(crate) static ROW: Keys = Keys {
    title: "A row of `attrs`",
    what: "a row",
    about: "Where one SCIM attribute lives natively, and how its value is converted.",
    own: &[
        key("native", Kind::Path, "Where the value lives in a native document."),
        key("codec", CODEC_CHAIN, "Conversions from SCIM to native, left to right.").default("[]"),
        key("map", Kind::Map("SCIM value", &Kind::Literal), "A table of values: SCIM on the left, native on the right."),
        key("else", Kind::Table(&ELSE), "What stands for values that are not in `map`."),
        key("read", Kind::Expression, "The SCIM value, computed from `native` and `id`."),
        key("write", Kind::Expression, "The native value, computed from `scim` and `native`; goes to `native`."),
        key("access", Kind::Words(&["both", "read", "write", "create", "mirror"]), "Both ways, only read, only written (never returned), set once, or a second attribute over the same value."),
        key("on", Kind::List(&Kind::Words(&["create", "update"])), "When the row is sent.").default("[\"create\", \"update\"]"),
        key("default", Kind::Template, "Fills what the client leaves out when it creates."),
        key("omit", Kind::Words(&["null", "absent", "empty", "keep"]), "How \"unassigned\" looks natively; `keep`: there is no such state."),
        key("required", Kind::Bool, "Shown in `/Schemas`."),
        key("unique", Kind::Bool, "Shown in `/Schemas`."),
        key("case", Kind::Words(&["exact", "ignore"]), "Whether comparisons regard case; shown in `/Schemas`."),
        key("lossy", Kind::Word, "Why it does not matter that a value does not survive a round trip."),
        key("mirror", Kind::Word, "The row that this one mirrors."),
    ],
    shared: &[],
    later: &["store"],
};

pub(crate) static ELSE: Keys = Keys {
    title: "`else` of a row",
    what: "`else`",
    about: "What stands for values that are not in `map`.",
    own: &[
        key("read", Kind::Literal, "SCIM value for every other native one."),
        key("write", Kind::Literal, "Native value for every other SCIM one."),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static EXTRACT: Keys = Keys {
    title: "A value to read",
    what: "a value to read",
    about: "A native path whose value passes codecs; the path alone may stand for it.",
    own: &[
        key("native", Kind::Path, "Where the value is.").required(),
        key("codec", CODEC_CHAIN, "Conversions, in the direction of reading.").default("[]"),
    ],
    shared: &[],
    later: &[],
};

/// What every call table has.
pub(super) const CALL: &[Key] = &[
    key("call", Kind::Call, "Method, path below the backend's URL, and perhaps a query."),
    key("query", Kind::Map("parameter", &Kind::Template), "Parameters added to the query; the same name replaces.").default("{}"),
    key("headers", Kind::Map("header", &Kind::Template), "Headers of this call.").default("{}"),
    key("body", Kind::Body, "The body, or `\"none\"`; `\"...\" = \"mapped\"` or `\"changed\"` spreads rows."),
    key("ok", Kind::Expression, "What success is; without it the backend's."),
    key("also_ok", Kind::List(&Kind::Either(&[Kind::Int(100, 599), Kind::Expression])), "Replies that are successes besides: a status or an expression.").default("[]"),
    key("envelope", Kind::Table(&ENVELOPE), "Laid over that of resource and backend, key by key."),
    key("save", Kind::Map("name", &EXTRACTED), "Values of the whole reply to keep; `id` is the id of a new object.").default("{}"),
    key("idempotent", Kind::Bool, "Whether it may be repeated; by default reads, PUT and DELETE."),
];

// A constant cannot refer to a static, so these are written out where they stand.
macro_rules! steps {
    () => {
        key("steps", Kind::List(&Kind::Table(&STEP)), "Calls after this one, in order.")
    };
}
macro_rules! undo {
    () => {
        key("undo", Kind::Either(&[Kind::Call, Kind::Table(&UNDO)]), "Takes back what this call of a create has made, if a later one fails.")
    };
}

/// A call, a table, or the word that an operation is not offered.
macro_rules! operation {
    ($table:ident) => {
        Kind::Either(&[Kind::Call, Kind::Words(&["reject"]), Kind::Table(&$table)])
    };
}

pub(crate) static OPERATIONS: Keys = Keys {
    title: "`[resource.<Type>.ops]`",
    what: "`ops`",
    about: "The operations of a type: a call, a table, or `\"reject\"` for one that is not offered.",
    own: &[
        key("list", operation!(LIST_CALL), "All objects."),
        key("get", operation!(READ_CALL), "One object."),
        key("create", operation!(CREATE_CALL), "A new object."),
        key("replace", operation!(WRITE_CALL), "An object sent back whole; read, changed and sent where there is no `update`."),
        key("update", operation!(WRITE_CALL), "What changed of an object."),
        key("delete", operation!(DELETE_CALL), "An object removed."),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static LIST_CALL: Keys = Keys {
    title: "`ops.list`",
    what: "`ops.list`",
    about: "The call that lists all objects.",
    own: &[key("paging", Kind::Table(&PAGING), "Replaces that of resource and backend.")],
    shared: CALL,
    later: &["lacks", "parallel"],
};

pub(crate) static READ_CALL: Keys = Keys {
    title: "`ops.get`",
    what: "a call",
    about: "The call that reads one object.",
    own: &[],
    shared: CALL,
    later: &[],
};

pub(crate) static CREATE_CALL: Keys = Keys {
    title: "`ops.create`",
    what: "`ops.create`",
    about: "The calls that make a new object: `call`, then `steps`, then the phases of `then`.",
    own: &[steps!(), THEN, undo!()],
    shared: CALL,
    later: &[],
};

pub(crate) static WRITE_CALL: Keys = Keys {
    title: "`ops.update` and `ops.replace`",
    what: "a call",
    about: "The calls that change an object: `call`, then `steps`.",
    own: &[WHEN, steps!(), FOR, AS, MAX, PARALLEL, THEN, undo!()],
    shared: CALL,
    later: &[],
};

pub(crate) static DELETE_CALL: Keys = Keys {
    title: "`ops.delete`",
    what: "`ops.delete`",
    about: "The calls that remove an object: `call`, then `steps`.",
    own: &[WHEN, steps!(), FOR, AS, MAX, PARALLEL, undo!()],
    shared: CALL,
    later: &["set"],
};

pub(crate) static STEP: Keys = Keys {
    title: "A step",
    what: "a step",
    about: "One of several calls that belong together. It sees what the steps before it saved, as `steps.<id>.<name>`.",
    own: &[
        key("id", Kind::Word, "The name by which later steps find what this one saved."),
        WHEN, FOR, AS, MAX, PARALLEL, undo!(),
    ],
    shared: CALL,
    later: &[],
};

pub(crate) static UNDO: Keys = Keys {
    title: "`undo`",
    what: "`undo`",
    about: "The call that takes back what a call of a create has made, if a later one fails.",
    own: &[],
    shared: CALL,
    later: &[],
};

const WHEN: Key = key("when", Kind::Expression, "Only then is the call made.");
const FOR: Key = key("for", Kind::Expression, "A list; the call is made once for each element of it.");
const AS: Key = key("as", Kind::Word, "The name of an element of `for`.");
const MAX: Key = key("max", Kind::Int(1, 10_000), "Elements of `for` at the most; beyond it no call is made.").default("1000");
const PARALLEL: Key = key("parallel", Kind::Int(1, 64), "Calls of `for` under way together.").default("1");
const THEN: Key = key("then", Kind::Either(&[PHASE, Kind::List(&PHASE)]), "Phases that follow, in order, where one call is not enough.");
const PHASE: Kind = Kind::Words(&["update", "members", "get"]);

pub(crate) static WRITE_RULE: Keys = Keys {
    title: "`[[resource.<Type>.write]]`",
    what: "a write rule",
    about: "A call of its own for some attributes.",
    own: &[
        key("attrs", Kind::List(&Kind::Text), "The attributes it is about.").required(),
        key("when", Kind::Expression, "When it applies, over `scim`, `old`, `native`, `id`, `changed`, `mapped` and `req`."),
        key("on", Kind::List(&Kind::Words(&["create", "update"])), "On which occasions.").default("[\"update\"]"),
        key("claims", Kind::Bool, "Whether the attributes are not sent by `update` as well.").default("true"),
        key("order", Kind::Words(&["before", "after"]), "Before or after `update`.").default("\"after\""),
        steps!(), FOR, AS, MAX, PARALLEL, undo!(),
    ],
    shared: CALL,
    later: &["then"],
};

pub(crate) static PLAN: Keys = Keys {
    title: "A plan of `filter`",
    what: "a filter plan",
    about: "A change to the list call, or with `call` a call of its own. Every answer is checked again.",
    own: &[
        key("paging", Kind::Table(&PAGING), "Replaces that of the list call."),
        key("case", Kind::Words(&["ignored"]), "The author's word that the application compares without case."),
    ],
    shared: CALL,
    later: &["index"],
};

pub(crate) static REST: Keys = Keys {
    title: "The plan of `'*'`",
    what: "the plan of '*'",
    about: "What filters without a plan do.",
    own: &[key("scan", Kind::Table(&SCAN), "Read all objects and compare here.").required()],
    shared: &[],
    later: &[],
};

pub(crate) static SCAN: Keys = Keys {
    title: "`scan`",
    what: "`scan`",
    about: "A filter answered by reading all objects.",
    own: &[key("max", Kind::Int(1, 10_000_000), "Objects read at the most; beyond it the answer is 400 `tooMany`.").required()],
    shared: &[],
    later: &["cache"],
};
