//! The operations, with what the sample application answers to their calls.

use std::sync::Arc;

use scimshim::config::{Snapshot, Source, compile};
use scimshim::document::Document;
use scimshim::plan::marks::Marks;
use scimshim::plan::{Content, Context, NativeCall, NativeOutcome, NativeReply, Plan, RequestFacts, ScimRequest, Step};
use scimshim::route::{Matched, Outcome as Routed, RouteTable};
use serde_json::{Value, json};

use crate::Outcome;

/// `small` is the user that `benches/proxy` makes, `large` one of 2 kB with almost every attribute.
pub(crate) const NAMES: [&str; 9] =
    ["get", "get-large", "list", "list-large", "filter", "create", "replace", "patch", "group"];

/// One request and the replies to its calls.
pub(crate) struct Operation {
    snapshot: Arc<Snapshot>,
    matched: Matched,
    method: &'static str,
    query: &'static str,
    body: &'static str,
    small: String,
    large: String,
    page: String,
}

impl Operation {
    pub(crate) fn new(name: &str) -> Outcome<Self> {
        let (method, path, query, body) = match name {
            "get" | "get-large" => ("GET", "/Users/7", "", ""),
            "list" | "list-large" => ("GET", "/Users", "count=100", ""),
            "filter" => ("GET", "/Users", "filter=userName%20eq%20%22user7@example.com%22", ""),
            "create" => ("POST", "/Users", "", CREATE),
            "replace" => ("PUT", "/Users/7", "", CREATE),
            "patch" => ("PATCH", "/Users/7", "", PATCH),
            "group" => ("PATCH", "/Groups/7", "", MEMBERS),
            _ => return Err(format!("there is no operation `{name}`; there are {NAMES:?}").into()),
        };
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config.toml"))?;
        let snapshot = compile(Source { name: Arc::from("config.toml"), text }).map_err(|_| "config.toml is wrong")?;
        let snapshot = Arc::new(snapshot);
        let matched = matched(&snapshot, &format!("/scim/v2/demo/bench{path}"))?;
        let item = |id| if name.ends_with("large") { large(id) } else { small(id) };
        let page = json!({"data": (0..100).map(item).collect::<Vec<_>>(), "meta": {"page": 1, "total": 100}});
        let page = if name == "filter" { json!({"data": [small(7)], "meta": {"total": 1}}) } else { page };
        let one = |document: Value| json!({ "data": document }).to_string();
        let small = if name == "get-large" { one(large(7)) } else { one(small(7)) };
        Ok(Self { snapshot, matched, method, query, body, small, large: one(team()), page: page.to_string() })
    }

    /// The body of the answer.
    pub(crate) fn answer(&self) -> Vec<u8> {
        let context = Context {
            snapshot: Arc::clone(&self.snapshot),
            route: self.matched.route,
            variables: Arc::new(vec![None; self.snapshot.variables.len()]),
            base_url: "https://scim.example/scim/v2/demo/bench".to_owned(),
            request: RequestFacts::new("r"),
            now: 1000,
            cursor_key: [0; 32],
            marks: Arc::new(Marks::default()),
            seed: Some([1; 32]),
        };
        let request = ScimRequest {
            method: self.method.to_owned(),
            endpoint: self.matched.endpoint.clone(),
            query: self.query.to_owned(),
            body: self.body.as_bytes().to_vec(),
            if_match: None,
            if_none_match: None,
        };
        let mut plan = Plan::begin(context, request);
        let mut outcomes = Vec::new();
        loop {
            match plan.next(outcomes) {
                Step::Calls { calls, .. } => outcomes = calls.iter().map(|call| self.reply(call)).collect(),
                Step::Turn(_) => outcomes = Vec::new(),
                Step::Reply(response) => {
                    return response.body.map(Content::into_bytes).unwrap_or_default();
                }
            }
        }
    }

    /// What the application answers, after it was sent the body.
    fn reply(&self, call: &NativeCall) -> NativeOutcome {
        let _ = std::hint::black_box(call.body.as_ref().map(ToString::to_string));
        let path = call.target.split('?').next().unwrap_or_default();
        let text = match (&*call.method, path.starts_with("/api/teams")) {
            ("GET", false) if path == "/api/employees" => &self.page,
            (_, true) => &self.large,
            _ => &self.small,
        };
        let body = Document::parse(text).unwrap_or_default();
        NativeOutcome::Reply(NativeReply { status: 200, body, ..NativeReply::default() })
    }
}

fn matched(snapshot: &Snapshot, path: &str) -> Outcome<Matched> {
    let endpoints = snapshot.routes.iter().map(|route| {
        let names = route.mappings.iter().map(|mapping| mapping.resource_type.endpoint.clone());
        (&route.template, names.collect::<Vec<_>>())
    });
    match RouteTable::new(&snapshot.variables, endpoints).resolve(path) {
        Routed::Scim(matched) => Ok(matched),
        _ => Err(format!("{path} is no SCIM path").into()),
    }
}

const CREATE: &str = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"user7@example.com","externalId":"ext-7","name":{"givenName":"Given","familyName":"Family"},"emails":[{"value":"user7@example.com","type":"work","primary":true}],"active":true}"#;

const PATCH: &str = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false}]}"#;

const MEMBERS: &str = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"members","value":[{"value":"8"}]}]}"#;

fn small(id: u32) -> Value {
    json!({
        "id": id, "contact_emails": [{"primary": true, "type": "work", "value": format!("user{id}@example.com")}],
        "enabled": true, "first_name": "Given", "last_name": "Family", "login": format!("user{id}@example.com"),
        "sso_id": format!("ext-{id}"), "created_at": "2026-01-22T09:18:38.059Z",
        "updated_at": "2026-01-22T09:18:38.059Z", "version": 1,
    })
}

fn large(id: u32) -> Value {
    json!({
        "id": id, "login": format!("user{id}@example.com"), "sso_id": format!("ext-{id}"), "enabled": true,
        "display_name": "Dr. Given Middle Family-Longname", "full_name": "Dr. Given Middle Family-Longname, M.Sc.",
        "first_name": "Given", "middle_name": "Middle", "last_name": "Family-Longname", "name_prefix": "Dr.",
        "name_suffix": "M.Sc.", "nick_name": "Gif", "profile_link": "https://people.example.com/profiles/given-family",
        "job_title": "Senior Engineer", "kind": "Employee", "language": "en-GB", "locale": "en-GB",
        "time_zone": "Europe/London",
        "contact_emails": [
            {"primary": true, "type": "work", "value": format!("user{id}@example.com")},
            {"type": "home", "value": format!("user{id}@home.example.net")},
        ],
        "phones": [
            {"type": "work", "value": "tel:+44-20-7946-0958"}, {"type": "mobile", "value": "tel:+44-7700-900123"},
        ],
        "chat_handles": [{"type": "xmpp", "value": "given@chat.example.com"}],
        "pictures": [{"type": "photo", "value": "https://people.example.com/pictures/72930000000Ccne.jpg"}],
        "postal_addresses": [{
            "type": "work", "streetAddress": "100 Universal City Plaza", "locality": "Hollywood", "region": "CA",
            "postalCode": "91608", "country": "US", "primary": true,
            "formatted": "100 Universal City Plaza\nHollywood, CA 91608 USA",
        }],
        "entitlements": [{"value": "vpn"}, {"value": "badge-office"}], "app_roles": [{"value": "editor", "primary": true}],
        "org": {
            "staff_no": "701984", "cost_center": "4130", "company": "Universal Studios", "division": "Theme Park",
            "department": "Tour Operations", "manager_id": 26, "manager_name": "John Smith",
        },
        "extras": {"tag": "blue", "badges": ["first-aid", "fire"]},
        "teams": [{"id": 3, "name": "Engineering"}, {"id": 9, "name": "Fire wardens"}],
        "created_at": "2026-01-22T09:18:38.059Z", "updated_at": "2026-01-22T09:18:38.059Z", "version": 12,
    })
}

fn team() -> Value {
    json!({
        "id": 7, "name": "Engineering", "sso_id": "ext-7", "created_at": "2026-01-22T09:18:38.059Z",
        "updated_at": "2026-01-22T09:18:38.059Z",
    })
}
