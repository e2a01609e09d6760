//! A create whose answer was lost: whether it made anything is not known until somebody looks.
//!
//! In: how the answer was lost, and what was asked for. Out: the object that was made, or that the create may be sent
//! again because nothing is there, or an error that says what is not known. Without a way to look nothing is sent twice.

use serde_json::Value;

use crate::mapping::{Access, Row, to_native};
use crate::scim::{AttrPath, Resource, ScimError};

use super::call::{NativeFailure, NativeOutcome};
use super::read::{self, Object};
use super::run::Run;
use super::{change, exists, lookup};

/// How the answer to a create was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// It was given up waiting for: the application may still be at work.
    Late,
    /// The connection, or a proxy in between, failed after the call had been sent.
    Broken,
    /// Something was made, and its answer does not say what.
    Nameless,
}

impl Lost {
    /// Whether this outcome says too little.
    pub(super) fn of(outcome: &NativeOutcome) -> Option<Self> {
        match outcome {
            NativeOutcome::Failed(NativeFailure::Timeout) => Some(Self::Late),
            NativeOutcome::Failed(NativeFailure::Interrupted) => Some(Self::Broken),
            NativeOutcome::Failed(NativeFailure::TooLarge) => Some(Self::Nameless),
            NativeOutcome::Reply(reply) if matches!(reply.status, 502..=504) => Some(Self::Broken),
            NativeOutcome::Reply(_) | NativeOutcome::Failed(_) => None,
        }
    }
}

/// What a look has shown.
pub(super) enum Settled {
    /// The create made this.
    Made(Box<Object>),
    /// It made nothing; this is what the client reads if it is not sent again.
    Nothing(ScimError),
    /// The create has failed.
    Failed(ScimError),
}

/// What was asked for, and how it can be looked for.
pub(super) struct Wanted<'a> {
    pub(super) derived: Option<&'a Value>,
    pub(super) resource: &'a Resource,
    /// The create consists of this call alone, so that whatever was made is whole.
    pub(super) is_one_call: bool,
}

/// Looks for what the create may have made. `error` is what the client reads where that is not known.
pub(super) async fn settle(run: &Run<'_>, lost: Lost, wanted: &Wanted<'_>, error: ScimError) -> Settled {
    let found = match look(run, wanted).await {
        Ok(Some(found)) => found,
        Ok(None) => return Settled::Failed(no_look(run, lost, error)),
        Err(failure) => {
            return Settled::Failed(said(
                error,
                &format!("whether anything was made is not known, and looking failed too ({})", failure.detail),
            ));
        }
    };
    let nobody_looked = run.mapping.exists.is_none() && !exists::looks_for_key(run, wanted.derived);
    let mut own = found.into_iter().filter(|object| !nobody_looked || agrees(run, object, wanted.resource));
    match (own.next(), own.next(), lost) {
        (Some(object), None, _) if wanted.is_one_call => {
            run.note(format!("the answer to the create was lost; {} {} is what it made", run.type_name(), object.id));
            Settled::Made(Box::new(object))
        }
        (Some(object), None, _) => Settled::Failed(said(
            error,
            &format!("{} {} was made, and the calls that follow it were not", run.type_name(), object.id),
        )),
        (Some(_), Some(_), _) => Settled::Failed(said(error, "more than one object could be what was made")),
        (None, _, Lost::Broken) => Settled::Nothing(said(error, "nothing was made, try again")),
        (None, _, Lost::Late) => {
            let name = &run.backend.name;
            Settled::Failed(said(error, &format!("nothing was made so far, but {name} may still be at work on it")))
        }
        (None, _, Lost::Nameless) => Settled::Failed(error),
    }
}

fn no_look(run: &Run<'_>, lost: Lost, error: ScimError) -> ScimError {
    if lost == Lost::Nameless {
        return error;
    }
    let what = format!(
        "whether the {} was made is not known, and nothing here can look for it, so it was not sent again",
        run.type_name()
    );
    said(error, &what)
}

fn said(mut error: ScimError, what: &str) -> ScimError {
    error.detail = format!("{}; {what}", error.detail);
    error
}

/// By the derived key, by `exists`, or by the user name; `None` where there is none of these.
pub(super) async fn look(run: &Run<'_>, wanted: &Wanted<'_>) -> Result<Option<Vec<Object>>, ScimError> {
    if let Some(key) = wanted.derived {
        return match read::find_by_key(run, key).await {
            Ok(found) => Ok(Some(found.into_iter().collect())),
            Err(error) if error.status == 501 => Ok(None),
            Err(error) => Err(error),
        };
    }
    if let Some(exists) = &run.mapping.exists {
        return exists::same(run, exists, wanted.resource).await.map(Some);
    }
    let user_name = AttrPath::core("userName", None);
    let is_name = |row: &Row| row.target.path == user_name && row.target.selector.is_empty();
    let found = run.mapping.rows.iter().enumerate().find(|(_, row)| is_name(row));
    let found =
        found.and_then(|(index, row)| Some((index, row, change::value(run, row, wanted.resource)?.into_owned())));
    let Some((index, row, value)) = found else { return Ok(None) };
    let Some(found) = lookup::candidates(run, &exists::equality(row, &value), |_| {}).await? else { return Ok(None) };
    exists::with_value(run, index, &value, to_native::create_rows(run.mapping), found).await.map(Some)
}

/// Whether an object holds everything that was sent, as far as it can be read. Where nobody looked before, another one
/// may have been there already.
fn agrees(run: &Run<'_>, object: &Object, resource: &Resource) -> bool {
    let held = read::base(run, object);
    let mut rows = run.mapping.rows_in(to_native::create_rows(run.mapping)).map(|(_, row)| row);
    rows.all(|row| {
        let sent = change::value(run, row, resource).filter(|_| row.access != Access::Write);
        sent.is_none() || change::alike(run, row, change::value(run, row, &held).as_deref(), sent.as_deref())
    })
}
