//! Brings an older file to the version of the language that this program reads, with its comments and layout.
//!
//! In: a text. Out: the text after every migration that it lacks, and what each of them did. A migration moves, renames
//! or splits keys of one version and gives the next. Version 1 is the first, so that there is none yet.

use toml_edit::{DocumentMut, Item, Table};

/// What takes a file from one version to the next.
pub struct Migration {
    /// The version it starts from.
    pub from: i64,
    /// What changes, in a sentence.
    pub about: &'static str,
    /// The changes, in order.
    pub changes: &'static [Change],
}

/// One change. Paths are names from the top of the file; `*` is every table of that place, in lists as well.
pub enum Change {
    /// A key gets another name in its table.
    Rename {
        /// Where it is.
        path: &'static [&'static str],
        /// Its new name.
        to: &'static str,
    },
    /// A key goes to another table, which is made if need be.
    Move {
        /// Where it is.
        path: &'static [&'static str],
        /// Where it goes, its name last. Without `*`.
        to: &'static [&'static str],
    },
    /// One value becomes several.
    Split {
        /// Where it is.
        path: &'static [&'static str],
        /// Name and value of what stands in its place.
        into: fn(&Item) -> Vec<(&'static str, Item)>,
    },
}

/// What came of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The text; the same one if there was nothing to do.
    pub text: String,
    /// What was done, in order.
    pub done: Vec<&'static str>,
}

/// Why a file was left alone.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MigrateError {
    /// Not TOML.
    #[error("the file is not TOML: {0}")]
    Syntax(String),
    /// No version.
    #[error("`version` is missing")]
    NoVersion,
    /// A version that nothing leads from.
    #[error("no migration leads from version {0}")]
    Unknown(i64),
}

/// Every migration, oldest first.
pub const MIGRATIONS: &[Migration] = &[];

/// The version that this program reads.
pub const CURRENT: i64 = 1;

/// Applies what is missing.
///
/// # Errors
///
/// See [`MigrateError`].
pub fn migrate(text: &str) -> Result<Migrated, MigrateError> {
    migrate_with(text, MIGRATIONS, CURRENT)
}

fn migrate_with(text: &str, migrations: &[Migration], current: i64) -> Result<Migrated, MigrateError> {
    let syntax = |error: toml_edit::TomlError| MigrateError::Syntax(error.message().to_owned());
    let mut document: DocumentMut = text.parse().map_err(syntax)?;
    let mut version = document.get("version").and_then(Item::as_integer).ok_or(MigrateError::NoVersion)?;
    let mut done = Vec::new();
    while version != current {
        let step = migrations.iter().find(|migration| migration.from == version);
        let step = step.ok_or(MigrateError::Unknown(version))?;
        for change in step.changes {
            apply(document.as_table_mut(), change);
        }
        version += 1;
        set_version(&mut document, version);
        done.push(step.about);
    }
    let text = if done.is_empty() { text.to_owned() } else { document.to_string() };
    Ok(Migrated { text, done })
}

/// The comment behind the number stays.
fn set_version(document: &mut DocumentMut, version: i64) {
    if let Some(value) = document.get_mut("version").and_then(Item::as_value_mut) {
        let decor = value.decor().clone();
        *value = version.into();
        *value.decor_mut() = decor;
    }
}

fn apply(root: &mut Table, change: &Change) {
    match change {
        Change::Rename { path, to } => each(root, path, &mut |table, name| rename(table, name, to)),
        Change::Split { path, into } => each(root, path, &mut |table, name| {
            if let Some(item) = table.remove(name) {
                for (name, item) in into(&item) {
                    table.insert(name, item);
                }
            }
        }),
        Change::Move { path, to } => {
            let mut moved = None;
            each(root, path, &mut |table, name| moved = table.remove_entry(name));
            let (Some((key, item)), Some((name, tables))) = (moved, to.split_last()) else { return };
            let mut table = root;
            for part in tables {
                let next = table.entry(part).or_insert_with(|| Item::Table(Table::new()));
                let Some(next) = next.as_table_mut() else { return };
                table = next;
            }
            // What stands above the line, comments included, goes along.
            let renamed = toml_edit::Key::new(*name).with_leaf_decor(key.leaf_decor().clone());
            table.insert_formatted(&renamed, item);
        }
    }
}

/// Calls `change` with every table that a path leads to, and the name at its end.
fn each(table: &mut Table, path: &[&str], change: &mut dyn FnMut(&mut Table, &str)) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        change(table, first);
        return;
    }
    let names: Vec<String> = table.iter().map(|(name, _)| name.to_owned()).collect();
    for name in names.iter().filter(|name| *first == "*" || name == first) {
        match table.get_mut(name) {
            Some(Item::Table(inner)) => each(inner, rest, change),
            Some(Item::ArrayOfTables(items)) => items.iter_mut().for_each(|inner| each(inner, rest, change)),
            _ => {}
        }
    }
}

/// In its place, with the comments above it.
fn rename(table: &mut Table, name: &str, to: &str) {
    let entries: Vec<String> = table.iter().map(|(name, _)| name.to_owned()).collect();
    if table.contains_key(to) || !table.contains_key(name) {
        return;
    }
    // A table keeps the order of insertion, so that everything is taken out and put back.
    for entry in entries {
        let Some((key, item)) = table.remove_entry(&entry) else { continue };
        let key = if entry == name { toml_edit::Key::new(to).with_leaf_decor(key.leaf_decor().clone()) } else { key };
        table.insert_formatted(&key, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "\
# The adapter of the intranet.
version = 7   # of the language

[server]
# Where people come in.
bind = \"127.0.0.1:8080\"   # not public
wait = \"5s/30s\"

# The application.
[backend.app]
url = \"http://127.0.0.1:3000\"   # its port
cap = 4

[[route]]
base = \"/scim/v2\"   # all of it
[[route]]
base = \"/other\"
";

    const NEW: &str = "\
# The adapter of the intranet.
version = 9   # of the language

[server]
# Where people come in.
listen = \"127.0.0.1:8080\"   # not public
keep_accepting = \"5s\"
drain_timeout = \"30s\"

# The application.
[backend.app]
url = \"http://127.0.0.1:3000\"   # its port

[[route]]
path = \"/scim/v2\"   # all of it
[[route]]
path = \"/other\"

[limits]
concurrency = 4
";

    fn halves(item: &Item) -> Vec<(&'static str, Item)> {
        let (keep, drain) = item.as_str().and_then(|text| text.split_once('/')).unwrap();
        vec![("keep_accepting", toml_edit::value(keep)), ("drain_timeout", toml_edit::value(drain))]
    }

    const STEPS: &[Migration] = &[
        Migration {
            from: 7,
            about: "keys of the server say what they are",
            changes: &[
                Change::Rename { path: &["server", "bind"], to: "listen" },
                Change::Split { path: &["server", "wait"], into: halves },
            ],
        },
        Migration {
            from: 8,
            about: "base URLs are paths, bounds stand together",
            changes: &[
                Change::Rename { path: &["route", "base"], to: "path" },
                Change::Move { path: &["backend", "*", "cap"], to: &["limits", "concurrency"] },
            ],
        },
    ];

    #[test]
    fn comments_and_layout_survive() {
        let migrated = migrate_with(OLD, STEPS, 9).unwrap();
        assert_eq!(migrated.text, NEW);
        assert_eq!(migrated.done.len(), 2);
    }

    #[test]
    fn migrating_twice_is_migrating_once() {
        let once = migrate_with(OLD, STEPS, 9).unwrap().text;
        assert_eq!(migrate_with(&once, STEPS, 9).unwrap(), Migrated { text: once, done: Vec::new() });
    }

    #[test]
    fn a_file_of_this_version_stays_as_it_is() {
        let text = "# odd  layout\nversion=1\n\n\n[ server ]\nthreads  =2\n";
        assert_eq!(migrate(text).unwrap(), Migrated { text: text.to_owned(), done: Vec::new() });
        assert_eq!(migrate("threads = 2"), Err(MigrateError::NoVersion));
        assert_eq!(migrate("version = 2"), Err(MigrateError::Unknown(2)));
        assert!(matches!(migrate("version = "), Err(MigrateError::Syntax(_))));
    }

    /// Every version below the current one leads on.
    #[test]
    fn the_registry_has_no_gap() {
        let from: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.from).collect();
        assert_eq!(from, (1..CURRENT).collect::<Vec<_>>());
    }
}
