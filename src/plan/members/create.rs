//! Members that the application does not know yet are created through their own type, and join under the id that they
//! then have.

use serde_json::{Value, json};

use crate::dialect::{self, Purpose, Repairs};
use crate::expr::{Env, Template};
use crate::mapping::MissingPolicy;
use crate::mapping::members::MemberCall;
use crate::scim::{AttrPath, Resource, ScimError};

use super::deliver::{Failures, Target};
use super::known::{self, Person};
use super::unknown_member;
use crate::plan::create::{self, OnTheWay};
use crate::plan::run::Run;
use crate::plan::{answer, guard, read};

impl Target<'_> {
    /// Somebody whom the application does not know, as a person who can join; `None` where that cannot be, and then
    /// `failures` says why.
    ///
    /// # Errors
    /// 404 when the group is not there: nobody is made for it.
    pub(super) async fn welcome(
        &self,
        call: &MemberCall,
        who: &str,
        member: &Value,
        failures: &mut Failures,
    ) -> Result<Option<Person>, ScimError> {
        let (MissingPolicy::Create(attributes), Some(of)) =
            (&self.members.missing.policy, self.run.of_type(&self.members.of))
        else {
            self.refuse_unknown(who, failures);
            return Ok(None);
        };
        self.look_for_group().await?;
        let made = match self.create_from(&of, attributes, who, member).await {
            Ok(made) => made,
            Err(mut error) => {
                // What is absent is not the group.
                if error.status == 404 {
                    error = ScimError::new(502, error.detail);
                }
                error.detail = format!("members: {} '{who}' could not be created: {}", of.type_name(), error.detail);
                failures.add(error, 1);
                return Ok(None);
            }
        };
        if made.id != who || !made.fresh {
            let there = if made.fresh { "" } else { ", who was there already" };
            self.run.note(format!("{who} is {} {}{there}", of.type_name(), made.id));
        }
        failures.came(&of, &made);
        let person = Person { value: made.id, key: made.key, object: None };
        let (mut found, unknown) = known::read_people(self.run, self.members, call, vec![person], true).await?;
        for person in unknown {
            failures.add(unknown_member(self.members, &person.value), 1);
        }
        Ok(found.pop())
    }

    /// Somebody whose value cannot be an id of their type.
    pub(super) async fn stranger(
        &self,
        call: &MemberCall,
        value: &str,
        failures: &mut Failures,
    ) -> Result<Option<Person>, ScimError> {
        let creates = matches!(self.members.missing.policy, MissingPolicy::Create(_));
        // What is a key all the same belongs to somebody hidden.
        let hidden =
            creates && self.run.of_type(&self.members.of).is_some_and(|of| of.mapping.id.decode(value).is_some());
        if hidden {
            failures.add(unknown_member(self.members, value), 1);
            return Ok(None);
        }
        self.welcome(call, value, &json!({ "id": null, "value": value }), failures).await
    }

    /// Somebody whose own document is not there.
    pub(super) async fn unknown_before_the_call(
        &self,
        call: &MemberCall,
        person: Person,
        failures: &mut Failures,
    ) -> Result<Option<Person>, ScimError> {
        let creates = matches!(self.members.missing.policy, MissingPolicy::Create(_));
        if creates && self.is_hidden(&person.key).await? {
            failures.add(unknown_member(self.members, &person.value), 1);
            return Ok(None);
        }
        let member = known::member(self.run, self.members, call, &person, None);
        self.welcome(call, &person.value, &member, failures).await
    }

    /// Whether somebody who seems not to be there is only hidden: nobody is made in their place.
    async fn is_hidden(&self, key: &Value) -> Result<bool, ScimError> {
        match self.run.of_type(&self.members.of).filter(guard::hides_by_document) {
            Some(of) => Ok(read::find_by_key(&of.seeing_all(), key).await?.is_some()),
            None => Ok(false),
        }
    }

    /// Through the type's own `create`.
    async fn create_from(
        &self,
        of: &Run<'_>,
        attributes: &[(AttrPath, Template)],
        who: &str,
        member: &Value,
    ) -> Result<OnTheWay, ScimError> {
        let env = Env { id: Some(self.key), member: Some(member), ..self.run.env() };
        let mut sent = Resource::default();
        for (path, template) in attributes {
            let value = template
                .eval(&env)
                .map_err(|error| ScimError::internal(format!("mapping error at {}: {error}", self.members.origin)))?;
            sent.set(path, Some(value));
        }
        let body = Value::Object(sent.0);
        let (limits, mut repairs) = (answer::body_limits(of), Repairs::default());
        let normalised = dialect::resource(&of.mapping.resource_type, body, Purpose::Create, &limits, &mut repairs)?;
        create::on_the_way(of, &normalised.resource, format!("unknown member {who} is created")).await
    }
}
