//! In: head and body of a native reply. Out: a [`NativeReply`]. The declared content type is not asked: some
//! applications label JSON as HTML, and others label an HTML error page as JSON.

use crate::document::Document;
use crate::plan::{NativeReply, ReplyHeaders};

/// Reads a reply whose size is already bounded.
pub(super) fn read(status: u16, headers: ReplyHeaders, body: &[u8]) -> NativeReply {
    let (body, unreadable) = parse(body);
    NativeReply { status, headers, body, unreadable }
}

fn parse(body: &[u8]) -> (Document, bool) {
    let text = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    if text.iter().all(u8::is_ascii_whitespace) {
        return (Document::default(), false);
    }
    // Text is looked through once, and not string by string.
    match std::str::from_utf8(text).ok().and_then(Document::parse) {
        Some(document) => (document, false),
        None => (Document::default(), true),
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn bodies_are_json_or_nothing_or_unreadable() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        let cases: [(&[u8], Value, bool); 8] = [
            (b"", Value::Null, false),
            (b" \r\n", Value::Null, false),
            (b"null", Value::Null, false),
            (b"{\"a\":1}\n", json!({"a": 1}), false),
            (b"\xef\xbb\xbf[1]", json!([1]), false),
            (b"<html>", Value::Null, true),
            (b"{\"a\":", Value::Null, true),
            (deep.as_bytes(), Value::Null, true),
        ];
        for (body, value, unreadable) in cases {
            assert_eq!(parse(body), (value.into(), unreadable), "{}", String::from_utf8_lossy(body));
        }
    }
}
