//! Membership.

use super::resource::{AS, CALL, EACH_MAX, EACH_PARALLEL, EXTRACTED, FOR, STEPS, WHEN};
use super::{Keys, Kind, PAGING, key};

pub(crate) static MEMBERS: Keys = Keys {
    title: "`[resource.<Type>.members]`",
    what: "`members`",
    about: "The membership of a group: where it is read, and the calls that change it.",
    own: &[
        key("of", Kind::Name("resource"), "The type of the members.").required(),
        key("native", Kind::Path, "The list of members in the document of the group."),
        key("list", Kind::Either(&[Kind::Call, Kind::Table(&MEMBER_LIST)]), "The call that lists the members."),
        key("value", EXTRACTED, "The member's id in an item.").default("\"\""),
        key("display", EXTRACTED, "The member's name in an item."),
        key("add", Kind::Either(&[Kind::Call, Kind::Table(&CHANGE)]), "One call a member (`{member.id}`), or a `batch`."),
        key("remove", Kind::Either(&[Kind::Call, Kind::Table(&CHANGE)]), "One call a member (`{member.id}`), or a `batch`."),
        key("set", Kind::Either(&[Kind::Call, Kind::Table(&SET)]), "The whole new list at once (`{batch}`)."),
        key("missing", Kind::Either(&[Kind::Words(&["reject", "ignore"]), Kind::Table(&MISSING)]), "What becomes of members that the application does not know.").default("\"reject\""),
        key("allow_clear", Kind::Bool, "Whether `remove members` without saying which may empty a group.").default("false"),
        key("diff", Kind::Words(&["needed", "always"]), "Whether the current members are read before every change.").default("\"needed\""),
        key("parallel", Kind::Int(1, 64), "Calls under way together.").default("4"),
        key("max", Kind::Int(1, 1_000_000), "Members of one group that are read, or named in one request, at the most; by default `limits.members_max`."),
        key("exclusive", Kind::Words(&["move", "refuse"]), "Where nobody can be in two groups: whether joining one may end the membership of another. Needs `inverse`."),
        key("inverse", Kind::Table(&INVERSE), "`groups` of a member, from the other side."),
    ],
    shared: &[],
    later: &["nested"],
};

pub(crate) static MEMBER_LIST: Keys = Keys {
    title: "`members.list`",
    what: "`members.list`",
    about: "The call that lists the members of a group; its envelope starts from the backend's.",
    own: &[
        key("paging", Kind::Table(&PAGING), "Replaces the backend's."),
        key("value", EXTRACTED, "The member's id in an item."),
        key("display", EXTRACTED, "The member's name in an item."),
        key("lacks", Kind::List(&Kind::Path), "What `display` reads and the items leave out: it is taken from the member's own object, read by its `get`; a member that is 404 there has gone meanwhile."),
    ],
    shared: CALL,
    later: &[],
};

pub(crate) static CHANGE: Keys = Keys {
    title: "`members.add` and `members.remove`",
    what: "a member call",
    about: "A call that changes membership.",
    own: &[
        key("batch", Kind::Int(1, 10_000), "Members in one call, as `{batch}`; without it one member a call."),
        key("in", Kind::Either(&[Kind::Call, Kind::Table(&MEMBERS_IN)]), "Reads the objects of several members at once, as `{batch}`, where the call needs them; without it one by one."),
        STEPS,
        WHEN,
        FOR,
        AS,
        EACH_MAX,
        EACH_PARALLEL,
    ],
    shared: CALL,
    later: &[],
};

pub(crate) static MEMBERS_IN: Keys = Keys {
    title: "`in` of a member call",
    what: "`in`",
    about: "The call that reads the objects of several members; its envelope starts from the backend's.",
    own: &[
        key("batch", Kind::Int(1, 1000), "Members in one call.").default("100"),
        key("paging", Kind::Table(&PAGING), "Replaces the backend's."),
    ],
    shared: CALL,
    later: &[],
};

pub(crate) static SET: Keys = Keys {
    title: "`members.set`",
    what: "`members.set`",
    about: "A call that replaces the whole membership.",
    own: &[STEPS, WHEN, FOR, AS, EACH_MAX, EACH_PARALLEL],
    shared: CALL,
    later: &[],
};

pub(crate) static MISSING: Keys = Keys {
    title: "`members.missing`",
    what: "`members.missing`",
    about: "How an unknown member shows, and what becomes of it.",
    own: &[
        key("when", Kind::Expression, "Which reply says so.").default("\"status == 404\""),
        key("policy", Kind::Words(&["reject", "ignore", "create"]), "Refuse, go on without it, or create it and try once more.").default("\"reject\""),
        key("create", Kind::Map("SCIM attribute", &Kind::Template), "The attributes of the member to create."),
    ],
    shared: &[],
    later: &[],
};

pub(crate) static INVERSE: Keys = Keys {
    title: "`members.inverse`",
    what: "`members.inverse`",
    about: "`groups` of a member: in its own document (`native`), or behind a call.",
    own: &[
        key("native", Kind::Path, "The list of groups in the document of the member."),
        key("value", EXTRACTED, "The group's id in an item.").default("\"\""),
        key("display", EXTRACTED, "The group's name in an item."),
        key("paging", Kind::Table(&PAGING), "Replaces the backend's, for a call."),
        key("returned", Kind::Words(&["default", "request"]), "Always, or only when asked for by name; by default `request` for a call."),
    ],
    shared: CALL,
    later: &[],
};
