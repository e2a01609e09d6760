//! HTTP/1.1 as a client writes and reads it (RFC 9112).
//!
//! In: a request; the bytes that came back so far. Out: bytes to send; the head of the reply and how its body is framed.
//! Heads and chunk sizes are read by a library. Nothing here does IO.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use bytes::{BufMut as _, BytesMut};
use http::Method;
use httparse::{Header, ParserConfig, Response, Status};

use super::outgoing::Outgoing;
use crate::native::http1::{has_word, put_field, put_number};
use crate::plan::ReplyHeaders;

/// Writes a request with its body.
pub(super) fn put_request(out: &mut BytesMut, request: &Outgoing<'_>) {
    let Outgoing { method, authority, target, fields, body } = request;
    out.reserve(HEAD_BYTES + target.as_str().len() + body.len());
    for part in [method.as_str(), " ", target.as_str(), " HTTP/1.1\r\nHost: ", authority.as_str(), "\r\n"] {
        out.put_slice(part.as_bytes());
    }
    for field in fields.iter() {
        if field.name != "host" {
            put_field(out, &field.name, &field.value);
        }
    }
    // RFC 9110 8.6: methods that give a meaning to content say that there is none.
    if !body.is_empty() || matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        out.put_slice(b"Content-Length: ");
        put_number(out, body.len());
        out.put_slice(b"\r\n");
    }
    out.put_slice(b"\r\n");
    out.put_slice(body);
}

/// The head of a reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) headers: ReplyHeaders,
    pub(super) framing: Framing,
    /// Whether another request may follow on the connection.
    pub(super) keep: bool,
    /// Bytes, blank line included.
    pub(super) length: usize,
}

/// How the body of a reply is framed (RFC 9112 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes, perhaps none.
    Length(u64),
    Chunked,
    UntilClose,
}

/// The bytes are no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Reads the head at the beginning of `bytes`, if it is complete. `method` is the one of the request.
pub(super) fn read_head(bytes: &[u8], method: &Method) -> Result<Option<Head>, Malformed> {
    let mut parser = ParserConfig::default();
    parser.allow_spaces_after_header_name_in_responses(true);
    parser.allow_obsolete_multiline_headers_in_responses(true);
    let mut space = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut response = Response::new(&mut []);
    let length = match parser.parse_response_with_uninit_headers(&mut response, bytes, &mut space) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Ok(None),
        Err(_) => return Err(Malformed),
    };
    let status = response.code.ok_or(Malformed)?;
    let fields = Fields::read(response.headers)?;
    let framing = fields.framing(status, method);
    let keep = framing != Framing::UntilClose && fields.keeps(response.version == Some(1));
    let mut headers = ReplyHeaders::with_capacity(response.headers.len(), length);
    for Header { name, value } in &*response.headers {
        headers.push(name, &text(value));
    }
    Ok(Some(Head { status, headers, framing, keep, length }))
}

/// A value as text; it nearly always is.
fn text(value: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(value).map_or_else(|_| String::from_utf8_lossy(value), Cow::Borrowed)
}

/// What decides where a reply ends and whether the connection goes on.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    /// Whether the last transfer coding is `chunked`; `None` if there is none at all.
    chunked: Option<bool>,
    close: bool,
    keep_alive: bool,
}

impl Fields {
    fn read(headers: &[Header<'_>]) -> Result<Self, Malformed> {
        let mut fields = Self::default();
        for Header { name, value } in headers {
            if name.eq_ignore_ascii_case("content-length") {
                // Some servers repeat themselves. As long as they do not contradict themselves, no harm is done.
                for part in value.split(|byte| *byte == b',') {
                    let length = parse_length(part.trim_ascii()).ok_or(Malformed)?;
                    if fields.length.replace(length).is_some_and(|before| before != length) {
                        return Err(Malformed);
                    }
                }
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
                fields.chunked = Some(last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
            } else if name.eq_ignore_ascii_case("connection") {
                fields.close |= has_word(value, "close");
                fields.keep_alive |= has_word(value, "keep-alive");
            }
        }
        Ok(fields)
    }

    fn framing(&self, status: u16, method: &Method) -> Framing {
        match (self.chunked, self.length) {
            _ if *method == Method::HEAD || matches!(status, 100..=199 | 204 | 304) => Framing::Length(0),
            (Some(true), _) => Framing::Chunked,
            (Some(false), _) | (None, None) => Framing::UntilClose,
            (None, Some(length)) => Framing::Length(length),
        }
    }

    fn keeps(&self, http_11: bool) -> bool {
        // HTTP/1.0 knows no transfer codings: who sends one there has misunderstood something (RFC 9112 6.1).
        !self.close && (http_11 || (self.keep_alive && self.chunked.is_none()))
    }
}

fn parse_length(digits: &[u8]) -> Option<u64> {
    let sound = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    sound.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

/// The size of the chunk that begins here, and how many bytes said so; `None` if more bytes are needed to tell.
pub(super) fn read_chunk_size(bytes: &[u8]) -> Result<Option<(usize, u64)>, Malformed> {
    match httparse::parse_chunk_size(bytes) {
        // A line that arrives at once may be no longer than one that is waited for.
        Ok(Status::Complete(found)) if found.0 <= CHUNK_LINE_MAX_BYTES => Ok(Some(found)),
        Ok(Status::Partial) if bytes.len() < CHUNK_LINE_MAX_BYTES => Ok(None),
        _ => Err(Malformed),
    }
}

/// Bytes of a reply's status line and headers. With TLS the HTTP library looks at the limit between reads, so that a
/// head may exceed it by what one read brings.
pub(super) const REPLY_HEAD_MAX_BYTES: usize = 64 * 1024;

/// Fields that a reply may have.
const HEADERS_MAX: usize = 256;

/// Room for the head of a request; more is taken as needed.
const HEAD_BYTES: usize = 512;

/// The size of a chunk and its extensions, which nobody uses.
const CHUNK_LINE_MAX_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;
    use http::header::HOST;

    use super::*;

    fn head(text: &str) -> Head {
        read_head(text.as_bytes(), &Method::GET).unwrap().unwrap()
    }

    fn framing(fields: &str) -> Result<Framing, Malformed> {
        let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        read_head(text.as_bytes(), &Method::GET).map(|head| head.unwrap().framing)
    }

    #[test]
    fn a_request_is_one_piece() {
        let mut request = Request::new(Bytes::from_static(b"{}"));
        *request.method_mut() = Method::PATCH;
        *request.uri_mut() = "http://app:80/users/7?x=y".parse().unwrap();
        request.headers_mut().insert("x-api-key", "k".parse().unwrap());
        request.headers_mut().insert(HOST, "elsewhere".parse().unwrap());
        let mut out = BytesMut::new();
        put_request(&mut out, &Outgoing::of(&request).unwrap());
        let expected = "PATCH /users/7?x=y HTTP/1.1\r\nHost: app:80\r\nx-api-key: k\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(out, expected);
        *request.uri_mut() = "/users".parse().unwrap();
        assert!(Outgoing::of(&request).is_none());
    }

    #[test]
    fn content_is_announced_where_it_means_something() {
        for (method, announced) in [(Method::GET, false), (Method::DELETE, false), (Method::POST, true)] {
            let mut request = Request::new(Bytes::new());
            *request.uri_mut() = "http://app".parse().unwrap();
            *request.method_mut() = method;
            let mut out = BytesMut::new();
            put_request(&mut out, &Outgoing::of(&request).unwrap());
            assert_eq!(out.ends_with(b"Content-Length: 0\r\n\r\n"), announced, "{out:?}");
        }
    }

    #[test]
    fn a_reply_says_where_it_ends() {
        let cases = [
            ("Content-Length: 12\r\n", Ok(Framing::Length(12))),
            ("Content-Length: 12\r\ncontent-length: 12, 12\r\n", Ok(Framing::Length(12))),
            ("Content-Length: 12\r\nContent-Length: 13\r\n", Err(Malformed)),
            ("Content-Length: +12\r\n", Err(Malformed)),
            ("Content-Length:\r\n", Err(Malformed)),
            ("Content-Length: 99999999999999999999\r\n", Err(Malformed)),
            ("Transfer-Encoding: gzip, Chunked\r\n", Ok(Framing::Chunked)),
            ("Transfer-Encoding: chunked\r\nContent-Length: 12\r\n", Ok(Framing::Chunked)),
            ("Transfer-Encoding: gzip\r\nContent-Length: 12\r\n", Ok(Framing::UntilClose)),
            ("", Ok(Framing::UntilClose)),
        ];
        for (fields, expected) in cases {
            assert_eq!(framing(fields), expected, "{fields}");
        }
        for status in [100, 204, 304] {
            assert_eq!(head(&format!("HTTP/1.1 {status} X\r\nContent-Length: 9\r\n\r\n")).framing, Framing::Length(0));
        }
        let to_head = read_head(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", &Method::HEAD);
        assert_eq!(to_head.unwrap().unwrap().framing, Framing::Length(0));
    }

    #[test]
    fn a_connection_is_kept_if_both_may_go_on() {
        let cases = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, Close\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", true),
            ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n", false),
        ];
        for (text, keep) in cases {
            assert_eq!(head(text).keep, keep, "{text}");
        }
    }

    #[test]
    fn a_head_is_read_when_it_is_there() {
        let text = "HTTP/1.1 201 Created\r\nETag: \"a\"\r\nX-Odd : b\r\n\r\nbody";
        let end = text.len() - 4;
        for length in 0..end {
            assert_eq!(read_head(&text.as_bytes()[..length], &Method::GET), Ok(None), "{length}");
        }
        let head = head(text);
        assert_eq!((head.status, head.length), (201, end));
        let expected = [("etag", "\"a\""), ("x-odd", "b")];
        assert_eq!(head.headers, expected.into_iter().collect());
        assert_eq!(read_head(b"SSH-2.0-x\r\n", &Method::GET), Err(Malformed));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX + 1));
        assert_eq!(read_head(many.as_bytes(), &Method::GET), Err(Malformed));
    }

    #[test]
    fn chunks_say_how_long_they_are() {
        assert_eq!(read_chunk_size(b"1f;name=value\r\nrest"), Ok(Some((15, 31))));
        assert_eq!(read_chunk_size(b"1f"), Ok(None));
        assert_eq!(read_chunk_size(b"x\r\n"), Err(Malformed));
        assert_eq!(read_chunk_size(b"fffffffffffffffff\r\n"), Err(Malformed));
        let endless = format!("1;{}", "x".repeat(CHUNK_LINE_MAX_BYTES));
        assert_eq!(read_chunk_size(endless.as_bytes()), Err(Malformed));
        assert_eq!(read_chunk_size(format!("{endless}\r\n").as_bytes()), Err(Malformed));
    }
}
