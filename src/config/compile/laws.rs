//! Whether the codecs of a row suit its attribute: what the identity provider writes it must read back.

use crate::mapping::codec::{DateTimeFormat, ValueMap};
use crate::mapping::{Access, Codec, RowSet, Source};
use crate::scim::AttributeType;

use super::context::Context;
use super::rows::RowDraft;

/// Rows about which something was said, so that they need no counterexample.
pub(super) fn check(cx: &mut Context, drafts: &[RowDraft]) -> RowSet {
    let mut said: RowSet = 0;
    for (index, draft) in drafts.iter().enumerate() {
        let before = cx.report.count();
        superfluous(cx, draft);
        if let Source::Native { codec, .. } = &draft.row.source {
            fits_type(cx, draft, codec);
            let one_way = matches!(draft.row.access, Access::Read | Access::Write);
            for codec in codec {
                if matches!(codec, Codec::Segment { .. }) && draft.row.access != Access::Read {
                    let message = "`segment` can only be read: say `access = \"read\"`";
                    cx.report.error("E046", &draft.codec_place, message);
                } else if !one_way && draft.row.lossy.is_none() {
                    two_way(cx, draft, codec);
                }
            }
        }
        if cx.report.count() != before {
            said |= 1 << index;
        }
    }
    said
}

/// A reason for a loss that cannot happen.
fn superfluous(cx: &mut Context, draft: &RowDraft) {
    let row = &draft.row;
    let lawful = match &row.source {
        Source::Native { codec, .. } => codec.is_empty() || matches!(row.access, Access::Read | Access::Write),
        Source::Computed { .. } => matches!(row.access, Access::Read | Access::Write),
        Source::Mirror { .. } => false,
    };
    if row.lossy.is_some() && lawful && row.access != Access::Mirror {
        let message = format!("`{}` loses nothing, so `lossy` says nothing", row.target);
        cx.report.warn("W180", &draft.place, message, "leave `lossy` out".to_owned());
    }
}

fn two_way(cx: &mut Context, draft: &RowDraft, codec: &Codec) {
    let forgets = match codec {
        Codec::Map(map) => return table(cx, draft, map),
        Codec::Lower | Codec::Upper => return folding(cx, draft, codec),
        Codec::Unwrap(key) => format!("`wrap` forgets every sub-attribute but `{key}`"),
        Codec::Truncate(most) => format!("`truncate` forgets what is beyond {most} characters"),
        Codec::DateTime(DateTimeFormat::Text(format)) if format.forgets().is_some() => {
            format!("`datetime` forgets: {}", format.forgets().unwrap_or_default())
        }
        other => return normaliser(cx, draft, other),
    };
    cx.report.error_help("E016", &draft.codec_place, forgets, STATE_LOSSY.to_owned());
}

fn table(cx: &mut Context, draft: &RowDraft, map: &ValueMap) {
    if let Some((first, second)) = map.first_collision() {
        let message =
            format!("{first} and {second} have the same native value, so one of them is read back as the other");
        cx.report.error_help("E016", &draft.codec_place, message, STATE_LOSSY.to_owned());
    }
    if map.else_read.is_some() || map.else_write.is_some() {
        let message = format!("`else` makes `{}` forget which value it was", draft.row.target);
        cx.report.error_help("E017", &draft.codec_place, message, STATE_LOSSY.to_owned());
    }
}

fn folding(cx: &mut Context, draft: &RowDraft, codec: &Codec) {
    if !draft.row.target.case_exact {
        return;
    }
    let (name, folded) = (codec.name(), if *codec == Codec::Lower { "ab" } else { "AB" });
    let message = format!("`{name}` is not invertible on `{}`, which is case-exact", draft.row.target);
    let help = format!(
        "PutGet: write \"Ab\" -> native \"{folded}\" -> read \"{folded}\". Drop the codec, or state `lossy = \"reason\"`"
    );
    cx.report.error_help("E014", &draft.codec_place, message, help);
}

/// A codec that makes one of several spellings, which SCIM tells apart. On a key, two identities could merge; elsewhere
/// the client merely sees a difference, and may write again at every cycle.
fn normaliser(cx: &mut Context, draft: &RowDraft, codec: &Codec) {
    let (write, native) = match codec {
        Codec::Trim => (r#"" x""#, r#""x""#),
        Codec::Nfc => (r#""e\u0301""#, r#""\u00e9""#),
        Codec::Phone { .. } => (r#""+47 22 33 44 55""#, r#""+4722334455""#),
        Codec::DateTime(DateTimeFormat::Epoch) => (r#""1970-01-01T00:00:07.5Z""#, "7"),
        Codec::DateTime(DateTimeFormat::Text(_)) => (r#""1970-01-01T00:00:07.5Z""#, "a time without the fraction"),
        _ => return,
    };
    let read = match codec {
        Codec::DateTime(_) => r#""1970-01-01T00:00:07Z""#,
        _ => native,
    };
    let target = &draft.row.target;
    let key = draft.unique || matches!(&*target.path.attribute, "userName" | "externalId");
    let message = format!("`{}` is not invertible on `{target}`", codec.name());
    let help = format!(
        "PutGet: write {write} -> native {native} -> read {read}. Drop the codec, or state `lossy = \"reason\"`"
    );
    if key {
        cx.report.error_help("E014", &draft.codec_place, message, help);
    } else {
        cx.report.warn("W014", &draft.codec_place, message, help);
    }
}

/// The first codec meets the SCIM value and must be able to take it.
fn fits_type(cx: &mut Context, draft: &RowDraft, codec: &[Codec]) {
    let Some(first) = codec.first() else { return };
    let target = &draft.row.target;
    let text = matches!(
        target.kind,
        AttributeType::String | AttributeType::Reference | AttributeType::Binary | AttributeType::DateTime
    );
    let (fits, wanted) = match first {
        Codec::Bool { .. } => (target.kind == AttributeType::Boolean, "a boolean"),
        Codec::DateTime(_) => (target.kind == AttributeType::DateTime, "a dateTime"),
        Codec::Join(_) => (target.multi_valued, "several values"),
        Codec::Text(_) => (target.kind != AttributeType::Complex, "a simple value"),
        Codec::Map(_) | Codec::Json | Codec::Wrap(_) | Codec::Unwrap(_) | Codec::Segment { .. } => (true, ""),
        // A list of texts in a complex attribute has the form `[{value}]` and is no list of texts.
        _ => (text, "text"),
    };
    if !fits {
        let message = format!("`{}` takes {wanted}, and `{target}` is of type {}", first.name(), target.kind.as_str());
        cx.report.error("E034", &draft.codec_place, message);
    }
}

const STATE_LOSSY: &str = "make the row one-way, or state `lossy = \"reason\"`";
