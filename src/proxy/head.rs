//! The strict reading of a request head, before the proxy library sees a byte of it.
//!
//! In: the bytes of a connection up to the blank line. Out: the same head with its target in origin form, and how the
//! body is framed; or a [`Refusal`]. Nothing is read from a socket here, and no header is interpreted beyond what
//! decides where the request ends (RFC 9112 sections 2 to 6).
//!
//! A head is refused wherever two servers might read it differently. No provisioning client sends such a head.

use std::fmt;

/// Fields a head may have.
pub const FIELDS_MAX: usize = 100;

/// A head that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Head to hand on, blank line included. The target is in origin form and its query has no raw space or quote.
    pub bytes: Vec<u8>,
    /// Where the request ends.
    pub framing: Framing,
    /// Where in `bytes` the path stands, without its query.
    pub path: std::ops::Range<usize>,
}

/// How the body of a request is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By `Content-Length`, or no body at all (0).
    Length(u64),
    /// Chunked: only the chunk parser knows the end.
    Chunked,
    /// The request asks for another protocol; what follows may be anything.
    Upgrade,
}

/// Why a head is refused: the label of `scimshim_protocol_rejections_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// More bytes than allowed.
    TooLarge,
    /// More than [`FIELDS_MAX`] fields.
    TooManyFields,
    /// Not complete in time.
    Timeout,
    /// A line ends in a bare line feed, or a carriage return stands alone.
    LineEnding,
    /// A control character.
    ControlByte,
    /// The request line is not `METHOD target HTTP/1.x`.
    RequestLine,
    /// A version other than 1.0 and 1.1.
    Version,
    /// `CONNECT`.
    Connect,
    /// The target is not a path, or names another host than `Host` does.
    Target,
    /// A header line without a proper name, or one that continues the line before.
    FieldLine,
    /// HTTP/1.1 without `Host`.
    MissingHost,
    /// `Host` twice, or one that is no host.
    Host,
    /// `Content-Length` twice, or not a number.
    ContentLength,
    /// A `Transfer-Encoding` other than `chunked`, or one on HTTP/1.0.
    TransferEncoding,
    /// `Content-Length` beside `Transfer-Encoding`.
    LengthAndEncoding,
}

impl Refusal {
    /// Every reason, so that its counter exists before it happens.
    pub const ALL: [Self; 15] = [
        Self::TooLarge,
        Self::TooManyFields,
        Self::Timeout,
        Self::LineEnding,
        Self::ControlByte,
        Self::RequestLine,
        Self::Version,
        Self::Connect,
        Self::Target,
        Self::FieldLine,
        Self::MissingHost,
        Self::Host,
        Self::ContentLength,
        Self::TransferEncoding,
        Self::LengthAndEncoding,
    ];

    /// The word used in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "header_too_large",
            Self::TooManyFields => "too_many_fields",
            Self::Timeout => "header_timeout",
            Self::LineEnding => "line_ending",
            Self::ControlByte => "control_byte",
            Self::RequestLine => "request_line",
            Self::Version => "version",
            Self::Connect => "connect",
            Self::Target => "target",
            Self::FieldLine => "field_line",
            Self::MissingHost => "missing_host",
            Self::Host => "host",
            Self::ContentLength => "content_length",
            Self::TransferEncoding => "transfer_encoding",
            Self::LengthAndEncoding => "length_and_encoding",
        }
    }

    /// The HTTP status it is answered with.
    pub fn status(self) -> u16 {
        match self {
            Self::TooLarge | Self::TooManyFields => 431,
            Self::Timeout => 408,
            Self::Version => 505,
            Self::Connect => 405,
            _ => 400,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the request header is too large",
            Self::TooManyFields => "the request has too many header fields",
            Self::Timeout => "the request header was not complete in time",
            Self::LineEnding => "a header line does not end in CR LF",
            Self::ControlByte => "the request header holds a control character",
            Self::RequestLine => "the request line is malformed",
            Self::Version => "only HTTP/1.1 and HTTP/1.0 are spoken here",
            Self::Connect => "CONNECT is not served",
            Self::Target => "the request target is malformed or disagrees with Host",
            Self::FieldLine => "a header line is malformed",
            Self::MissingHost => "the Host header is missing",
            Self::Host => "the Host header is malformed or repeated",
            Self::ContentLength => "the Content-Length header is malformed or repeated",
            Self::TransferEncoding => "the Transfer-Encoding is not chunked alone",
            Self::LengthAndEncoding => "Content-Length and Transfer-Encoding exclude each other",
        })
    }
}

/// Looks for the end of a head in `bytes`, of which the first `seen` were looked at before. `Some(length)` includes
/// the blank line. Control characters and wrong line ends are refused at once, so that a client speaking another
/// protocol need not be waited for.
pub fn find_end(bytes: &[u8], seen: usize) -> Result<Option<usize>, Refusal> {
    let start = seen.saturating_sub(3);
    for (offset, byte) in bytes.iter().enumerate().skip(start) {
        match byte {
            b'\n' if offset.checked_sub(1).and_then(|before| bytes.get(before)) != Some(&b'\r') => {
                return Err(Refusal::LineEnding);
            }
            b'\n' if bytes.get(..=offset).is_some_and(|head| head.ends_with(b"\r\n\r\n")) => {
                return Ok(Some(offset + 1));
            }
            b'\n' | b'\t' | 0x20..=0x7e | 0x80.. => {}
            b'\r' => match bytes.get(offset + 1) {
                Some(b'\n') | None => {}
                Some(_) => return Err(Refusal::LineEnding),
            },
            _ => return Err(Refusal::ControlByte),
        }
    }
    Ok(None)
}

/// Judges a complete head, blank line included.
pub fn inspect(bytes: &[u8]) -> Result<Head, Refusal> {
    let text = bytes.strip_suffix(b"\r\n\r\n").ok_or(Refusal::LineEnding)?;
    let mut lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let line = RequestLine::parse(lines.next().unwrap_or_default())?;
    let fields = Fields::collect(lines)?;
    if line.http_11 && fields.host.is_none() {
        return Err(Refusal::MissingHost);
    }
    let framing = fields.framing(line.http_11)?;
    let target = origin_form(line.target, fields.host)?;
    let rest = bytes.get(line.length..).unwrap_or_default();
    let version: &[u8] = if line.http_11 { b" HTTP/1.1" } else { b" HTTP/1.0" };
    let path = target.iter().position(|byte| *byte == b'?').unwrap_or(target.len());
    let start = line.method.len() + 1;
    let bytes = [line.method, b" ", &target, version, rest].concat();
    Ok(Head { bytes, framing, path: start..start + path })
}

struct RequestLine<'a> {
    method: &'a [u8],
    target: &'a [u8],
    http_11: bool,
    length: usize,
}

impl<'a> RequestLine<'a> {
    fn parse(line: &'a [u8]) -> Result<Self, Refusal> {
        let (method, rest) = split_at_byte(line, b' ').ok_or(Refusal::RequestLine)?;
        let space = rest.iter().rposition(|byte| *byte == b' ').ok_or(Refusal::RequestLine)?;
        let (target, version) = rest.split_at(space);
        if method.is_empty() || method.len() > 32 || !method.iter().all(|byte| is_token_byte(*byte)) {
            return Err(Refusal::RequestLine);
        }
        if method == b"CONNECT" {
            return Err(Refusal::Connect);
        }
        let http_11 = match version {
            b" HTTP/1.1" => true,
            b" HTTP/1.0" => false,
            other if other.starts_with(b" HTTP/") => return Err(Refusal::Version),
            _ => return Err(Refusal::RequestLine),
        };
        Ok(Self { method, target, http_11, length: line.len() })
    }
}

/// The fields that decide where a request ends, and whom it is for.
#[derive(Default)]
struct Fields<'a> {
    host: Option<&'a [u8]>,
    content_length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

impl<'a> Fields<'a> {
    fn collect(lines: impl Iterator<Item = &'a [u8]>) -> Result<Self, Refusal> {
        let mut fields = Self::default();
        for (count, line) in lines.enumerate() {
            if count >= FIELDS_MAX {
                return Err(Refusal::TooManyFields);
            }
            let (name, value) = split_at_byte(line, b':').ok_or(Refusal::FieldLine)?;
            if name.is_empty() || !name.iter().all(|byte| is_token_byte(*byte)) {
                return Err(Refusal::FieldLine);
            }
            fields.note(name, value.trim_ascii())?;
        }
        Ok(fields)
    }

    fn note(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), Refusal> {
        if name.eq_ignore_ascii_case(b"host") {
            if !is_host(value) || self.host.replace(value).is_some() {
                return Err(Refusal::Host);
            }
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let length = parse_length(value).ok_or(Refusal::ContentLength)?;
            if self.content_length.replace(length).is_some() {
                return Err(Refusal::ContentLength);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Refusal::TransferEncoding);
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.upgrade = true;
        }
        Ok(())
    }

    fn framing(&self, http_11: bool) -> Result<Framing, Refusal> {
        match (self.chunked, self.content_length) {
            (true, Some(_)) => Err(Refusal::LengthAndEncoding),
            (true, None) if !http_11 => Err(Refusal::TransferEncoding),
            (true, None) => Ok(if self.upgrade { Framing::Upgrade } else { Framing::Chunked }),
            (false, length) if !self.upgrade => Ok(Framing::Length(length.unwrap_or(0))),
            (false, _) => Ok(Framing::Upgrade),
        }
    }
}

/// The target as path and query. An absolute target (RFC 9112 3.2.2) must name the host that `Host` names. Spaces and
/// quotes in the query are encoded, because clients exist that send `?filter=userName eq "x"` as it stands; in the path
/// they are refused. Bytes beyond ASCII are encoded in both, and the backtick, which the library would refuse.
fn origin_form(target: &[u8], host: Option<&[u8]>) -> Result<Vec<u8>, Refusal> {
    let target = match absolute_rest(target) {
        None => target,
        Some(rest) => {
            let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
            let (authority, rest) = rest.split_at(end);
            if host.is_some_and(|host| !host.eq_ignore_ascii_case(authority)) || !is_host(authority) {
                return Err(Refusal::Target);
            }
            if rest.is_empty() { b"/" } else { rest }
        }
    };
    if target.first() != Some(&b'/') && target != b"*" {
        return Err(Refusal::Target);
    }
    let query = target.iter().position(|byte| *byte == b'?').unwrap_or(target.len());
    let (path, query) = target.split_at(query);
    let mut origin = Vec::with_capacity(target.len());
    for byte in path {
        match byte {
            b'"' | b'<' | b'>' | b'#' => return Err(Refusal::Target),
            b'`' | 0x80.. => origin.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            b'!'..=b'~' => origin.push(*byte),
            _ => return Err(Refusal::Target),
        }
    }
    for byte in query {
        match byte {
            b'!' | b'$'..=b';' | b'=' | b'?'..=b'[' | b']' | b'_' | b'a'..=b'z' | b'~' => origin.push(*byte),
            b'#' => return Err(Refusal::Target),
            _ => origin.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    Ok(origin)
}

fn absolute_rest(target: &[u8]) -> Option<&[u8]> {
    [b"http://".as_slice(), b"https://"].into_iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// Whether this can be put into a URL as its authority: a name or address, perhaps with a port.
pub fn is_host(value: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    !value.is_empty() && value.len() <= 255 && value.iter().all(plain)
}

fn parse_length(value: &[u8]) -> Option<u64> {
    let digits = value.iter().all(u8::is_ascii_digit) && !value.is_empty();
    digits.then(|| std::str::from_utf8(value).ok()?.parse().ok()).flatten()
}

fn split_at_byte(line: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let position = line.iter().position(|candidate| *candidate == byte)?;
    Some((line.get(..position)?, line.get(position + 1..)?))
}

/// RFC 9110 5.6.2, `tchar`.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &str) -> Result<(String, Framing), Refusal> {
        match find_end(head.as_bytes(), 0)? {
            Some(end) => {
                let head = inspect(&head.as_bytes()[..end])?;
                let text = String::from_utf8(head.bytes).unwrap();
                Ok((text.lines().next().unwrap().to_owned(), head.framing))
            }
            None => panic!("no blank line in {head:?}"),
        }
    }

    fn line(head: &str) -> String {
        check(head).unwrap().0
    }

    #[test]
    fn ordinary_heads_pass_unchanged() {
        let head =
            "POST /scim/v2/Users?x=%20 HTTP/1.1\r\nHost: a.example:8080\r\ncontent-length: 12\r\nX: \u{e9}\r\n\r\n";
        assert_eq!(
            inspect(head.as_bytes()).unwrap(),
            Head { bytes: head.into(), framing: Framing::Length(12), path: 5..19 }
        );
        assert_eq!(check("GET / HTTP/1.0\r\n\r\n"), Ok(("GET / HTTP/1.0".into(), Framing::Length(0))));
    }

    #[test]
    fn framing_is_read_from_the_fields() {
        let framing = |fields: &str| check(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).map(|found| found.1);
        assert_eq!(framing("Transfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked));
        assert_eq!(framing("Connection: upgrade\r\nUpgrade: websocket\r\n"), Ok(Framing::Upgrade));
        assert_eq!(framing("Content-Length: 5\r\nContent-Length: 5\r\n"), Err(Refusal::ContentLength));
        assert_eq!(framing("Content-Length: 5, 5\r\n"), Err(Refusal::ContentLength));
        assert_eq!(framing("Content-Length: +5\r\n"), Err(Refusal::ContentLength));
        assert_eq!(framing("Content-Length:\r\n"), Err(Refusal::ContentLength));
        assert_eq!(framing("Content-Length: 99999999999999999999\r\n"), Err(Refusal::ContentLength));
        assert_eq!(framing("Transfer-Encoding: gzip, chunked\r\n"), Err(Refusal::TransferEncoding));
        assert_eq!(
            framing("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
            Err(Refusal::TransferEncoding)
        );
        assert_eq!(framing("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), Err(Refusal::LengthAndEncoding));
        assert_eq!(check("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(Refusal::TransferEncoding));
    }

    #[test]
    fn what_servers_read_differently_is_refused() {
        for (head, refusal) in [
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", Refusal::LineEnding),
            ("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", Refusal::LineEnding),
            ("GET / HTTP/1.1\r\nHost: a\0\r\n\r\n", Refusal::ControlByte),
            ("\x16\x03\x01", Refusal::ControlByte),
            ("GET / HTTP/1.1\r\nAccept: x\r\n\r\n", Refusal::MissingHost),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Refusal::Host),
            ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", Refusal::Host),
            ("GET / HTTP/1.1\r\nHost:\r\n\r\n", Refusal::Host),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", Refusal::FieldLine),
            ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", Refusal::FieldLine),
            ("GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n", Refusal::FieldLine),
            ("GET / HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n", Refusal::FieldLine),
            ("GET /\r\nHost: a\r\n\r\n", Refusal::RequestLine),
            ("GET / HTTQ/1.1\r\nHost: a\r\n\r\n", Refusal::RequestLine),
            ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::RequestLine),
            ("PRI * HTTP/2.0\r\n\r\n", Refusal::Version),
            ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", Refusal::Version),
            ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Connect),
            ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Target),
            ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Target),
            ("GET /a\"b HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Target),
            ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Target),
            ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Target),
            ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::Target),
        ] {
            assert_eq!(check(head), Err(refusal), "{head:?}");
        }
    }

    #[test]
    fn targets_come_out_in_origin_form() {
        assert_eq!(line("GET http://A/x?y HTTP/1.1\r\nHost: a\r\n\r\n"), "GET /x?y HTTP/1.1");
        assert_eq!(line("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n"), "GET / HTTP/1.1");
        assert_eq!(line("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n"), "GET /%C3%A9 HTTP/1.1");
        assert_eq!(line("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), "OPTIONS * HTTP/1.1");
        assert_eq!(
            line("GET /Users?filter=userName eq \"a\u{e9}\" HTTP/1.1\r\nHost: a\r\n\r\n"),
            "GET /Users?filter=userName%20eq%20%22a%C3%A9%22 HTTP/1.1"
        );
    }

    #[test]
    fn fields_are_counted() {
        let head = |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(count - 1));
        assert!(check(&head(FIELDS_MAX)).is_ok());
        assert_eq!(check(&head(FIELDS_MAX + 1)), Err(Refusal::TooManyFields));
    }

    #[test]
    fn the_end_is_found_however_the_bytes_arrive() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nbody\n";
        for seen in 0..27 {
            assert_eq!(find_end(head, seen), Ok(Some(27)), "{seen}");
            assert_eq!(find_end(&head[..seen], 0), Ok(None), "{seen}");
        }
    }

    #[test]
    fn every_reason_has_its_own_word() {
        let words: std::collections::BTreeSet<_> = Refusal::ALL.iter().map(|refusal| refusal.as_str()).collect();
        assert_eq!(words.len(), Refusal::ALL.len());
    }
}
