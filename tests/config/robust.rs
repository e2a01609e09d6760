//! No text makes the compiler panic, and every finding points into the file.

use proptest::prelude::*;
use scimshim::config::Diagnostic;

use super::{compiled, root};

/// Line and column exist in the text; the excerpt is that line.
fn points_into(text: &str, found: &[Diagnostic]) {
    for finding in found {
        if finding.file != "config.toml" {
            continue;
        }
        let line = text.split('\n').nth(finding.line as usize - 1);
        let line = line.unwrap_or_else(|| panic!("no line {}: {finding}", finding.line));
        let width = u32::try_from(line.chars().count()).unwrap();
        assert!(finding.column <= width + 1, "column {} of {width}: {finding}", finding.column);
        assert!(finding.column + finding.length <= width + 2, "{finding}");
    }
}

fn check(text: &str) -> bool {
    match compiled(text) {
        Ok(snapshot) => {
            points_into(text, &snapshot.warnings);
            true
        }
        Err(found) => {
            assert!(!found.is_empty());
            points_into(text, &found);
            false
        }
    }
}

/// One letter is deleted from each word of the annotated file in turn. Comments are left alone.
#[test]
fn a_missing_letter_never_panics_and_is_mostly_noticed() {
    let text = root();
    let (mut mutants, mut accepted) = (0, 0);
    for (start, word) in words(&text) {
        let middle = start + word.len() / 2;
        let mut mutant = text.clone();
        mutant.remove(middle);
        mutants += 1;
        accepted += usize::from(check(&mutant));
    }
    assert!(mutants > 400, "{mutants}");
    // What is left are names that only the application knows, and texts for people.
    assert!(accepted * 10 < mutants * 3, "{accepted} of {mutants} accepted");
}

fn words(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let code = line.split('#').next().unwrap_or("");
        let mut start = None;
        for (at, c) in code.char_indices().chain([(code.len(), ' ')]) {
            match (c.is_ascii_alphabetic(), start) {
                (true, None) => start = Some(at),
                (false, Some(begin)) => {
                    found.push((offset + begin, &code[begin..at]));
                    start = None;
                }
                _ => {}
            }
        }
        offset += line.len();
    }
    found
}

/// Cutting the file off anywhere is survived too.
#[test]
fn a_file_that_ends_early_is_survived() {
    let text = root();
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).filter(|at| at % 97 == 0).collect();
    for end in ends {
        check(&text[..end]);
    }
}

#[test]
fn a_huge_file_is_refused() {
    let found = compiled(&"#".repeat(2 * 1024 * 1024)).expect_err("too long");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].code, "E000");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_survived(text in "\\PC{0,200}") {
        check(&text);
    }

    #[test]
    fn text_like_toml_is_survived(lines in prop::collection::vec(
        "(\\[\\[?(resource|route|backend|auth)(\\.[A-Za-z]{1,5}){0,2}\\]?\\]|[a-z_]{1,8} = (\"[a-z{}.:/? '\\[\\]-]{0,20}\"|[0-9]{1,3}|\\{ [a-z]{1,5} = [0-9] \\}|\\[\\]|true))", 0..15)) {
        check(&lines.join("\n"));
    }

    /// The value of one line of the annotated file is replaced.
    #[test]
    fn a_wrong_value_is_survived(at in 0_usize..200, value in "(\"[a-z{}.:/? ='\\[\\]-]{0,20}\"|-?[0-9]{1,20}|\\{ [a-z]{1,5} = [0-9] \\}|\\[ ?1 ?\\]|true|1979-05-27|nan)") {
        let text = root();
        let assignments: Vec<usize> = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.starts_with('#') && !line.starts_with(' ') && line.contains(" = "))
            .map(|(index, _)| index)
            .collect();
        let chosen = assignments[at % assignments.len()];
        let mutant: Vec<String> = text
            .lines()
            .enumerate()
            .map(|(index, line)| match line.split_once('=') {
                Some((key, _)) if index == chosen => format!("{key}= {value}"),
                _ => line.to_owned(),
            })
            .collect();
        check(&mutant.join("\n"));
    }
}
