//! Heads hold whatever way their bytes arrive; what passes is read alike by another parser; garbage is refused.

use proptest::prelude::*;

use super::alike::{arrives_alike, is_understood, taken};

/// Heads as they are, and as they should not be.
fn heads() -> impl Strategy<Value = Vec<u8>> {
    let target = prop_oneof![
        "/[a-zA-Z0-9/%._~-]{0,20}(\\?[ -~]{0,20})?",
        Just("http://a.example/x?y=z".to_owned()),
        Just("*".to_owned()),
        "[ -~é]{1,12}",
    ];
    let field = prop_oneof![
        Just("Host: a.example".to_owned()),
        Just("Content-Length: 5".to_owned()),
        Just("Transfer-Encoding: chunked".to_owned()),
        Just("Upgrade: websocket".to_owned()),
        "[A-Za-z-]{1,8}:[ \t]{0,2}[ -~é]{0,20}",
        "[ -~]{0,12}",
    ];
    let start = prop_oneof![9 => Just("Host: a.example\r\n"), 1 => Just("")];
    let method = prop_oneof![Just("GET"), Just("POST"), Just("PATCH"), Just("CONNECT"), Just("x y")];
    let version = prop_oneof![8 => Just("HTTP/1.1"), 1 => Just("HTTP/1.0"), 1 => Just("HTTP/2.0")];
    let parts = (method, target, version, start, prop::collection::vec(field, 0..6), "(\r\n){0,2}", "[ -~\r\n]{0,30}");
    parts.prop_map(|(method, target, version, host, fields, before, body)| {
        let fields = fields.join("\r\n") + if fields.is_empty() { "" } else { "\r\n" };
        format!("{before}{method} {target} {version}\r\n{host}{fields}\r\n{body}").into_bytes()
    })
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1_usize..40, 1..8)
}

proptest! {
    #[test]
    fn a_head_is_what_it_is_however_it_arrives(bytes in heads(), lengths in lengths(), max_bytes in 20_usize..400) {
        arrives_alike(&bytes, &lengths, max_bytes);
        arrives_alike(&bytes, &[1], max_bytes);
    }

    #[test]
    fn what_passes_is_understood_alike(bytes in heads()) {
        if let Ok(Some((head, framing, _))) = taken(&[&bytes], 4096) {
            is_understood(&head, framing);
        }
    }

    #[test]
    fn garbage_is_refused_or_waited_for(bytes in prop::collection::vec(any::<u8>(), 0..300), lengths in lengths()) {
        arrives_alike(&bytes, &lengths, 200);
    }

    /// One byte of a head that passed becomes another one.
    #[test]
    fn a_damaged_head_is_still_one_or_none(bytes in heads(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = bytes;
        let at = at.index(bytes.len());
        bytes[at] = byte;
        arrives_alike(&bytes, &[1, 2, 3], 4096);
        if let Ok(Some((head, framing, _))) = taken(&[&bytes], 4096) {
            is_understood(&head, framing);
        }
    }
}
