//! The strict reading of a request head, before the proxy library sees a byte of it.
//!
//! In: the bytes of a connection up to the blank line. Out: the same head with its target in origin form, and how the
//! body is framed; or a [`Refusal`]. Nothing is read from a socket here, and no header is interpreted beyond what
//! decides where the request ends (RFC 9112 sections 2 to 6).
//!
//! A head is refused wherever two servers might read it differently. No provisioning client sends such a head.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::scan;
use crate::scim::Bound;

/// Fields a head may have.
pub const FIELDS_MAX: usize = 100;

/// A head that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// Head to hand on, blank line included: as received, unless its target had to be written anew. The target is in
    /// origin form and its query has no raw space or quote.
    pub bytes: Cow<'a, [u8]>,
    /// Where in `bytes` everything stands.
    pub layout: Layout,
}

/// What is known of a head without looking at it again; ranges are those of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Where the request ends.
    pub framing: Framing,
    /// Whether this is HTTP/1.1 and not 1.0.
    pub http_11: bool,
    /// Bytes of the method, with which the head begins.
    pub method: usize,
    /// The path, without its query.
    pub path: Range<usize>,
    /// Where the target ends, and with it the query.
    pub target_end: usize,
    /// The fields in their order.
    pub fields: Vec<Field>,
}

/// One field of a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: Range<usize>,
    /// Its value, without the space around it.
    pub value: Range<usize>,
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

    /// The bound of the configuration that refused it, if one did.
    pub fn bound(self) -> Option<Bound> {
        match self {
            Self::TooLarge => Some(Bound::HeaderMaxBytes),
            Self::Timeout => Some(Bound::HeaderTimeout),
            _ => None,
        }
    }

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

/// Where a head stands in what a connection has received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Bytes before it that mean nothing.
    pub skip: usize,
    /// Bytes of it behind those, blank line included; `None` until that is there.
    pub length: Option<usize>,
}

/// Looks for the head of a request in what was received since the one before it; the first `seen` bytes were looked at
/// already, and nothing was skipped then.
///
/// # Errors
/// As [`find_end`]; [`Refusal::TooLarge`] for a head, or the beginning of one, of more than `max_bytes`.
pub fn search(bytes: &[u8], seen: usize, max_bytes: usize) -> Result<Found, Refusal> {
    // RFC 9112 2.2: an empty line before the request line is tolerated.
    let skip = 2 * bytes.chunks_exact(2).take_while(|pair| *pair == b"\r\n").count();
    let head = bytes.get(skip..).unwrap_or_default();
    let length = find_end(head, if skip == 0 { seen } else { 0 })?;
    if length.unwrap_or(head.len()) > max_bytes {
        return Err(Refusal::TooLarge);
    }
    Ok(Found { skip, length })
}

/// Looks for the end of a head in `bytes`, of which the first `seen` were looked at before. `Some(length)` includes
/// the blank line. Control characters and wrong line ends are refused at once, so that a client speaking another
/// protocol need not be waited for.
pub fn find_end(bytes: &[u8], seen: usize) -> Result<Option<usize>, Refusal> {
    let mut start = seen.saturating_sub(3);
    loop {
        let rest = bytes.get(start..).unwrap_or_default();
        let Some(plain) = scan::find_control(rest) else { return Ok(None) };
        let offset = start + plain;
        match rest.get(plain..).unwrap_or_default() {
            [b'\n', ..] if offset.checked_sub(1).and_then(|before| bytes.get(before)) != Some(&b'\r') => {
                return Err(Refusal::LineEnding);
            }
            [b'\n', ..] if bytes.get(..=offset).is_some_and(|head| head.ends_with(b"\r\n\r\n")) => {
                return Ok(Some(offset + 1));
            }
            [b'\n' | b'\t', ..] | [b'\r'] | [b'\r', b'\n', ..] => start = offset + 1,
            [b'\r', ..] => return Err(Refusal::LineEnding),
            _ => return Err(Refusal::ControlByte),
        }
    }
}

/// Judges a complete head, blank line included.
pub fn inspect(bytes: &[u8]) -> Result<Head<'_>, Refusal> {
    let text = bytes.strip_suffix(b"\r\n\r\n").ok_or(Refusal::LineEnding)?;
    let end = scan::find(text, b'\n').unwrap_or(text.len());
    let (line, rest) = text.split_at_checked(end).unwrap_or_default();
    let line = RequestLine::parse(line.strip_suffix(b"\r").unwrap_or(line))?;
    let mut fields = Fields::collect(rest.get(1..), end + 1)?;
    if line.http_11 && fields.host.is_none() {
        return Err(Refusal::MissingHost);
    }
    let framing = fields.framing(line.http_11)?;
    let target = origin_form(line.target, fields.host)?;
    let query = scan::find(&target, b'?').unwrap_or(target.len());
    let (method, start) = (line.method.len(), line.method.len() + 1);
    let target_end = start + target.len();
    let bytes = if let Cow::Owned(target) = target {
        let rest = bytes.get(line.method.len() + 1 + line.target.len()..).unwrap_or_default();
        fields.shift(line.target.len(), target.len());
        Cow::Owned([line.method, b" ", &target, rest].concat())
    } else {
        Cow::Borrowed(bytes)
    };
    let layout =
        Layout { framing, http_11: line.http_11, method, path: start..start + query, target_end, fields: fields.all };
    Ok(Head { bytes, layout })
}

struct RequestLine<'a> {
    method: &'a [u8],
    target: &'a [u8],
    http_11: bool,
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
        Ok(Self { method, target, http_11 })
    }
}

/// The fields, and what those say that decide where a request ends, and whom it is for.
#[derive(Default)]
struct Fields<'a> {
    all: Vec<Field>,
    host: Option<&'a [u8]>,
    content_length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

impl<'a> Fields<'a> {
    /// Reads the lines of `text`, which begins `start` bytes into the head.
    fn collect(text: Option<&'a [u8]>, mut start: usize) -> Result<Self, Refusal> {
        let mut fields = Self { all: Vec::with_capacity(USUAL_FIELDS), ..Self::default() };
        let mut next = text;
        while let Some(rest) = next {
            let (line, after) = split_at_byte(rest, b'\n').map_or((rest, None), |(line, after)| (line, Some(after)));
            next = after;
            if fields.all.len() >= FIELDS_MAX {
                return Err(Refusal::TooManyFields);
            }
            let length = line.iter().take_while(|byte| is_token_byte(**byte)).count();
            let (name, rest) = line.split_at_checked(length).unwrap_or_default();
            let [b':', value @ ..] = rest else { return Err(Refusal::FieldLine) };
            if name.is_empty() {
                return Err(Refusal::FieldLine);
            }
            let (from, begun) = (value.len(), value.trim_ascii_start());
            let value = begun.trim_ascii_end();
            let at = start + length + 1 + (from - begun.len());
            fields.all.push(Field { name: start..start + length, value: at..at + value.len() });
            fields.note(name, value)?;
            start += line.len() + 1;
        }
        Ok(fields)
    }

    /// Moves all of them: what stands before them was so long and is so long now.
    fn shift(&mut self, before: usize, now: usize) {
        let moved = |range: &Range<usize>| range.start + now - before..range.end + now - before;
        for field in &mut self.all {
            *field = Field { name: moved(&field.name), value: moved(&field.value) };
        }
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
fn origin_form<'a>(target: &'a [u8], host: Option<&[u8]>) -> Result<Cow<'a, [u8]>, Refusal> {
    // Nearly all targets are like this.
    if target.first() == Some(&b'/') && target.iter().all(|byte| is_plain_target_byte(*byte)) {
        return Ok(Cow::Borrowed(target));
    }
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
    Ok(Cow::Owned(origin))
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
    let position = scan::find(line, byte)?;
    Some((line.get(..position)?, line.get(position + 1..)?))
}

/// RFC 9110 5.6.2, `tchar`.
fn is_token_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// What stands for itself in a path as well as in a query.
fn is_plain_target_byte(byte: u8) -> bool {
    matches!(byte, b'!' | b'$'..=b';' | b'=' | b'?'..=b'[' | b']' | b'_' | b'a'..=b'z' | b'~')
}

/// Fields for which there is room at once.
const USUAL_FIELDS: usize = 16;

#[cfg(test)]
mod alike;
#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &str) -> Result<(String, Framing), Refusal> {
        match find_end(head.as_bytes(), 0)? {
            Some(end) => {
                let head = inspect(&head.as_bytes()[..end])?;
                let text = String::from_utf8_lossy(&head.bytes).into_owned();
                let layout = &head.layout;
                // What is said of a head holds for the head that is handed on.
                for (field, line) in layout.fields.iter().zip(text.lines().skip(1)) {
                    let part = |range: &Range<usize>| String::from_utf8_lossy(&head.bytes[range.clone()]).into_owned();
                    let (name, value) = line.split_once(':').unwrap();
                    assert_eq!((part(&field.name), part(&field.value)), (name.to_owned(), value.trim().to_owned()));
                }
                let target = text.split(' ').nth(1).unwrap();
                assert_eq!(&text[layout.path.start..layout.target_end], target);
                assert_eq!(&text[layout.path.clone()], target.split('?').next().unwrap());
                assert_eq!(text.get(layout.method..=layout.method), Some(" "));
                Ok((text.lines().next().unwrap().to_owned(), layout.framing))
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
        let Head { bytes, layout } = inspect(head.as_bytes()).unwrap();
        assert_eq!((bytes, layout.framing, layout.path), (Cow::Borrowed(head.as_bytes()), Framing::Length(12), 5..19));
        assert!(layout.http_11 && layout.fields.len() == 3);
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
