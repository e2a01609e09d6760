//! Whether a native reply is a success, and if not, what the provisioning client reads.

use std::cell::OnceCell;

use serde_json::Value;

use crate::config::ErrorRule;
use crate::expr::{Env, Expr, Name, Template};
use crate::mapping::{AlsoOk, Call};
use crate::scim::ScimError;

use super::call::{NativeFailure, NativeOutcome, NativeReply};
use super::run::{Run, headers_value};

/// The longest native text passed on in a `detail`.
const DETAIL_MAX: usize = 1024;

/// How a reply was judged.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Success.
    Ok(NativeReply),
    /// Success only through `also_ok`: the reply holds no object.
    Accepted(NativeReply),
    /// Failure.
    Failed(ScimError),
}

impl Verdict {
    pub(super) fn into_result(self) -> Result<NativeReply, ScimError> {
        match self {
            Self::Ok(reply) | Self::Accepted(reply) => Ok(reply),
            Self::Failed(error) => Err(error),
        }
    }
}

/// Judges an outcome and hands its reply on.
pub(super) fn judge(run: &Run<'_>, call: &Call, outcome: NativeOutcome, env: &Env<'_>) -> Verdict {
    match (assess(run, call, &outcome, env), outcome) {
        (Standing::Ok, NativeOutcome::Reply(reply)) => Verdict::Ok(reply),
        (Standing::Accepted, NativeOutcome::Reply(reply)) => Verdict::Accepted(reply),
        (Standing::Failed(error), _) => Verdict::Failed(error),
        // What was never answered cannot stand well.
        (Standing::Ok | Standing::Accepted, NativeOutcome::Failed(failure)) => {
            Verdict::Failed(transport_error(run, failure))
        }
    }
}

/// How an outcome stands, without its reply.
#[derive(Debug)]
pub(super) enum Standing {
    /// Success.
    Ok,
    /// Success only through `also_ok`.
    Accepted,
    /// Failure.
    Failed(ScimError),
}

pub(super) fn assess(run: &Run<'_>, call: &Call, outcome: &NativeOutcome, env: &Env<'_>) -> Standing {
    let reply = match outcome {
        NativeOutcome::Reply(reply) => reply,
        NativeOutcome::Failed(failure) => return Standing::Failed(transport_error(run, *failure)),
    };
    let conditions = Conditions::new(reply, env);
    if conditions.refuses_credentials(run.backend.expired.as_ref()) {
        return Standing::Failed(credentials_refused(run));
    }
    let ok = match &call.ok {
        Some(expr) => conditions.holds(expr),
        None => (200..300).contains(&reply.status),
    };
    if ok && reply.unreadable && call.slot.reads() {
        return Standing::Failed(unreadable(run));
    }
    if ok {
        return Standing::Ok;
    }
    if call.also_ok.iter().any(|also| conditions.also(also)) {
        return Standing::Accepted;
    }
    let rule = run.backend.errors.iter().find(|rule| applies(run, call, rule, reply) && conditions.holds(&rule.when));
    run.native.trace(|trace| rule.iter().for_each(|rule| trace.rule(&rule.origin)));
    Standing::Failed(match rule {
        Some(rule) => by_rule(run, rule, reply, &conditions),
        None => builtin(run, reply),
    })
}

/// Whether a condition over `status`, `headers`, `body` holds for a reply; used for `missing`.
pub(super) fn reply_matches(expr: &Expr, outcome: &NativeOutcome, env: &Env<'_>) -> bool {
    match outcome {
        NativeOutcome::Reply(reply) => Conditions::new(reply, env).holds(expr),
        NativeOutcome::Failed(_) => false,
    }
}

/// A reply as expressions see it. Headers become a value only for an expression that looks at them.
struct Conditions<'a> {
    status: Value,
    headers: OnceCell<Value>,
    reply: &'a NativeReply,
    env: &'a Env<'a>,
}

impl<'a> Conditions<'a> {
    fn new(reply: &'a NativeReply, env: &'a Env<'a>) -> Self {
        Self { status: Value::from(reply.status), headers: OnceCell::new(), reply, env }
    }

    fn env(&self, looks_at_headers: bool) -> Env<'_> {
        let headers = looks_at_headers.then(|| self.headers.get_or_init(|| headers_value(self.reply)));
        Env { status: Some(&self.status), headers, body: Some(&self.reply.body), ..*self.env }
    }

    /// A condition that cannot be evaluated does not hold: the next rule, or the built-in table, decides.
    fn holds(&self, expr: &Expr) -> bool {
        expr.test(&self.env(expr.uses(Name::Headers))).unwrap_or(false)
    }

    fn also(&self, also: &AlsoOk) -> bool {
        match also {
            AlsoOk::Status(status) => *status == self.reply.status,
            AlsoOk::When(expr) => self.holds(expr),
        }
    }

    fn refuses_credentials(&self, expired: Option<&Expr>) -> bool {
        expired.map_or(self.reply.status == 401, |expr| self.holds(expr))
    }
}

fn applies(run: &Run<'_>, call: &Call, rule: &ErrorRule, reply: &NativeReply) -> bool {
    // A rule that does not ask for the status is about what the application says, not about its health.
    let about_health = reply.status >= 500 || reply.status == 429 || reply.status == 401;
    if !rule.names_status && (about_health || reply.unreadable) {
        return false;
    }
    rule.on.is_empty()
        || rule.on.iter().any(|(resource, slot)| {
            *slot == call.slot && resource.as_deref().is_none_or(|resource| resource == run.type_name())
        })
}

fn by_rule(run: &Run<'_>, rule: &ErrorRule, reply: &NativeReply, conditions: &Conditions<'_>) -> ScimError {
    let base = builtin(run, reply);
    let status = rule.status.unwrap_or(base.status);
    let evaluated = |template: &Template| template.eval(&conditions.env(template.uses(Name::Headers))).ok();
    let detail = rule.detail.as_ref().and_then(evaluated).and_then(|value| detail_text(&value));
    let mut error = ScimError::new(status, detail.unwrap_or(base.detail));
    error.scim_type = rule.scim_type.or(if status == base.status { base.scim_type } else { None });
    error.retry_after = base.retry_after;
    error.side = if status < 500 { crate::scim::error::Side::Downstream } else { base.side };
    error
}

/// Lists are joined with `; `, objects shown as JSON, all cut at 1 KiB.
fn detail_text(value: &Value) -> Option<String> {
    let mut text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(detail_text).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    };
    if text.len() > DETAIL_MAX {
        let cut = (0..=DETAIL_MAX).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0);
        text.truncate(cut);
    }
    Some(text)
}

/// The built-in table: what a native status means when no rule says otherwise. Native text is not passed on.
fn builtin(run: &Run<'_>, reply: &NativeReply) -> ScimError {
    let name = &run.backend.name;
    match reply.status {
        400 | 422 => ScimError::invalid_value(format!("{name} rejected a value")),
        403 => ScimError::new(
            502,
            format!("{name} does not allow the adapter to do this; check the adapter's own rights there"),
        ),
        404 | 410 => ScimError::new(404, format!("{name} does not know this {}", run.type_name())),
        409 => ScimError::uniqueness(format!("{name} reports a conflict: a value that must be unique is taken")),
        412 => ScimError::new(412, "the resource has changed in the meantime"),
        413 => ScimError::new(413, format!("{name} takes no request of this size")),
        429 => throttled(reply),
        503 => with_wait(ScimError::new(503, format!("{name} is not available at the moment")), reply),
        504 => ScimError::new(504, format!("{name} did not answer in time")),
        status if (200..300).contains(&status) => {
            ScimError::new(502, format!("{name} answered {status}, but the reply does not say that the call succeeded"))
        }
        status => ScimError::new(502, format!("{name} answered {status}")),
    }
}

fn throttled(reply: &NativeReply) -> ScimError {
    let error = ScimError::new(429, "the application asks for fewer requests; try again later");
    let mut error = with_wait(error, reply);
    error.retry_after = error.retry_after.or(Some(1));
    error
}

fn with_wait(mut error: ScimError, reply: &NativeReply) -> ScimError {
    error.retry_after = header(reply, "retry-after").and_then(|value| value.trim().parse().ok());
    error
}

/// A reply header by lower-case name.
pub(super) fn header<'r>(reply: &'r NativeReply, name: &str) -> Option<&'r str> {
    reply.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Never 401: the identity provider would think that its own token is bad and stop provisioning.
fn credentials_refused(run: &Run<'_>) -> ScimError {
    run.note(format!("backend {} refused the adapter's credential", run.backend.name));
    ScimError::new(
        502,
        format!("{} refused the adapter's own credential; its operator must renew it", run.backend.name),
    )
}

pub(super) fn unreadable(run: &Run<'_>) -> ScimError {
    ScimError::new(502, format!("{} answered with something that is not JSON", run.backend.name))
}

fn transport_error(run: &Run<'_>, failure: NativeFailure) -> ScimError {
    let name = &run.backend.name;
    match failure {
        NativeFailure::Timeout => ScimError::new(
            504,
            format!(
                "{name} did not answer in time: a call may take {:?}, and a request with all of its calls {:?}",
                run.backend.timeout, run.snapshot.limits.request_timeout
            ),
        ),
        NativeFailure::Connect => ScimError::new(502, format!("{name} cannot be reached")),
        NativeFailure::Interrupted => ScimError::new(502, format!("{name} broke off the connection")),
        NativeFailure::Unsendable => {
            ScimError::internal(format!("mapping error: a call to {name} cannot be sent as it is; see the log"))
        }
        NativeFailure::TooLarge => ScimError::new(
            502,
            format!("{name} sent a reply larger than the {} bytes allowed here", run.snapshot.limits.reply_max_bytes),
        ),
    }
}

/// Whether an error says that the object does not exist.
pub(super) fn says_absent(error: &ScimError) -> bool {
    error.status == 404
}
