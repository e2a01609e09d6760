//! Just enough of Rust's lexical structure to tell code from comments and literals.
//!
//! In: the text of a source file. Out: the same text with everything but code blanked out, and where its functions
//! begin and end. It does not parse: unbalanced text gives an answer too.

/// A function with its extent in lines, from `fn` to the closing brace.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) lines: usize,
}

/// Blanks comments and the contents of literals; line breaks stay, so that line numbers do.
pub(super) fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word_before = code.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        let hidden = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == 'r' && !word_before {
            raw_string(rest)
        } else if first == '\'' {
            character(rest)
        } else {
            0
        };
        if hidden == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(rest[..hidden].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[hidden..];
        }
    }
    code
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(found) = rest[at..].find(['/', '*']) {
        at += found;
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of a literal in quotes, with both quotes.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    rest.len()
}

/// The length of `r"..."` or `r#"..."#`, or 0 if it is neither.
fn raw_string(rest: &str) -> usize {
    let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
    let open = 1 + hashes;
    if !rest[open..].starts_with('"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let body = open + 1;
    rest[body..].find(&close).map_or(rest.len(), |at| body + at + close.len())
}

/// The length of a character literal, or 0 for a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => quoted(rest, '\''),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// The code before the unit tests, which stand at the end of a file.
pub(super) fn without_tests(code: &str) -> &str {
    code.split_once("#[cfg(test)]\nmod ").map_or(code, |(before, _)| before)
}

/// The functions in code that [`code_only`] has blanked, in order of their first line.
pub(super) fn functions(code: &str) -> impl Iterator<Item = Function> {
    code.match_indices("fn ").filter_map(|(at, _)| {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            return None;
        }
        let name: String = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let end = at + body_end(&code[at..])?;
        let line = code[..at].matches('\n').count() + 1;
        let lines = code[at..end].matches('\n').count() + 1;
        (!name.is_empty()).then_some(Function { name, line, lines })
    })
}

/// Where the body closes; nothing for a declaration without one.
fn body_end(code: &str) -> Option<usize> {
    let (mut braces, mut brackets) = (0_usize, 0_usize);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            ';' if braces == 0 && brackets == 0 => return None,
            '{' => braces += 1,
            '}' if braces == 1 => return Some(at),
            '}' => braces = braces.saturating_sub(1),
            _ => {}
        }
    }
    None
}

#[test]
fn comments_and_literals_are_blanked_in_place() {
    let cases = [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d\n*/ e", "a               \n   e"),
        ("f(\"x\\\"y\", 'z')", "f(      ,    )"),
        ("r#\"a\"b\"# + r\"c\" + for_r", "         +      + for_r"),
        ("fn f<'a>(x: &'a str) -> char { '\\'' }", "fn f<'a>(x: &'a str) -> char {      }"),
    ];
    for (text, expected) in cases {
        assert_eq!(code_only(text), expected, "{text}");
    }
}

#[test]
fn functions_are_measured_from_name_to_brace() {
    let code = "trait T {\n    fn a(&self, b: [u8; 4]);\n    fn c() -> fn(u8) {\n        {}\n    }\n}\nfn d() {}\n";
    let found: Vec<Function> = functions(code).collect();
    let expected = [("c", 3, 3), ("d", 7, 1)].map(|(name, line, lines)| Function { name: name.into(), line, lines });
    assert_eq!(found, expected);
}

#[test]
fn unit_tests_are_cut_off() {
    assert_eq!(without_tests("fn a() {}\n#[cfg(test)]\nmod tests {}\n"), "fn a() {}\n");
    assert_eq!(without_tests("#[cfg(test)]\nuse x;\n"), "#[cfg(test)]\nuse x;\n");
}
