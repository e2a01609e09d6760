//! Properties: print-then-parse is the identity, nothing panics, and evaluation agrees with a naive model that knows
//! neither paths nor sharing: it lists every value an attribute has and applies the operator to each.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::resource::Resource;
use super::super::schema::user_type;
use super::tests::acme_user;
use super::*;

const STRINGS: [&str; 7] = ["", "a", "A", "ab", "Ab c", "å \"q\" \\", "Å \"Q\" \\"];

/// A question about one attribute, with the answer of the naive model.
#[derive(Clone, Debug)]
enum Model {
    Text(&'static str, &'static str, &'static str),
    Flag(&'static str, bool),
    Count(&'static str, i64),
    Present(&'static str),
    Email(&'static str, &'static str, &'static str),
    Not(Box<Model>),
    And(Vec<Model>),
    Or(Vec<Model>),
}

impl Model {
    fn text(&self) -> String {
        let list = |parts: &[Self], word: &str| {
            parts.iter().map(|part| format!("({})", part.text())).collect::<Vec<_>>().join(word)
        };
        match self {
            Self::Text(path, op, value) => format!("{path} {op} {}", json!(value)),
            Self::Flag(op, value) => format!("active {op} {value}"),
            Self::Count(op, value) => format!("logins {op} {value}"),
            Self::Present(path) => format!("{path} pr"),
            Self::Email(kind, op, value) => format!("emails[type eq {}].value {op} {}", json!(kind), json!(value)),
            Self::Not(inner) => format!("not ({})", inner.text()),
            Self::And(parts) => list(parts, " and "),
            Self::Or(parts) => list(parts, " OR "),
        }
    }

    fn holds(&self, user: &Value) -> bool {
        match self {
            Self::Text(path, op, value) => text_op(&texts(user, path), op, value, *path == "externalId"),
            Self::Flag(op, value) => (user["active"] == json!(value)) == (*op == "eq"),
            Self::Count(op, value) => {
                let logins = user["urn:acme:User"]["logins"].as_i64();
                match *op {
                    "eq" => logins == Some(*value),
                    "ne" => logins != Some(*value),
                    "gt" => logins.is_some_and(|logins| logins > *value),
                    _ => logins.is_some_and(|logins| logins <= *value),
                }
            }
            Self::Present(path) => texts(user, path).iter().any(|text| !text.is_empty()),
            Self::Email(kind, op, value) => user["emails"].as_array().is_some_and(|emails| {
                emails.iter().any(|email| {
                    let value_of = |name: &str| email[name].as_str().map(str::to_owned).into_iter().collect::<Vec<_>>();
                    text_op(&value_of("type"), "eq", kind, false) && text_op(&value_of("value"), op, value, false)
                })
            }),
            Self::Not(inner) => !inner.holds(user),
            Self::And(parts) => parts.iter().all(|part| part.holds(user)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(user)),
        }
    }
}

fn texts(user: &Value, path: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match path {
        "name.familyName" => text(&user["name"]["familyName"]).into_iter().collect(),
        "emails.value" => user["emails"].as_array().into_iter().flatten().filter_map(|e| text(&e["value"])).collect(),
        "tag" => user["urn:acme:User"]["tag"].as_array().into_iter().flatten().filter_map(text).collect(),
        single => text(&user[single]).into_iter().collect(),
    }
}

fn text_op(texts: &[String], op: &str, value: &str, exact: bool) -> bool {
    let fold = |text: &str| if exact { text.to_owned() } else { text.to_lowercase() };
    let value = fold(value);
    let mut texts = texts.iter().map(|text| fold(text));
    match op {
        "eq" => texts.any(|text| text == value),
        "ne" => texts.all(|text| text != value),
        "co" => texts.any(|text| text.contains(&value)),
        "sw" => texts.any(|text| text.starts_with(&value)),
        "ew" => texts.any(|text| text.ends_with(&value)),
        "gt" => texts.any(|text| text > value),
        "ge" => texts.any(|text| text >= value),
        "lt" => texts.any(|text| text < value),
        _ => texts.any(|text| text <= value),
    }
}

fn model() -> impl Strategy<Value = Model> {
    let string = || prop::sample::select(STRINGS.to_vec());
    let path = || prop::sample::select(vec!["userName", "externalId", "name.familyName", "emails.value", "tag"]);
    let op = || prop::sample::select(vec!["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]);
    let leaf = prop_oneof![
        (path(), op(), string()).prop_map(|(path, op, value)| Model::Text(path, op, value)),
        (prop::sample::select(vec!["eq", "ne"]), any::<bool>()).prop_map(|(op, value)| Model::Flag(op, value)),
        (prop::sample::select(vec!["eq", "ne", "gt", "le"]), -2..3_i64).prop_map(|(op, value)| Model::Count(op, value)),
        path().prop_map(Model::Present),
        (prop::sample::select(vec!["work", "home"]), op(), string())
            .prop_map(|(kind, op, value)| Model::Email(kind, op, value)),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Model::Not(Box::new(inner))),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Model::And),
            prop::collection::vec(inner, 1..4).prop_map(Model::Or),
        ]
    })
}

fn user() -> impl Strategy<Value = Value> {
    let string = || prop::sample::select(STRINGS.to_vec());
    let email = (prop::option::of(prop::sample::select(vec!["work", "Home"])), prop::option::of(string()))
        .prop_map(|(kind, value)| without_nulls(json!({"type": kind, "value": value})));
    (
        prop::option::of(string()),
        prop::option::of(string()),
        prop::option::of(string()),
        prop::option::of(any::<bool>()),
        prop::collection::vec(email, 0..3),
        prop::collection::vec(string(), 0..3),
        prop::option::of(-2..3_i64),
    )
        .prop_map(|(user_name, external_id, family_name, active, emails, tag, logins)| {
            without_nulls(json!({
                "userName": user_name, "externalId": external_id, "active": active, "emails": emails,
                "name": without_nulls(json!({"familyName": family_name})),
                "urn:acme:User": without_nulls(json!({"tag": tag, "logins": logins})),
            }))
        })
}

fn without_nulls(value: Value) -> Value {
    let Value::Object(object) = value else { return value };
    Value::Object(object.into_iter().filter(|(_, value)| !value.is_null()).collect())
}

/// Any JSON, so that evaluation meets values of every wrong type.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let key = prop::sample::select(vec!["value", "type", "familyName", "x"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..3).prop_map(|pairs| {
                Value::Object(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

fn parse(text: &str) -> Filter {
    Filter::parse(text, &acme_user(), &FilterLimits::default()).unwrap().filter
}

proptest! {
    #[test]
    fn evaluation_agrees_with_the_naive_model(model in model(), user in user()) {
        let Value::Object(object) = user.clone() else { unreachable!() };
        let text = model.text();
        prop_assert_eq!(parse(&text).matches(&Resource(object)), model.holds(&user), "{} on {}", text, user);
    }

    #[test]
    fn implied_comparisons_hold_wherever_the_filter_does(model in model(), user in user()) {
        let Value::Object(object) = user else { unreachable!() };
        let (filter, resource) = (parse(&model.text()), Resource(object));
        if filter.matches(&resource) {
            for comparison in filter.implied() {
                prop_assert!(Filter::Compare(comparison.clone()).matches(&resource), "{} does not imply {}", filter, comparison);
            }
        }
    }

    #[test]
    fn printing_and_parsing_is_the_identity(model in model()) {
        let filter = parse(&model.text());
        prop_assert_eq!(parse(&filter.to_string()), filter);
    }

    #[test]
    fn any_number_survives_printing(value in any::<f64>().prop_filter("JSON has finite numbers", |value| value.is_finite())) {
        let filter = parse(&format!("score eq {}", json!(value)));
        prop_assert_eq!(parse(&filter.to_string()), filter);
    }

    #[test]
    fn any_text_gets_an_answer(text in ".{0,60}") {
        let _ = Filter::parse(&text, &user_type(), &FilterLimits::default());
    }

    #[test]
    fn any_row_of_tokens_gets_an_answer(
        tokens in prop::collection::vec(prop::sample::select(vec![
            "userName", "emails", "active", "eq", "PR", "not", "and", "or", "(", ")", "[", "]", "\"", "'", "“", "”", "\\",
            "\"x\"", "type", ".value", "1", "null", "true", "å", " ",
        ]), 0..20),
        glue in prop::sample::select(vec!["", " "]),
    ) {
        let text = tokens.join(glue);
        if let Ok(parsed) = Filter::parse(&text, &user_type(), &FilterLimits::default()) {
            let printed = parsed.filter.to_string();
            let again = Filter::parse(&printed, &user_type(), &FilterLimits::default()).map(|parsed| parsed.filter);
            prop_assert_eq!(again, Ok(parsed.filter), "{} printed as {}", text, printed);
        }
    }

    #[test]
    fn no_value_upsets_evaluation(model in model(), emails in any_json(), name in any_json(), extension in any_json()) {
        let mut object = Map::new();
        object.insert("emails".to_owned(), emails.clone());
        object.insert("name".to_owned(), name);
        object.insert("urn:acme:User".to_owned(), extension);
        let filter = parse(&model.text());
        let _ = filter.matches(&Resource(object));
        let _ = filter.matches_element(&emails);
    }
}
