//! In: a request path as received, still percent-encoded, without its query. Out: its segments, each decoded once,
//! and the name of what makes the path ambiguous. Nothing here knows routes.
//!
//! A path is ambiguous when two servers may reasonably read it differently: `//a`, `/a/../b`, `/a%2fb`, `/a\b`. A
//! proxy that reads such a path one way while the application behind it reads it another way can be talked past its
//! own checks, so the routing stage needs to know.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;

/// Reads a path as received.
///
/// # Errors
///
/// A path longer than [`PATH_MAX_BYTES`], or one that does not begin with `/` (`OPTIONS *`). Ambiguity is not an
/// error here: it is noted in [`CanonicalPath::ambiguous`].
///
/// ```
/// use scimshim::route::canonicalise;
/// let path = canonicalise("/scim/v2/Users/a%2Fb/").unwrap();
/// assert_eq!(path.segments[3].decoded, "a/b");
/// assert!(path.segments[3].encoded_slash && path.trailing_slash && path.ambiguous.is_none());
/// ```
pub fn canonicalise(raw_path: &str) -> Result<CanonicalPath<'_>, PathRefusal> {
    if raw_path.len() > PATH_MAX_BYTES {
        return Err(PathRefusal(Reason::TooLong));
    }
    let Some(relative) = raw_path.strip_prefix('/') else {
        return Err(PathRefusal(Reason::NotOriginForm));
    };
    let (relative, trailing_slash) = match relative.strip_suffix('/') {
        Some(shorter) => (shorter, true),
        None => (relative, false),
    };
    if relative.is_empty() && !trailing_slash {
        return Ok(CanonicalPath { segments: Vec::new(), trailing_slash: true, ambiguous: None });
    }
    let mut segments = Vec::with_capacity(8);
    let mut ambiguous: Option<Reason> = None;
    for raw in relative.split('/') {
        let (segment, reason) = read_segment(raw);
        segments.push(segment);
        // Dot segments matter most: they are refused wherever they stand.
        if ambiguous.is_none() || reason == Some(Reason::DotSegment) {
            ambiguous = reason;
        }
    }
    Ok(CanonicalPath { segments, trailing_slash, ambiguous })
}

/// A path as segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalPath<'a> {
    /// The segments between slashes, in order; empty ones are kept.
    pub segments: Vec<Segment<'a>>,
    /// Whether the path ends in one slash beyond its last segment.
    pub trailing_slash: bool,
    /// What servers may read differently. An encoded slash is not here but with its [`Segment`], because a resource
    /// id may hold one.
    pub ambiguous: Option<Reason>,
}

/// One path segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// As received.
    pub raw: &'a str,
    /// Percent-decoded once; as received where that is not possible.
    pub decoded: Cow<'a, str>,
    /// Whether the decoded text holds a slash or a backslash.
    pub encoded_slash: bool,
}

/// Why a path is ambiguous or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// `//`.
    EmptySegment,
    /// `.` or `..`, encoded or not, also before a `;` and between encoded slashes.
    DotSegment,
    /// A backslash as such.
    Backslash,
    /// A control byte, encoded or not.
    ControlByte,
    /// A percent sign without two hexadecimal digits.
    InvalidEncoding,
    /// Decodes to something that is not UTF-8.
    NotUtf8,
    /// Another spelling of a SCIM base path: `/sc%69m/v2`, `/scim;x/v2`, `//scim/v2`.
    Disguised,
    /// Longer than [`PATH_MAX_BYTES`].
    TooLong,
    /// Does not begin with a slash.
    NotOriginForm,
}

impl Reason {
    /// Every reason, so that its counter exists before it happens.
    pub const ALL: [Self; 9] = [
        Self::EmptySegment,
        Self::DotSegment,
        Self::Backslash,
        Self::ControlByte,
        Self::InvalidEncoding,
        Self::NotUtf8,
        Self::Disguised,
        Self::TooLong,
        Self::NotOriginForm,
    ];

    /// The word used in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmptySegment => "empty_segment",
            Self::DotSegment => "dot_segment",
            Self::Backslash => "backslash",
            Self::ControlByte => "control_byte",
            Self::InvalidEncoding => "invalid_encoding",
            Self::NotUtf8 => "not_utf8",
            Self::Disguised => "disguised",
            Self::TooLong => "too_long",
            Self::NotOriginForm => "not_origin_form",
        }
    }
}

/// A path that is neither served nor passed on. Its `Display` is the detail for the client; it repeats nothing of the
/// path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PathRefusal(pub Reason);

impl PathRefusal {
    /// HTTP status of the answer.
    pub fn status(self) -> u16 {
        match self.0 {
            Reason::TooLong => 414,
            _ => 400,
        }
    }
}

impl fmt::Display for PathRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Reason::EmptySegment => "the path holds an empty segment (two slashes in a row)",
            Reason::DotSegment => "the path holds a dot segment; resolve it before sending",
            Reason::Backslash => "the path holds a backslash",
            Reason::ControlByte => "the path holds a control character",
            Reason::InvalidEncoding => "the path holds a percent sign that is not followed by two hexadecimal digits",
            Reason::NotUtf8 => "the path does not decode to UTF-8",
            Reason::Disguised => "the path spells the SCIM base path in an unusual way; send it as configured",
            Reason::TooLong => "the path is too long",
            Reason::NotOriginForm => "the request target is not a path",
        })
    }
}

impl std::error::Error for PathRefusal {}

fn read_segment(raw: &str) -> (Segment<'_>, Option<Reason>) {
    let as_received = |reason| (Segment { raw, decoded: Cow::Borrowed(raw), encoded_slash: false }, Some(reason));
    if raw.is_empty() {
        return as_received(Reason::EmptySegment);
    }
    // Nearly all segments look like this, and all that follows is about those that do not.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'@' | b':');
    if raw.bytes().all(plain) && !matches!(raw, "." | "..") {
        return (Segment { raw, decoded: Cow::Borrowed(raw), encoded_slash: false }, None);
    }
    if !escapes_are_valid(raw) {
        return as_received(Reason::InvalidEncoding);
    }
    let Ok(decoded) = percent_decode_str(raw).decode_utf8() else {
        return as_received(Reason::NotUtf8);
    };
    let encoded_slash = decoded.contains(['/', '\\']);
    let reason = if decoded.split(['/', '\\']).any(is_dot_segment) {
        Some(Reason::DotSegment)
    } else if raw.contains('\\') {
        Some(Reason::Backslash)
    } else if decoded.chars().any(char::is_control) {
        Some(Reason::ControlByte)
    } else {
        None
    };
    (Segment { raw, decoded, encoded_slash }, reason)
}

/// Some servers cut path parameters (`;x=1`) off before they resolve dots, so `..;x` is one as well.
fn is_dot_segment(piece: &str) -> bool {
    let name = piece.split_once(';').map_or(piece, |(name, _)| name);
    matches!(name, "." | "..")
}

fn escapes_are_valid(raw: &str) -> bool {
    raw.split('%').skip(1).all(|after| {
        let mut digits = after.bytes();
        let mut hex = || digits.next().is_some_and(|byte| byte.is_ascii_hexdigit());
        hex() && hex()
    })
}

/// The longest path that is read at all, in bytes as received.
pub const PATH_MAX_BYTES: usize = 8192;
