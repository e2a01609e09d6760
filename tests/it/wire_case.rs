//! Cases of the wire corpus as values: JSON files in, cases out. Sends nothing and compares nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{env, fs};

use serde::Deserialize;
use serde_json::{Value, json};

/// One case; `tests/wire/README.md` says what the fields mean. Fields that are for readers are left out.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) resource: String,
    pub(crate) before: Option<Value>,
    #[serde(default)]
    pub(crate) others: Vec<Value>,
    #[serde(default)]
    pub(crate) backend: Backend,
    pub(crate) request: Request,
    pub(crate) expect: Value,
}

/// How the backend of a case differs from a full-fidelity one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Backend {
    /// Attributes it cannot store.
    #[serde(default)]
    pub(crate) unmapped: BTreeSet<String>,
    /// Multi-valued attributes of which it holds one value.
    #[serde(default)]
    pub(crate) single: BTreeSet<String>,
    /// What native calls meet while the request is handled.
    pub(crate) respond: Option<Respond>,
}

/// An answer, or the lack of one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Respond {
    pub(crate) status: Option<u16>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) timeout: bool,
}

/// The request of a case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Option<String>>,
    pub(crate) body: Option<Value>,
    pub(crate) body_gen: Option<BodyGen>,
}

/// A body that is too large to be stored.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, tag = "kind")]
pub(crate) enum BodyGen {
    #[serde(rename = "members-add")]
    MembersAdd { count: usize },
}

impl Request {
    /// The bytes of the body; a string in a case is raw bytes.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        match (&self.body_gen, &self.body) {
            (Some(BodyGen::MembersAdd { count }), _) => Some(members_add(*count).to_string().into_bytes()),
            (None, Some(Value::String(raw))) => Some(raw.clone().into_bytes()),
            (None, Some(body)) => Some(body.to_string().into_bytes()),
            (None, None) => None,
        }
    }
}

fn members_add(count: usize) -> Value {
    let members: Vec<Value> = (0..count).map(|number| json!({"value": format!("m-{number}")})).collect();
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "Add", "path": "members", "value": members}],
    })
}

/// The cases of `tests/wire` and of the folders in `SCIMSHIM_WIRE_CASES`, by file name.
pub(crate) fn all() -> Vec<Case> {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wire").to_owned();
    let more = env::var("SCIMSHIM_WIRE_CASES").unwrap_or_default();
    let folders = more.split(':').filter(|folder| !folder.is_empty()).map(str::to_owned);
    std::iter::once(own).chain(folders).flat_map(|folder| in_folder(Path::new(&folder))).collect()
}

fn in_folder(folder: &Path) -> Vec<Case> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let cases: Vec<Case> = files.iter().flat_map(|file| in_file(file)).collect();
    assert!(!cases.is_empty(), "no cases in {}", folder.display());
    cases
}

fn in_file(file: &Path) -> Vec<Case> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
