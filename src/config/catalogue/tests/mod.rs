//! The catalogue holds together, the compiler reads nothing besides, and what is rendered from it is checked in.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::*;

mod schema;

/// Every table that can be reached from the top of the file.
fn tables() -> Vec<&'static Keys> {
    let mut found: Vec<&'static Keys> = vec![&FILE];
    let mut at = 0;
    while let Some(keys) = found.get(at).copied() {
        for next in keys.all().flat_map(|key| key.kind.tables()) {
            if !found.iter().any(|known| std::ptr::eq(*known, next)) {
                found.push(next);
            }
        }
        at += 1;
    }
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn entries_are_whole() {
    let mut ids = BTreeSet::new();
    for keys in tables() {
        assert!(ids.insert(keys.id()), "two tables are called {}", keys.title);
        assert!(keys.about.ends_with('.'), "{}", keys.title);
        let mut names = BTreeSet::new();
        for key in keys.all() {
            assert!(names.insert(key.name), "{} has `{}` twice", keys.title, key.name);
            assert!(!keys.later.contains(&key.name), "`{}` of {} is supported and is not", key.name, keys.title);
            assert!(key.about.ends_with('.'), "the sentence of `{}` in {}", key.name, keys.title);
            assert!(!(key.required && key.default.is_some()), "`{}` of {}", key.name, keys.title);
            if let Some(default) = key.default {
                assert!(toml::from_str::<toml::Table>(&format!("x = {default}")).is_ok(), "default of `{}`", key.name);
            }
        }
    }
}

#[test]
fn what_is_not_supported_says_what_serves_instead() {
    for name in tables().iter().flat_map(|keys| keys.later) {
        assert!(crate::config::read::instead(name).is_some(), "`{name}`");
    }
}

/// What the sources of the compiler ask a table for, whether or not through `Fields`, which checks it by itself.
#[test]
fn the_compiler_reads_no_other_keys() {
    let known: BTreeSet<&str> = tables().iter().flat_map(|keys| keys.names()).collect();
    let mut asked = BTreeSet::new();
    for path in sources(&root().join("src/config/compile")) {
        let text = std::fs::read_to_string(path).unwrap();
        for call in ["get(\"", "entry(\"", "require(&mut cx.report, \""] {
            asked.extend(
                text.split(call).skip(1).filter_map(|rest| rest.split_once('"')).map(|(name, _)| name.to_owned()),
            );
        }
    }
    assert!(asked.len() > 60, "the sources were not found");
    let strange: Vec<&String> = asked.iter().filter(|name| !known.contains(name.as_str())).collect();
    assert!(strange.is_empty(), "read, and not in the catalogue: {strange:?}");
}

/// The files of a folder and of those in it.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// `BLESS=1` rewrites the file.
fn is_checked_in(path: &str, rendered: &str) {
    let path = root().join(path);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, rendered).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == rendered, "{} is not what the catalogue says; BLESS=1 rewrites it", shown(&path));
}

fn shown(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[test]
fn the_reference_is_up_to_date() {
    is_checked_in("docs/reference.md", &crate::config::reference());
}

#[test]
fn the_schema_is_up_to_date() {
    let text = serde_json::to_string_pretty(&crate::config::json_schema()).unwrap();
    is_checked_in("docs/config.schema.json", &format!("{text}\n"));
}

/// Links of the reference lead to its own headings.
#[test]
fn the_reference_links_to_itself() {
    let text = crate::config::reference();
    let mut anchors = BTreeSet::new();
    for title in text.lines().filter_map(|line| line.strip_prefix("## ")) {
        let kept = title.chars().filter(|c| c.is_ascii_alphanumeric() || " -_".contains(*c));
        assert!(anchors.insert(kept.collect::<String>().to_lowercase().replace(' ', "-")), "two headings {title}");
    }
    for target in text.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(anchors.contains(target), "{target}");
    }
}
