//! `docs/idp`: what it says about each example, its configuration says too.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::examples_bench::config;

const ENTRA: &str = include_str!("../../docs/idp/entra.md");
const OKTA: &str = include_str!("../../docs/idp/okta.md");

/// Words in backticks, without those that are the provider's own (`from x`).
fn names(cell: &str) -> Vec<&str> {
    let pieces: Vec<&str> = cell.split('`').collect();
    let theirs = |index: &usize| pieces[index - 1].trim_end().ends_with("from");
    (1..pieces.len()).step_by(2).filter(|index| !theirs(index)).map(|index| pieces[index]).collect()
}

fn table<'t>(file: &'t Table, path: &[&str]) -> Option<&'t Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(file.get(*first)?, |value, name| value.get(name))
}

/// Whether the attribute has a row that a client can write through.
fn writable(file: &Table, kind: &str, attribute: &str) -> bool {
    if attribute == "members" {
        return table(file, &["resource", kind, "members"]).is_some();
    }
    let row = table(file, &["resource", kind, "attrs", attribute]);
    row.is_some_and(|row| row.get("access").and_then(Value::as_str) != Some("read"))
}

#[test]
fn entra_is_told_to_keep_what_the_examples_map() {
    let mut seen = BTreeSet::new();
    for row in ENTRA.lines().filter(|line| line.starts_with("| [") && line.contains("deploy/examples")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let name = cells[0].split(['[', ']']).nth(1).unwrap();
        let file: Table = config(name).parse().unwrap();
        let (keep, delete) = cells[1].split_once("**not**").unwrap_or((cells[1], ""));
        for (kind, cell, expected) in [("User", keep, true), ("User", delete, false), ("Group", cells[2], true)] {
            for attribute in names(cell) {
                assert_eq!(writable(&file, kind, attribute), expected, "{name}: {kind} {attribute}");
            }
        }
        let groups = table(&file, &["resource", "Group"]).is_some();
        assert_eq!(cells[2].trim().trim_end_matches(" |") != "off", groups, "{name}: groups");
        assert_eq!(writable(&file, "User", "active"), names(keep).contains(&"active"), "{name}: active");
        seen.insert(name.to_owned());
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/examples");
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(seen, all.collect(), "every example has its row");
}

#[test]
fn the_examples_that_okta_is_told_about_are_there() {
    let examples = OKTA.lines().filter(|line| line.starts_with("| [") && line.contains("deploy/examples"));
    for row in examples {
        let name = row.split(['[', ']']).nth(1).unwrap();
        let file: Table = config(name).parse().unwrap();
        let groups = table(&file, &["resource", "Group"]).is_some();
        assert_eq!(row.contains("*Push Groups*"), groups, "{name}: groups");
        let switch = !row.contains("**not** *Deactivate Users*");
        assert_eq!(writable(&file, "User", "active"), switch, "{name}: active");
    }
}
