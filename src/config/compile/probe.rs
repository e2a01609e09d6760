//! Runs every two-way row on a corpus: what is written must be read back.

use serde_json::{Value, json};

use crate::expr::{Env, Name};
use crate::mapping::codec::{Law, chain_class};
use crate::mapping::{Access, Codec, Row, Source, Target};
use crate::scim::{AttributeType, Resource};

use super::context::Context;
use super::rows::RowDraft;

pub(super) fn check(cx: &mut Context, drafts: &[RowDraft]) {
    for draft in drafts {
        let row = &draft.row;
        if !matches!(row.access, Access::Both | Access::Create) || row.lossy.is_some() {
            continue;
        }
        let corpus = corpus(row);
        if let Some((scim, native, read)) = corpus.into_iter().find_map(|scim| failure(row, scim)) {
            let message = format!("`{}` does not survive a round trip", row.target);
            let help = format!(
                "write {scim} -> native {native} -> read {read}. Fix it, make the row one-way, or state `lossy = \"reason\"`"
            );
            cx.report.error_help("E018", &draft.place, message, help);
        }
    }
}

/// A value that comes back different, with its native form.
fn failure(row: &Row, scim: Value) -> Option<(Value, Value, Value)> {
    let (native, read) = match &row.source {
        // What `laws` reports as what it is needs no counterexample.
        Source::Native { codec, .. } if reported(codec, row.target.case_exact) => return None,
        Source::Native { codec, .. } => through_codecs(codec, &scim)?,
        Source::Computed { path: Some(path), read: Some(read), write: Some(write) } => {
            // A row that reads other native fields as well cannot be probed by itself.
            let alone = read.field_paths(Name::Native).iter().all(|field| field.join(".") == path.to_string());
            if !alone || read.uses(Name::Id) || write.uses(Name::Native) {
                return None;
            }
            let mut resource = Resource::default();
            row.target.write(&mut resource, scim.clone());
            let resource = Value::Object(resource.0);
            let native = write.eval(&Env { scim: Some(&resource), ..Env::default() }).ok()?.into_owned();
            let mut document = json!({});
            path.put(&mut document, Some(native.clone()));
            let read = read.eval(&Env { native: Some(&document), ..Env::default() }).ok()?.into_owned();
            (native, read)
        }
        _ => return None,
    };
    (!same(&row.target, &scim, &read)).then_some((scim, native, read))
}

fn reported(codec: &[Codec], case_exact: bool) -> bool {
    let folds = codec.iter().any(|codec| matches!(codec, Codec::Lower | Codec::Upper));
    chain_class(codec) == Law::Lossy || codec.contains(&Codec::Trim) || (case_exact && folds)
}

/// `None` where the chain refuses the value, which is lawful.
fn through_codecs(codec: &[Codec], scim: &Value) -> Option<(Value, Value)> {
    let native = codec.iter().try_fold(scim.clone(), |value, codec| codec.encode(&value)).ok()?;
    let read = codec.iter().rev().try_fold(native.clone(), |value, codec| codec.decode(&value));
    Some((native, read.unwrap_or(Value::Null)))
}

fn same(target: &Target, a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) if target.kind == AttributeType::DateTime => {
            a.parse::<jiff::Timestamp>().ok() == b.parse().ok()
        }
        (Value::String(a), Value::String(b)) if !target.case_exact => folded(a) == folded(b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(target, a, b)),
        _ => unassigned(a) && unassigned(b) || a == b,
    }
}

/// As filters compare: by the lower-case form of the upper-case one, so that sharp s and final sigma meet themselves.
fn folded(text: &str) -> String {
    text.to_uppercase().to_lowercase().to_uppercase()
}

fn unassigned(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn corpus(row: &Row) -> Vec<Value> {
    let values = match row.target.kind {
        AttributeType::Boolean => vec![json!(true), json!(false)],
        AttributeType::Integer => vec![json!(0), json!(-1), json!(7), json!(9_007_199_254_740_993_i64)],
        AttributeType::Decimal => vec![json!(0.5), json!(-2.25)],
        // Whole seconds: dropping fractions is normalisation.
        AttributeType::DateTime => vec![json!("2026-01-01T00:00:00Z"), json!("1999-06-30T12:34:56Z")],
        AttributeType::Binary => vec![json!("AAEC")],
        AttributeType::String | AttributeType::Reference => texts(),
        AttributeType::Complex => vec![json!({"value": "Ann", "type": "work"})],
    };
    if row.target.multi_valued {
        values.windows(2).map(|pair| json!(pair)).chain([json!([])]).collect()
    } else {
        values
    }
}

fn texts() -> Vec<Value> {
    let long = "x".repeat(300);
    let texts = [
        "",
        "Ann",
        "ann LEE",
        " x ",
        "O'Brien \"q\"",
        "a,b;c|d",
        "en-US",
        "en_US",
        "007",
        "9007199254740993",
        "\u{130}",
        "Stra\u{df}e",
        "\u{3a3}\u{3c2}",
        "a/b?c#d",
        &long,
    ];
    texts.iter().map(|text| json!(text)).collect()
}
