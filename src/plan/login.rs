//! The login of a backend's credential: the call, and what of its reply is sent from then on.
//!
//! In: a session and the route variables it reads. Out: a native call, and from its outcome the text of a token. When
//! to log in is not decided here.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::config::{Backend, SessionLogin};
use crate::expr::Env;
use crate::scim::ScimError;

use super::call::{NativeCall, NativeReply};
use super::judge::login_succeeded;
use super::pages::extract;
use super::render::{self, Rows};

/// The login call, with markers where its secrets go.
///
/// # Errors
/// 500 where a template of the call gives nothing that could be sent.
pub fn login_call(
    backend: &Backend,
    session: &SessionLogin,
    variables: &[Option<Value>],
) -> Result<NativeCall, ScimError> {
    let env = Env { vars: variables, ..Env::default() };
    render::of_backend(backend, &Arc::from("none"), &session.login, &env, Rows::default())
}

/// The token in the reply to a login.
///
/// # Errors
/// What is wrong with the reply, without its content.
pub fn login_token(session: &SessionLogin, reply: &NativeReply) -> Result<String, LoginFault> {
    if !login_succeeded(session.login.success.ok.as_ref(), reply) {
        return Err(LoginFault::Refused(reply.status));
    }
    let mut saved = Map::new();
    for (name, from) in &session.login.save {
        let value = extract(&from.native, &from.codec, reply);
        let value = value.filter(|value| !matches!(value, Value::String(text) if text.is_empty()));
        saved.insert(name.to_string(), value.ok_or_else(|| LoginFault::Missing(Arc::clone(name)))?);
    }
    let login = Value::Object(saved);
    let text = session.value.text(&Env { login: Some(&login), ..Env::default() });
    text.ok().flatten().filter(|text| !text.is_empty()).ok_or(LoginFault::Value)
}

/// Why a login gave no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginFault {
    /// The reply is no success.
    #[error("the login was answered with {0}, which is no success")]
    Refused(u16),
    /// A value is not where it should be.
    #[error("the reply to the login has no `{0}`")]
    Missing(Arc<str>),
    /// The values do not make a token.
    #[error("what the login saved gives no value to send")]
    Value,
}
