//! `docs/mapping.md`: every block of TOML in it is loaded, and the file that its first part arrives at works.
//!
//! Steps are laid over one another as a reader would edit one file: tables with a heading are joined, lists of tables
//! get longer, and every other line replaces the one that is there. A recipe is laid over the last step, except that it
//! may bring its own routes.

use std::sync::Arc;

use scimshim::config::{Snapshot, Source, compile, render};
use scimshim::demo::cycle::Idp;
use toml::Table;

use crate::apps::people::{KEY, People};
use crate::cycles;
use crate::doc_blocks::{Block, blocks, lay_over};
use crate::examples_bench::{Example, config};
use crate::proxy_binary::output;

const GUIDE: &str = include_str!("../../docs/mapping.md");

fn parsed(block: &Block) -> Table {
    block.text.parse().unwrap_or_else(|error| panic!("docs/mapping.md:{}: {error}", block.line))
}

/// The file after each step.
fn steps() -> Vec<Table> {
    let mut file = Table::new();
    let mut found = Vec::new();
    for block in blocks(GUIDE).iter().filter(|block| block.kind == "step") {
        lay_over(&mut file, parsed(block));
        found.push(file.clone());
    }
    found
}

fn compiled(file: &Table, line: usize) -> Snapshot {
    let text = toml::to_string(file).unwrap();
    let source = Source { name: Arc::from("config.toml"), text: text.clone() };
    compile(source).unwrap_or_else(|found| panic!("docs/mapping.md:{line}\n{}\n{text}", render(&found)))
}

#[test]
fn every_block_is_a_step_or_a_recipe() {
    for block in blocks(GUIDE) {
        assert!(matches!(block.kind, "step" | "recipe"), "docs/mapping.md:{}: {:?}", block.line, block.kind);
    }
}

#[test]
fn every_step_can_be_loaded_and_the_first_one_warns_of_the_second() {
    let steps = steps();
    assert_eq!(steps.len(), 6);
    for (number, step) in steps.iter().enumerate() {
        let warnings = compiled(step, number + 1).warnings;
        let codes: Vec<&str> = warnings.iter().map(|warning| warning.code).collect();
        let expected: &[&str] = if number == 0 { &["W040"] } else { &[] };
        assert_eq!(codes, expected, "step {}", number + 1);
    }
}

#[test]
fn the_steps_arrive_at_the_example() {
    let example: Table = config("typical").parse().unwrap();
    assert_eq!(steps().last(), Some(&example));
}

#[tokio::test]
async fn the_last_step_goes_through_every_cycle() {
    let text = toml::to_string(steps().last().unwrap()).unwrap();
    let (output, said) = output("check", &text);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let example = Example::with(&text, People::in_teams(), &[("APP_KEY", KEY)]).await;
    cycles::check(Idp::All, "typical", &example.sidecar).await;
}

#[test]
fn every_recipe_can_be_used() {
    let last = steps().pop().unwrap();
    let blocks = blocks(GUIDE);
    let recipes: Vec<&Block> = blocks.iter().filter(|block| block.kind == "recipe").collect();
    assert!(recipes.len() > 20, "{}", recipes.len());
    for block in recipes {
        let mut file = last.clone();
        let recipe = parsed(block);
        if recipe.contains_key("route") {
            file.remove("route");
        }
        lay_over(&mut file, recipe);
        let warnings = compiled(&file, block.line).warnings;
        assert!(warnings.is_empty(), "docs/mapping.md:{}\n{}", block.line, render(&warnings));
    }
}
