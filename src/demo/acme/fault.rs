//! Trouble on demand: what the API does instead of answering, for tests of the side that calls it.

use http::Method;

/// What the next native calls meet. Pages outside `/api` are never affected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A fixed answer; the call does nothing.
    Answer {
        /// The HTTP status; one that is no status becomes 500.
        status: u16,
        /// Headers beside `Content-Type: application/json`, which is only added when none is given here.
        headers: Vec<(String, String)>,
        /// The body, sent as it is.
        body: String,
        /// Whether GET and HEAD still work.
        writes_only: bool,
    },
    /// No answer, for as long as the caller waits; the call does nothing.
    Timeout {
        /// Whether GET and HEAD still work.
        writes_only: bool,
    },
    /// The connection ends without an answer; the call does nothing.
    DropConnection,
    /// The call takes effect, then the connection ends without an answer.
    LoseReply {
        /// Whether GET and HEAD still work.
        writes_only: bool,
    },
}

/// The fault that is set, and for how many more calls.
#[derive(Default)]
pub(super) struct Faults {
    fault: Option<Fault>,
    /// `None` is "until told otherwise".
    calls_left: Option<usize>,
}

impl Faults {
    pub(super) fn set(&mut self, fault: Option<Fault>, calls: Option<usize>) {
        *self = Faults { fault, calls_left: calls };
    }

    /// The fault this call meets. Only a call that meets it counts against a limited number.
    pub(super) fn meet(&mut self, method: &Method) -> Option<Fault> {
        let fault = self.fault.as_ref().filter(|fault| fault.applies_to(method))?.clone();
        match &mut self.calls_left {
            None => Some(fault),
            Some(0) => None,
            Some(left) => {
                *left -= 1;
                Some(fault)
            }
        }
    }
}

impl Fault {
    fn applies_to(&self, method: &Method) -> bool {
        let writes_only = match self {
            Fault::Answer { writes_only, .. } | Fault::Timeout { writes_only } | Fault::LoseReply { writes_only } => {
                *writes_only
            }
            Fault::DropConnection => false,
        };
        !writes_only || !(method == Method::GET || method == Method::HEAD)
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Faults, Method};

    #[test]
    fn a_fault_has_a_scope_and_a_number_of_calls() {
        let mut faults = Faults::default();
        assert_eq!(faults.meet(&Method::GET), None);

        let writes = Fault::Timeout { writes_only: true };
        faults.set(Some(writes.clone()), Some(1));
        assert_eq!(faults.meet(&Method::GET), None, "reads neither meet nor use it up");
        assert_eq!(faults.meet(&Method::POST), Some(writes));
        assert_eq!(faults.meet(&Method::POST), None);

        faults.set(Some(Fault::DropConnection), None);
        for _ in 0..3 {
            assert_eq!(faults.meet(&Method::HEAD), Some(Fault::DropConnection));
        }
        faults.set(None, None);
        assert_eq!(faults.meet(&Method::POST), None);
    }
}
