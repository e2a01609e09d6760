//! `docs/mapping.md` and `docs/recipes.md`: every block of TOML in them is loaded, and the file that the steps of the
//! first arrive at works.
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
const RECIPES: &str = include_str!("../../docs/recipes.md");

fn parsed(page: &str, block: &Block) -> Table {
    block.text.parse().unwrap_or_else(|error| panic!("{page}:{}: {error}", block.line))
}

/// The file after each step.
fn steps() -> Vec<Table> {
    let mut file = Table::new();
    let mut found = Vec::new();
    for block in blocks(GUIDE).iter().filter(|block| block.kind == "step") {
        lay_over(&mut file, parsed("docs/mapping.md", block));
        found.push(file.clone());
    }
    found
}

fn compiled(file: &Table, place: &str) -> Snapshot {
    let text = toml::to_string(file).unwrap();
    let source = Source { name: Arc::from("config.toml"), text: text.clone() };
    compile(source).unwrap_or_else(|found| panic!("{place}\n{}\n{text}", render(&found)))
}

#[test]
fn every_block_is_a_step_or_a_recipe() {
    for block in blocks(GUIDE) {
        assert_eq!(block.kind, "step", "docs/mapping.md:{}", block.line);
    }
    for block in blocks(RECIPES) {
        assert_eq!(block.kind, "recipe", "docs/recipes.md:{}", block.line);
    }
}

#[test]
fn every_step_can_be_loaded_and_the_first_one_warns_of_the_second() {
    let steps = steps();
    assert_eq!(steps.len(), 6);
    for (number, step) in steps.iter().enumerate() {
        let warnings = compiled(step, &format!("docs/mapping.md, step {}", number + 1)).warnings;
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
    let recipes = blocks(RECIPES);
    assert!(recipes.len() > 20, "{}", recipes.len());
    for block in &recipes {
        let mut file = last.clone();
        let recipe = parsed("docs/recipes.md", block);
        if recipe.contains_key("route") {
            file.remove("route");
        }
        lay_over(&mut file, recipe);
        let place = format!("docs/recipes.md:{}", block.line);
        let warnings = compiled(&file, &place).warnings;
        assert!(warnings.is_empty(), "{place}\n{}", render(&warnings));
    }
}

/// The file with the recipe of a heading laid over it.
fn with_recipe(heading: &str) -> Arc<Snapshot> {
    let at = RECIPES.lines().position(|line| line == format!("### {heading}")).unwrap_or_else(|| panic!("{heading}"));
    let blocks = blocks(RECIPES);
    let block = blocks.iter().find(|block| block.line > at && block.kind == "recipe").unwrap();
    let (mut file, recipe) = (steps().pop().unwrap(), parsed("docs/recipes.md", block));
    if recipe.contains_key("route") {
        file.remove("route");
    }
    lay_over(&mut file, recipe);
    Arc::new(compiled(&file, &format!("docs/recipes.md:{}", block.line)))
}

/// What a case of a recipe expects comes of it.
fn holds(heading: &str, cases: &str) {
    let snapshot = with_recipe(heading);
    for case in scimshim::cases::parse(cases).unwrap() {
        let run = case.run(&snapshot);
        assert!(run.differences.is_empty(), "{heading}: {}\n{}", case.name, run.differences.join("\n"));
    }
}

#[test]
fn an_unknown_tenant_is_said_to_the_administrator() {
    holds(
        "The tenant must be there first",
        r#"
[[case]]
name    = "an assignment"
request = "PATCH /scim/v2/tenants/t9/Groups/3"
body    = '{"Operations":[{"op":"add","path":"members","value":[{"value":"7"}]}]}'
replies = [{ call = "POST /tenants/t9/teams/3/members", status = 404, body = '{"error":{"code":"no_such_tenant"}}' }]
status  = 400
answer  = { scimType = "invalidValue" }

[[case]]
name    = "a look-up, which nobody may take for an empty one"
request = 'GET /scim/v2/tenants/t9/Users?filter=userName eq "ann@x.example"'
replies = [{ status = 404, body = '{"error":{"code":"no_such_tenant"}}' }]
status  = 400
answer  = { detail = "There is no tenant 't9'. Create it in the application first, or correct the end of the SCIM base URL." }

[[case]]
name    = "somebody who is not there"
request = "GET /scim/v2/tenants/t1/Users/7"
replies = { "GET /tenants/t1/users/7" = { status = 404 } }
status  = 404
"#,
    );
}

#[test]
fn a_role_goes_with_the_last_tenant_that_had_it() {
    let delete = |here: u32, left: u32, last: &str, answer: &str| {
        format!(
            r#"
[[case]]
name    = "{here} {left}"
request = "DELETE /scim/v2/tenants/t1/Groups/Eng"
replies = [
  {{ call = "GET /roles/Eng/people?tenant=t1&per_page=100", body = '{{"data":[{{"user_id":7}},{{"user_id":8}}]}}' }},
  {{ call = "DELETE /roles/Eng/people/7?tenant=t1", status = 204 }},
  {{ call = "DELETE /roles/Eng/people/8?tenant=t1", status = 404 }},
  {{ call = "GET /roles/Eng/people?tenant=t1&per_page=1", body = '{{"data":[],"meta":{{"total":{here}}}}}' }},
  {last}
]
{answer}
"#
        )
    };
    let left = |count: u32| {
        format!("{{ call = \"GET /roles/Eng/people?per_page=1\", body = '{{\"meta\":{{\"total\":{count}}}}}' }},")
    };
    let gone = format!("{}{{ call = \"DELETE /roles/Eng\", status = 204 }},", left(0));
    let others = delete(0, 5, &left(5), "status = 204");
    let last = delete(0, 0, &gone, "status = 204");
    let more = delete(12, 0, "", "status = 503");
    let again = r#"
[[case]]
name    = "the same name from a second tenant"
request = "POST /scim/v2/tenants/t2/Groups"
body    = '{"displayName":"Eng"}'
replies = [
  { call = "GET /roles/Eng", body = '{"data":{"key":"Eng","name":"Eng"}}' },
  { call = "GET /roles/Eng/people?tenant=t2&page=1&per_page=100", body = '{"data":[],"meta":{"total":0}}' },
]
status  = 201
answer  = { id = "Eng" }
"#;
    holds("A role belongs to all tenants", &[others, last, more, again.to_owned()].concat());
}
