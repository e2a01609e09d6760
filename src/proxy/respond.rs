//! Writing answers that this program makes itself.
//!
//! In: an [`EdgeResponse`], or a status for clients that do not speak SCIM. Out: bytes on the connection. `Date` and
//! `Connection` are added by the proxy library.

use http::{HeaderValue, Method, header};
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;

use super::downstream::HeadBounds;
use super::edge::{EdgeResponse, RequestLabels};
use super::forward::REQUEST_ID;
use super::head::Refusal;
use crate::scim::ScimError;

/// Sends a SCIM answer.
pub(super) async fn scim(
    session: &mut ServerSession,
    response: &EdgeResponse,
    request_id: &str,
) -> pingora::Result<()> {
    let mut head = ResponseHeader::build_no_case(response.status, Some(response.headers.len() + 5))?;
    for (name, value) in &response.headers {
        head.append_header(name, value)?;
    }
    head.insert_header(REQUEST_ID, request_id)?;
    if !matches!(response.status, 204 | 304) {
        head.insert_header(header::CONTENT_LENGTH, response.body.len())?;
    }
    if !response.body.is_empty() {
        head.insert_header(header::CONTENT_TYPE, SCIM_JSON)?;
    }
    send(session, head, response.body.clone()).await
}

/// Sends a page of one line, for whoever does not speak SCIM.
pub(super) async fn page(session: &mut ServerSession, status: u16, request_id: &str) -> pingora::Result<()> {
    let reason = http::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason()).unwrap_or("Error");
    let text = format!("{status} {reason}\n");
    let mut head = ResponseHeader::build_no_case(status, Some(6))?;
    head.insert_header(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))?;
    head.insert_header(header::CONTENT_LENGTH, text.len())?;
    head.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))?;
    head.insert_header(REQUEST_ID, request_id)?;
    send(session, head, text.into()).await
}

async fn send(session: &mut ServerSession, head: ResponseHeader, body: bytes::Bytes) -> pingora::Result<()> {
    let bodiless = body.is_empty() || session.req_header().method == Method::HEAD;
    session.write_response_header(Box::new(head)).await?;
    if !bodiless {
        session.write_response_body(body, true).await?;
    }
    Ok(())
}

/// The whole answer to a request that never became one. It is a SCIM error because nobody can say what it was meant
/// for, and a body of JSON harms no other client.
pub(super) fn refusal(refusal: Refusal, bounds: &HeadBounds) -> Vec<u8> {
    let detail = match refusal {
        Refusal::TooLarge => format!("{refusal}: {} bytes are allowed here", bounds.max_bytes),
        Refusal::Timeout => format!("{refusal}: {:?} are allowed here", bounds.timeout),
        _ => refusal.to_string(),
    };
    raw(&ScimError::new(refusal.status(), detail))
}

/// The whole answer to a connection over the limit.
pub(super) fn too_many_connections(limit: usize) -> Vec<u8> {
    let detail = format!("too many connections are open: {limit} are allowed here; try again");
    raw(&ScimError::new(503, detail).with_retry_after(1))
}

fn raw(error: &ScimError) -> Vec<u8> {
    let response = EdgeResponse::error(error, RequestLabels::default());
    let status = http::StatusCode::from_u16(error.status).unwrap_or(http::StatusCode::BAD_REQUEST);
    let length = response.body.len();
    let retry = error.retry_after.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/scim+json\r\ncontent-length: {length}\r\n{retry}\
         connection: close\r\n\r\n"
    );
    [head.as_bytes(), &response.body].concat()
}

const SCIM_JSON: HeaderValue = HeaderValue::from_static("application/scim+json");
