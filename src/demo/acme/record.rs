//! A bounded memory of the native calls, so that a test can read what the other side asked for.

use std::collections::VecDeque;

use serde_json::Value;

/// One call under `/api`, in the order the calls were answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// `GET`, `PATCH` ...
    pub method: String,
    /// The path and query as sent, such as `/api/employees?login=ann`.
    pub target: String,
    /// The first 64 KiB of the body; empty where there was none, or where it was refused as too large.
    pub body: Vec<u8>,
    /// The status of the answer, or `None` where a fault withheld it.
    pub status: Option<u16>,
}

impl CallRecord {
    /// The body as JSON, or `null` where it is not.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Method, target, body and status on one line: `POST /api/teams {"name":"x"} -> 201`.
    pub fn line(&self) -> String {
        let gap = if self.body.is_empty() { "" } else { " " };
        let body = String::from_utf8_lossy(&self.body);
        let status = self.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        format!("{} {}{gap}{body} -> {status}", self.method, self.target)
    }
}

/// The latest calls; the oldest one makes room for the one after [`CALLS_MAX`].
#[derive(Default)]
pub(super) struct Records(VecDeque<CallRecord>);

impl Records {
    pub(super) fn add(&mut self, call: CallRecord) {
        if self.0.len() == CALLS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(call);
    }

    pub(super) fn all(&self) -> Vec<CallRecord> {
        self.0.iter().cloned().collect()
    }

    pub(super) fn take(&mut self) -> Vec<CallRecord> {
        std::mem::take(&mut self.0).into()
    }
}

/// The part of a body that a record keeps.
pub(super) fn kept(body: &[u8]) -> Vec<u8> {
    body.get(..BODY_KEPT_MAX_BYTES).unwrap_or(body).to_vec()
}

const CALLS_MAX: usize = 10_000;
const BODY_KEPT_MAX_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::{BODY_KEPT_MAX_BYTES, CALLS_MAX, CallRecord, Records};

    #[test]
    fn the_memory_is_bounded() {
        let call =
            |n: usize| CallRecord { method: "GET".to_owned(), target: n.to_string(), body: Vec::new(), status: None };
        let mut records = Records::default();
        (0..=CALLS_MAX).for_each(|n| records.add(call(n)));
        let kept = records.take();
        assert_eq!((kept.len(), kept[0].target.as_str()), (CALLS_MAX, "1"));
        assert_eq!(records.all(), []);
        for (sent, expect) in
            [(0, 0), (BODY_KEPT_MAX_BYTES, BODY_KEPT_MAX_BYTES), (BODY_KEPT_MAX_BYTES + 1, BODY_KEPT_MAX_BYTES)]
        {
            assert_eq!(super::kept(&vec![b'x'; sent]).len(), expect);
        }
    }

    #[test]
    fn a_call_reads_as_one_line() {
        let mut call =
            CallRecord { method: "POST".into(), target: "/api/teams".into(), body: b"{}".into(), status: Some(201) };
        assert_eq!(call.line(), "POST /api/teams {} -> 201");
        call.body.clear();
        call.status = None;
        assert_eq!(call.line(), "POST /api/teams -> no answer");
    }
}
