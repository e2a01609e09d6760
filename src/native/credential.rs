//! In: a token and the place that the configuration gives it. Out: a request that carries it.
//!
//! The text of a token is held in a [`Secret`] and copied into a request at the last moment; neither a plan nor a log
//! line ever sees it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

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
        let fits = match &send.place {
            TokenPlace::Header(name) => {
                HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(text.expose()).is_ok()
            }
            // RFC 6265 4.1.1: what a cookie's value may be.
            TokenPlace::Cookie(_) => {
                let octet = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\');
                text.expose().bytes().all(octet)
            }
            TokenPlace::Query(_) | TokenPlace::Body(_) => true,
        };
        if fits {
            Ok(Self { place: send.place.clone(), text, bare: Secret::new(token) })
        } else {
            Err(Unsendable::Token)
        }
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

    /// Headers with the credential, if it goes there. Added last, so that no mapping can replace it.
    pub(super) fn to_headers(self, headers: &mut HeaderMap) -> Result<(), Unsendable> {
        let (name, text) = match self {
            Self::Nothing => return Ok(()),
            Self::Caller(value) => {
                headers.remove(AUTHORIZATION);
                headers.extend(value.map(|value| (AUTHORIZATION, value.clone())));
                return Ok(());
            }
            Self::Token(token) => match &token.place {
                TokenPlace::Header(name) => {
                    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Unsendable::Token)?;
                    (name, Cow::Borrowed(token.text.expose()))
                }
                TokenPlace::Cookie(name) => {
                    let own = format!("{name}={}", token.text.expose());
                    let others = headers.get(COOKIE).and_then(|value| value.to_str().ok());
                    (COOKIE, Cow::Owned(others.map_or_else(|| own.clone(), |others| format!("{others}; {own}"))))
                }
                TokenPlace::Query(_) | TokenPlace::Body(_) => return Ok(()),
            },
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| Unsendable::Token)?;
        // Not printed, and not kept in compression tables.
        value.set_sensitive(true);
        headers.insert(name, value);
        Ok(())
    }
}

const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
