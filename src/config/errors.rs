//! What `check` says, explained: the pages of `docs/errors.md`.
//!
//! In: a code. Out: its page: what it means, what to do, and a mistake that gives it with what is said. Meanings stand
//! in the catalogue of codes, the rest here; the examples are the files of `tests/config/bad`, so that each is what
//! the program really says.

/// The page of a code, as Markdown.
pub fn explanation(code: &str) -> Option<&'static str> {
    let start = PAGES.find(&format!("\n## {code}\n"))? + 1;
    let page = PAGES.get(start..)?;
    let end = page.find("\n## ").map_or(page.len(), |next| next + 1);
    page.get(..end)
}

/// The whole document.
const PAGES: &str = include_str!("../../docs/errors.md");

/// What to do about each code.
#[cfg(test)]
pub(crate) const FIXES: &[(&str, &str)] = &[
    ("E000", "Correct the TOML at the place; a later error of this kind often follows from the first."),
    ("E001", "Correct the spelling, or delete the key. `docs/reference.md` lists the keys of each table."),
    ("E002", "Leave the key out, or use a version of the program that supports it."),
    ("E003", "Write a value of the type that is asked for."),
    ("E004", "Follow the message: it names the range or the form."),
    ("E005", "Choose one of the words that are listed."),
    ("E006", "Add the key; the message says what it is for."),
    ("E007", "Correct the name, or declare what it refers to."),
    ("E008", "Correct the pattern. Look-around and back references are not supported."),
    ("E009", "Write `version = 1`; `scimshim config migrate` brings older files to it."),
    ("E010", "Use an attribute of the schema, or declare an extension with `[schema.<name>]`."),
    ("E011", "Filter by a sub-attribute of that attribute: `emails[type eq \"work\"].value`."),
    ("E012", "Make one of the rows `access = \"mirror\"`, or let them write different fields."),
    ("E013", "Give the row both directions, or say `access = \"read\"` or `\"write\"`."),
    ("E014", "Drop the codec, or say why the loss does not matter: `lossy = \"reason\"`."),
    ("E015", "Leave `access` out: the schema has it already."),
    ("E016", "Give every value its own counterpart, make the row one-way, or state `lossy = \"reason\"`."),
    ("E017", "State `lossy = \"reason\"`, or list all values in `map` and drop `else`."),
    ("E018", "Correct `read` or `write`, make the row one-way, or state `lossy = \"reason\"`."),
    ("E019", "Map whole attributes instead of single values, or leave out what nobody sends."),
    ("E020", "Write a path such as `/scim/v2/{tenant}`, each variable alone in its segment."),
    ("E021", "Write `\"METHOD /path?name=value\"`, with `/` first and no empty or dotted segment."),
    ("E022", "Correct the expression; the names that the key allows are listed."),
    ("E023", "Let the row be written, or give it a `default`."),
    ("E024", "Use a field that the name has; attributes are those of the schema."),
    ("E025", "Add `ops.create` or `ops.update`, a write rule that claims the row, or make it read-only."),
    ("E026", "Put the narrower rule first."),
    ("E027", "Give the variables patterns that tell the routes apart, or name `resources`."),
    ("E028", "Give the route the variable with `set`, or leave the type out of its `resources`."),
    ("E029", "Write the URL out; a backend of its own for each host."),
    ("E030", "Write a path such as `a.b`, `list[0]` or `list[kind eq 1].value`."),
    ("E031", "Choose a codec of the catalogue in `docs/reference.md`."),
    ("E032", "Add a row for the attribute, or delete the plan."),
    ("E033", "Write `'attribute op'`, such as `'userName eq'`."),
    ("E034", "Put a codec first that takes the type of the attribute."),
    ("E035", "Delete one of the rows."),
    ("E036", "Use a query or a scan, or make the id immutable with `mutable = \"reject\"`."),
    ("E037", "Fold the case with `codec = [\"lower\"]`, or state `case = \"exact\"` on the row."),
    ("E040", "Add the call, or a `path` and a preset that gives it."),
    ("E041", "Say where the rows belong; write tables over tables, and values over values."),
    ("E042", "Spread rows in calls that write an object: create, replace, update."),
    ("E043", "Name one place: `send = { header = \"X-Key\" }`."),
    ("E044", "Give the calls a body, be it `body = {}`, or send the token in a header."),
    ("E045", "Name one place that can be written, or make the row `access = \"read\"`."),
    ("E046", "Make the row `access = \"read\"`."),
    ("E047", "Declare the table with `[backend.<name>.table.<table>]`, or correct its name."),
    ("E049", "Give the part another name."),
    ("E050", "Use the placeholder that the message names."),
    ("E051", "Keep the one that the reply has."),
    ("E053", "Use `password(n)` as the `default` of a row with `access = \"write\"`, or in the body of a create."),
    ("E054", "Let the row be sent on create: `on` names \"create\"."),
    ("E056", "Name a row that is no mirror itself."),
    ("E060", "Write `\"env:NAME\"` or `\"file:PATH\"`; a secret does not belong in the file."),
    ("E070", "Add `ops.get`, or map only what the list shows."),
    ("E071", "Let the id come from a field that every item has."),
    ("E072", "Read the member's own object: `member.object` or `member.scim`."),
    ("E073", "Say `get` for one object, or `list` for several."),
    ("E080", "Use a name that is known on all occasions that `deny` names, or write two guards."),
    ("E081", "Let `when` depend on the object or the request; `ops` say `\"reject\"` for what is never offered."),
    ("E082", "Leave the verb out, or declare the members of the group."),
    ("E090", "Say with `gone` which objects count as deleted, or delete `ops.revive`."),
    ("E100", "Put `undo` on a create, or on a step that makes something."),
    ("E101", "Name a step that has an `id`."),
    ("E102", "Put the step that saves the value before the one that reads it."),
    ("E103", "Name it in `save` of that step."),
    ("E104", "Choose a name of letters, digits and `_` that nothing else has."),
    ("E105", "Adopt by `userName` or `externalId`, or say `policy = \"conflict\"`."),
    ("E106", "Add a plan for `eq` of that attribute, or `'*'`, to `filter`."),
    ("E107", "Follow the message: it names what serves instead, mostly a place in the application."),
    ("E108", "Let a row or a write rule write `active` as false, or give `ops.delete` a call."),
    ("E109", "Add `ops.update` or `ops.replace`, or give `ops.delete` a call."),
    ("E115", "Name two to four native fields, each by a path that ends in a name of its own."),
    ("E121", "Name the member: `{member.id}`, `{batch}`, `member.native` or `member.scim` must stand in the call."),
    ("E122", "Declare `inverse`: without it nobody knows which group somebody leaves."),
    ("E123", "Give the members' type an `ops.create`, or choose another policy for unknown members."),
    ("E124", "Give the members' type an `ops.get`: the call needs what the member's own object holds."),
    ("E125", "Ask about the reply of one call; where there are several, say it in `also_ok` of each."),
    ("E140", "Give the route an `[auth.<name>]` with `kind = \"none\"`: the application decides who may come in."),
    ("E141", "Name the statuses that the rule is about, such as `status == 404`."),
    ("E142", "Answer another status, or leave the reply to `expired`."),
    ("E160", "Give the list a style of paging, or leave `total` out."),
    ("E161", "Give the step a `paging`: how its list is read to the end, or that one reply is enough."),
    ("E175", "Write a level, or `target=level`, separated by commas: `\"info,scimshim::native=debug\"`."),
    ("E200", "Break the circle: let both extend a third file."),
    ("E201", "Correct the path; it is relative to the file that names it. Presets are called `preset:NAME`."),
    ("E202", "Correct the path of the key, or delete the entry: what is extended has no such key."),
    ("E203", "Install a version that the file is for, or change `needs`."),
    ("E204", "Name a code that begins with W; errors cannot be allowed."),
    ("W011", "Check the spelling; the usual values are listed."),
    ("W014", "Drop `trim`, or accept the warning in `[lint]`."),
    ("W026", "Put the narrower rule first, or let the earlier one name `status`."),
    ("W038", "Say `case = \"ignored\"` in the plan if the application compares without case."),
    ("W040", "Add a plan for the filter, or a scan for `'*'`."),
    ("W044", "Send the token in a header, if the application takes one."),
    ("W049", "Give the attribute a filter plan of its own, or lower `max`."),
    ("W052", "Give the other side of the relation the same `lock`, or delete it."),
    ("W053", "Add the type to the `resources` of a route, or delete it."),
    ("W054", "Correct the name, or delete the variable."),
    ("W060", "Write `\"env:NAME\"` or `\"file:PATH\"` outside tests."),
    ("W070", "Delete the path from `lacks`, or map what it holds."),
    ("W071", "Delete the part, or map what it holds."),
    ("W080", "Delete the key, or the `call` that the operations name themselves."),
    ("W081", "Decide by `id` or route variables, or let the call of the list return the objects themselves."),
    ("W082", "Add a guard, or accept the warning if the account is none of the users."),
    ("W083", "Add `'*' = { scan = .. }` to `filter`, or let the list call leave out what is hidden."),
    ("W095", "Correct the name; if the application has both, accept the warning in `[lint]`."),
    ("W120", "Add the other direction, or `set`, so that membership can be both given and taken."),
    ("W140", "End the prefix with a space, unless the application wants it without."),
    ("W141", "Name the statuses that are a success, such as `status == 200`."),
    ("W166", "Let the row be written, or delete it: what no row is about is ignored."),
    (
        "W167",
        "Add a row for each type that the application has a place for; the others can be left out of the client's settings.",
    ),
    ("W168", "Write `replace = \"reject\"`, or delete the `update`."),
    ("W170", "Have a new credential made, put it in place, and write its date; the old date alone changes nothing."),
    ("W175", "Name the port at which the collector takes OTLP over HTTP, which is 4318 unless it was changed."),
    ("W180", "Delete `lossy`: the row keeps every value."),
    ("W181", "Add a rule for the other value, or leave `when` out of one."),
    ("W205", "Delete the line."),
];

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;

    use super::*;
    use crate::config::{CODES, Diagnostic, Source, compile_at};

    /// What is said about the faulty files, the shortest excerpts first.
    fn examples() -> Vec<Diagnostic> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/bad");
        let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        let mut found = Vec::new();
        for path in paths {
            let text = std::fs::read_to_string(path).unwrap();
            let source = Source { name: "config.toml".into(), text };
            // The beginning of the year 2026, so that what has expired by then always has.
            match compile_at(source, &|_| Err("there are no files here".to_owned()), 1_767_225_600) {
                Ok(snapshot) => found.extend(snapshot.warnings),
                Err(findings) => found.extend(findings),
            }
        }
        found.sort_by_key(|finding| (finding.excerpt.is_empty(), finding.help.is_none(), finding.excerpt.len()));
        found
    }

    fn pages() -> String {
        let examples = examples();
        let mut text = String::from(INTRODUCTION);
        for &(code, meaning) in CODES {
            let fix = FIXES.iter().find(|(known, _)| *known == code);
            let (_, fix) = fix.unwrap_or_else(|| panic!("{code} has no line in FIXES"));
            let example = examples.iter().find(|finding| finding.code == code);
            let example = example.unwrap_or_else(|| panic!("no file of tests/config/bad gives {code}"));
            let mut meaning = meaning.to_owned();
            if let Some(first) = meaning.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            let _ = write!(text, "\n## {code}\n\n{meaning}.\n\n{fix}\n\n```text\n{example}```\n");
        }
        text
    }

    const INTRODUCTION: &str = "# What `scimshim check` says

Every code with what it means, what to do, and a mistake that gives it. A code keeps its meaning for good. `E` refuses
the file; `W` is a warning, which `[lint] allow = { W038 = \"reason\" }` accepts. `scimshim help E014` prints a page.
";

    /// `BLESS=1` rewrites the file.
    #[test]
    fn every_code_has_its_page() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
        let text = pages();
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert!(std::fs::read_to_string(&path).unwrap() == text, "docs/errors.md is out of date; BLESS=1 rewrites it");
    }

    #[test]
    fn a_page_is_about_its_code() {
        for (code, _) in CODES {
            let page = explanation(code).unwrap_or_else(|| panic!("{code}"));
            assert!(page.starts_with(&format!("## {code}\n")) && page.contains(&format!("[{code}]")), "{page}");
            assert_eq!(page.matches("\n## ").count(), 0, "{page}");
        }
        assert_eq!(explanation("E9999"), None);
    }

    #[test]
    fn no_fix_is_for_a_code_that_is_not_there() {
        for (code, fix) in FIXES {
            assert!(CODES.iter().any(|(known, _)| known == code), "{code}");
            assert!(fix.ends_with('.'), "{code}");
        }
    }
}
