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

fn rewrite(pattern: &str, back: &str) -> Codec {
    let regex = regex::Regex::new(&format!("^(?:{pattern})$")).unwrap();
    Codec::Regex(Arc::new(Rewrite::new(pattern, regex, back).unwrap()))
}

fn format(format: &str, zone: Option<&str>) -> Codec {
    Codec::DateTime(DateTimeFormat::Text(Arc::new(TimeFormat::compile(format, zone).unwrap())))
}

#[test]
fn telephone_numbers_take_one_form() {
    let at = |country: Option<&str>| Codec::Phone { country: country.map(Arc::from) };
    for (country, text, expected) in [
        (None, "+47 22 33-44.55", Some("+4722334455")),
        (None, "0047 (22) 334455", Some("+4722334455")),
        (None, "tel:+44 (0)20 7946 0958", Some("+442079460958")),
        (Some("47"), "22 33 44 55", Some("+4722334455")),
        (Some("49"), "030 123456", Some("+4930123456")),
        (Some("39"), "06 698 12345", Some("+390669812345")),
        (Some("1"), "+47 22334455", Some("+4722334455")),
        (None, "22 33 44 55", None),
        (None, "+47 2233 ext. 4", None),
        (None, "+12", None),
        (None, "+1234567890123456", None),
        (None, "", None),
        (None, "+0 123 456 789", None),
    ] {
        assert_eq!(at(country).encode(&json!(text)).ok(), expected.map(Value::from), "{country:?} {text}");
    }
    assert_eq!(at(None).class(), Law::Canon);
}

#[test]
fn a_pattern_takes_the_group_and_puts_the_rest_back() {
    let codec = rewrite("(.+)@acme\\.example", "$1@acme.example");
    both(&codec, &json!("ann@acme.example"), &json!("ann"));
    assert!(codec.encode(&json!("ann@other.example")).is_err());
    assert!(codec.encode(&json!("@acme.example")).is_err());
    assert!(codec.decode(&json!("")).is_err(), "the group would not match it");
    both(&rewrite("\\$(\\d+)", "$$$1"), &json!("$5"), &json!("5"));
    let refused = |pattern: &str, back: &str| {
        let regex = regex::Regex::new(pattern).unwrap();
        Rewrite::new(pattern, regex, back).unwrap_err()
    };
    assert_eq!(refused("a", "$1"), RewriteError::Groups(0));
    assert_eq!(refused("(a)(b)", "$1"), RewriteError::Groups(2));
    for back in ["", "a", "$2", "$12", "$x", "$1$", "$"] {
        assert_eq!(refused("(a)", back), RewriteError::Back, "{back}");
    }
}

#[test]
fn times_in_the_words_of_the_application() {
    let local = format("%Y-%m-%d %H:%M:%S", Some("Europe/Oslo"));
    both(&local, &json!("2026-07-01T10:00:00Z"), &json!("2026-07-01 12:00:00"));
    both(&local, &json!("2026-01-01T11:00:00Z"), &json!("2026-01-01 12:00:00"));
    assert_eq!(local.class(), Law::Lossy);
    // The hour that occurs twice reads as its first occurrence.
    assert_eq!(local.encode(&json!("2026-10-25T01:30:00Z")), Ok(json!("2026-10-25 02:30:00")));
    assert_eq!(local.decode(&json!("2026-10-25 02:30:00")), Ok(json!("2026-10-25T00:30:00Z")));
    let fixed = format("%d.%m.%Y %H:%M:%S", Some("+05:30"));
    both(&fixed, &json!("2026-01-01T00:00:00Z"), &json!("01.01.2026 05:30:00"));
    assert_eq!(fixed.class(), Law::Canon);
    assert_eq!(format("%Y-%m-%d", None).class(), Law::Lossy, "the time of day is gone");
    assert_eq!(format("%Y-%m-%d", None).decode(&json!("2026-01-02")), Ok(json!("2026-01-02T00:00:00Z")));
    assert_eq!(format("%Y-%m-%dT%H:%M:%S%z", Some("Europe/Oslo")).class(), Law::Canon, "the offset is written");
    assert!(fixed.decode(&json!("yesterday")).is_err());
    for (wrong, zone) in
        [("%Y-%m-%d", Some("Mars/Base")), ("%Q!", None), ("%H:%M", None), ("%", None), ("%Y", Some("+99:00"))]
    {
        assert!(TimeFormat::compile(wrong, zone).is_err(), "{wrong} {zone:?}");
    }
}

#[test]
fn letters_are_composed() {
    assert_eq!(Codec::Nfc.encode(&json!("e\u{301}")), Ok(json!("\u{e9}")));
    both(&Codec::Nfc, &json!("\u{e9}"), &json!("\u{e9}"));
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
        rewrite("([a-z]+)-[A-Z]{2}", "$1-XX"),
        rewrite("p-(.*)", "p-$1"),
        table(),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn times_are_read_as_the_calendar_has_them(
        date in "[01-9][0-9]{3}-[01][0-9]-[0-3][0-9]",
        time in "[0-2][0-9]:[0-6][0-9]:[0-6][0-9]",
        rest in "(\\.[0-9]{1,10})?(Z|z|[+-]01:00)?"
    ) {
        let text = format!("{date}T{time}{rest}");
        let read = Codec::DateTime(DateTimeFormat::Rfc3339).decode(&json!(text));
        let expected = text.parse::<jiff::Timestamp>().map(|time| json!(time.to_string()));
        prop_assert_eq!(read.ok(), expected.ok());
    }

    /// `decode(encode(s)) = s` for every codec of class iso or partial: `PutGet`. A table folds case on the way.
    #[test]
    fn what_is_written_is_read_back(codec in lawful(), text in "\\PC{0,12}|-?[0-9]{1,4}(\\.[0-9])?|[a-z]{2}-[A-Z]{2}|Employee") {
        let scim = json!(text);
        // What a pattern's `back` does not restore is found when the configuration is loaded.
        let restores = !matches!(&codec, Codec::Regex(rewrite) if rewrite.pattern().contains("[A-Z]"));
        if let (Ok(native), true) = (codec.encode(&scim), restores) {
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
    fn canonical_forms_are_stable(text in "\\PC{0,20}|[0-9 ()+-]{7,18}") {
        for codec in [Codec::Lower, Codec::Upper, Codec::Trim, Codec::Nfc, Codec::Truncate(3), Codec::Phone { country: Some("47".into()) }] {
            let Ok(once) = codec.encode(&json!(text)) else { continue };
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

#[test]
fn a_pattern_refuses_what_is_sent_and_shows_what_is_there() {
    let regexes = regex::Regex::new("^(?:[a-z]{1,3})$").unwrap();
    let form = Codec::Form(Arc::new(Form::new("[a-z]{1,3}", regexes)));
    assert_eq!(form.encode(&json!("abc")), Ok(json!("abc")));
    assert_eq!(form.encode(&json!("abcd")).unwrap_err().to_string(), "expected a text that matches `[a-z]{1,3}`");
    assert!(form.encode(&json!(7)).is_err());
    assert_eq!(form.encode(&json!(null)), Ok(json!(null)));
    assert_eq!(form.encode(&json!(["a", "b"])), Ok(json!(["a", "b"])));
    assert!(form.encode(&json!(["a", "B"])).is_err());
    assert_eq!(form.decode(&json!("older and longer")), Ok(json!("older and longer")));
}
