//! In: a token in the clear. Out: when it expires, if it says so itself.
//!
//! A JSON Web Token (RFC 7519) carries its end, `exp`, where anybody who holds it can read it. Nothing is verified
//! here, for nobody is let in for it: a wrong date is a wrong date on a dashboard.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::TOKEN_MAX_BYTES;

/// Seconds since 1970 at which a token expires that has the shape of a JWT and says so.
pub fn jwt_expiry(token: &str) -> Option<i64> {
    if token.len() > TOKEN_MAX_BYTES {
        return None;
    }
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    let object = |part: &str| -> Option<Value> {
        let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()?;
        value.is_object().then_some(value)
    };
    object(header)?;
    match object(claims)?.get("exp")? {
        // Seconds, perhaps with a fraction (RFC 7519 2).
        Value::Number(number) => {
            let whole = number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64))?;
            (0..=LATEST).contains(&whole).then_some(whole)
        }
        _ => None,
    }
}

/// The end of the year 9999: what is later means milliseconds, or nothing.
const LATEST: i64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2ln", encode(header), encode(claims))
    }

    #[test]
    fn only_what_has_the_shape_of_a_jwt_says_when_it_ends() {
        let header = r#"{"alg":"none"}"#;
        for (text, expected) in [
            (token(header, r#"{"exp":1767225600}"#), Some(1_767_225_600)),
            (token(header, r#"{"exp":1767225600.9}"#), Some(1_767_225_600)),
            (token(header, r#"{"exp":"1767225600"}"#), None),
            (token(header, r#"{"exp":1767225600000}"#), None),
            (token(header, r#"{"exp":-1}"#), None),
            (token(header, "{}"), None),
            (token(header, "[]"), None),
            (token("x", r#"{"exp":1767225600}"#), None),
            (format!("{}.more", token(header, r#"{"exp":1}"#)), None),
            ("a.b.c".to_owned(), None),
            ("plain-token".to_owned(), None),
            (String::new(), None),
            (".".repeat(TOKEN_MAX_BYTES + 1), None),
        ] {
            assert_eq!(jwt_expiry(&text), expected, "{text:.40}");
        }
    }
}
