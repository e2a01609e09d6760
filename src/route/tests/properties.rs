//! Properties of path reading, over paths made of the pieces that attackers use.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use proptest::prelude::*;
use regex::Regex;

use super::super::*;
use super::table;
use crate::pattern::Pattern;

/// Paths from the vocabulary of SCIM bases and of attempts to hide them.
fn hostile_path() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/", "/", "/", "//", "scim", "sc%69m", "sc%2569m", "v2", "v%32", "hr", "p", "Users", "Bulk", "7", ".", "..",
        "%2e", "%2E%2e", "%252e", "%2f", "%2F", "%252f", "%5c", "\\", ";", ";x=1", "%3b", "%00", "%20", "%", "%zz",
        "%FF", "%C3%BC", "\u{fc}", "?", "a b",
    ]);
    prop::collection::vec(piece, 0..16).prop_map(|pieces| format!("/{}", pieces.concat()))
}

/// Decodes twice, then collapses slashes and resolves dots, as a careless chain of servers does.
fn careless_reading(path: &str) -> Vec<Vec<u8>> {
    let once: Vec<u8> = percent_encoding::percent_decode_str(path).collect();
    let twice: Vec<u8> = percent_encoding::percent_decode(&once).collect();
    let mut place: Vec<Vec<u8>> = Vec::new();
    for piece in twice.split(|byte| *byte == b'/') {
        match piece {
            b"" | b"." => {}
            b".." => drop(place.pop()),
            name => place.push(name.to_vec()),
        }
    }
    place
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(path in any::<String>()) {
        let _ = table().resolve(&path);
        let _ = table().resolve(&format!("/hr/scim/{path}"));
    }

    #[test]
    fn what_a_careless_server_takes_for_scim_never_passes_through(path in hostile_path()) {
        let place = careless_reading(&path);
        let reaches = |prefix: &[&[u8]]| place.len() >= prefix.len() && place.iter().zip(prefix).all(|(a, b)| a == b);
        if reaches(&[b"scim", b"v2"]) || reaches(&[b"hr", b"scim"]) {
            prop_assert_ne!(table().resolve(&path), Outcome::PassThrough);
        }
    }

    #[test]
    fn what_is_served_has_no_dots_no_empty_names_and_no_slash_in_a_variable(path in hostile_path()) {
        if let Outcome::Scim(matched) = table().resolve(&path) {
            for (_, value) in &matched.values {
                prop_assert!(!value.is_empty() && !value.contains(['/', '\\']) && value != "." && value != "..");
            }
            if let Endpoint::Resource { id, .. } = &matched.endpoint {
                prop_assert!(!id.is_empty() && id != "." && id != "..");
            }
            prop_assert!(path.starts_with(&matched.base));
        }
    }

    #[test]
    fn an_encoded_path_reads_as_the_same_segments(names in prop::collection::vec("[^./\\\\\\p{Cc}][^/\\\\\\p{Cc}]{0,8}", 1..6)) {
        let encode = |names: &[String]| -> String {
            let encoded = names.iter().flat_map(|name| ["/".to_owned(), utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()]);
            encoded.collect()
        };
        let raw = encode(&names);
        let path = canonicalise(&raw).unwrap();
        prop_assert_eq!(path.ambiguous, None);
        let decoded: Vec<String> = path.segments.iter().map(|segment| segment.decoded.to_string()).collect();
        prop_assert_eq!(&decoded, &names);
        prop_assert_eq!(encode(&decoded), raw);
    }

    #[test]
    fn decoding_happens_exactly_once(path in hostile_path()) {
        for segment in canonicalise(&path).unwrap().segments {
            if let Ok(text) = percent_decode_str(segment.raw).decode_utf8() {
                prop_assert!(segment.decoded == text || segment.decoded == segment.raw);
            }
        }
    }

    #[test]
    fn a_class_takes_what_its_regex_takes(
        class in "\\[\\^?([a-f]|[0-9]-9|_|\\.|\\\\-){1,4}-?\\](\\+|\\*|\\{[0-3]\\}|\\{[0-2],\\}|\\{[0-2],[2-4]\\})?",
        value in "[a-h0-9_.\u{fc}-]{0,5}",
    ) {
        let regex = Regex::new(&format!("^(?:{class})$")).unwrap();
        let pattern = Pattern::compile(&class).unwrap();
        prop_assert!(matches!(pattern, Pattern::Class(_)), "{} is not a class", class);
        prop_assert_eq!(pattern.is_match(&value), regex.is_match(&value));
    }
}
