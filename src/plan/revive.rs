//! Bringing back what was deleted softly, when the same is created again.
//!
//! What comes back is made equal to what is asked for, as if it were new: rights and members of its former life go. All
//! of it is convergent, so that a retry finishes what was left.

use serde_json::Value;

use crate::expr::Env;
use crate::mapping::guard::Verb;
use crate::mapping::{Revival, to_native};
use crate::scim::{Resource, ScimError};

use super::guard::{self, Facts};
use super::read::{self, Object};
use super::render::Rows;
use super::run::Run;
use super::steps::{self, Progress};
use super::{change, exists, parts, update};

/// Revives an object and brings it to the state that the request asks for.
///
/// # Errors
/// The first failure; its detail says that the object is there again, if it may be.
pub(super) async fn revive(run: &Run<'_>, gone: &Object, resource: &Resource) -> Result<Object, ScimError> {
    run.note(format!("{} {} was deleted before and is revived", run.type_name(), gone.id));
    exists::take_turn_on(run, gone, resource).await?;
    let facts = Facts { object: Some(gone), scim: Some(resource) };
    guard::allow(run, Verb::Update, Some(&gone.key), facts)?;
    bring_back(run, gone, resource).await?;
    complete(run, gone, resource).await.map_err(|mut error| {
        error.detail = format!("{} {} was revived, and is not complete: {}", run.type_name(), gone.id, error.detail);
        error
    })
}

async fn bring_back(run: &Run<'_>, gone: &Object, resource: &Resource) -> Result<(), ScimError> {
    let flow = match &run.mapping.ops.revival {
        Some(Revival::Set(fields)) => {
            let old = read::base(run, gone);
            return update::send_fields(run, gone, &old, fields, "the revival").await;
        }
        Some(Revival::Call(flow)) => flow,
        None => return Err(ScimError::internal("nothing brings this object back")),
    };
    let scim = Value::Object(resource.0.clone());
    let env = Env { id: Some(&gone.key), scim: Some(&scim), native: Some(&gone.document), ..run.env() };
    let rows = to_native::create_rows(run.mapping);
    let document = to_native::document(run.mapping, rows, resource, None, to_native::Purpose::Create, &env)?;
    let mut progress = Progress::default();
    let rows = Rows::new(&document, &document);
    let done = steps::carry_out(run, flow, "the revival", &env, rows, &mut progress).await;
    done.map(drop).map_err(|error| update::after(error, &progress.done, "a retry repeats the revival"))
}

/// Sends what differs from the request, and takes away what it does not ask for.
async fn complete(run: &Run<'_>, gone: &Object, resource: &Resource) -> Result<Object, ScimError> {
    let still_gone = || ScimError::new(502, format!("{} still shows it as deleted", run.backend.name));
    let object = read::find_by_key(run, &gone.key).await?.ok_or_else(still_gone)?;
    let object = parts::with_all(run, object).await?;
    let old = read::base(run, &object);
    let rows = change::differing_from_new(run, &old, resource);
    match update::send(run, &object.key, resource, Some((&object, &old)), rows).await? {
        Some(object) => Ok(object),
        None if rows == 0 => Ok(object),
        None => read::fetch(run, &gone.id).await,
    }
}
