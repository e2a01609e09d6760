//! What is written on the wire is read back as it was: no value adds a header, a pair, a segment or a host.

use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::native::credential::Attached;
use crate::native::request::{Envelope, build};
use crate::plan::form;

fn hostile() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "\"",
        "{",
        "}",
        "\n",
        "\r\n",
        "\0",
        "/",
        "%2F",
        "..",
        "?",
        "#",
        "&",
        "&a=1",
        "=",
        "+",
        " ",
        "@host",
        "[0]",
        "[",
        "]",
        "\r\nX-Admin: 1",
        "\\",
        "%",
        "%00",
        "é",
        "\u{1f600}",
        "a",
    ];
    let piece = prop_oneof![
        4 => prop::sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// Reads a form as the URL standard says.
fn pairs(form: &str) -> Vec<(String, String)> {
    let plain = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned();
    let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (plain(name), plain(value))).unwrap();
    form.split('&').map(pair).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_form_has_the_pairs_of_its_body(a in hostile(), b in hostile(), key in "[a-z]{1,3}") {
        let body = json!({ "f1": a, "f2": [b, "x"], "f3": { key.clone(): b }, "f4": [{ "k": a }], "f5": null });
        let expected: Vec<(String, String)> = [
            ("f1", a.clone()),
            ("f2", b.clone()),
            ("f2", "x".to_owned()),
            (format!("f3[{key}]").as_str(), b),
            ("f4[0][k]", a),
            ("f5", String::new()),
        ].map(|(name, value)| (name.to_owned(), value)).into();
        prop_assert_eq!(pairs(&form::encode(&body)), expected);
    }

    #[test]
    fn a_request_keeps_its_host_headers_and_body(text in hostile(), form in any::<bool>()) {
        let address = "127.0.0.1:3000".parse().unwrap();
        let format = if form { Format::Form } else { Format::Json };
        let backend = Backend { format, ..backend(address) };
        let envelope = Envelope::new(&backend).unwrap();
        let encoded = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let call = NativeCall {
            target: format!("/users/x{encoded}?q={encoded}"),
            headers: vec![("X-Name".into(), text.clone())],
            ..post(json!({ "name": text }))
        };
        let (forwarded, secrets) = (Forwarded::default(), secrets());
        let Ok(request) = build(&envelope, &call, Attached::Nothing, &forwarded, &secrets) else {
            // What cannot be a header value, or would be another path once decoded, is not sent at all.
            let sendable = text.chars().all(|c| c == '\t' || (!c.is_control() && c != '\u{7f}'));
            prop_assert!(!sendable || text.contains(['/', '\\']) || text.contains(".."), "{:?}", text);
            return Ok(());
        };
        let request = request.to_http(http::uri::Scheme::HTTP).unwrap();
        prop_assert_eq!(request.uri().authority().unwrap().as_str(), "127.0.0.1:3000");
        prop_assert_eq!(request.uri().path().split('/').count(), 4, "{}", request.uri());
        prop_assert_eq!(request.headers().get_all("X-Name").iter().count(), 1);
        prop_assert_eq!(request.headers()["X-Name"].as_bytes(), text.as_bytes());
        prop_assert!(request.headers().get("X-Admin").is_none());
    }
}
