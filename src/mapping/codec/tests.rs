//! Both directions of every codec, and the laws.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Both directions of one value.
fn both(codec: &Codec, scim: &Value, native: &Value) {
    assert_eq!(codec.encode(scim).as_ref(), Ok(native), "encode {scim} through {codec:?}");
    assert_eq!(codec.decode(native).as_ref(), Ok(scim), "decode {native} through {codec:?}");
}

fn table() -> Codec {
    Codec::Map(ValueMap {
        pairs: vec![(json!("Employee"), json!("E")), (json!("Contractor"), json!(7))],
        fold_case: true,
        ..ValueMap::default()
    })
}

#[test]
fn conversions_go_both_ways() {
    let epoch = Codec::DateTime(DateTimeFormat::Epoch);
    let cases = [
        (Codec::Lower, json!("ann"), json!("ann")),
        (Codec::Int, json!("7"), json!(7)),
        (Codec::Int, json!("-9007199254740993"), json!(-9_007_199_254_740_993_i64)),
        (Codec::Float, json!("1.5"), json!(1.5)),
        (Codec::Text(AttributeType::Integer), json!(7), json!("7")),
        (Codec::Text(AttributeType::Boolean), json!(true), json!("true")),
        (Codec::Bool { yes: json!("N"), no: json!("Y") }, json!(true), json!("N")),
        (table(), json!("Contractor"), json!(7)),
        (Codec::Prefix("org/".into()), json!("7"), json!("org/7")),
        (Codec::Suffix("@x".into()), json!("ann"), json!("ann@x")),
        (epoch, json!("2026-01-01T00:00:00Z"), json!(1_767_225_600)),
        (Codec::DateTime(DateTimeFormat::EpochMillis), json!("1970-01-01T00:00:00.5Z"), json!(500)),
        (Codec::Json, json!({"a": [1]}), json!("{\"a\":[1]}")),
        (Codec::B64, json!("é"), json!("w6k=")),
        (Codec::Locale("_".into()), json!("en-US"), json!("en_US")),
        (Codec::Join(", ".into()), json!(["a", "b"]), json!("a, b")),
        (Codec::Wrap("value".into()), json!("x"), json!({"value": "x"})),
        (Codec::Wrap("value".into()), json!(["x", "y"]), json!([{"value": "x"}, {"value": "y"}])),
        (Codec::Unwrap("value".into()), json!([{"value": "x"}]), json!(["x"])),
        (Codec::Lower, json!(null), json!(null)),
    ];
    for (codec, scim, native) in cases {
        both(&codec, &scim, &native);
    }
}

#[test]
fn what_has_no_native_form_is_refused() {
    let cases = [
        (Codec::Int, json!("007")),
        (Codec::Int, json!("+7")),
        (Codec::Int, json!("1.0")),
        (Codec::Int, json!("99999999999999999999")),
        (Codec::Float, json!("1.50")),
        (Codec::Bool { yes: json!(1), no: json!(0) }, json!("true")),
        (table(), json!("Intern")),
        (Codec::Join(",".into()), json!(["a,b"])),
        (Codec::Locale("_".into()), json!("en_US")),
        (Codec::Segment { after: None }, json!("x")),
        (Codec::DateTime(DateTimeFormat::Epoch), json!("2026-01-01")),
        (Codec::Lower, json!(7)),
    ];
    for (codec, scim) in cases {
        let refused = codec.encode(&scim).expect_err("refused");
        assert!(!refused.to_string().contains("007"), "a refusal never repeats the value");
    }
    assert_eq!(
        table().encode(&json!("Intern")).unwrap_err().to_string(),
        "expected one of \"Employee\", \"Contractor\""
    );
}

#[test]
fn a_table_folds_case_and_knows_what_stands_for_the_rest() {
    assert_eq!(table().encode(&json!("EMPLOYEE")), Ok(json!("E")));
    assert!(table().decode(&json!("Z")).is_err());
    assert!(!table().reads_absent());
    let Codec::Map(map) = table() else { unreachable!() };
    let open = Codec::Map(ValueMap { else_write: Some(json!("X")), else_read: Some(json!("Other")), ..map });
    assert_eq!(open.encode(&json!("Intern")), Ok(json!("X")));
    assert_eq!(open.decode(&json!(null)), Ok(json!("Other")));
    assert!(open.reads_absent());
    assert_eq!((table().class(), open.class()), (Law::Partial, Law::Lossy));
}

#[test]
fn the_segment_of_a_url_is_its_last_name() {
    let read = |text: &str, after: Option<&str>| Codec::Segment { after: after.map(Arc::from) }.decode(&json!(text));
    for (text, after, expected) in [
        ("https://x.example/api/users/7f3a?x=1", None, json!("7f3a")),
        ("/users/a%2Fb/", None, json!("a/b")),
        ("7", None, json!("7")),
        ("/accounts/7", Some("/accounts"), json!("7")),
        ("/users/7", Some("/accounts"), json!(null)),
        ("https://x.example", None, json!(null)),
        ("", None, json!(null)),
        ("/users/%FF", None, json!(null)),
    ] {
        assert_eq!(read(text, after), Ok(expected), "{text}");
    }
}

#[test]
fn a_chain_is_as_good_as_its_worst_link() {
    assert_eq!(chain_class(&[]), Law::Iso);
    assert_eq!(chain_class(&[Codec::Int, Codec::Lower]), Law::Canon);
    assert_eq!(chain_class(&[Codec::Lower, Codec::Truncate(3)]), Law::Lossy);
}

fn lawful() -> impl Strategy<Value = Codec> {
    prop::sample::select(vec![
        Codec::Int,
        Codec::Float,
        Codec::Prefix("p-".into()),
        Codec::Suffix("-s".into()),
        Codec::B64,
        Codec::Json,
        Codec::Locale("_".into()),
        Codec::Wrap("v".into()),
        table(),
    ])
}

proptest! {
    /// `decode(encode(s)) = s` for every codec of class iso or partial: `PutGet`. A table folds case on the way.
    #[test]
    fn what_is_written_is_read_back(codec in lawful(), text in "\\PC{0,12}|-?[0-9]{1,4}(\\.[0-9])?|[a-z]{2}-[A-Z]{2}|Employee") {
        let scim = json!(text);
        if let Ok(native) = codec.encode(&scim) {
            prop_assert_eq!(codec.decode(&native), Ok(scim));
        }
    }

    /// `encode(decode(n)) = n`: `GetPut`.
    #[test]
    fn what_is_read_is_written_back(codec in lawful(), number in any::<i64>(), text in "\\PC{0,12}") {
        for native in [json!(number), json!(text), json!(format!("p-{text}")), json!({"v": text})] {
            // Two JSON texts may mean the same, and an object may have more than the wrapped field.
            if let (Ok(scim), false) = (codec.decode(&native), matches!(codec, Codec::Json)) {
                prop_assert_eq!(codec.encode(&scim), Ok(native));
            }
        }
    }

    /// Normalising twice is normalising once.
    #[test]
    fn canonical_forms_are_stable(text in "\\PC{0,20}") {
        for codec in [Codec::Lower, Codec::Upper, Codec::Trim, Codec::Truncate(3)] {
            let once = codec.encode(&json!(text)).unwrap();
            prop_assert_eq!(codec.encode(&once), Ok(once.clone()));
        }
    }

    #[test]
    fn lists_convert_element_by_element(items in prop::collection::vec("[a-z]{1,5}", 0..5)) {
        let native = Codec::Prefix("p".into()).encode(&json!(items)).unwrap();
        let expected: Vec<String> = items.iter().map(|item| format!("p{item}")).collect();
        prop_assert_eq!(native, json!(expected));
        if !items.is_empty() {
            both(&Codec::Join(",".into()), &json!(items), &json!(items.join(",")));
        }
    }
}
