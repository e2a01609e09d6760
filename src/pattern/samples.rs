//! In: a regular expression. Out: a few texts that it matches, the shortest first. Assertions are not looked at, so a
//! caller tries the texts before it relies on them.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Texts that `pattern` probably matches, each once; none if it is no regular expression.
pub fn samples(pattern: &str) -> Vec<String> {
    let Ok(hir) = regex_syntax::parse(pattern) else { return Vec::new() };
    let mut found: Vec<String> = Vec::new();
    for variant in 0..VARIANTS {
        let mut text = String::new();
        write(&hir, variant, &mut text);
        if text.len() <= MAX_BYTES && !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

/// A variant decides which branch, which character and how many of them.
fn write(hir: &Hir, variant: usize, text: &mut String) {
    if text.len() > MAX_BYTES {
        return;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(class) => text.extend(character(class, variant)),
        HirKind::Repetition(repetition) => {
            let more = u32::try_from(variant).unwrap_or(0);
            let most = repetition.max.unwrap_or(u32::MAX).min(REPEAT_MAX.max(repetition.min));
            let times = repetition.min.saturating_add(more).min(most);
            for turn in 0..times {
                write(&repetition.sub, variant.wrapping_add(turn as usize), text);
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, variant, text),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write(part, variant, text)),
        HirKind::Alternation(branches) => {
            if let Some(branch) = branches.get(variant % branches.len().max(1)) {
                write(branch, variant, text);
            }
        }
    }
}

/// The first, a middle or the last character of one of the ranges. Control characters only if there is nothing else.
fn character(class: &Class, variant: usize) -> Option<char> {
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => class.ranges().iter().map(|range| (range.start(), range.end())).collect(),
        Class::Bytes(class) => {
            class.ranges().iter().map(|range| (char::from(range.start()), char::from(range.end()))).collect()
        }
    };
    // Those that everybody can read come first.
    let ascii: Vec<(char, char)> = ranges.iter().copied().filter(|(first, _)| first.is_ascii()).collect();
    let ranges = if variant < VARIANTS / 2 && !ascii.is_empty() { ascii } else { ranges };
    let (first, last) = *ranges.get(variant % ranges.len().max(1))?;
    let preferred = if first <= 'a' && 'a' <= last { 'a' } else { first.max(' ').min(last) };
    Some(match variant % 3 {
        0 => preferred,
        1 => char::from_u32((preferred as u32).midpoint(last as u32)).unwrap_or(preferred),
        _ => last,
    })
}

const VARIANTS: usize = 12;
const REPEAT_MAX: u32 = 6;
const MAX_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_match_their_pattern() {
        for pattern in ["^(?:(.+)@acme\\.example)$", "[a-z]{2}(-[A-Z]{2})?", "0*(\\d+)", "x|y|\\p{Greek}+", "a{3}", ""]
        {
            let regex = regex::Regex::new(&format!("^(?:{pattern})$")).unwrap();
            let found = samples(pattern);
            assert!(found.iter().any(|text| regex.is_match(text)), "{pattern}: {found:?}");
            let matching = found.iter().filter(|text| regex.is_match(text)).count();
            assert!(matching * 2 >= found.len(), "{pattern}: {found:?}");
        }
        assert!(samples("(").is_empty());
        assert!(samples("0*(\\d+)").iter().any(|text| text.starts_with("00")));
        assert!(samples("(a{100}){100}").iter().all(|text| text.len() <= 512));
    }
}
