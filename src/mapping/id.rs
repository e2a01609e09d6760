//! SCIM ids: how they are read in native documents, and which text a client sees.
//!
//! In: native documents, keys and SCIM ids. Out: native keys, and the SCIM ids that stand for them. A key is one value,
//! or an object of the parts that make it. Encoding gives every key exactly one id: what would not come out of
//! [`IdRule::text`] is no id.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::document::View;
use crate::expr::Template;
use crate::pattern::Pattern;

use super::{Collision, IdMutability, NativePath};

/// SCIM id and native key.
#[derive(Clone, Debug)]
pub struct IdRule {
    /// Where the key is in a native document.
    pub native: NativePath,
    /// The parts that make the key together; empty where it is one value.
    pub join: Vec<IdPart>,
    /// The SCIM id is the base64url text of the key.
    pub encoded: bool,
    /// The key's native type.
    pub kind: IdKind,
    /// Computes the key on create; without it the application assigns one.
    pub derive: Option<Template>,
    /// What happens when a derived key is taken.
    pub collision: Collision,
    /// Whether the key follows a rename.
    pub mutable: IdMutability,
    /// What a key looks like, anchored; a SCIM id that does not match is 404 without a native call.
    pub pattern: Option<Pattern>,
}

/// One of several native fields that make a key together.
#[derive(Clone, Debug)]
pub struct IdPart {
    /// What expressions call it.
    pub name: Arc<str>,
    /// Where it is in a native document.
    pub native: NativePath,
}

/// Native type of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdKind {
    /// Text.
    String,
    /// A JSON integer.
    Int,
}

impl IdRule {
    /// The key in a native document; `None` where it is missing.
    pub fn read<'d>(&self, document: impl Into<View<'d>>) -> Option<Value> {
        let document = document.into();
        if self.join.is_empty() {
            return self.native.find(document).filter(|key| !key.is_null()).map(View::to_value);
        }
        let part = |part: &IdPart| {
            let value = part.native.find(document).map(View::value).filter(|value| is_part(value))?;
            Some((part.name.to_string(), value.into_owned()))
        };
        self.join.iter().map(part).collect::<Option<Map<_, _>>>().map(Value::Object)
    }

    /// The key that a native value names: the key itself, or an object that holds its parts.
    pub fn key(&self, value: &Value) -> Option<Value> {
        if !self.join.is_empty() {
            return self.read(value);
        }
        let text = plain(value)?;
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(&text)) {
            return None;
        }
        match self.kind {
            IdKind::String => Some(Value::from(text)),
            // Only the canonical spelling, so that "07" and "+7" do not name the object 7.
            IdKind::Int => text.parse::<i64>().ok().filter(|number| number.to_string() == text).map(Value::from),
        }
    }

    /// The SCIM id of a key.
    pub fn text(&self, key: &Value) -> Option<String> {
        let text = if self.join.is_empty() {
            plain(key)?
        } else {
            let parts = self.join.iter().map(|part| key.get(&*part.name).filter(|value| is_part(value)).cloned());
            Value::Array(parts.collect::<Option<_>>()?).to_string()
        };
        Some(if self.encoded { URL_SAFE_NO_PAD.encode(text) } else { text })
    }

    /// The SCIM id that a native value names.
    pub fn text_of(&self, value: &Value) -> Option<String> {
        if self.join.is_empty() { self.text(value) } else { self.text(&self.read(value)?) }
    }

    /// The key that a SCIM id stands for; `None` for one that cannot be a key.
    pub fn decode(&self, id: &str) -> Option<Value> {
        if !self.encoded {
            return self.key(&Value::from(id));
        }
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(id).ok()?).ok()?;
        let key = if self.join.is_empty() { self.key(&Value::from(text))? } else { self.parts(&text)? };
        (self.text(&key)? == id).then_some(key)
    }

    fn parts(&self, text: &str) -> Option<Value> {
        let values: Vec<Value> = serde_json::from_str(text).ok()?;
        let fits = values.len() == self.join.len() && values.iter().all(is_part);
        let names = self.join.iter().map(|part| part.name.to_string());
        fits.then(|| Value::Object(names.zip(values).collect()))
    }
}

fn is_part(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Number(number) => number.is_i64() || number.is_u64(),
        _ => false,
    }
}

/// The text of a key of one value, whatever its native type.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn rule(join: &[&str], kind: IdKind) -> IdRule {
        let path = |text: &str| NativePath::parse(text).unwrap();
        let part = |text: &&str| IdPart { name: path(text).last_name().unwrap().into(), native: path(text) };
        IdRule {
            native: path("id"),
            join: join.iter().map(part).collect(),
            encoded: true,
            kind,
            derive: None,
            collision: Collision::Native,
            mutable: IdMutability::Keep,
            pattern: None,
        }
    }

    fn encoded(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    #[test]
    fn what_is_no_id() {
        let joined = rule(&["org.id", "user"], IdKind::String);
        assert_eq!(joined.decode(&encoded(r#"["a",1]"#)), Some(json!({ "id": "a", "user": 1 })));
        for text in
            [r#"["a"]"#, r#"["a",1,2]"#, r#"["a", 1]"#, r#"["",1]"#, r#"["a",1.0]"#, r#"["a",null]"#, "{}", "[", ""]
        {
            assert_eq!(joined.decode(&encoded(text)), None, "{text}");
        }
        let number = rule(&[], IdKind::Int);
        assert_eq!(number.decode(&encoded("7")), Some(json!(7)));
        for text in ["07", "+7", "x", ""] {
            assert_eq!(number.decode(&encoded(text)), None, "{text}");
        }
        let text = rule(&[], IdKind::String);
        assert_eq!(text.decode("YS9i"), Some(json!("a/b")));
        for id in ["", "YS9i=", "YQ==", "YR", "a/b", "YS9", "_w"] {
            assert_eq!(text.decode(id), None, "{id}");
        }
    }

    #[test]
    fn a_key_without_one_of_its_parts_is_none() {
        let joined = rule(&["org.id", "user"], IdKind::String);
        assert_eq!(joined.read(&json!({ "org": { "id": 1 }, "user": "u" })), Some(json!({ "id": 1, "user": "u" })));
        for document in [json!({ "user": "u" }), json!({ "org": { "id": null }, "user": "u" }), json!("u")] {
            assert_eq!(joined.read(&document), None, "{document}");
        }
    }

    fn part() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            "[ab1,\"\\[\\]]{1,3}".prop_map(Value::from),
            "\\PC{1,8}".prop_map(Value::from),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn ids_and_keys_are_the_same_thing(a in [part(), part()], b in [part(), part()]) {
            let rule = rule(&["x", "y"], IdKind::String);
            let key = |[x, y]: &[Value; 2]| json!({ "x": x, "y": y });
            let ids = [&a, &b].map(|parts| rule.text(&key(parts)).unwrap());
            prop_assert_eq!(rule.decode(&ids[0]), Some(key(&a)));
            prop_assert_eq!(a == b, ids[0] == ids[1]);
        }

        #[test]
        fn what_decodes_is_what_was_encoded(text in "\\PC{0,12}|\\[[\"a1, ]{0,8}\\]", id in "[A-Za-z0-9_=-]{0,12}") {
            for rule in [rule(&["x", "y"], IdKind::String), rule(&[], IdKind::String), rule(&[], IdKind::Int)] {
                for id in [&encoded(&text), &id] {
                    if let Some(key) = rule.decode(id) {
                        prop_assert_eq!(rule.text(&key), Some(id.clone()));
                    }
                }
            }
        }
    }
}
