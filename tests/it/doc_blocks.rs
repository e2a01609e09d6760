//! Fenced blocks of TOML in a page of documentation, and how one is laid over another.

use std::fmt::Write as _;

use toml::{Table, Value};

/// A fenced block of TOML.
pub(crate) struct Block {
    /// Where it begins, from 1.
    pub(crate) line: usize,
    /// What stands behind `toml`.
    pub(crate) kind: &'static str,
    pub(crate) text: String,
}

/// Every block of TOML, in order.
pub(crate) fn blocks(page: &'static str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    let mut wanted = false;
    for (index, line) in page.lines().enumerate() {
        if let Some(info) = line.strip_prefix("```") {
            open = !open;
            wanted = open && info.split(' ').next() == Some("toml");
            if wanted {
                let kind = info.split_once(' ').map_or("", |(_, kind)| kind);
                found.push(Block { line: index + 1, kind, text: String::new() });
            }
        } else if wanted && let Some(block) = found.last_mut() {
            writeln!(block.text, "{line}").unwrap();
        }
    }
    assert!(!open, "a block is not closed");
    found
}

/// As a reader would edit one file: tables with a heading are joined, lists of tables get longer, and every other line
/// replaces the one that is there.
pub(crate) fn lay_over(base: &mut Table, more: Table) {
    join(base, more, 0);
}

/// Tables of a resource that have a heading of their own.
const HEADINGS: [&str; 5] = ["attrs", "filter", "members", "ops", "part"];

fn join(base: &mut Table, more: Table, depth: usize) {
    for (name, value) in more {
        let has_heading = depth < 2 || (depth == 2 && HEADINGS.contains(&name.as_str()));
        match (base.get_mut(&name), value) {
            (Some(Value::Table(under)), Value::Table(over)) if has_heading => join(under, over, depth + 1),
            (Some(Value::Array(under)), Value::Array(over)) if !over.is_empty() && over.iter().all(Value::is_table) => {
                under.extend(over);
            }
            (_, value) => drop(base.insert(name, value)),
        }
    }
}
