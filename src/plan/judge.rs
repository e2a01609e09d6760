//! Whether a native reply is a success, and if not, what the provisioning client reads.

use std::cell::OnceCell;
use std::sync::Arc;

use serde_json::Value;

use crate::config::{Backend, ErrorRule, OutboundAuth, RuleRetry};
use crate::expr::{Env, Expr, Name, Template};
use crate::mapping::{AlsoOk, Call, Slot};
use crate::scim::{Bound, ScimError};

use super::call::{NativeCall, NativeFailure, NativeOutcome, NativeReply};
use super::run::{Run, headers_value};

/// The longest native text passed on in a `detail`.
const DETAIL_MAX: usize = 1024;

/// Seconds after which to try again, when the application does not say.
const OUTAGE_WAIT: u64 = 10;

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
    let ok = conditions.succeeded(call.success.ok.as_ref());
    if ok && reply.unreadable && call.slot.reads() {
        return Standing::Failed(unreadable(run));
    }
    if ok {
        return Standing::Ok;
    }
    if call.success.also_ok.iter().any(|also| conditions.also(also)) {
        return Standing::Accepted;
    }
    let rule = conditions.rule(&run.backend.errors, call.slot, run.type_name());
    Standing::Failed(match rule {
        Some(rule) => {
            let error = by_rule(run, call, rule, reply, &conditions);
            run.native.trace(|trace| trace.decided(call, reply.status, rule, error.status));
            error
        }
        None => builtin(run, call, reply),
    })
}

/// What a reply asks of whoever carries calls out, before the plan sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Nothing: it is the answer.
    Nothing,
    /// The credential was refused.
    Credential,
    /// By an error rule, nothing was done, and the call is worth repeating.
    Repeat(RuleRetry),
}

/// Looks at a reply in the order in which a plan will: the credential, success, the error rules.
pub fn demand(backend: &Backend, call: &NativeCall, reply: &NativeReply) -> Demand {
    let env = Env::default();
    let conditions = Conditions::new(reply, &env);
    if conditions.refuses_credentials(backend.expired.as_ref()) {
        return Demand::Credential;
    }
    let rule = repeating_under(&conditions, backend, call);
    rule.and_then(|rule| rule.retry).map_or(Demand::Nothing, Demand::Repeat)
}

/// The error rule by which a reply asks for a repetition of its call.
pub fn repeating<'b>(backend: &'b Backend, call: &NativeCall, reply: &NativeReply) -> Option<&'b ErrorRule> {
    repeating_under(&Conditions::new(reply, &Env::default()), backend, call)
}

fn repeating_under<'b>(conditions: &Conditions<'_>, backend: &'b Backend, call: &NativeCall) -> Option<&'b ErrorRule> {
    let success = call.success.as_ref()?;
    if conditions.succeeded(success.ok.as_ref()) || success.also_ok.iter().any(|also| conditions.also(also)) {
        return None;
    }
    conditions.rule(&backend.errors, call.slot, &call.resource).filter(|rule| rule.retry.is_some())
}

/// Whether a login call succeeded.
pub(super) fn login_succeeded(ok: Option<&Expr>, reply: &NativeReply) -> bool {
    Conditions::new(reply, &Env::default()).succeeded(ok)
}

/// Whether a condition over `status`, `headers`, `body` holds for a reply; used for `missing`.
pub(super) fn reply_matches(expr: &Expr, outcome: &NativeOutcome, env: &Env<'_>) -> bool {
    match outcome {
        NativeOutcome::Reply(reply) => Conditions::new(reply, env).soberly(expr),
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

    /// A condition that does not ask for the status is about what the application says, and an application that is
    /// unwell says nothing.
    fn soberly(&self, expr: &Expr) -> bool {
        (expr.uses(Name::Status) || !about_health(self.reply.status)) && self.holds(expr)
    }

    fn succeeded(&self, ok: Option<&Expr>) -> bool {
        ok.map_or_else(|| (200..300).contains(&self.reply.status), |expr| self.soberly(expr))
    }

    fn also(&self, also: &AlsoOk) -> bool {
        match also {
            AlsoOk::Status(status) => *status == self.reply.status,
            AlsoOk::When(expr) => self.soberly(expr),
        }
    }

    fn rule<'r>(&self, rules: &'r [ErrorRule], slot: Slot, resource: &str) -> Option<&'r ErrorRule> {
        rules.iter().find(|rule| applies(slot, resource, rule, self.reply) && self.holds(&rule.when))
    }

    fn refuses_credentials(&self, expired: Option<&Expr>) -> bool {
        expired.map_or(self.reply.status == 401, |expr| self.holds(expr))
    }
}

fn about_health(status: u16) -> bool {
    status >= 500 || status == 429 || status == 401
}

fn applies(slot: Slot, resource: &str, rule: &ErrorRule, reply: &NativeReply) -> bool {
    // A rule that does not ask for the status is about what the application says, not about its health.
    if !rule.names_status && (about_health(reply.status) || reply.unreadable) {
        return false;
    }
    let about = |of: &Option<Arc<str>>| of.as_deref().is_none_or(|of| of == resource);
    rule.on.is_empty() || rule.on.iter().any(|(of, on)| *on == slot && about(of))
}

fn by_rule(
    run: &Run<'_>,
    call: &Call,
    rule: &ErrorRule,
    reply: &NativeReply,
    conditions: &Conditions<'_>,
) -> ScimError {
    let base = builtin(run, call, reply);
    let status = rule.status.unwrap_or(base.status);
    let evaluated = |template: &Template| template.eval(&conditions.env(template.uses(Name::Headers))).ok();
    let detail = rule.detail.as_ref().and_then(evaluated).and_then(|value| detail_text(&value));
    let mut error = ScimError::new(status, detail.unwrap_or(base.detail));
    error.scim_type = rule.scim_type.or(if status == base.status { base.scim_type } else { None });
    let pause = rule.retry.map(|retry| retry.after.as_millis().div_ceil(1000));
    let pause = pause.and_then(|pause| u64::try_from(pause).ok());
    error.retry_after = match status {
        429 | 503 => wait(reply).or(pause).or(Some(OUTAGE_WAIT)),
        _ => base.retry_after,
    };
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
fn builtin(run: &Run<'_>, call: &Call, reply: &NativeReply) -> ScimError {
    let name = &run.backend.name;
    match reply.status {
        // Nothing was sent that could be another value.
        400 | 422 if call.slot == Slot::Delete => {
            ScimError::new(400, format!("{name} refuses to delete this {} ({})", run.type_name(), reply.status))
        }
        400 | 422 => ScimError::invalid_value(format!("{name} rejected a value")),
        403 => ScimError::new(
            502,
            format!("{name} does not allow the adapter to do this; check the adapter's own rights there"),
        ),
        // A collection is not absent because an object is: to read this as "nobody is there" would make clients create
        // everybody again.
        404 | 410 if call.slot == Slot::List && !call.envelope.single => {
            ScimError::new(502, format!("{name} does not know the path of its list ({})", call.origin))
        }
        404 | 410 => ScimError::new(404, unknown_object(run)),
        409 => ScimError::uniqueness(format!("{name} reports a conflict: a value that must be unique is taken")),
        412 => ScimError::new(412, "the resource has changed in the meantime"),
        413 => ScimError::new(413, format!("{name} takes no request of this size")),
        429 => ScimError::new(429, "the application asks for fewer requests; try again later")
            .with_retry_after(wait(reply).unwrap_or(1)),
        502..=504 => outage(format!("{name} is not available at the moment"), wait(reply)),
        status if (200..300).contains(&status) => {
            ScimError::new(502, format!("{name} answered {status}, but the reply does not say that the call succeeded"))
        }
        status => ScimError::new(502, format!("{name} answered {status}")),
    }
}

/// What a 404 to a call about one object says, where no rule says it better.
pub(super) fn unknown_object(run: &Run<'_>) -> String {
    format!("{} does not know this {}", run.backend.name, run.type_name())
}

/// Always 503 with `Retry-After`, whatever the outage looks like from here: clients then come back with the same
/// request, and take nothing for absent.
fn outage(detail: String, wait: Option<u64>) -> ScimError {
    ScimError::new(503, detail).with_retry_after(wait.unwrap_or(OUTAGE_WAIT))
}

/// Seconds of a reply's `Retry-After`; a date is not converted.
fn wait(reply: &NativeReply) -> Option<u64> {
    header(reply, "retry-after").and_then(|value| value.trim().parse().ok())
}

/// A reply header by lower-case name.
pub(super) fn header<'r>(reply: &'r NativeReply, name: &str) -> Option<&'r str> {
    reply.headers.get(name)
}

/// Never 401: the identity provider would think that its own token is bad and stop provisioning. Unless it is: a
/// credential that is passed on is the client's.
fn credentials_refused(run: &Run<'_>) -> ScimError {
    let name = &run.backend.name;
    if matches!(run.backend.auth, OutboundAuth::Forward) {
        return ScimError::new(401, format!("{name} does not accept this credential"));
    }
    run.note(format!("backend {name} refused the adapter's credential"));
    ScimError::new(502, format!("{name} refused the adapter's own credential; its operator must renew it"))
}

pub(super) fn unreadable(run: &Run<'_>) -> ScimError {
    ScimError::new(502, format!("{} answered with something that is not JSON", run.backend.name))
}

fn transport_error(run: &Run<'_>, failure: NativeFailure) -> ScimError {
    let name = &run.backend.name;
    match failure {
        NativeFailure::Timeout => outage(
            format!(
                "{name} did not answer in time: a call may take {:?}, and a request with all of its calls {:?}",
                run.backend.timeout, run.snapshot.limits.request_timeout
            ),
            None,
        ),
        NativeFailure::Connect => outage(format!("{name} cannot be reached"), None),
        NativeFailure::Interrupted => outage(format!("{name} broke off the connection"), None),
        NativeFailure::Busy => outage(format!("more calls to {name} are waiting than can be made in time"), Some(1)),
        NativeFailure::CircuitOpen(seconds) => {
            outage(format!("{name} has been failing and is left alone for a moment"), Some(seconds.into()))
        }
        NativeFailure::LoginUnavailable(seconds) => {
            outage(format!("the adapter cannot log in to {name} at the moment"), Some(seconds.into()))
        }
        NativeFailure::LoginRefused => {
            run.note(format!("backend {name} refused the adapter's login"));
            ScimError::new(502, format!("{name} refused the adapter's own login; its operator must renew it"))
        }
        NativeFailure::Untrusted => ScimError::new(
            502,
            format!("no trusted connection to {name}: its certificate, its name or ours was refused; see the log"),
        ),
        NativeFailure::Unsendable => {
            ScimError::internal(format!("mapping error: a call to {name} cannot be sent as it is; see the log"))
        }
        NativeFailure::TooLarge => ScimError::new(
            502,
            format!("{name} sent a reply larger than the {} bytes allowed here", run.snapshot.limits.reply_max_bytes),
        )
        .with_bound(Bound::ReplyMaxBytes),
    }
}

/// Whether an error says that the object does not exist.
pub(super) fn says_absent(error: &ScimError) -> bool {
    error.status == 404
}
