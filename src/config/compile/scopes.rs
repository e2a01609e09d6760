//! Which names the expressions and templates of each key see: what the compiler checks them against, and what the
//! reference says.

use crate::expr::Name;

/// Names and what they stand for.
pub(super) type Names = &'static [(&'static str, Name)];

pub(super) const REPLY: Names = &[("status", Name::Status), ("headers", Name::Headers), ("body", Name::Body)];
pub(super) const READ: Names = &[("native", Name::Native), ("id", Name::Id)];
pub(super) const WRITE: Names = &[("scim", Name::Scim), ("native", Name::Native)];
pub(super) const SCIM: Names = &[("scim", Name::Scim)];
pub(super) const REQUEST: Names = &[("req", Name::Req)];
pub(super) const BY_ID: Names = &[("id", Name::Id), ("req", Name::Req)];
pub(super) const CREATE: Names = &[("scim", Name::Scim), ("mapped", Name::Mapped), ("req", Name::Req)];
pub(super) const CREATE_BY_ID: Names =
    &[("id", Name::Id), ("scim", Name::Scim), ("mapped", Name::Mapped), ("req", Name::Req)];
pub(super) const WRITE_CALL: Names = &[
    ("id", Name::Id),
    ("scim", Name::Scim),
    ("old", Name::Old),
    ("native", Name::Native),
    ("mapped", Name::Mapped),
    ("changed", Name::Changed),
    ("req", Name::Req),
];
pub(super) const REVIVAL: Names =
    &[("id", Name::Id), ("scim", Name::Scim), ("native", Name::Native), ("mapped", Name::Mapped), ("req", Name::Req)];
pub(super) const REMOVAL: Names = &[("id", Name::Id), ("old", Name::Old), ("native", Name::Native), ("req", Name::Req)];
pub(super) const MEMBER: Names = &[("id", Name::Id), ("member", Name::Member), ("req", Name::Req)];
pub(super) const MEMBER_ONLY: Names = &[("member", Name::Member)];
pub(super) const BATCH: Names = &[("id", Name::Id), ("batch", Name::Batch), ("req", Name::Req)];
pub(super) const BATCH_ONLY: Names = &[("batch", Name::Batch), ("req", Name::Req)];
pub(super) const VALUE: Names = &[("value", Name::Value)];
pub(super) const GUARD: Names =
    &[("id", Name::Id), ("native", Name::Native), ("scim", Name::Scim), ("old", Name::Old), ("req", Name::Req)];
pub(super) const LOGIN: Names = &[("login", Name::Login)];
pub(super) const NO_NAMES: Names = &[];

/// What the expressions of some keys see.
pub(crate) struct Seen {
    /// The keys.
    pub(crate) keys: &'static str,
    /// Names of the language.
    names: Names,
    /// Whether route variables are seen as well.
    pub(crate) variables: bool,
    /// Whether `table` is seen as well, where the backend has tables.
    pub(crate) tables: bool,
    /// Part of a configuration in which `NAME` is such a place; before it stands [`tests::AROUND`].
    #[cfg(test)]
    probe: &'static str,
}

impl Seen {
    /// Names of the language.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.names.iter().map(|(name, _)| *name)
    }
}

macro_rules! seen {
    ($keys:literal, $names:expr, variables: $variables:literal, tables: $tables:literal, $probe:literal) => {
        Seen {
            keys: $keys,
            names: $names,
            variables: $variables,
            tables: $tables,
            #[cfg(test)]
            probe: $probe,
        }
    };
}

/// Every kind of place.
pub(crate) const SEEN: &[Seen] = &[
    seen!("`ok`, `also_ok`", REPLY, variables: false, tables: false,
        "backend.app.ok = 'NAME == 1'"),
    seen!("`expired` of a credential", REPLY, variables: false, tables: false,
        "backend.app.auth = { kind = 'bearer', token = 'env:T', expired = 'NAME == 1' }"),
    seen!("`when` of an error rule", REPLY, variables: false, tables: false,
        "backend.app.error = [{ when = 'NAME == 1', scim = { status = 400 } }]"),
    seen!("`detail` of an error rule", REPLY, variables: true, tables: false,
        "backend.app.error = [{ when = 'status == 409', scim = { status = 400, detail = '{NAME}' } }]"),
    seen!("`call`, `query`, `headers`, `body` of a backend", REQUEST, variables: true, tables: false,
        "backend.app.headers = { X-A = '{NAME}' }"),
    seen!("the call of a table", REQUEST, variables: true, tables: false,
        "backend.app.table.other = { call = 'GET /a?b={NAME}', key = 'id' }"),
    seen!("`login` of a session", NO_NAMES, variables: true, tables: false,
        "backend.app.auth = { kind = 'session', login = { call = 'POST /l?b={NAME}', save = { t = 't' } }, send = { header = 'X-A' } }"),
    seen!("`value` of a session", LOGIN, variables: false, tables: false,
        "backend.app.auth = { kind = 'session', login = { call = 'POST /l', save = { t = 't' } }, send = { header = 'X-A', value = '{NAME}' } }"),
    seen!("`id.derive`, `default` of a row", SCIM, variables: true, tables: false,
        "resource.User.attrs.title = { native = 't', default = '{NAME}' }"),
    seen!("`read` of a row, `gone`", READ, variables: true, tables: false,
        "resource.User.gone = 'NAME == 1'"),
    seen!("`write` of a row", WRITE, variables: true, tables: false,
        "resource.User.attrs.title = { native = 't', read = 'native.t', write = 'NAME' }"),
    seen!("`when` and `detail` of a guard", GUARD, variables: true, tables: true,
        "resource.User.guard = [{ when = 'NAME == 1', deny = ['update'] }]"),
    seen!("`ops.list`", REQUEST, variables: true, tables: true,
        "resource.User.ops.list = 'GET /users?a={NAME}'"),
    seen!("`ops.get`, calls of a part, `members.list`, `members.inverse`", BY_ID, variables: true, tables: true,
        "resource.User.ops.get = 'GET /users/{id}?a={NAME}'"),
    seen!("plans of `filter`", VALUE, variables: true, tables: false,
        "resource.User.filter = { 'userName eq' = '?login={value}&a={NAME}' }"),
    seen!("`ops.create`", CREATE, variables: true, tables: true,
        "resource.User.ops.create = 'POST /users?a={NAME}'"),
    seen!("`ops.create` where the key is derived, its steps and `undo`", CREATE_BY_ID, variables: true, tables: true,
        "resource.User.ops.create = { call = 'POST /users', undo = 'DELETE /users/{NAME}' }"),
    seen!("`ops.update`, `ops.replace`, `update` of a part, write rules", WRITE_CALL, variables: true, tables: true,
        "resource.User.ops.update = 'PATCH /users/{id}?a={NAME}'"),
    seen!("`ops.delete`", REMOVAL, variables: true, tables: true,
        "resource.User.ops.delete = 'DELETE /users/{id}?a={NAME}'"),
    seen!("`ops.revive`", REVIVAL, variables: true, tables: true,
        "resource.User.gone = 'native.gone'\nresource.User.ops.revive = 'POST /users/{id}?a={NAME}'"),
    seen!("`members.add`, `members.remove`", MEMBER, variables: true, tables: true,
        "resource.Group.members = { of = 'User', native = 'm', add = 'POST /g/{id}/{member.id}?a={NAME}', remove = 'DELETE /g/{id}/{member.id}' }"),
    seen!("the same with `batch`, `members.set`", BATCH, variables: true, tables: true,
        "resource.Group.members = { of = 'User', native = 'm', set = { call = 'PUT /g/{id}?a={NAME}', body = '{batch}' } }"),
    seen!("`in` of a member call", BATCH_ONLY, variables: true, tables: true,
        "resource.Group.members = { of = 'User', native = 'm', add = { call = 'POST /g/{id}/{member.scim.userName}', in = 'GET /users?a={batch}&b={NAME}' }, remove = 'DELETE /g/{id}/{member.id}' }"),
    seen!("`create` of `missing`", MEMBER_ONLY, variables: true, tables: false,
        "resource.Group.members = { of = 'User', native = 'm', add = 'POST /g/{id}/{member.id}', remove = 'DELETE /g/{id}/{member.id}', missing = { policy = 'create', create = { userName = '{NAME}' } } }"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::config::{Source, compile};

    /// What every probe is laid over.
    const AROUND: &str = "
version = 1
extends = ['preset:rest@1']
auth.idp = { kind = 'none' }
backend.app.url = 'http://127.0.0.1:1'
backend.app.table.plan = { call = 'GET /plans', key = 'id' }
route = [{ path = '/scim/{tenant}', auth = 'idp' }]
resource.User.path = '/users'
resource.User.attrs.userName = 'login'
resource.User.attrs.nickName = { native = 'plan', codec = { table = 'plan' } }
resource.Group.path = '/groups'
resource.Group.attrs.displayName = 'name'
";

    /// The names that the compiler lists when it meets one that is not there.
    fn said(probe: &str) -> BTreeSet<String> {
        let text = format!("{AROUND}{}\n", probe.replace("NAME", "nothing"));
        let findings = compile(Source { name: Arc::from("config.toml"), text: text.clone() });
        let findings = findings.err().unwrap_or_else(|| panic!("a name that is not there is accepted:\n{text}"));
        let unknown = findings.iter().find(|finding| finding.message.starts_with("unknown name `nothing`; "));
        let unknown = unknown.unwrap_or_else(|| panic!("{}\n{text}", crate::config::render(&findings)));
        let list = unknown.message.split_once("here there are ").map_or("", |(_, list)| list);
        list.split(", ").filter(|name| !name.is_empty()).map(|name| name.trim_matches('`').to_owned()).collect()
    }

    #[test]
    fn the_reference_lists_what_the_compiler_knows() {
        for seen in SEEN {
            let variables = seen.variables.then_some("tenant");
            let tables = seen.tables.then_some("table");
            let listed = seen.names().chain(variables).chain(tables).map(str::to_owned).collect::<BTreeSet<_>>();
            assert_eq!(said(seen.probe), listed, "{}", seen.keys);
        }
    }
}
