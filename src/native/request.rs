//! In: a native call and what its backend adds. Out: a request with credentials and secrets in place.
//!
//! Nothing here sends. Errors name what is wrong and never a value, because values may be personal or secret.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::HeaderName;
use http::uri::{Authority, PathAndQuery};
use http::{Method, Uri};
use serde_json::Value;

use super::client::NativeClientError;
use super::credential::Attached;
use super::forward::Forwarded;
use super::outgoing::{Field, Fields, Outgoing, is_value};
use crate::config::{Backend, BaseUrl, Format, ResolvedSecrets};
use crate::plan::{NativeCall, SECRET_MARKER, form};
use crate::route::{PATH_MAX_BYTES, Reason, canonicalise};

/// Builds the request for one call.
pub(super) fn build<'a>(
    envelope: &'a Envelope,
    call: &'a NativeCall,
    credential: Attached<'a>,
    forwarded: &'a Forwarded<'_>,
    body_secrets: &ResolvedSecrets,
) -> Result<Outgoing<'a>, Unsendable> {
    let method = Method::from_bytes(call.method.as_bytes()).map_err(|_| Unsendable::Method)?;
    let body = call.body.as_ref().map(|body| fill_secrets(body, body_secrets)).transpose()?;
    let body = credential.to_body(&method, body)?;
    let target = target(envelope, &credential.to_target(&call.target))?;
    let mut fields = Fields::new();
    fields.set(Field::new("accept", b"application/json"));
    fields.set(Field::new("user-agent", AGENT.as_bytes()));
    forwarded.fields().for_each(|field| fields.set(field));
    add_mapped_headers(&mut fields, call)?;
    let body = body.map_or_else(Vec::new, |body| {
        let (media_type, text) = encode(envelope.format, &body);
        if fields.get("content-type").is_none() {
            fields.set(Field::new("content-type", media_type.as_bytes()));
        }
        text
    });
    credential.to_fields(&mut fields)?;
    Ok(Outgoing { method, authority: &envelope.authority, target, fields, body: Cow::Owned(body) })
}

/// A body as it is sent, and what it is called.
fn encode(format: Format, body: &Value) -> (&'static str, Vec<u8>) {
    match format {
        Format::Json => {
            let mut text = Vec::with_capacity(BODY_BYTES);
            // Nothing in a value cannot be written, and a vector takes everything.
            let _ = serde_json::to_writer(&mut text, body);
            ("application/json", text)
        }
        Format::Form => ("application/x-www-form-urlencoded", form::encode(body).into_bytes()),
    }
}

/// How the adapter names itself.
pub(super) const AGENT: &str = concat!("scimshim/", env!("CARGO_PKG_VERSION"));

/// What a backend adds to each of its calls.
#[derive(Debug)]
pub(super) struct Envelope {
    authority: Authority,
    /// Base path, without a slash at its end.
    path: String,
    format: Format,
}

impl Envelope {
    /// Prepares what all calls to a backend have in common.
    pub(super) fn new(backend: &Backend) -> Result<Self, NativeClientError> {
        let url = absolute(&backend.url).parse::<Uri>().ok();
        let authority = url.and_then(|url| url.into_parts().authority);
        let unsendable = || NativeClientError::Unsendable { backend: Arc::clone(&backend.name), what: "its url" };
        let authority = authority.ok_or_else(unsendable)?;
        Ok(Self { authority, path: backend.url.path.clone(), format: backend.format })
    }
}

/// A base URL as text.
pub(super) fn absolute(url: &BaseUrl) -> String {
    let BaseUrl { tls, host, port, path } = url;
    format!("{}://{host}:{port}{path}", if *tls { "https" } else { "http" })
}

/// A call that cannot be written as an HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsendable {
    /// No backend of that number.
    #[error("there is no such backend")]
    Backend,
    /// Not a method.
    #[error("the method is not a token")]
    Method,
    /// Not a path below the base URL.
    #[error("the path is not one below the backend's url")]
    Target,
    /// Not a header, or one that belongs to the connection.
    #[error("a header name or value cannot be sent")]
    Header,
    /// The credential cannot stand where it should.
    #[error("the credential cannot stand in this request")]
    Token,
    /// The body wants a secret that is not there.
    #[error("a secret of the body is not available")]
    Secret,
}

fn target(envelope: &Envelope, target: &str) -> Result<PathAndQuery, Unsendable> {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    // A key such as `..` needs no encoding, and would lead the call elsewhere.
    if !is_plain(path) && canonicalise(path).map_or(true, |path| path.ambiguous == Some(Reason::DotSegment)) {
        return Err(Unsendable::Target);
    }
    let whole = Bytes::from([envelope.path.as_str(), target].concat());
    PathAndQuery::from_maybe_shared(whole).map_err(|_| Unsendable::Target)
}

/// Whether there is nothing in a path that could hide a dot segment, as there nearly never is.
fn is_plain(path: &str) -> bool {
    let dots = path.as_bytes().windows(2).any(|pair| pair == b"/.");
    path.starts_with('/') && path.len() <= PATH_MAX_BYTES && !dots && !path.contains(['%', '\\'])
}

fn add_mapped_headers<'a>(fields: &mut Fields<'a>, call: &'a NativeCall) -> Result<(), Unsendable> {
    for (name, value) in &call.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Unsendable::Header)?;
        let name = name.as_str();
        if OF_THE_CONNECTION.contains(&name) || !is_value(value.as_bytes()) {
            return Err(Unsendable::Header);
        }
        let (name, value) = (Cow::Owned(name.to_owned()), Cow::Borrowed(value.as_bytes()));
        fields.set(Field { name, value, secret: false });
    }
    Ok(())
}

/// Puts secrets where their markers stand; a body without markers is not copied.
fn fill_secrets<'b>(body: &'b Value, secrets: &ResolvedSecrets) -> Result<Cow<'b, Value>, Unsendable> {
    if !holds_marker(body) {
        return Ok(Cow::Borrowed(body));
    }
    let mut filled = body.clone();
    fill(&mut filled, secrets)?;
    Ok(Cow::Owned(filled))
}

fn holds_marker(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.contains_key(SECRET_MARKER) || fields.values().any(holds_marker),
        Value::Array(items) => items.iter().any(holds_marker),
        _ => false,
    }
}

fn fill(value: &mut Value, secrets: &ResolvedSecrets) -> Result<(), Unsendable> {
    match value {
        Value::Object(fields) => {
            if let Some(index) = fields.get(SECRET_MARKER) {
                if let Value::String(generated) = index {
                    *value = Value::from(generated.as_str());
                    return Ok(());
                }
                let index = index.as_u64().and_then(|index| usize::try_from(index).ok());
                let secret = index.and_then(|index| secrets.get(&index)).ok_or(Unsendable::Secret)?;
                *value = Value::from(secret.expose());
                return Ok(());
            }
            fields.values_mut().try_for_each(|inner| fill(inner, secrets))
        }
        Value::Array(items) => items.iter_mut().try_for_each(|inner| fill(inner, secrets)),
        _ => Ok(()),
    }
}

/// Headers that the client writes itself.
const OF_THE_CONNECTION: [&str; 7] =
    ["connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

/// Room for a body; more is taken as needed.
const BODY_BYTES: usize = 512;
