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
        key("exists", Kind::Table(&EXISTS), "What is done when the object of a create is there already."),
        key("put_omitted", Kind::Words(&["clear", "keep"]), "What becomes of attributes that a PUT leaves out (RFC 7644 section 3.5.1: `clear`).").default("\"clear\""),
        key("omit", Kind::Words(&["null", "absent", "empty", "keep"]), "How \"unassigned\" looks natively, for rows that do not say (`null` where changes are sent, `absent` where whole objects are)."),
        key("gone", Kind::Expression, "Objects that are treated as absent, over `native` and `id`."),
        key("guard", Kind::List(&Kind::Table(&GUARD)), "What must not be touched, or not be seen, one `[[resource.<Type>.guard]]` each."),
        key("off", Kind::Words(&["tombstone"]), "Switching off deletes and remembers; needs a store, which this version does not have (E107)."),
        key("deactivate", Kind::Words(&["tombstone"]), "The old spelling of `off`."),
        key("strip", Kind::List(&Kind::Path), "Native fields removed from an object, or from a list in it, before it is sent back whole.").default("[]"),
        key("whole", Kind::List(&Kind::Path), "Objects in an object that an update replaces: read, changed and sent as a whole.").default("[]"),
        key("part", Kind::Map("part", &Kind::Table(&PART)), "Documents of their own beside the object: `native.<name>`, and rows below `<name>`."),
        key("lock", Kind::Word, "A name: writes that read first, and changes of members, wait for one another among all types with this name, per backend and route variables."),
        key("version", EXTRACTED, "Where the native version is, for `ETag` and `If-Match`."),
    ],
    shared: &[],
    later: &["unmapped"],
};

/// A path, or a table with codecs; reading only.
pub(super) const EXTRACTED: Kind = Kind::Either(&[Kind::Path, Kind::Table(&EXTRACT)]);
const CODEC_CHAIN: Kind = Kind::Either(&[Kind::Codec, Kind::List(&Kind::Codec)]);

pub(crate) static EXISTS: Keys = Keys {
    title: "`[resource.<Type>.exists]`",
    what: "`exists`",
    about: "A look before every create, whether the object is there already.",
    own: &[
        key("match", Kind::Word, "The attribute that says that two are the same; a filter plan or a scan must find it. It is also how a create is looked for whose answer was lost.").required(),
        key("policy", Kind::Words(&["conflict", "adopt"]), "409, or bring the existing object to the state that is asked for; adopting takes `userName` or `externalId`.").default("\"conflict\""),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static GUARD: Keys = Keys {
    title: "`[[resource.<Type>.guard]]`",
    what: "a guard",
    about: "What must not be touched: a denied write is 403. What `read` denies is not seen either: absent from lists and totals, 404 by id, and still the holder of its name.",
    own: &[
        key("id", Kind::Word, "A name, by which a file that extends this one replaces or unsets the guard."),
        key("when", Kind::Expression, "Which objects or requests, over route variables, `id`, `native`, `old`, `req`, and for `create` and `update` also `scim`.").required(),
        key("deny", Kind::List(&Kind::Words(&["read", "create", "update", "delete", "members", "member"])), "What must not be done: `members` are those of a group, `member` is somebody's joining or leaving one; `read` is all of them.").required(),
        key("detail", Kind::Template, "What the administrator reads."),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static ID: Keys = Keys {
    title: "`id` of a resource",
    what: "`id`",
    about: "How SCIM ids and native keys relate.",
    own: &[
        key("native", Kind::Path, "Where the native key is.").default("\"id\""),
        key("kind", Kind::Words(&["string", "int"]), "Its type; a SCIM id that is no number is 404 with `int`.").default("\"string\""),
        key("derive", Kind::Template, "The key of a new object, made of its attributes."),
        key("collision", Kind::Words(&["native", "reject", "reuse"]), "If a derived key is taken: let the application answer, look first and refuse, or answer with the holder.").default("\"native\""),
        key("mutable", Kind::Words(&["keep", "reject", "pin"]), "What a rename does: the key stays, or the attribute cannot change; `pin` needs a store, which this version does not have (E107).").default("\"keep\""),
        key("pattern", Kind::Pattern, "What a key looks like; any other id is 404 without a call."),
        key("join", Kind::List(&Kind::Path), "Two to four native fields that make the key together; `{id.<name>}` is one of them. Needs `encode`."),
        key("encode", Kind::Words(&["b64url"]), "The SCIM id is the base64url text of the key, which may hold anything."),
        key("born", Kind::Path, "A field that tells the owners of one id apart; needs a store, which this version does not have (E107)."),
    ],
    shared: &[],
    later: &[],
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
        key("pattern", Kind::Pattern, "What a value must look like; any other is refused before anything is sent. What the application has is shown whatever it looks like."),
        key("read", Kind::Expression, "The SCIM value, computed from `native` and `id`."),
        key("write", Kind::Expression, "The native value, computed from `scim` and `native`; goes to `native`."),
        key("access", Kind::Words(&["both", "read", "write", "create", "mirror"]), "Both ways, only read, only written (never returned), set once, or a second attribute over the same value."),
        key("on", Kind::List(&Kind::Words(&["create", "update"])), "When the row is sent.").default("[\"create\", \"update\"]"),
        key("default", Kind::Template, "Fills what the client leaves out when it creates; `{password(24)}` makes up a secret, for `access = \"write\"`."),
        key("omit", Kind::Words(&["null", "absent", "empty", "keep"]), "How \"unassigned\" looks natively; `keep`: there is no such state."),
        key("required", Kind::Bool, "Shown in `/Schemas`."),
        key("unique", Kind::Bool, "Shown in `/Schemas`."),
        key("case", Kind::Words(&["exact", "ignore"]), "Whether comparisons regard case; shown in `/Schemas`."),
        key("lossy", Kind::Word, "Why it does not matter that a value does not survive a round trip."),
        key("mirror", Kind::Word, "The row that this one mirrors."),
        key("store", Kind::Bool, "The adapter keeps the value itself; `true` needs a store, which this version does not have (E107)."),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static ELSE: Keys = Keys {
    title: "`else` of a row",
    what: "`else`",
    about: "What stands for values that are not in `map`.",
    own: &[
        key("read", Kind::Literal, "SCIM value for every other native one, null and an absent field among them."),
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
    key("call", Kind::Call, "Method, path below the backend's URL, and perhaps a query; without it the backend's."),
    key("query", Kind::Map("parameter", &Kind::Template), "Parameters added to the query; the same name replaces.").default("{}"),
    key("headers", Kind::Map("header", &Kind::Template), "Headers of this call.").default("{}"),
    key("body", Kind::Body, "The body, or `\"none\"`; `\"...\" = \"mapped\"` or `\"changed\"` spreads rows."),
    key("ok", Kind::Expression, "What success is; without it the backend's."),
    key("also_ok", Kind::List(&Kind::Either(&[Kind::Int(100, 599), Kind::Expression])), "Replies that are successes besides: a status or an expression.").default("[]"),
    key("envelope", Kind::Table(&ENVELOPE), "Laid over that of resource and backend, key by key."),
    key("save", Kind::Map("name", &EXTRACTED), "Values of the whole reply to keep; `id` is the id of a new object.").default("{}"),
    key("idempotent", Kind::Bool, "Whether it may be repeated; by default reads, PUT and DELETE."),
];

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
        key("delete", Kind::Either(&[Kind::Call, Kind::Words(&["reject", "off"]), Kind::Table(&DELETE_CALL)]), "An object removed; `\"off\"` writes `active: false` instead, the way a change of `active` is sent."),
        key("revive", Kind::Either(&[Kind::Call, Kind::Table(&REVIVE_CALL)]), "Brings back what is `gone` when the same is created again, and then to the state that is asked for."),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static LIST_CALL: Keys = Keys {
    title: "`ops.list`",
    what: "`ops.list`",
    about: "The call that lists all objects.",
    own: &[
        key("paging", Kind::Table(&PAGING), "Replaces that of resource and backend."),
        LACKS,
        LACKS_PARALLEL,
    ],
    shared: CALL,
    later: &[],
};

pub(crate) static PART: Keys = Keys {
    title: "`[resource.<Type>.part]`",
    what: "a part",
    about: "A document of its own, read where something of it is needed, and written behind the object.",
    own: &[
        key("get", Kind::Either(&[Kind::Call, Kind::Table(&READ_CALL)]), "The call that reads it, as one object; the whole reply, unless its `envelope` says `item`."),
        key("list", Kind::Either(&[Kind::Call, Kind::Table(&PART_LIST)]), "The call that reads it, as a list with all its pages."),
        key("update", Kind::Either(&[Kind::Call, Kind::Table(&WRITE_CALL)]), "Sends what changed of it, after the object's own calls; without it rules or bodies send its rows."),
        key("parallel", Kind::Int(1, 64), "Parts under way together.").default("4"),
        key("max", Kind::Int(1, 10_000), "Resources of a page at the most, where the part is read for each of them.").default("200"),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static PART_LIST: Keys = Keys {
    title: "`list` of a part",
    what: "the list of a part",
    about: "The call that lists what belongs to one object; its envelope starts from the backend's.",
    own: &[key("paging", Kind::Table(&PAGING), "Replaces the backend's.")],
    shared: CALL,
    later: &[],
};

pub(crate) static READ_CALL: Keys = Keys {
    title: "`ops.get`",
    what: "`ops.get`",
    about: "The call that reads one object.",
    own: &[],
    shared: CALL,
    later: &[],
};

pub(crate) static CREATE_CALL: Keys = Keys {
    title: "`ops.create`",
    what: "`ops.create`",
    about: "The call that makes an object, and what follows it.",
    own: &[
        STEPS,
        UNDO_KEY,
        key("then", Kind::Either(&[PHASE, Kind::List(&PHASE)]), "The order of the phases that follow: rows that were not sent, members, a last read."),
    ],
    shared: CALL,
    later: &[],
};

pub(crate) static WRITE_CALL: Keys = Keys {
    title: "`ops.replace` and `ops.update`",
    what: "a call",
    about: "A call that writes an object, and what follows it.",
    own: &[
        STEPS,
        WHEN,
        FOR,
        AS,
        EACH_MAX,
        EACH_PARALLEL,
        UNDO_KEY,
        key("then", Kind::Either(&[PHASE, Kind::List(&PHASE)]), "`get`: read the object, whatever the reply shows."),
    ],
    shared: CALL,
    later: &[],
};

pub(crate) static DELETE_CALL: Keys = Keys {
    title: "`ops.delete`",
    what: "`ops.delete`",
    about: "The call that removes an object, and what follows it.",
    own: &[
        STEPS,
        WHEN,
        FOR,
        AS,
        EACH_MAX,
        EACH_PARALLEL,
        UNDO_KEY,
        key("set", Kind::Map("native path", &Kind::Literal), "Instead of a call: native fields that `update` sends, or `replace` with the rest of the object."),
    ],
    shared: CALL,
    later: &[],
};

pub(crate) static REVIVE_CALL: Keys = Keys {
    title: "`ops.revive`",
    what: "`ops.revive`",
    about: "The call that brings a gone object back, and what follows it.",
    own: &[
        STEPS,
        WHEN,
        FOR,
        AS,
        EACH_MAX,
        EACH_PARALLEL,
        key("set", Kind::Map("native path", &Kind::Literal), "Instead of a call: native fields that `update` sends, or `replace` with the rest of the object."),
    ],
    shared: CALL,
    later: &[],
};

pub(crate) static STEP: Keys = Keys {
    title: "A step of `steps`",
    what: "a step",
    about: "A call that may depend on a condition, be made for every element of a list, and use what earlier steps saved.",
    own: &[
        key("id", Kind::Word, "The name by which later steps find what it saves: `steps.<id>.<name>`."),
        key("paging", Kind::Table(&PAGING), "Reads the list of the reply to its end, at most `limits.members_max` items, before anything is saved; `style = \"none\"` where one reply is enough. Needed where the backend pages its lists."),
        WHEN,
        FOR,
        AS,
        EACH_MAX,
        EACH_PARALLEL,
        UNDO_KEY,
    ],
    shared: CALL,
    later: &[],
};

pub(crate) static UNDO: Keys = Keys {
    title: "`undo`",
    what: "`undo`",
    about: "A call that takes another one back.",
    own: &[],
    shared: CALL,
    later: &[],
};

// What lists have in common.
const LACKS: Key = key("lacks", Kind::List(&Kind::Path), "Native fields that the items leave out: where one is needed, each item is completed by `get`; an item that is 404 there has gone meanwhile. A plan that changes the list call lacks what the list lacks.");
const LACKS_PARALLEL: Key = key("parallel", Kind::Int(1, 64), "With `lacks`: items completed together.").default("8");

// What slots for more than one call have in common.
static STEP_TABLE: Kind = Kind::Table(&STEP);
static UNDO_FORMS: [Kind; 2] = [Kind::Call, Kind::Table(&UNDO)];
pub(super) const STEPS: Key = key("steps", Kind::List(&STEP_TABLE), "Calls behind its own; a table of nothing but `steps` has no call of its own.");
pub(super) const WHEN: Key = key("when", Kind::Expression, "The call is made only if this holds.");
pub(super) const FOR: Key = key("for", Kind::Expression, "The call is made once for every element of this list.");
pub(super) const AS: Key = key("as", Kind::Word, "What an element is called in the call.");
pub(super) const EACH_MAX: Key = key("max", Kind::Int(1, 10_000), "Elements that `for` may have.").default("1000");
pub(super) const EACH_PARALLEL: Key = key("parallel", Kind::Int(1, 64), "Calls of `for` under way together.").default("1");
const UNDO_KEY: Key = key("undo", Kind::Either(&UNDO_FORMS), "On a create: takes the call back when something behind it fails.");
const PHASE: Kind = Kind::Words(&["update", "members", "get"]);

pub(crate) static WRITE_RULE: Keys = Keys {
    title: "`[[resource.<Type>.write]]`",
    what: "a write rule",
    about: "A call of its own for some attributes.",
    own: &[
        key("id", Kind::Word, "A name, by which a file that extends this one replaces or unsets the rule."),
        key("attrs", Kind::List(&Kind::Text), "The attributes it is about.").required(),
        key("when", Kind::Expression, "When it applies, over `scim`, `old`, `native`, `id`, `changed`, `mapped` and `req`."),
        key("on", Kind::List(&Kind::Words(&["create", "update"])), "On which occasions.").default("[\"update\"]"),
        key("claims", Kind::Bool, "Whether the attributes are not sent by `update` as well.").default("true"),
        key("order", Kind::Words(&["before", "after"]), "Before or after `update`; without it after, but before if the rule claims nothing."),
        STEPS,
        FOR,
        AS,
        EACH_MAX,
        EACH_PARALLEL,
        UNDO_KEY,
    ],
    shared: CALL,
    later: &[],
};

pub(crate) static PLAN: Keys = Keys {
    title: "A plan of `filter`",
    what: "a filter plan",
    about: "A change to the list call, or with `call` a call of its own. Every answer is checked again.",
    own: &[
        key("paging", Kind::Table(&PAGING), "Replaces that of the list call."),
        key("case", Kind::Words(&["ignored"]), "The author's word that the application compares without case."),
        LACKS,
        LACKS_PARALLEL,
    ],
    shared: CALL,
    later: &[],
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
    own: &[key("max", Kind::Int(1, 10_000_000), "Objects read at the most; beyond it the answer is 400 `tooMany`.").required(),
        key("cache", Kind::Duration, "How long what was read may serve again, unless something is written through the adapter.")],
    shared: &[],
    later: &[],
};
