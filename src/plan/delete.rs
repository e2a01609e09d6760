//! DELETE (RFC 7644 3.6).

use crate::expr::Env;
use crate::scim::ScimError;
use crate::scim::projection::Projection;

use super::call::ScimResponse;
use super::render::Rows;
use super::run::Run;
use super::{ScimRequest, answer, read};

pub(super) async fn delete(run: &Run<'_>, id: &str, request: &ScimRequest) -> Result<ScimResponse, ScimError> {
    run.record_id(id);
    let key = run.native_id(id).ok_or_else(|| run.not_found(id))?;
    let call = run.mapping.ops.delete.as_ref().ok_or_else(|| {
        ScimError::new(
            501,
            format!("the application offers no way to delete a {}; deactivate it instead", run.type_name()),
        )
    })?;
    run.turn_on(id).await?;
    if request.if_match.is_some() || run.mapping.gone.is_some() {
        let object = read::fetch(run, id).await?;
        let resource = read::one(run, object, &Projection::All).await?;
        answer::check_if_match(request, &resource)?;
    }
    let env = Env { id: Some(&key), ..run.env() };
    match run.call(call, &env, Rows::default()).await {
        Ok(_) => Ok(answer::empty(204)),
        Err(error) if super::judge::says_absent(&error) => Err(run.not_found(id)),
        Err(error) => Err(error),
    }
}
