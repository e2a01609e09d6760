//! The smallest configuration that works, for tests of what is made of configurations.

/// Who may come in, the application, and a base URL.
pub(crate) const AROUND: &str = "\
[auth.idp]
kind = 'bearer'
tokens = ['env:SCIM_TOKEN']
[backend.app]
url = 'http://127.0.0.1:3000/api'
[[route]]
path = '/scim/v2'
auth = 'idp'
";

/// With users who have a name and a title; `rules` stand behind the backend.
pub(crate) fn people(rules: &str) -> String {
    let around = AROUND.replace("[[route]]", &format!("{rules}[[route]]"));
    format!(
        "version = 1\nextends = ['preset:rest@1']\n{around}[resource.User]\npath = '/users'\n\
         [resource.User.attrs]\nuserName = 'login'\ntitle = 'job'\n"
    )
}
