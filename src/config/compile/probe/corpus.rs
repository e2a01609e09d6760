//! In: a row. Out: values to write through it, and native values that may already be there.

use serde_json::{Value, json};

use crate::mapping::{Codec, Row, Source};
use crate::pattern;
use crate::scim::AttributeType;

/// SCIM values of the row's type: usual ones, and those that conversions trip over.
pub(super) fn scim(row: &Row) -> Vec<Value> {
    let mut values = match row.target.kind {
        AttributeType::Boolean => vec![json!(true), json!(false)],
        AttributeType::Integer => vec![json!(0), json!(-1), json!(7), json!(9_007_199_254_740_993_i64)],
        AttributeType::Decimal => vec![json!(0.5), json!(-2.25), json!(7)],
        AttributeType::DateTime => TIMES.iter().map(|time| json!(time)).collect(),
        AttributeType::Binary => vec![json!("AAEC"), json!("")],
        AttributeType::String | AttributeType::Reference => texts(),
        AttributeType::Complex => {
            vec![json!({"value": "Ann", "type": "work"}), json!({"value": "b,c;d", "display": "B"})]
        }
    };
    if let Source::Native { codec, .. } = &row.source {
        let mut found: Vec<Value> = codec.iter().flat_map(of_codec).collect();
        // Where a codec takes few values only, these come first: one of them is shown as the example.
        found.append(&mut values);
        values = found;
    }
    if row.target.multi_valued {
        let pairs: Vec<Value> = values.windows(2).map(|pair| json!(pair)).collect();
        return values.iter().map(|value| json!([value])).chain(pairs).chain([json!([])]).collect();
    }
    values
}

/// What a codec is particular about.
fn of_codec(codec: &Codec) -> Vec<Value> {
    let around = |text: &str| {
        vec![json!(text), json!(format!("a{text}b")), json!(format!("{text}x")), json!(format!("x{text}"))]
    };
    match codec {
        Codec::Map(map) => map.pairs.iter().map(|(scim, _)| scim.clone()).chain([json!("outsider")]).collect(),
        Codec::Regex(rewrite) => pattern::samples(rewrite.pattern()).into_iter().map(Value::from).collect(),
        Codec::Form(form) => pattern::samples(form.pattern()).into_iter().map(Value::from).collect(),
        Codec::Prefix(text) | Codec::Suffix(text) | Codec::Join(text) | Codec::Locale(text) => around(text),
        Codec::Phone { .. } => vec![json!("+4722334455"), json!("22 33 44 55"), json!("0044 20 7946 0958")],
        Codec::Int | Codec::Float => vec![json!("7"), json!("-12")],
        Codec::Bool { .. } => vec![json!(true), json!(false)],
        _ => Vec::new(),
    }
}

/// Values that a native field may hold before the adapter ever wrote it.
pub(super) fn native() -> Vec<Value> {
    vec![
        json!("abc"),
        json!("!abc"),
        json!("!!x"),
        json!("a,b"),
        json!(""),
        json!(0),
        json!(5),
        json!(true),
        json!([]),
        json!(["a", "b"]),
        Value::Null,
    ]
}

fn texts() -> Vec<Value> {
    let long = "x".repeat(300);
    let texts = [
        "Ann",
        "ann LEE",
        " x ",
        "Ann  Lee",
        "O'Brien \"q\"",
        "a,b;c|d",
        "en-US",
        "en_US",
        "007",
        "9007199254740993",
        "\u{130}",
        "Stra\u{df}e",
        "\u{3a3}\u{3c2}",
        "e\u{301}",
        "a/b?c#d",
        "",
        &long,
    ];
    texts.iter().map(|text| json!(text)).collect()
}

/// A usual one, one before the century, one with a fraction, and the hour that summer time repeats.
const TIMES: [&str; 6] = [
    "2026-01-01T00:00:00Z",
    "1999-06-30T12:34:56Z",
    "2026-03-04T05:06:07.123Z",
    "2026-10-25T00:30:00Z",
    "2026-10-25T01:30:00Z",
    "2026-11-01T06:30:00Z",
];
