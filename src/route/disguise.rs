//! In: a raw path that is not below a SCIM prefix as received. Out: whether some other reading of it is.
//!
//! Servers differ in what they do to a path before they use it: decode it once or twice, take a backslash for a slash,
//! collapse slashes, cut path parameters off, drop control bytes, resolve dots. A path that any such reading leads to
//! SCIM must not pass through to the application.

use percent_encoding::percent_decode;

/// Whether some reading of the path comes to stand at or below one of the prefixes, at its end or on its way.
pub(super) fn reaches(raw_path: &str, prefixes: &[Vec<Box<str>>]) -> bool {
    if is_plain(raw_path) {
        return false;
    }
    let mut text = raw_path.as_bytes().to_vec();
    for _ in 0..READINGS_MAX {
        if [Reading::Literal, Reading::Lax].into_iter().any(|reading| walks_into(&text, reading, prefixes)) {
            return true;
        }
        let decoded: Vec<u8> = percent_decode(&text).collect();
        if decoded == text {
            return false;
        }
        text = decoded;
    }
    // Nobody encodes a path this often in good faith, but the application may have its reasons.
    false
}

/// How a segment is read.
#[derive(Clone, Copy)]
enum Reading {
    /// As it stands.
    Literal,
    /// Without path parameters, control bytes and spaces.
    Lax,
}

/// Without these there is one reading only, and the caller has tried it.
fn is_plain(raw_path: &str) -> bool {
    !raw_path.contains("//") && !raw_path.bytes().any(|byte| matches!(byte, b'%' | b';' | b'\\' | 0..=b' ' | 0x7f))
}

/// Resolves the path from left to right and looks at every place it passes.
fn walks_into(text: &[u8], reading: Reading, prefixes: &[Vec<Box<str>>]) -> bool {
    let mut place: Vec<Vec<u8>> = Vec::new();
    for piece in text.split(|byte| matches!(byte, b'/' | b'\\')) {
        let name = match reading {
            Reading::Literal => piece.to_vec(),
            Reading::Lax => {
                let name = piece.iter().copied().take_while(|byte| *byte != b';');
                name.filter(|byte| *byte > b' ' && *byte != 0x7f).collect()
            }
        };
        match name.as_slice() {
            b"" | b"." => {}
            b".." => drop(place.pop()),
            _ => {
                place.push(name);
                if prefixes.iter().any(|prefix| same(&place, prefix)) {
                    return true;
                }
            }
        }
    }
    false
}

fn same(place: &[Vec<u8>], prefix: &[Box<str>]) -> bool {
    place.len() == prefix.len() && place.iter().zip(prefix).all(|(name, literal)| **name == *literal.as_bytes())
}

/// How often a path is decoded in search of SCIM. Twice is what misconfigured chains of proxies do.
const READINGS_MAX: usize = 4;
