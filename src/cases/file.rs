//! Reads case files. In: TOML. Out: cases whose request lines, bodies and replies have been understood.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::explain::{Replies, RepliesError, ReplyEntry, Request, Tables};

use super::{Case, Expected};

/// The longest case file.
pub const CASES_MAX_BYTES: usize = 4 * 1024 * 1024;

/// What is wrong with a case file.
#[derive(Debug, thiserror::Error)]
pub enum CaseFileError {
    /// Longer than [`CASES_MAX_BYTES`].
    #[error("it is longer than {CASES_MAX_BYTES} bytes")]
    TooLong,
    /// Not TOML, or not `[[case]]` tables.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// `request` is no request line.
    #[error("case '{case}': `{request}` is not a method and a path, such as \"GET /scim/v2/Users\"")]
    Request {
        /// Name of the case.
        case: String,
        /// What stands there.
        request: String,
    },
    /// A header that no case can have.
    #[error("case '{case}': the header `{header}` has no effect here; possible: If-Match, If-None-Match")]
    Header {
        /// Name of the case.
        case: String,
        /// The header.
        header: String,
    },
    /// A body that JSON cannot say.
    #[error("case '{case}': {what} is not JSON: {reason}")]
    Json {
        /// Name of the case.
        case: String,
        /// Which text.
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// A reply that is not understood.
    #[error("case '{case}': {error}")]
    Reply {
        /// Name of the case.
        case: String,
        /// Why not.
        error: RepliesError,
    },
    /// Two cases of one name.
    #[error("two cases are called '{0}'")]
    SameName(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "case")]
    cases: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    request: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Body>,
    #[serde(default)]
    replies: ReplyList,
    #[serde(default)]
    tables: Tables,
    calls: Option<Vec<String>>,
    status: Option<u16>,
    answer: Option<Body>,
    explain: Option<String>,
}

/// JSON as text, or as the table it is.
#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    Text(String),
    Table(toml::Table),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ReplyList {
    Listed(Vec<ReplyEntry>),
    ByCall(BTreeMap<String, NamedReply>),
}

impl Default for ReplyList {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

/// The reply to a call that the key names.
#[derive(Deserialize)]
#[serde(untagged)]
enum NamedReply {
    Body(String),
    Whole(ReplyEntry),
}

/// Reads a case file.
///
/// # Errors
///
/// The first thing that cannot be understood, with the name of its case.
pub fn parse(text: &str) -> Result<Vec<Case>, CaseFileError> {
    if text.len() > CASES_MAX_BYTES {
        return Err(CaseFileError::TooLong);
    }
    let file: File = toml::from_str(text)?;
    let cases: Vec<Case> = file.cases.into_iter().map(case).collect::<Result<_, _>>()?;
    let mut names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find_map(|pair| matches!(pair, [one, other] if one == other).then(|| pair.concat())) {
        Some(twice) => Err(CaseFileError::SameName(twice.get(..twice.len() / 2).unwrap_or_default().to_owned())),
        None => Ok(cases),
    }
}

fn case(entry: Entry) -> Result<Case, CaseFileError> {
    let name = entry.name;
    let line = Request::parse(&entry.request)
        .ok_or_else(|| CaseFileError::Request { case: name.clone(), request: entry.request.clone() })?;
    let mut request =
        Request { body: entry.body.map(|body| body.bytes(&name)).transpose()?.unwrap_or_default(), ..line };
    for (header, value) in entry.headers {
        match header.to_ascii_lowercase().as_str() {
            "if-match" => request.if_match = Some(value),
            "if-none-match" => request.if_none_match = Some(value),
            _ => return Err(CaseFileError::Header { case: name, header }),
        }
    }
    let replies = Replies::new(entry.replies.entries()).and_then(|replies| replies.with_tables(entry.tables));
    let replies = replies.map_err(|error| CaseFileError::Reply { case: name.clone(), error })?;
    let answer = entry.answer.map(|answer| answer.value(&name, "`answer`")).transpose()?;
    let expected = Expected { calls: entry.calls, status: entry.status, answer, explain: entry.explain };
    Ok(Case { name, request, replies, expected })
}

impl Body {
    /// As a client would send it; text goes as it is, whether or not it is JSON.
    fn bytes(self, case: &str) -> Result<Vec<u8>, CaseFileError> {
        match self {
            Self::Text(text) => Ok(text.into_bytes()),
            Self::Table(_) => Ok(self.value(case, "`body`")?.to_string().into_bytes()),
        }
    }

    fn value(self, case: &str, what: &'static str) -> Result<Value, CaseFileError> {
        let failure = |reason: String| CaseFileError::Json { case: case.to_owned(), what, reason };
        match self {
            Self::Text(text) => serde_json::from_str(&text).map_err(|error| failure(error.to_string())),
            Self::Table(table) => json(toml::Value::Table(table)).map_err(failure),
        }
    }
}

/// A TOML value as JSON; a date is none.
fn json(value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => Value::from(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(flag) => Value::from(flag),
        toml::Value::Datetime(date) => return Err(format!("write {date} in quotes")),
        toml::Value::Array(items) => items.into_iter().map(json).collect::<Result<_, _>>()?,
        toml::Value::Table(fields) => {
            let fields = fields.into_iter().map(|(name, field)| Ok((name, json(field)?)));
            fields.collect::<Result<Map<_, _>, String>>()?.into()
        }
    })
}

impl ReplyList {
    fn entries(self) -> Vec<ReplyEntry> {
        match self {
            Self::Listed(entries) => entries,
            Self::ByCall(replies) => replies.into_iter().map(|(call, reply)| reply.entry(call)).collect(),
        }
    }
}

impl NamedReply {
    fn entry(self, call: String) -> ReplyEntry {
        match self {
            Self::Body(body) => ReplyEntry { body, ..ReplyEntry::to(call) },
            Self::Whole(entry) => ReplyEntry { call: Some(call), ..entry },
        }
    }
}
