//! Where the credential of a backend stands in its calls.
//!
//! In: a call as the plan made it, and how its backend is spoken to. Out: the same with `***` where the credential
//! will be. The credential itself is not looked at, and need not be there.

use serde_json::{Map, Value};

use crate::config::{OutboundAuth, TokenPlace};

use super::mask::MASK;

/// What is sent, as it may be shown.
pub(super) struct Sent {
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<Value>,
}

impl Sent {
    /// Marks the place of the credential.
    pub(super) fn attach(&mut self, auth: &OutboundAuth, method: &str) {
        let Some(send) = auth.send() else {
            match auth {
                OutboundAuth::Basic { .. } => self.header("Authorization", format!("Basic {MASK}")),
                OutboundAuth::Forward => self.header("Authorization", format!("{MASK} (as the caller sent it)")),
                _ => {}
            }
            return;
        };
        let text = format!("{}{MASK}", send.prefix);
        match &send.place {
            TokenPlace::Header(name) => self.header(name, text),
            TokenPlace::Cookie(name) => {
                let own = format!("{name}={text}");
                let others = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("cookie"));
                let all = others.map_or_else(|| own.clone(), |(_, others)| format!("{others}; {own}"));
                self.header("Cookie", all);
            }
            TokenPlace::Query(name) => {
                self.target.push(if self.target.contains('?') { '&' } else { '?' });
                self.target.extend([name, "=", &text]);
            }
            TokenPlace::Body(path) => {
                let sends = !matches!(method, "GET" | "HEAD" | "DELETE");
                let body = self.body.take().or_else(|| sends.then(|| Value::Object(Map::new())));
                self.body = body.map(|mut body| {
                    if body.is_object() {
                        path.put(&mut body, Some(Value::from(text)));
                    }
                    body
                });
            }
        }
    }

    /// As the request is made: added last, and instead of any other of the name.
    fn header(&mut self, name: &str, value: String) {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value));
    }
}
