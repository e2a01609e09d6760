//! Fetches tokens: the login call of a session, the client credentials grant of OAuth 2.0.
//!
//! In: the settings of a backend's credential. Out: a [`Fresh`] token, or whether to blame the credential
//! ([`NativeFailure::LoginRefused`]) or the server that gives tokens out ([`NativeFailure::LoginUnavailable`]). What
//! went wrong is logged here, without values.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, Request, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::credential::Token;
use super::request::{AGENT, absolute};
use super::session::Fresh;
use crate::config::secret::Secret;
use crate::config::{ClientAuth, ClientCredentials, SessionLogin};
use crate::plan::{LoginFault, NativeFailure, NativeOutcome, NativeReply, login_token};

/// The token that the reply to a login call gives.
pub(super) fn session_token(
    session: &SessionLogin,
    outcome: &NativeOutcome,
    backend: &str,
) -> Result<Fresh, NativeFailure> {
    let reply = answered(outcome, backend)?;
    let refused = |fault: LoginFault| refuse(backend, &fault);
    let token = Secret::new(login_token(session, reply).map_err(refused)?);
    let token = Token::new(&session.send, token.expose()).map_err(|_| refuse(backend, &LoginFault::Value))?;
    Ok(Fresh { token, lasts: session.ttl })
}

/// RFC 6749 4.4.2: the request for an access token.
pub(super) fn token_request(client: &ClientCredentials, secret: &Secret) -> Result<Request<Bytes>, http::Error> {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut body = "grant_type=client_credentials".to_owned();
    let mut add = |name: &str, value: &str| {
        for part in ["&", name, "=", &encode(value)] {
            body.push_str(part);
        }
    };
    if let Some(scope) = &client.scope {
        add("scope", scope);
    }
    let mut authorization = None;
    match client.client_auth {
        ClientAuth::Body => {
            add("client_id", &client.client_id);
            add("client_secret", secret.expose());
        }
        // RFC 6749 2.3.1: both are form-encoded before they become Basic credentials.
        ClientAuth::Basic => {
            let pair = Secret::new(format!("{}:{}", encode(&client.client_id), encode(secret.expose())));
            let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair.expose())))?;
            value.set_sensitive(true);
            authorization = Some(value);
        }
    }
    let uri: Uri = absolute(&client.token_url).parse()?;
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.extend(authorization.map(|value| (AUTHORIZATION, value)));
    Ok(request)
}

/// RFC 6749 5.1: the access token, and how long it is used.
pub(super) fn access_token(
    client: &ClientCredentials,
    outcome: &NativeOutcome,
    backend: &str,
) -> Result<Fresh, NativeFailure> {
    let reply = answered(outcome, backend)?;
    if reply.status != 200 {
        return Err(refuse(backend, &LoginFault::Refused(reply.status)));
    }
    let token = reply.body.tree().get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| refuse(backend, &LoginFault::Missing(Arc::from("access_token"))))?;
    let token = Token::new(&client.send, token).map_err(|_| refuse(backend, &LoginFault::Value))?;
    // Some endpoints write the number as text.
    let seconds = reply.body.tree().get("expires_in").and_then(|value| match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    Ok(Fresh { token, lasts: seconds.map(|seconds| usable(Duration::from_secs(seconds))).or(client.ttl) })
}

/// A token is renewed before it expires, so that none expires on its way.
fn usable(lasts: Duration) -> Duration {
    lasts.saturating_sub(EARLY_MAX.min(lasts / 10))
}

/// The reply to a login, unless the server is not there to say anything.
fn answered<'o>(outcome: &'o NativeOutcome, backend: &str) -> Result<&'o NativeReply, NativeFailure> {
    let (reason, wait) = match outcome {
        NativeOutcome::Reply(reply) if !matches!(reply.status, 429 | 500..) => return Ok(reply),
        NativeOutcome::Reply(reply) => {
            let asked = reply.headers.get("retry-after");
            let asked = asked.and_then(|value| value.trim().parse().ok());
            (format!("status {}", reply.status), asked.unwrap_or(LOGIN_WAIT))
        }
        // The whole backend is left alone, or its own certificate is wrong: that is what the client should read.
        NativeOutcome::Failed(
            failure @ (NativeFailure::CircuitOpen(_) | NativeFailure::Busy | NativeFailure::Untrusted),
        ) => return Err(*failure),
        NativeOutcome::Failed(failure) => (failure.as_str().to_owned(), LOGIN_WAIT),
    };
    tracing::warn!(backend, reason, "login not possible at the moment");
    Err(NativeFailure::LoginUnavailable(wait))
}

fn refuse(backend: &str, fault: &LoginFault) -> NativeFailure {
    tracing::error!(backend, reason = %fault, "login refused");
    NativeFailure::LoginRefused
}

/// The longest time before its end that a token is renewed.
const EARLY_MAX: Duration = Duration::from_secs(60);

/// Seconds after which clients may try again when a login is not possible.
const LOGIN_WAIT: u32 = 10;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::{BaseUrl, SendAs, TokenPlace};

    fn client(client_auth: ClientAuth) -> ClientCredentials {
        let host = "login.example".to_owned();
        ClientCredentials {
            token_url: BaseUrl { tls: true, host, port: 443, path: "/token/".to_owned() },
            client_id: "my app".to_owned(),
            client_secret: 0,
            scope: Some("read write".to_owned()),
            client_auth,
            send: SendAs { place: TokenPlace::Header("Authorization".to_owned()), prefix: "Bearer ".to_owned() },
            ttl: Some(Duration::from_secs(7)),
        }
    }

    #[test]
    fn a_client_shows_itself_in_one_of_two_ways() {
        let sent = |client_auth| {
            let request = token_request(&client(client_auth), &Secret::new("p+s:w")).unwrap();
            let (head, body) = request.into_parts();
            assert_eq!(head.uri.to_string(), "https://login.example:443/token/");
            let body = String::from_utf8(body.to_vec()).unwrap();
            let basic = head.headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
            (basic, body)
        };
        let (basic, body) = sent(ClientAuth::Basic);
        let pair = basic.unwrap().strip_prefix("Basic ").map(|text| STANDARD.decode(text).unwrap());
        assert_eq!(pair.as_deref(), Some(b"my%20app:p%2Bs%3Aw".as_slice()));
        assert_eq!(body, "grant_type=client_credentials&scope=read%20write");
        let (basic, body) = sent(ClientAuth::Body);
        assert_eq!(basic, None);
        let expected = "grant_type=client_credentials&scope=read%20write&client_id=my%20app&client_secret=p%2Bs%3Aw";
        assert_eq!(body, expected);
    }

    #[test]
    fn a_token_lasts_a_little_less_than_it_is_said_to() {
        let lasts = |body: Value| {
            let reply = NativeReply { status: 200, body: body.into(), ..NativeReply::default() };
            access_token(&client(ClientAuth::Basic), &NativeOutcome::Reply(reply), "app").map(|fresh| fresh.lasts)
        };
        let seconds = |seconds| Ok(Some(Duration::from_secs(seconds)));
        assert_eq!(lasts(json!({"access_token": "t", "expires_in": 3600})), seconds(3540));
        assert_eq!(lasts(json!({"access_token": "t", "expires_in": "100"})), seconds(90));
        assert_eq!(lasts(json!({"access_token": "t", "expires_in": 0})), seconds(0));
        assert_eq!(lasts(json!({"access_token": "t"})), seconds(7));
        assert_eq!(lasts(json!({"token": "t"})), Err(NativeFailure::LoginRefused));
        assert_eq!(lasts(json!({"access_token": "t\n"})), Err(NativeFailure::LoginRefused));
    }

    #[test]
    fn a_refusal_and_an_outage_are_told_apart() {
        let of = |outcome| access_token(&client(ClientAuth::Basic), &outcome, "app").map(drop);
        let status = |status| NativeOutcome::Reply(NativeReply { status, ..NativeReply::default() });
        for refused in [400, 401, 403, 302, 204] {
            assert_eq!(of(status(refused)), Err(NativeFailure::LoginRefused), "{refused}");
        }
        for down in [429, 500, 502, 503, 504] {
            assert_eq!(of(status(down)), Err(NativeFailure::LoginUnavailable(LOGIN_WAIT)), "{down}");
        }
        let failed = |failure| of(NativeOutcome::Failed(failure));
        assert_eq!(failed(NativeFailure::Timeout), Err(NativeFailure::LoginUnavailable(LOGIN_WAIT)));
        assert_eq!(failed(NativeFailure::CircuitOpen(3)), Err(NativeFailure::CircuitOpen(3)));
    }
}
