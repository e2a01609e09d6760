//! The pages beside the API, each for something a pass-through proxy must not break: streamed bodies in both
//! directions, an upgraded connection, and headers on their way.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::stream;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Either, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::upgrade::OnUpgrade;
use sha1::{Digest as _, Sha1};

use super::page::Params;

/// A body that is at hand, or one that is still coming.
pub(super) type Body = Either<Full<Bytes>, UnsyncBoxBody<Bytes, hyper::Error>>;

/// Answers a request outside `/api`. An accepted upgrade is left in `upgrade`; the connection's task takes it
/// over once the 101 is on its way.
pub(super) fn respond(mut request: http::Request<Incoming>, upgrade: &mut Option<OnUpgrade>) -> http::Response<Body> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        "/" if reads => whole(StatusCode::OK, "text/html; charset=utf-8", HOME),
        "/health" if reads => whole(StatusCode::OK, "text/plain", "ok"),
        "/headers" if reads => whole(StatusCode::OK, "application/json", headers_as_json(request.headers())),
        "/stream" if reads => chunks(request.uri().query().unwrap_or_default()),
        "/ws" if reads => {
            let response = switch_protocols(request.headers());
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                *upgrade = Some(hyper::upgrade::on(&mut request));
            }
            response
        }
        "/echo" if request.method() == Method::POST => echo(request),
        "/" | "/health" | "/headers" | "/stream" | "/ws" => not_allowed("GET, HEAD"),
        "/echo" => not_allowed("POST"),
        _ => whole(StatusCode::NOT_FOUND, "text/html; charset=utf-8", "<!doctype html><title>Not found</title>\n"),
    }
}

/// A response around a body that is at hand.
pub(super) fn whole(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> http::Response<Body> {
    let content_type = (header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    respond_with(status, [content_type], Either::Left(Full::new(body.into())))
}

fn respond_with(
    status: StatusCode,
    headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
    body: Body,
) -> http::Response<Body> {
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    response
}

fn not_allowed(methods: &'static str) -> http::Response<Body> {
    let mut response = whole(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "method not allowed\n");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}

/// Sends the body back while it arrives, so that no size is too large.
fn echo(request: http::Request<Incoming>) -> http::Response<Body> {
    let (parts, body) = request.into_parts();
    let content_type = parts.headers.get(header::CONTENT_TYPE).cloned();
    let headers = content_type.map(|value| (header::CONTENT_TYPE, value));
    respond_with(StatusCode::OK, headers, Either::Right(body.boxed_unsync()))
}

/// `?chunks=N` lines, a pause after each, so that a buffering proxy shows by arriving late.
fn chunks(query: &str) -> http::Response<Body> {
    let wanted = Params::parse(query).last("chunks").map_or(Ok(3), str::parse::<usize>);
    let Some(count) = wanted.ok().filter(|count| *count <= CHUNKS_MAX) else {
        return whole(StatusCode::BAD_REQUEST, "text/plain", format!("chunks must be 0 to {CHUNKS_MAX}\n"));
    };
    let lines = stream::unfold(0, move |sent| async move {
        if sent == count {
            return None;
        }
        if sent > 0 {
            tokio::time::sleep(CHUNK_PAUSE).await;
        }
        Some((Ok(Frame::data(Bytes::from(format!("chunk {sent}\n")))), sent + 1))
    });
    let content_type = (header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    respond_with(StatusCode::OK, [content_type], Either::Right(StreamBody::new(lines).boxed_unsync()))
}

/// Name to value; a header sent twice is joined with a comma (RFC 9110 5.3).
fn headers_as_json(headers: &HeaderMap) -> String {
    let mut joined: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        joined
            .entry(name.as_str())
            .and_modify(|values| {
                values.push_str(", ");
                values.push_str(&value);
            })
            .or_insert_with(|| value.clone().into_owned());
    }
    serde_json::json!(joined).to_string()
}

/// The server's half of the opening handshake (RFC 6455 4.2.2), or 426 for a request that is not one.
fn switch_protocols(headers: &HeaderMap) -> http::Response<Body> {
    let websocket = HeaderValue::from_static("websocket");
    let asks = headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asks);
    let Some(accept) = key.and_then(|key| HeaderValue::try_from(accept_key(key.as_bytes())).ok()) else {
        let mut response = whole(StatusCode::UPGRADE_REQUIRED, "text/plain", "this path speaks websocket\n");
        response.headers_mut().insert(header::UPGRADE, websocket);
        return response;
    };
    let upgrade = HeaderValue::from_static("upgrade");
    let headers = [(header::CONNECTION, upgrade), (header::UPGRADE, websocket), (header::SEC_WEBSOCKET_ACCEPT, accept)];
    respond_with(StatusCode::SWITCHING_PROTOCOLS, headers, Either::Left(Full::default()))
}

fn accept_key(key: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha1::new().chain_update(key).chain_update(WEBSOCKET_GUID).finalize())
}

const HOME: &str = "<!doctype html>\n<html lang=\"en\"><head><title>Acme HR</title></head>\
    <body><h1>Acme HR</h1><p>People and teams, since 2009.</p></body></html>\n";
const CHUNKS_MAX: usize = 1000;
const CHUNK_PAUSE: Duration = Duration::from_millis(20);
/// RFC 6455 1.3.
const WEBSOCKET_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::accept_key;

    #[test]
    fn the_accept_key_is_the_one_of_rfc_6455() {
        assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
