//! Configurations of tests, part by part: what stands around every mapping is written here once.

use std::fmt::Write as _;

/// A configuration with one backend, one route and users who have a name. Each part may say something else.
#[derive(Clone)]
pub(crate) struct Config {
    extends: &'static str,
    auth: &'static str,
    backend: &'static str,
    url: String,
    backend_keys: String,
    route_keys: String,
    user: String,
    more: String,
}

/// Users by `preset:rest@1`, for whom a token is asked.
pub(crate) fn people() -> Config {
    Config {
        extends: "extends = [\"preset:rest@1\"]",
        auth: "[auth.idp]\nkind = \"bearer\"\ntokens = [\"env:SCIM_TOKEN\"]",
        backend: "app",
        url: "http://127.0.0.1:1/api".to_owned(),
        backend_keys: String::new(),
        route_keys: "path = \"/scim/v2\"".to_owned(),
        user: "path = \"/users\"\nattrs = { userName = \"login\" }".to_owned(),
        more: String::new(),
    }
}

impl Config {
    /// No preset says which calls there are.
    pub(crate) fn without_preset(self) -> Self {
        Self { extends: "", ..self }
    }

    /// Everybody may come in.
    pub(crate) fn open(self) -> Self {
        Self { auth: "[auth.idp]\nkind = \"none\"", ..self }
    }

    /// What the backend is called.
    pub(crate) fn backend_name(self, name: &'static str) -> Self {
        Self { backend: name, ..self }
    }

    /// Where it is.
    pub(crate) fn at(self, url: impl Into<String>) -> Self {
        Self { url: url.into(), ..self }
    }

    /// More keys of the backend, and tables below it.
    pub(crate) fn backend(mut self, keys: &str) -> Self {
        let _ = writeln!(self.backend_keys, "{keys}");
        self
    }

    /// The keys of the route, but for its `auth`.
    pub(crate) fn route(self, keys: &str) -> Self {
        Self { route_keys: keys.to_owned(), ..self }
    }

    /// What stands in `[resource.User]`, and tables below it.
    pub(crate) fn user(self, keys: &str) -> Self {
        Self { user: keys.to_owned(), ..self }
    }

    /// Whatever else there is.
    pub(crate) fn and(mut self, tables: &str) -> Self {
        let _ = writeln!(self.more, "{tables}");
        self
    }

    /// The file.
    pub(crate) fn text(&self) -> String {
        let Self { extends, auth, backend, url, backend_keys, route_keys, user, more } = self;
        format!(
            "version = 1\n{extends}\n{auth}\n[backend.{backend}]\nurl = \"{url}\"\n{backend_keys}\n\
             [[route]]\n{route_keys}\nauth = \"idp\"\n[resource.User]\n{user}\n{more}"
        )
    }
}
