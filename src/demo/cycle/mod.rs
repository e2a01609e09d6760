//! Provisioning cycles: what an identity provider does in the life of a few people and a group, as data.
//!
//! In: the scripts under `scripts/`, one per way of speaking SCIM. Out: steps with a request and what must come of it.
//! A script knows nothing of the application behind the sidecar; what is different there stands in a [`Profile`], under
//! `profiles/`. Nothing here sends anything; that is the runner's part.

mod check;
mod names;
mod profile;
mod report;
mod run;
#[cfg(test)]
mod tests;

use clap::ValueEnum;
use serde::Deserialize;
use serde_json::Value;

pub use profile::{Attributes, Profile};
pub use report::Report;
pub use run::{Observer, Outcome, Tally, Target, run};

/// Who provisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Idp {
    /// Microsoft Entra ID, in its default dialect and with the flag `aadOptscim062020`.
    Entra,
    /// Okta, as a catalogue integration and as an integration of one's own.
    Okta,
    /// A self-hosted provider that pushes its state: PUT for users, PATCH for groups.
    Pusher,
    /// All of them, one after the other.
    All,
}

impl Idp {
    /// The cycles of this provider in front of an application; with all of them, what is asked of it alone.
    ///
    /// # Errors
    /// A script in this source tree is malformed, which a test excludes.
    pub fn scripts(self, profile: &Profile) -> serde_json::Result<Vec<Script>> {
        let cycles = self.named_scripts()?.into_iter().map(|(name, script)| profile.apply(name, script));
        let own = profile.own.iter().filter(|_| self == Idp::All).cloned();
        Ok(cycles.chain(own).collect())
    }

    /// As they are written, each with the name that profiles know it by.
    fn named_scripts(self) -> serde_json::Result<Vec<(&'static str, Script)>> {
        let sources = SCRIPTS.iter().filter(|(idp, ..)| self == Idp::All || self == *idp);
        sources.map(|(_, name, text)| Ok((*name, serde_json::from_str(text)?))).collect()
    }
}

/// One cycle. It ends with nothing left of what it made, so cycles can follow one another.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Whose cycle it is.
    pub title: String,
    /// In order; later steps use what earlier ones saved.
    pub steps: Vec<Step>,
}

/// One request and what must come of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What the provider does, for a reader.
    pub name: String,
    /// What it sends.
    pub request: Request,
    /// Under which name the `id` of the answer is kept: `{{name}}` stands for it in later steps.
    pub save: Option<String>,
    /// What must come of it.
    pub expect: Expect,
}

/// A SCIM request. Every text may hold `{{name}}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// `GET`, `PATCH` ...
    pub method: String,
    /// Below the SCIM base, with a leading slash.
    pub path: String,
    /// As it is sent, percent-encoded, without `?`.
    pub query: Option<String>,
    /// JSON; none for reads and deletions.
    pub body: Option<Value>,
}

/// What must come of a request. What is not said is not checked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Any of these.
    pub status: Vec<u16>,
    /// The keyword of a SCIM error.
    #[serde(rename = "scimType")]
    pub scim_type: Option<String>,
    /// Words the `detail` of a SCIM error must contain, so that an administrator knows what to change.
    #[serde(default)]
    pub detail: Vec<String>,
    /// How many resources a list has, `totalResults` included.
    pub list: Option<u64>,
    /// Ids that are among the resources of a list.
    #[serde(default)]
    pub contains: Vec<String>,
    /// A part of the answer.
    pub body: Option<Value>,
    /// Attributes the answer must not have.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// A part of the resource as it reads afterwards.
    pub after: Option<Value>,
    /// Afterwards the resource is not found.
    #[serde(default)]
    pub gone: bool,
    /// The resource reads the same as before, `meta` aside.
    #[serde(default)]
    pub unchanged: bool,
}

static SCRIPTS: [(Idp, &str, &str); 5] = [
    (Idp::Entra, "entra-default", include_str!("scripts/entra-default.json")),
    (Idp::Entra, "entra-flag", include_str!("scripts/entra-flag.json")),
    (Idp::Okta, "okta-catalogue", include_str!("scripts/okta-catalogue.json")),
    (Idp::Okta, "okta-own", include_str!("scripts/okta-own.json")),
    (Idp::Pusher, "pusher", include_str!("scripts/pusher.json")),
];
