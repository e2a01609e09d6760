//! Members that the application does not know yet are created through their own type.

use serde_json::Value;

use crate::dialect::{self, Purpose, Repairs};
use crate::expr::{Env, Template};
use crate::mapping::to_native;
use crate::scim::{AttrPath, Resource, ScimError};

use super::deliver::Target;
use crate::plan::render::Rows;
use crate::plan::{answer, create, guard, steps};

impl Target<'_> {
    /// Creates an unknown member.
    ///
    /// # Errors
    /// What its creation failed with, naming it.
    pub(super) async fn create_member(
        &self,
        attributes: &[(AttrPath, Template)],
        who: &str,
        member: &Value,
    ) -> Result<(), ScimError> {
        self.run.note(format!("unknown member {who} is created"));
        self.create_from(attributes, member).await.map_err(|mut error| {
            error.detail = format!("members: {} '{who}' could not be created: {}", self.members.of, error.detail);
            error
        })
    }

    /// Through the type's own `create`.
    async fn create_from(&self, attributes: &[(AttrPath, Template)], member: &Value) -> Result<(), ScimError> {
        let of = self.run.of_type(&self.members.of);
        let (of, flow) = of.and_then(|of| of.mapping.ops.create.as_ref().map(|flow| (of, flow))).ok_or_else(|| {
            ScimError::internal(format!("{}: {} has no create", self.members.origin, self.members.of))
        })?;
        let env = Env { id: Some(self.key), member: Some(member), ..self.run.env() };
        let mut sent = Resource::default();
        for (path, template) in attributes {
            let value = template
                .eval(&env)
                .map_err(|error| ScimError::internal(format!("mapping error at {}: {error}", self.members.origin)))?;
            sent.set(path, Some(value));
        }
        let body = Value::Object(sent.0);
        let (limits, mut repairs) = (answer::body_limits(&of), Repairs::default());
        let normalised = dialect::resource(&of.mapping.resource_type, body, Purpose::Create, &limits, &mut repairs)?;
        let scim = Value::Object(normalised.resource.0.clone());
        let key = match &of.mapping.id.derive {
            Some(derive) => derive.text(&Env { scim: Some(&scim), ..of.env() }).ok().flatten().map(Value::from),
            None => member.get("id").cloned(),
        };
        guard::allow_create(&of, key.as_ref(), &normalised.resource)?;
        let env = Env { id: key.as_ref(), scim: Some(&scim), ..of.env() };
        let rows = to_native::create_rows(of.mapping);
        let purpose = to_native::Purpose::Create;
        let mut document = to_native::document(of.mapping, rows, &normalised.resource, None, purpose, &env)?;
        let derived = key.as_ref().filter(|_| of.mapping.id.derive.is_some());
        create::with_key(&of, flow, derived, &mut document);
        let rows = Rows::new(&document, &document);
        steps::carry_out(&of, flow, "the create", &env, rows, &mut steps::Progress::default()).await.map(drop)
    }
}
