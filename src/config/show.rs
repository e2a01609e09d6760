//! The configuration as it is after everything that it extends has been laid under it: one file, valid TOML.
//!
//! In: the file. Out: a text that compiles to the same snapshot, or what is wrong with the file. Secrets stay
//! references; one that stands in the file itself is masked.

use std::fmt::Write as _;

use super::compile::{compile_with, document};
use super::diagnostic::Diagnostic;
use super::layers::Fetch;
use super::tree::{Data, Entry, Node, Place, Source, Table};

/// Whether each line says where its value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Values alone.
    Hidden,
    /// A comment with file and line.
    Shown,
}

/// The merged configuration.
///
/// # Errors
///
/// As [`compile`](super::compile()): what is wrong cannot be shown as a configuration.
pub fn show(source: Source, fetch: Fetch<'_>, origins: Origins) -> Result<String, Vec<Diagnostic>> {
    compile_with(source.clone(), fetch)?;
    let (cx, root) = document(source, fetch);
    let origin = |place: &Place| cx.origin(place).to_string();
    let mut page = Page { text: String::new(), origin: &origin, origins };
    page.table("", &root, 0);
    Ok(page.text)
}

struct Page<'o> {
    text: String,
    origin: &'o dyn Fn(&Place) -> String,
    origins: Origins,
}

impl Page<'_> {
    /// Values first, then what has a heading of its own.
    fn table(&mut self, path: &str, table: &Table, depth: usize) {
        let shown = |entry: &&Entry| !(depth == 0 && matches!(entry.name.as_str(), "extends" | "unset"));
        for entry in table.entries.iter().filter(shown).filter(|entry| !has_heading(entry, depth)) {
            let line = format!("{} = {}", key(&entry.name), inline(&entry.value, is_secret_key(&entry.name)));
            self.line(&line, &entry.value);
        }
        for entry in table.entries.iter().filter(shown).filter(|entry| has_heading(entry, depth)) {
            let path = if path.is_empty() { key(&entry.name) } else { format!("{path}.{}", key(&entry.name)) };
            match &entry.value.data {
                Data::Table(inner) if depth == 0 && path == "defaults" => {
                    // What it says about backends stands with each of them.
                    let kept = inner.entries.iter().filter(|entry| entry.name != "backend").cloned().collect();
                    self.heading(&format!("[{path}]"));
                    self.table(&path, &Table { entries: kept }, depth + 1);
                }
                Data::Table(inner) => {
                    // A table that holds others only needs no line of its own.
                    if inner.entries.is_empty() || inner.entries.iter().any(|inner| !has_heading(inner, depth + 1)) {
                        self.heading(&format!("[{path}]"));
                    }
                    self.table(&path, inner, depth + 1);
                }
                Data::List(items) => {
                    for item in items {
                        self.heading(&format!("[[{path}]]"));
                        if let Data::Table(inner) = &item.data {
                            self.table(&path, inner, INLINE_BELOW);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn heading(&mut self, heading: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{}{heading}", if self.text.is_empty() { "" } else { "\n" });
    }

    fn line(&mut self, line: &str, value: &Node) {
        if self.origins == Origins::Hidden {
            let _ = writeln!(self.text, "{line}");
            return;
        }
        let mut origins = Vec::new();
        collect(value, self.origin, &mut origins);
        let _ = writeln!(self.text, "{line:<60}  # {}", origins.join(", "));
    }
}

/// The origins of everything in a value that is written on one line.
fn collect(node: &Node, origin: &dyn Fn(&Place) -> String, found: &mut Vec<String>) {
    let inner: Vec<&Node> = match &node.data {
        Data::Table(table) => table.entries.iter().map(|entry| &entry.value).collect(),
        Data::List(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    for node in &inner {
        collect(node, origin, found);
    }
    let own = origin(&node.place);
    if inner.is_empty() && !found.contains(&own) {
        found.push(own);
    }
}

/// `[server]`, `[backend.app]`, `[resource.User.attrs]`, `[[route]]`, `[[resource.User.write]]`.
fn has_heading(entry: &Entry, depth: usize) -> bool {
    match &entry.value.data {
        Data::Table(table) => match depth {
            0 => true,
            1 => entry.name != "id",
            2 => table.entries.len() > 2 && matches!(entry.name.as_str(), "attrs" | "ops" | "filter" | "members"),
            _ => false,
        },
        Data::List(items) => {
            depth < INLINE_BELOW && !items.is_empty() && items.iter().all(|item| matches!(item.data, Data::Table(_)))
        }
        _ => false,
    }
}

fn inline(node: &Node, secret: bool) -> String {
    match &node.data {
        Data::Text(text) if secret && text.starts_with("plain:") => quoted("plain:***"),
        Data::Text(text) => quoted(text),
        Data::Int(number) => number.to_string(),
        Data::Float(number) => toml::Value::Float(*number).to_string(),
        Data::Bool(value) => value.to_string(),
        Data::List(items) => {
            format!("[{}]", items.iter().map(|item| inline(item, secret)).collect::<Vec<_>>().join(", "))
        }
        Data::Table(table) if table.entries.is_empty() => "{}".to_owned(),
        Data::Table(table) => {
            let show =
                |entry: &Entry| format!("{} = {}", key(&entry.name), inline(&entry.value, is_secret_key(&entry.name)));
            format!("{{ {} }}", table.entries.iter().map(show).collect::<Vec<_>>().join(", "))
        }
        // Neither is left in what has been checked.
        Data::Date | Data::Broken => "\"\"".to_owned(),
    }
}

/// Keys whose text may be a secret, and the elements of such lists.
fn is_secret_key(name: &str) -> bool {
    matches!(name, "token" | "tokens" | "password" | "secret" | "client_secret" | "key" | "users")
}

fn key(name: &str) -> String {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if plain { name.to_owned() } else { quoted(name) }
}

/// Literal where that is easier to read.
fn quoted(text: &str) -> String {
    if text.contains(['"', '\\']) && !text.contains('\'') && !text.chars().any(char::is_control) {
        format!("'{text}'")
    } else {
        toml::Value::String(text.to_owned()).to_string()
    }
}

/// Deeper than any table with a heading.
const INLINE_BELOW: usize = 3;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use regex::Regex;

    use super::*;
    use crate::config::compile::compile;

    fn source(text: &str) -> Source {
        Source { name: "config.toml".into(), text: text.to_owned() }
    }

    /// A snapshot without the places that its parts come from.
    fn plan(text: &str) -> String {
        let mut snapshot =
            compile(source(text)).unwrap_or_else(|findings| panic!("{}", super::super::render(&findings)));
        snapshot.hash.clear();
        snapshot.warnings.clear();
        let places = Regex::new(r#"Origin \{ source: "[^"]*", line: \d+ \}"#).unwrap();
        places.replace_all(&format!("{snapshot:?}"), "_").into_owned()
    }

    /// What is shown is the same configuration, whatever it was made of.
    #[test]
    fn what_is_shown_loads_again_to_the_same_plan() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut paths = vec![root.join("config.toml"), root.join("deploy/examples/jupyterhub/config.toml")];
        for folder in ["tests/config/good", "tests/plans/config"] {
            paths.extend(std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()));
        }
        let mut seen = 0;
        for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "toml")) {
            let text = std::fs::read_to_string(path).unwrap();
            for origins in [Origins::Hidden, Origins::Shown] {
                let shown = show(source(&text), &|_| Err(String::new()), origins).unwrap();
                assert!(!shown.contains("extends = ["), "{shown}");
                let (before, after) = (plan(&text), plan(&shown));
                let same = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
                let around =
                    |text: &str| text.get(same.saturating_sub(60)..(same + 60).min(text.len())).map(str::to_owned);
                assert!(before == after, "{}\n{:?}\n{:?}", path.display(), around(&before), around(&after));
                seen += 1;
            }
        }
        assert!(seen > 10);
    }

    #[test]
    fn origins_and_secrets() {
        let text = "version = 1\nextends = ['preset:rest@1', 'base.toml']\n[auth.idp]\nkind = 'bearer'\ntokens = ['plain:hush']\n\
                    [[route]]\npath = '/scim'\nauth = 'idp'\n[resource.User]\npath = '/u'\nattrs = { userName = 'mail' }\n";
        let base = "[backend.app]\nurl = 'http://127.0.0.1:3000'\n";
        let fetch = |path: &str| if path == "base.toml" { Ok(base.to_owned()) } else { Err("not there".to_owned()) };
        let shown = show(source(text), &fetch, Origins::Shown).unwrap();
        let line = |start: &str| shown.lines().find(|line| line.starts_with(start)).unwrap().to_owned();
        assert!(line("url").ends_with("# base.toml:2"), "{shown}");
        assert!(line("update").ends_with("# preset:rest@1:7"), "{shown}");
        assert!(line("path = \"/u\"").ends_with("# config.toml:10"), "{shown}");
        assert!(!shown.contains("hush") && shown.contains("plain:***"), "{shown}");
        assert!(show(source(text), &|_| Err("not there".to_owned()), Origins::Hidden).is_err());
    }
}
