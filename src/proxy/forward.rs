//! What is said about the client to those behind us, and what is believed of those before us.
//!
//! In: headers and the address of the peer. Out: the origin that the client's URLs begin with, a request id, and
//! headers for the application. Forwarding headers are believed only from trusted proxies; from anybody else they are
//! replaced, whatever their spelling.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use pingora::http::RequestHeader;

use super::head::is_host;
use crate::native::http1::{Headers, decimal};
use crate::telemetry::trace::{RequestTrace, TRACE_PARENT, TRACE_STATE};

/// Address ranges whose forwarding headers are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<(IpAddr, u8)>);

impl TrustedProxies {
    /// Takes first addresses and prefix lengths in bits.
    pub fn new(ranges: impl IntoIterator<Item = (IpAddr, u8)>) -> Self {
        Self(ranges.into_iter().map(|(address, prefix)| (address.to_canonical(), prefix)).collect())
    }

    /// Whether the address lies in one of the ranges. An IPv4 address in IPv6 form counts as IPv4.
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|(network, prefix)| match (network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                same_prefix(u128::from(network.to_bits()) << 96, u128::from(address.to_bits()) << 96, *prefix)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => same_prefix(network.to_bits(), address.to_bits(), *prefix),
            _ => false,
        })
    }
}

fn same_prefix(left: u128, right: u128, prefix: u8) -> bool {
    (left ^ right).leading_zeros() >= u32::from(prefix)
}

/// `scheme://host/prefix` as the client sees it: from `X-Forwarded-Proto`, `-Host` and `-Prefix` if the peer is
/// trusted, from `Host` and plain HTTP otherwise. Of a list the first element counts, the one nearest to the client.
pub fn origin(headers: &impl Headers, peer_trusted: bool) -> String {
    let told = |name: &HeaderName| {
        if !peer_trusted {
            return None;
        }
        let value = headers.first(name)?.to_str().ok()?;
        value.split(',').next().map(str::trim)
    };
    let scheme = told(&FORWARDED_PROTO).filter(|scheme| matches!(*scheme, "http" | "https")).unwrap_or("http");
    let own_host = headers.first(&header::HOST).and_then(|value| value.to_str().ok()).unwrap_or("localhost");
    let host = told(&FORWARDED_HOST).filter(|host| is_host(host.as_bytes())).unwrap_or(own_host);
    let prefix = told(&FORWARDED_PREFIX).filter(|prefix| is_path_prefix(prefix)).unwrap_or("");
    [scheme, "://", host, prefix.trim_end_matches('/')].concat()
}

fn is_path_prefix(prefix: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%".contains(&byte);
    prefix.starts_with('/') && !prefix.starts_with("//") && prefix.len() <= 255 && prefix.bytes().all(plain)
}

/// The id of a request: the one it came with if that is short and harmless, otherwise one of our own.
pub fn request_id(headers: &impl Headers) -> String {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'/' | b'=');
    let given = headers.first(&REQUEST_ID).and_then(|value| value.to_str().ok());
    match given.filter(|id| (1..=64).contains(&id.len()) && id.bytes().all(harmless)) {
        Some(id) => id.to_owned(),
        None => own_request_id(),
    }
}

/// Unlike any other of this process, and of any other process as far as the clock and its number tell them apart.
fn own_request_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    static START: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let start = (since.as_nanos() as u64).rotate_left(20) ^ u64::from(std::process::id());
        format!("{start:016x}-")
    });
    let mut count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut id = String::with_capacity(START.len() + 16);
    id.push_str(&START);
    // The least digit first: it is a name and no number.
    loop {
        id.extend(char::from_digit((count % 16) as u32, 16));
        count /= 16;
        if count == 0 {
            return id;
        }
    }
}

/// Rewrites the headers of a request on its way to the application.
///
/// # Errors
///
/// A value that cannot be a header value; none of those made here is one.
pub fn rewrite_request(
    request: &mut RequestHeader,
    peer: SocketAddr,
    peer_trusted: bool,
    request_id: &str,
) -> pingora::Result<()> {
    // Most clients send none of them, and looking is cheaper than removing each.
    let forged = |name: &HeaderName| is_disguised(name) || !peer_trusted && FORWARDING.contains(name);
    let mut found = Vec::new();
    for name in request.headers.keys() {
        if forged(name) {
            found.push(name.clone());
        }
    }
    for name in found {
        request.remove_header(&name);
    }
    let peer = address(peer.ip().to_canonical());
    let before = if peer_trusted { joined(&request.headers, &FORWARDED_FOR) } else { None };
    let chain = match before {
        Some(before) => format!("{before}, {peer}"),
        None => peer,
    };
    request.insert_header(FORWARDED_FOR, chain)?;
    if !request.headers.contains_key(&FORWARDED_PROTO) {
        request.insert_header(FORWARDED_PROTO, HeaderValue::from_static("http"))?;
    }
    if !request.headers.contains_key(&FORWARDED_HOST)
        && let Some(host) = request.headers.get(header::HOST).cloned()
    {
        request.insert_header(FORWARDED_HOST, host)?;
    }
    request.insert_header(REQUEST_ID, request_id)
}

/// Says on the way to the application where in its trace the request stands, whatever the client has said about that.
///
/// # Errors
///
/// As [`rewrite_request`].
pub fn continue_trace(request: &mut RequestHeader, trace: &RequestTrace) -> pingora::Result<()> {
    for name in [TRACE_PARENT, TRACE_STATE] {
        request.remove_header(&name);
    }
    for (name, value) in trace.headers() {
        request.insert_header(name, value)?;
    }
    if let Some(recording) = trace.recording() {
        request.insert_header(TRACE_PARENT, recording.inner_header())?;
    }
    Ok(())
}

/// All values of a header as one list.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// `X_Forwarded_For` and its like: many application servers take an underscore for a hyphen (CGI variables), so that
/// such a header would stand beside or before the one we set.
fn is_disguised(name: &HeaderName) -> bool {
    // Names of letters and hyphens are the rule.
    name.as_str().bytes().any(|byte| byte == b'_') && {
        let plain = name.as_str().replace('_', "-");
        plain == REQUEST_ID.as_str() || FORWARDING.iter().any(|known| known.as_str() == plain)
    }
}

/// An address as text. The usual kind is written digit by digit: the formatter costs more than all else about it.
fn address(address: IpAddr) -> String {
    let IpAddr::V4(address) = address else { return address.to_string() };
    let mut text = String::with_capacity("255.255.255.255".len());
    for octet in address.octets() {
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(std::str::from_utf8(decimal(octet.into(), &mut [0; 20])).unwrap_or_default());
    }
    text
}

/// The names in an answer that concern the connection to the application and not the client's: the ones that
/// `Connection` names, and those of RFC 9110 7.6.1. Message framing is left to the proxy library.
pub fn hop_by_hop(headers: &HeaderMap) -> Vec<HeaderName> {
    let named = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .filter(|name| !FRAMING.contains(name) && headers.contains_key(name));
    let usual = headers.keys().filter(|name| HOP_BY_HOP.contains(name)).cloned();
    named.chain(usual).collect()
}

/// Joins what the client, this program and the application log about one request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(super) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(super) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(super) const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// What speaks about the client and its connection.
static FORWARDING: [HeaderName; 11] = [
    FORWARDED_FOR,
    FORWARDED_PROTO,
    FORWARDED_HOST,
    FORWARDED_PREFIX,
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-ssl"),
    HeaderName::from_static("x-forwarded-scheme"),
    HeaderName::from_static("x-forwarded-server"),
    HeaderName::from_static("x-original-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
    header::FORWARDED,
];

static HOP_BY_HOP: [HeaderName; 4] =
    [HeaderName::from_static("keep-alive"), HeaderName::from_static("proxy-connection"), header::TE, header::UPGRADE];

/// Names that an answer's `Connection` cannot make go away.
static FRAMING: [HeaderName; 5] =
    [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONTENT_TYPE, header::SET_COOKIE];

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap()))
            .collect()
    }

    #[test]
    fn ranges_contain_addresses() {
        let trusted = TrustedProxies::new([
            ("10.0.0.0".parse().unwrap(), 8),
            ("2001:db8::".parse().unwrap(), 32),
            ("192.0.2.7".parse().unwrap(), 32),
        ]);
        for (address, expected) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("11.0.0.1", false),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
            ("192.0.2.7", true),
            ("192.0.2.6", false),
        ] {
            assert_eq!(trusted.contain(address.parse().unwrap()), expected, "{address}");
        }
        assert!(!TrustedProxies::default().contain("127.0.0.1".parse().unwrap()));
        assert!(TrustedProxies::new([("0.0.0.0".parse().unwrap(), 0)]).contain("8.8.8.8".parse().unwrap()));
    }

    #[test]
    fn the_origin_is_the_clients_only_if_told_by_a_trusted_peer() {
        let told = headers(&[
            ("host", "10.0.0.5:8080"),
            ("x-forwarded-proto", "https, http"),
            ("x-forwarded-host", "idp.example"),
            ("x-forwarded-prefix", "/sso/"),
        ]);
        assert_eq!(origin(&told, true), "https://idp.example/sso");
        assert_eq!(origin(&told, false), "http://10.0.0.5:8080");
        let odd = headers(&[
            ("host", "a"),
            ("x-forwarded-proto", "javascript"),
            ("x-forwarded-host", "a\"b"),
            ("x-forwarded-prefix", "//evil"),
        ]);
        assert_eq!(origin(&odd, true), "http://a");
    }

    #[test]
    fn request_ids_are_kept_if_harmless() {
        assert_eq!(request_id(&headers(&[("x-request-id", "a-1/b")])), "a-1/b");
        for odd in ["", "a b", "a\"b", &"a".repeat(65)] {
            assert_ne!(request_id(&headers(&[("x-request-id", odd)])), odd);
        }
        assert_ne!(own_request_id(), own_request_id());
    }

    #[test]
    fn addresses_are_written_as_ever() {
        for text in ["0.0.0.0", "10.1.20.255", "127.0.0.1", "2001:db8::1"] {
            assert_eq!(address(text.parse().unwrap()), text);
        }
    }

    #[test]
    fn forged_forwarding_headers_are_replaced() {
        let check = |trusted: bool, name: &str| {
            let mut request = RequestHeader::build("GET", b"/", None).unwrap();
            for (name, value) in [
                ("host", "app"),
                ("x-forwarded-for", "1.1.1.1"),
                ("x_forwarded_for", "2.2.2.2"),
                ("x-forwarded-proto", "https"),
                ("x-real-ip", "1.1.1.1"),
                ("forwarded", "for=1.1.1.1"),
                ("x_other", "kept"),
            ] {
                request.append_header(name, value).unwrap();
            }
            rewrite_request(&mut request, "[::ffff:9.9.9.9]:1".parse().unwrap(), trusted, "id").unwrap();
            joined(&request.headers, &HeaderName::try_from(name).unwrap())
        };
        assert_eq!(check(false, "x-forwarded-for").as_deref(), Some("9.9.9.9"));
        assert_eq!(check(true, "x-forwarded-for").as_deref(), Some("1.1.1.1, 9.9.9.9"));
        assert_eq!(check(true, "x_forwarded_for"), None);
        assert_eq!(check(false, "x-forwarded-proto").as_deref(), Some("http"));
        assert_eq!(check(true, "x-forwarded-proto").as_deref(), Some("https"));
        assert_eq!(check(false, "x-forwarded-host").as_deref(), Some("app"));
        assert_eq!(check(false, "x-real-ip"), None);
        assert_eq!(check(false, "forwarded"), None);
        assert_eq!(check(false, "x_other").as_deref(), Some("kept"));
        assert_eq!(check(false, "x-request-id").as_deref(), Some("id"));
    }

    #[test]
    fn an_answer_cannot_nominate_its_framing() {
        let answer = headers(&[
            ("connection", "close, X-Hop, content-length"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("content-length", "3"),
        ]);
        assert_eq!(hop_by_hop(&answer), [HeaderName::from_static("x-hop"), HeaderName::from_static("keep-alive")]);
    }
}
