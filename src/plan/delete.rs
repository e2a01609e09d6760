//! DELETE (RFC 7644 3.6).

use serde_json::Value;

use crate::expr::{Env, Name};
use crate::mapping::Deletion;
use crate::mapping::guard::Verb;
use crate::scim::ScimError;
use crate::scim::projection::Projection;

use super::call::ScimResponse;
use super::guard::{self, Facts};
use super::render::Rows;
use super::run::Run;
use super::steps::{self, Progress};
use super::turn::Work;
use super::{ScimRequest, answer, change, read, update};

#[inline]
pub(super) async fn delete(run: &Run<'_>, id: &str, request: &ScimRequest) -> Result<ScimResponse, ScimError> {
    run.record_id(id);
    let key = run.native_id(id).ok_or_else(|| run.not_found(id))?;
    if let Some(deletion) = &run.mapping.ops.deletion {
        return changed(run, id, request, deletion).await;
    }
    let flow = run.mapping.ops.delete.as_ref().ok_or_else(|| {
        ScimError::new(
            501,
            format!("the application offers no way to delete a {}; deactivate it instead", run.type_name()),
        )
    })?;
    let needs_state =
        request.if_match.is_some() || run.mapping.gone.is_some() || flow.uses(Name::Old) || flow.uses(Name::Native);
    run.turn_on(id, if needs_state { Work::Merge } else { Work::Blind }).await?;
    let mut before = None;
    if needs_state {
        let object = read::fetch_with_parts(run, id).await?;
        guard::allow(run, Verb::Delete, Some(&key), Facts { object: Some(&object), scim: None })?;
        let document = object.document.clone();
        let resource = read::one(run, object, &Projection::All).await?;
        answer::check_if_match(request, &resource)?;
        before = Some((document, Value::Object(resource.0)));
    } else {
        let read =
            if guard::needs_object(run, Verb::Delete) { Some(read::fetch_with_parts(run, id).await?) } else { None };
        guard::allow(run, Verb::Delete, Some(&key), Facts { object: read.as_ref(), scim: None })?;
    }
    let (native, old) = before.as_ref().map_or((None, None), |(native, old)| (Some(native as _), Some(old)));
    let env = Env { id: Some(&key), native, old, ..run.env() };
    let mut progress = Progress::default();
    match steps::carry_out(run, flow, "the deletion", &env, Rows::default(), &mut progress).await {
        Ok(_) => Ok(answer::empty(204)),
        Err(error) if super::judge::says_absent(&error) && progress.done.is_empty() => Err(run.not_found(id)),
        Err(error) => Err(update::after(error, &progress.done, "a retry repeats the deletion")),
    }
}

/// A deletion that changes the object. What is so already is not written again.
async fn changed(
    run: &Run<'_>,
    id: &str,
    request: &ScimRequest,
    deletion: &Deletion,
) -> Result<ScimResponse, ScimError> {
    run.turn_on(id, Work::Merge).await?;
    let object = read::fetch_with_parts(run, id).await?;
    guard::allow(run, Verb::Delete, Some(&object.key), Facts { object: Some(&object), scim: None })?;
    if request.if_match.is_some() {
        answer::check_if_match(request, &read::one(run, object.clone(), &Projection::All).await?)?;
    }
    let old = read::base(run, &object);
    let sent = match deletion {
        Deletion::Set(fields) => update::send_fields(run, &object, &old, fields, "the deletion").await,
        Deletion::Off { row } => {
            let mut new = old.clone();
            if let Some(row) = run.mapping.rows.get(*row) {
                row.target.write(&mut new, Value::Bool(false));
            }
            let rows = change::changed_rows(run, &old, &new)?;
            update::send(run, &object.key, &new, Some((&object, &old)), rows).await.map(|_| ())
        }
    };
    match sent {
        Ok(()) => Ok(answer::empty(204)),
        Err(error) if super::judge::says_absent(&error) => Err(run.not_found(id)),
        Err(error) => Err(error),
    }
}
