//! HTTP/1.1 as text: what the two sides of the shell have in common when they write a head, or look at one.
//!
//! In: names and numbers; the headers of a head. Out: bytes in a buffer; what was sent under a name. Nothing is judged
//! here.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Headers that are asked for by their names.
pub trait Headers {
    /// The values of a header, in the order in which they were sent.
    fn all<'h>(&'h self, name: &HeaderName) -> impl Iterator<Item = &'h HeaderValue>;

    /// The first of them.
    fn first(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.all(name).next()
    }

    /// The value of a header that was sent once.
    fn sole(&self, name: &HeaderName) -> Option<&HeaderValue> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }
}

impl Headers for HeaderMap {
    fn all<'h>(&'h self, name: &HeaderName) -> impl Iterator<Item = &'h HeaderValue> {
        self.get_all(name).iter()
    }
}

/// A few headers in their order. Looking at each is cheaper than a table of them, as long as they are few.
#[derive(Clone, Debug, Default)]
pub struct HeaderList(Vec<(HeaderName, HeaderValue)>);

impl HeaderList {
    /// None, with room for so many.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// Adds one at the end. A credential is not printed from here on.
    pub fn push(&mut self, name: HeaderName, mut value: HeaderValue) {
        if CREDENTIALS.contains(&name) {
            value.set_sensitive(true);
        }
        self.0.push((name, value));
    }

    /// The first value of a header.
    pub fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.first(name)
    }
}

impl Headers for HeaderList {
    fn all<'h>(&'h self, name: &HeaderName) -> impl Iterator<Item = &'h HeaderValue> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value)
    }
}

impl From<&HeaderMap> for HeaderList {
    fn from(headers: &HeaderMap) -> Self {
        let mut list = Self::with_capacity(headers.len());
        for (name, value) in headers {
            list.push(name.clone(), value.clone());
        }
        list
    }
}

/// Writes one header line.
pub(crate) fn put_header(out: &mut BytesMut, name: &HeaderName, value: &[u8]) {
    put_field(out, name.as_str(), value);
}

/// As [`put_header`], by the name in lower case.
pub(crate) fn put_field(out: &mut BytesMut, name: &str, value: &[u8]) {
    // Servers exist that look for this one in this spelling.
    let name = if name == "content-type" { "Content-Type" } else { name };
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// Writes a number.
pub(crate) fn put_number(out: &mut BytesMut, number: usize) {
    let mut digits = [0; 20];
    out.extend_from_slice(decimal(number as u64, &mut digits));
}

/// The digits of a number, at the end of the space they are given.
pub(crate) fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut count = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        count += 1;
        if number == 0 {
            break;
        }
    }
    digits.get(digits.len() - count..).unwrap_or_default()
}

/// Writes the time of day as RFC 9110 5.6.7 has it; it is made once a second.
pub(crate) fn put_date(out: &mut BytesMut) {
    thread_local! {
        static LAST: RefCell<(u64, String)> = RefCell::default();
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    LAST.with_borrow_mut(|(second, text)| {
        if *second != now || text.is_empty() {
            let time = i64::try_from(now).ok().and_then(|now| jiff::Timestamp::from_second(now).ok());
            let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
            *text = printer.timestamp_to_rfc9110_string(&time.unwrap_or_default()).unwrap_or_default();
            *second = now;
        }
        out.extend_from_slice(text.as_bytes());
    });
}

/// Whether a header that is a list of words holds this one, whatever its case.
pub(crate) fn holds_word(headers: &impl Headers, name: &HeaderName, word: &str) -> bool {
    headers.all(name).map(HeaderValue::as_bytes).any(|value| has_word(value, word))
}

/// As [`holds_word`], for one value.
pub(crate) fn has_word(value: &[u8], word: &str) -> bool {
    value.split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

/// Headers that say who somebody is, and prove it.
static CREDENTIALS: [HeaderName; 3] = [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::Forwarded;

    fn written(write: impl Fn(&mut BytesMut)) -> String {
        let mut out = BytesMut::new();
        write(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn a_header_is_one_line() {
        for (name, expected) in [("Content-Type", "Content-Type: v\r\n"), ("X-Request-Id", "x-request-id: v\r\n")] {
            let name = HeaderName::try_from(name).unwrap();
            assert_eq!(written(|out| put_header(out, &name, b"v")), expected);
        }
    }

    #[test]
    fn credentials_of_a_caller_are_not_printed() {
        let mut received = HeaderMap::new();
        for (name, value) in [("authorization", "Bearer s3cret"), ("cookie", "id=s3cret"), ("host", "app")] {
            received.append(name, HeaderValue::from_static(value));
        }
        let mut pushed = HeaderList::default();
        pushed.push(header::AUTHORIZATION, HeaderValue::from_static("Bearer s3cret"));
        for headers in [HeaderList::from(&received), pushed] {
            let forwarded = Forwarded::from_request(&headers);
            let shown = format!("{headers:?} {forwarded:?}");
            assert!(shown.contains("authorization") && !shown.contains("s3cret"), "{shown}");
            assert_eq!(headers.get(&header::AUTHORIZATION).unwrap(), "Bearer s3cret");
        }
        let shown = format!("{:?}", HeaderList::from(&received));
        assert!(shown.contains("app"), "{shown}");
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 7, 10, 4096, usize::MAX] {
            assert_eq!(written(|out| put_number(out, number)), number.to_string());
        }
    }

    #[test]
    fn the_date_is_the_one_that_http_prescribes() {
        let date = written(put_date);
        let read = jiff::fmt::rfc2822::parse(&date).unwrap();
        assert!(date.ends_with(" GMT") && date.len() == "Sun, 06 Nov 1994 08:49:37 GMT".len(), "{date}");
        assert!(jiff::Timestamp::now().as_second() - read.timestamp().as_second() < 60, "{date}");
    }

    #[test]
    fn words_are_found_in_lists() {
        assert!(has_word(b"Keep-Alive, CLOSE", "close") && has_word(b"close", "close"));
        assert!(!has_word(b"closed, x", "close") && !has_word(b"", "close"));
    }
}
