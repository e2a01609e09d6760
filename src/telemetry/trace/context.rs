//! Trace context (W3C Trace Context, level 2): headers in, ids out, and headers again.
//!
//! What is malformed is as good as absent. `baggage` is never read: whoever sends a request can write anything there.

use std::fmt;

use http::{HeaderName, HeaderValue};

use crate::native::http1::Headers;

/// Where in a trace a request stands.
pub const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// What vendors add to it.
pub const TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");

/// A trace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceId(pub(super) [u8; 16]);

/// A span of one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SpanId(pub(super) [u8; 8]);

impl TraceId {
    /// The digits.
    pub(super) fn hex(self) -> [u8; 32] {
        let mut text = [0; 32];
        put_hex(&self.0, &mut text);
        text
    }

    /// The part that is random, if the trace has any: 56 bits.
    pub(super) fn randomness(self) -> u64 {
        self.0.iter().skip(9).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    pub(super) fn is_valid(self) -> bool {
        self.0 != [0; 16]
    }
}

impl SpanId {
    pub(super) fn is_valid(self) -> bool {
        self.0 != [0; 8]
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.hex()).unwrap_or_default())
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 16];
        put_hex(&self.0, &mut text);
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// What `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The trace.
    pub trace: TraceId,
    /// The span in it that sends the request.
    pub span: SpanId,
    /// `1` for sampled, `2` for a random id; bits that level 2 does not know are gone.
    pub flags: u8,
}

impl Parent {
    /// Reads the value of the header. Versions above 00 may have more at their end, which is not looked at.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (head, rest) = value.split_at_checked(LENGTH)?;
        let [v1, v2, b'-', trace @ .., b'-', f1, f2] = head else { return None };
        let (trace, span) = trace.split_at_checked(32)?;
        let [b'-', span @ ..] = span else { return None };
        let mut version = [0];
        let mut flags = [0];
        let mut parent = Self { trace: TraceId([0; 16]), span: SpanId([0; 8]), flags: 0 };
        read_hex(&[*v1, *v2], &mut version)?;
        read_hex(trace, &mut parent.trace.0)?;
        read_hex(span, &mut parent.span.0)?;
        read_hex(&[*f1, *f2], &mut flags)?;
        let [version] = version;
        let ends_well = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.first().is_none_or(|next| *next == b'-'),
        };
        let [flags] = flags;
        parent.flags = flags & (SAMPLED | RANDOM);
        (ends_well && parent.trace.is_valid() && parent.span.is_valid()).then_some(parent)
    }

    /// The value of a header that says this.
    pub fn to_header(self) -> HeaderValue {
        let mut text = [b'-'; LENGTH];
        let put = |bytes: &[u8], at: usize, text: &mut [u8; LENGTH]| {
            if let Some(place) = text.get_mut(at..at + 2 * bytes.len()) {
                put_hex(bytes, place);
            }
        };
        put(&[0], 0, &mut text);
        put(&self.trace.0, 3, &mut text);
        put(&self.span.0, 36, &mut text);
        put(&[self.flags], 53, &mut text);
        // Digits and hyphens can always stand in a header.
        HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static(""))
    }
}

/// What a request says about its place: nothing if it says so twice or says something else.
pub(super) fn of_request(headers: &impl Headers) -> Option<(Parent, HeaderValue, Option<HeaderValue>)> {
    let value = headers.sole(&TRACE_PARENT)?;
    let parent = Parent::parse(value.as_bytes())?;
    Some((parent, value.clone(), state(headers)))
}

/// `tracestate`: all of it in one header, or nothing if any of it is malformed.
fn state(headers: &impl Headers) -> Option<HeaderValue> {
    let name = TRACE_STATE;
    let mut given = headers.all(&name);
    let first = given.next()?;
    let whole = match given.next() {
        None => first.clone(),
        Some(second) => {
            let all = [first, second].into_iter().chain(given).map(HeaderValue::as_bytes);
            HeaderValue::from_bytes(&all.collect::<Vec<_>>().join(&b','))
                .ok()
                .filter(|joined| joined.len() <= STATE_MAX_BYTES)?
        }
    };
    is_state(whole.as_bytes()).then_some(whole)
}

fn is_state(text: &[u8]) -> bool {
    let members = text.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty());
    let mut count = 0;
    let fine = members.inspect(|_| count += 1).all(is_member);
    fine && (1..=STATE_MAX_MEMBERS).contains(&count) && text.len() <= STATE_MAX_BYTES
}

fn is_member(member: &[u8]) -> bool {
    let Some(at) = member.iter().position(|byte| *byte == b'=') else { return false };
    let (key, value) = member.split_at(at);
    let key_byte = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(byte);
    let begins = key.first().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let value = value.get(1..).unwrap_or_default();
    let value_byte = |byte: &u8| (0x20..=0x7e).contains(byte) && *byte != b'=';
    begins
        && key.len() <= 256
        && key.iter().all(key_byte)
        && (1..=256).contains(&value.len())
        && value.iter().all(value_byte)
}

fn put_hex(bytes: &[u8], text: &mut [u8]) {
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        let digit = |number: u8| if number < 10 { b'0' + number } else { b'a' + number - 10 };
        if let [high, low] = pair {
            (*high, *low) = (digit(byte >> 4), digit(byte & 15));
        }
    }
}

/// Lower case alone, as the standard has it.
fn read_hex(text: &[u8], bytes: &mut [u8]) -> Option<()> {
    let digit = |character: u8| match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(())
}

/// The sender records this trace.
pub(super) const SAMPLED: u8 = 1;
/// The id of the trace is random.
pub(super) const RANDOM: u8 = 2;

/// `00-` and 32 digits, `-` and 16, `-` and 2.
const LENGTH: usize = 55;
const STATE_MAX_BYTES: usize = 512;
const STATE_MAX_MEMBERS: usize = 32;

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_parent_is_read_and_written() {
        let parent = Parent::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(
            format!("{:?} {:?} {}", parent.trace, parent.span, parent.flags),
            "4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7 1"
        );
        assert_eq!(parent.to_header(), GOOD);
        assert_eq!(parent.trace.randomness(), 0x00ce_929d_0e0e_4736);
    }

    #[test]
    fn what_is_malformed_is_absent() {
        let later = GOOD.replacen("00", "cc", 1);
        for (text, fine) in [
            (GOOD.to_owned(), true),
            (later.clone(), true),
            (format!("{later}-what-the-future-will-be-like"), true),
            (format!("{later}.what"), false),
            (format!("{GOOD}-more"), false),
            (GOOD.replacen("00", "ff", 1), false),
            (GOOD.to_uppercase(), false),
            (GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)), false),
            (GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)), false),
            (GOOD.replace('-', "_"), false),
            (GOOD[1..].to_owned(), false),
            (format!(" {GOOD}"), false),
            (GOOD.replace("01", "0g"), false),
            (String::new(), false),
        ] {
            assert_eq!(Parent::parse(text.as_bytes()).is_some(), fine, "{text}");
        }
    }

    #[test]
    fn unknown_flags_are_not_passed_on() {
        let parent = Parent::parse(GOOD.replace("-01", "-ff").as_bytes()).unwrap();
        assert_eq!(parent.flags, SAMPLED | RANDOM);
        assert!(parent.to_header().to_str().unwrap().ends_with("-03"));
    }

    fn headers(list: &[(HeaderName, &str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn the_state_is_taken_whole_or_not_at_all() {
        let long = format!("a={}", "x".repeat(257));
        let many = vec!["a=1"; 33].join(",");
        for (given, taken) in [
            (&["vendor=x"][..], Some("vendor=x")),
            (&["a=1", "b@v=2"], Some("a=1,b@v=2")),
            (&["a=1, ,b=2"], Some("a=1, ,b=2")),
            (&["A=1"], None),
            (&["a=1", "b"], None),
            (&["a="], None),
            (&[""], None),
            (&[&long], None),
            (&[&many], None),
        ] {
            let mut list = vec![(TRACE_PARENT, GOOD)];
            list.extend(given.iter().map(|value| (TRACE_STATE, *value)));
            let (_, _, state) = of_request(&headers(&list)).unwrap();
            assert_eq!(state.as_ref().map(|state| state.to_str().unwrap()), taken, "{given:?}");
        }
    }

    #[test]
    fn two_parents_are_none_and_a_state_needs_one() {
        assert!(of_request(&headers(&[(TRACE_PARENT, GOOD), (TRACE_PARENT, GOOD)])).is_none());
        assert!(of_request(&headers(&[(TRACE_STATE, "a=1")])).is_none());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(trace in any::<[u8; 16]>(), span in any::<[u8; 8]>(), flags in 0_u8..4) {
            let parent = Parent { trace: TraceId(trace), span: SpanId(span), flags };
            let valid = parent.trace.is_valid() && parent.span.is_valid();
            prop_assert_eq!(Parent::parse(parent.to_header().as_bytes()), valid.then_some(parent));
        }

        #[test]
        fn anything_may_come(value in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(parent) = Parent::parse(&value) {
                prop_assert_eq!(Parent::parse(parent.to_header().as_bytes()), Some(parent));
            }
            is_state(&value);
        }

        #[test]
        fn one_wrong_byte_is_seen(at in 0_usize..55, byte in any::<u8>()) {
            let mut value = GOOD.as_bytes().to_vec();
            value[at] = byte;
            let well_formed = match at {
                2 | 35 | 52 => byte == b'-',
                _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            };
            // `f` as the first digit of a version is fine unless the second is one too, which it is not here.
            prop_assert_eq!(Parent::parse(&value).is_some(), well_formed);
        }
    }
}
