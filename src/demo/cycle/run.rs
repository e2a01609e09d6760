//! Runs a script against a SCIM base URL, one step after the other, over real sockets.
//!
//! In: a script and a target. Out: an outcome per step, with what the observer saw of it. A step that cannot be sent
//! deviates like one that was answered wrongly; the cycle always goes on to the end, so that what it made is deleted.

use serde_json::Value;

use super::check::{self, Seen};
use super::names::{Names, fill, fill_json, fill_url};
use super::{Expect, Script, Step};
use crate::adapter::ExchangeRecord;
use crate::demo::client::{Answer, Client, ClientError};

/// Where a cycle is sent.
#[derive(Clone, Debug)]
pub struct Target {
    /// The SCIM base URL, without a slash at its end.
    pub base: String,
    /// The bearer token.
    pub token: String,
}

/// Sees what a sidecar in the same process made of a request.
pub trait Observer {
    /// The record of the request with this id, which has been answered.
    fn observed(&self, request_id: &str) -> Option<ExchangeRecord>;
}

/// What came of one step.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The step's name.
    pub name: String,
    /// `PATCH /Users/7`, below the base.
    pub request_line: String,
    /// The request's body, filled in.
    pub body: Option<Value>,
    /// Status of the answer, if there was one.
    pub status: Option<u16>,
    /// The `detail` of an error.
    pub detail: Option<String>,
    /// What the observer saw.
    pub exchange: Option<ExchangeRecord>,
    /// Empty if the step behaved.
    pub deviations: Vec<String>,
}

/// How many steps behaved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Without a deviation.
    pub behaved: usize,
    /// All.
    pub steps: usize,
}

impl Tally {
    /// Whether all of them did, and there were any.
    pub fn is_clean(self) -> bool {
        self.behaved == self.steps && self.steps > 0
    }

    /// Adds those of another cycle.
    pub fn add(&mut self, other: Tally) {
        self.behaved += other.behaved;
        self.steps += other.steps;
    }
}

/// Runs a script from its first step to its last and reports every one as it ends.
pub async fn run(
    script: &Script,
    client: &Client,
    target: &Target,
    observer: &impl Observer,
    mut report: impl FnMut(&Outcome),
) -> Tally {
    let mut names = Names::new();
    let mut tally = Tally::default();
    for step in &script.steps {
        let outcome = match Prepared::new(step, &names) {
            Ok(prepared) => prepared.send(client, target, observer, step.save.as_deref(), &mut names).await,
            Err(unknown) => unsent(step, format!("not sent: nothing was saved as `{unknown}`")),
        };
        tally.steps += 1;
        tally.behaved += usize::from(outcome.deviations.is_empty());
        report(&outcome);
    }
    tally
}

/// A step with every name filled in.
struct Prepared {
    name: String,
    method: String,
    path: String,
    query: Option<String>,
    body: Option<Value>,
    expect: Expect,
}

impl Prepared {
    /// # Errors
    /// A name nothing has been saved under.
    fn new(step: &Step, names: &Names) -> Result<Prepared, String> {
        let json = |value: &Option<Value>| value.as_ref().map(|value| fill_json(value, names)).transpose();
        let request = &step.request;
        let mut expect = step.expect.clone();
        expect.body = json(&expect.body)?;
        expect.after = json(&expect.after)?;
        for id in &mut expect.contains {
            *id = fill(id, names)?;
        }
        Ok(Prepared {
            name: step.name.clone(),
            method: request.method.clone(),
            path: fill_url(&request.path, names)?,
            query: request.query.as_ref().map(|query| fill_url(query, names)).transpose()?,
            body: json(&request.body)?,
            expect,
        })
    }

    fn request_line(&self) -> String {
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{} {}{query}", self.method, self.path)
    }

    async fn send(
        self,
        client: &Client,
        target: &Target,
        observer: &impl Observer,
        save: Option<&str>,
        names: &mut Names,
    ) -> Outcome {
        let mut outcome = self.outcome();
        let before = if self.expect.unchanged { read(client, target, &self.path).await.ok() } else { None };
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let url = format!("{}{}{query}", target.base, self.path);
        let answer = match client.scim(&self.method, &url, &target.token, self.body.as_ref()).await {
            Ok(answer) => answer,
            Err(error) => {
                outcome.deviations.push(error.to_string());
                return outcome;
            }
        };
        if let Some(request_id) = answer.header("x-request-id") {
            outcome.exchange = observer.observed(request_id);
        }
        let body = answer.json();
        outcome.status = Some(answer.status);
        outcome.detail = body.get("detail").and_then(Value::as_str).filter(|_| answer.status >= 400).map(str::to_owned);
        outcome.deviations = check::answer(&self.expect, Seen { status: answer.status, body: &body });
        let id = body.get("id").and_then(Value::as_str);
        if let (Some(name), Some(id)) = (save, id) {
            names.insert(name.to_owned(), id.to_owned());
        }
        outcome.deviations.extend(self.afterwards(client, target, id, before.as_ref()).await);
        outcome
    }

    /// Reads the resource again, if anything is expected of it.
    async fn afterwards(
        &self,
        client: &Client,
        target: &Target,
        id: Option<&str>,
        before: Option<&Answer>,
    ) -> Vec<String> {
        let Expect { after, gone, unchanged, .. } = &self.expect;
        if after.is_none() && !gone && !unchanged {
            return Vec::new();
        }
        let path = match (self.method.as_str(), id) {
            ("POST", Some(id)) => {
                let created = Names::from([("id".to_owned(), id.to_owned())]);
                format!("{}/{}", self.path, fill_url("{{id}}", &created).unwrap_or_default())
            }
            ("POST", None) => return vec!["the answer has no id".to_owned()],
            _ => self.path.clone(),
        };
        let reading = match read(client, target, &path).await {
            Ok(reading) => reading,
            Err(error) => return vec![format!("afterwards: {error}")],
        };
        let readable = if *gone { 404 } else { 200 };
        if reading.status != readable {
            return vec![format!("afterwards: status {} instead of {readable}", reading.status)];
        }
        let reading = reading.json();
        let differences = after.as_ref().map(|part| check::differences(part, &reading)).unwrap_or_default();
        let mut found: Vec<String> = differences.into_iter().map(|text| format!("afterwards: {text}")).collect();
        if *unchanged && !before.is_some_and(|before| check::same(&before.json(), &reading)) {
            found.push("afterwards: the resource has changed".to_owned());
        }
        found
    }

    fn outcome(&self) -> Outcome {
        Outcome {
            name: self.name.clone(),
            request_line: self.request_line(),
            body: self.body.clone(),
            status: None,
            detail: None,
            exchange: None,
            deviations: Vec::new(),
        }
    }
}

async fn read(client: &Client, target: &Target, path: &str) -> Result<Answer, ClientError> {
    client.scim("GET", &format!("{}{path}", target.base), &target.token, None).await
}

fn unsent(step: &Step, deviation: String) -> Outcome {
    Outcome {
        name: step.name.clone(),
        request_line: format!("{} {}", step.request.method, step.request.path),
        body: step.request.body.clone(),
        status: None,
        detail: None,
        exchange: None,
        deviations: vec![deviation],
    }
}
