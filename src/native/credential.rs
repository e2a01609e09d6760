//! In: a token and the place that the configuration gives it. Out: a request that carries it.
//!
//! The text of a token is held in a [`Secret`] and copied into a request at the last moment; neither a plan nor a log
//! line ever sees it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use http::header::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::outgoing::{Field, Fields, is_value};
use super::request::Unsendable;
use crate::config::secret::Secret;
use crate::config::{SendAs, TokenPlace};

/// What a request is sent with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attached<'a> {
    /// Nothing.
    Nothing,
    /// The caller's own `Authorization`, if there is one.
    Caller(Option<&'a HeaderValue>),
    /// A token of the adapter.
    Token(&'a Token),
}

/// A token and its place.
#[derive(Debug)]
pub(super) struct Token {
    /// A header's name is in lower case.
    place: TokenPlace,
    /// With its prefix.
    text: Secret,
    /// Without it.
    bare: Secret,
}

impl Token {
    /// A token, refused if its place could not hold it.
    pub(super) fn new(send: &SendAs, token: &str) -> Result<Self, Unsendable> {
        let text = Secret::new(format!("{}{token}", send.prefix));
        let mut place = send.place.clone();
        let fits = match &mut place {
            TokenPlace::Header(name) => {
                let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Unsendable::Token)?;
                parsed.as_str().clone_into(name);
                is_value(text.expose().as_bytes())
            }
            // RFC 6265 4.1.1: what a cookie's value may be.
            TokenPlace::Cookie(_) => {
                let octet = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\');
                text.expose().bytes().all(octet)
            }
            TokenPlace::Query(_) | TokenPlace::Body(_) => true,
        };
        if fits { Ok(Self { place, text, bare: Secret::new(token) }) } else { Err(Unsendable::Token) }
    }

    /// Basic credentials (RFC 7617).
    pub(super) fn basic(user: &str, password: &Secret) -> Result<Self, Unsendable> {
        let pair = Secret::new(format!("{user}:{}", password.expose()));
        let send = SendAs { place: TokenPlace::Header("Authorization".to_owned()), prefix: "Basic ".to_owned() };
        Ok(Self { bare: password.clone(), ..Self::new(&send, &STANDARD.encode(pair.expose()))? })
    }

    /// The text as sent, for whoever keeps it out of what is shown.
    pub(super) fn text(&self) -> &Secret {
        &self.text
    }

    /// The token or password without what is put around it.
    pub(super) fn bare(&self) -> &Secret {
        &self.bare
    }
}

impl<'a> Attached<'a> {
    fn token(self) -> Option<&'a Token> {
        match self {
            Self::Token(token) => Some(token),
            Self::Nothing | Self::Caller(_) => None,
        }
    }

    /// Path and query with the token, if it goes there.
    pub(super) fn to_target(self, target: &str) -> Cow<'_, str> {
        match self.token() {
            Some(Token { place: TokenPlace::Query(name), text, .. }) => {
                let separator = if target.contains('?') { '&' } else { '?' };
                let encode = |text| utf8_percent_encode(text, QUERY);
                Cow::Owned(format!("{target}{separator}{}={}", encode(name), encode(text.expose())))
            }
            _ => Cow::Borrowed(target),
        }
    }

    /// The body with the token, if it goes there.
    pub(super) fn to_body<'b>(
        self,
        method: &Method,
        body: Option<Cow<'b, Value>>,
    ) -> Result<Option<Cow<'b, Value>>, Unsendable> {
        let Some(Token { place: TokenPlace::Body(path), text, .. }) = self.token() else { return Ok(body) };
        let mut body = match body {
            Some(body) => body.into_owned(),
            None if matches!(*method, Method::GET | Method::HEAD | Method::DELETE) => return Err(Unsendable::Token),
            None => Value::Object(Map::new()),
        };
        if !body.is_object() {
            return Err(Unsendable::Token);
        }
        path.put(&mut body, Some(Value::from(text.expose())));
        Ok(Some(Cow::Owned(body)))
    }

    /// Fields with the credential, if it goes there. Added last, so that no mapping can replace it.
    pub(super) fn to_fields(self, fields: &mut Fields<'a>) -> Result<(), Unsendable> {
        let (name, value) = match self {
            Self::Caller(None) => {
                fields.remove("authorization");
                return Ok(());
            }
            Self::Caller(Some(value)) => ("authorization", Cow::Borrowed(value.as_bytes())),
            Self::Token(Token { place: TokenPlace::Header(name), text, .. }) => {
                (name.as_str(), Cow::Borrowed(text.expose().as_bytes()))
            }
            Self::Token(Token { place: TokenPlace::Cookie(name), text, .. }) => {
                let cookies = beside_others(fields.get("cookie"), &format!("{name}={}", text.expose()));
                ("cookie", Cow::Owned(cookies.ok_or(Unsendable::Token)?))
            }
            // Nothing, or a token in the target or the body.
            Self::Nothing | Self::Token(_) => return Ok(()),
        };
        fields.set(Field { name: Cow::Borrowed(name), value, secret: true });
        Ok(())
    }
}

/// A cookie after those that a mapping sends.
fn beside_others(others: Option<&[u8]>, own: &str) -> Option<Vec<u8>> {
    let others = others.and_then(|others| HeaderValue::from_bytes(others).ok());
    let others = others.as_ref().and_then(|others| others.to_str().ok());
    let value = others.map_or_else(|| own.to_owned(), |others| format!("{others}; {own}"));
    is_value(value.as_bytes()).then(|| value.into_bytes())
}

const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
