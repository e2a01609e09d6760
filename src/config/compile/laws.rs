//! Whether the codecs of a row suit its attribute: what the identity provider writes it must read back.

use crate::mapping::codec::ValueMap;
use crate::mapping::{Access, Codec, Source};
use crate::scim::AttributeType;

use super::context::Context;
use super::rows::RowDraft;

pub(super) fn check(cx: &mut Context, drafts: &[RowDraft]) {
    for draft in drafts {
        let Source::Native { codec, .. } = &draft.row.source else { continue };
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
}

fn two_way(cx: &mut Context, draft: &RowDraft, codec: &Codec) {
    match codec {
        Codec::Map(map) => table(cx, draft, map),
        Codec::Lower | Codec::Upper => folding(cx, draft, codec),
        Codec::Trim => trimming(cx, draft),
        Codec::Unwrap(key) => {
            let message = format!("`wrap` forgets every sub-attribute but `{key}`");
            cx.report.error_help("E016", &draft.codec_place, message, STATE_LOSSY.to_owned());
        }
        Codec::Truncate(most) => {
            let message = format!("`truncate` forgets what is beyond {most} characters");
            cx.report.error_help("E016", &draft.codec_place, message, STATE_LOSSY.to_owned());
        }
        _ => {}
    }
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

/// On a key, two identities could merge; elsewhere the client merely sees a difference.
fn trimming(cx: &mut Context, draft: &RowDraft) {
    let target = &draft.row.target;
    let key = draft.unique || matches!(&*target.path.attribute, "userName" | "externalId");
    let message = format!("`trim` is not invertible on `{target}`");
    let help =
        "PutGet: write \" x\" -> native \"x\" -> read \"x\". Drop the codec, or state `lossy = \"reason\"`".to_owned();
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
