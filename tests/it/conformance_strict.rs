//! What strict clients ask for, one test per sentence: writes, errors, discovery. Lists are in `conformance_lists`.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};

use crate::conformance_bench::{Bench, CONFIG, assert_error, patch, path_of};

const ACME: &str = "urn:ietf:params:scim:schemas:extension:acme:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

#[tokio::test]
async fn patch_and_put_of_a_user_answer_200_with_the_resource() {
    let bench = Bench::new().await;
    let user = bench.make("/Users", json!({"title": "Driver"})).await;
    let path = path_of("/Users", &user);
    let patched = bench.patch(&path, json!([{"op": "replace", "path": "title", "value": "Pilot"}])).await;
    assert_eq!((&patched["id"], &patched["title"]), (&user["id"], &json!("Pilot")));
    let body = json!({"userName": user["userName"], "title": "Captain"});
    let replaced = bench.expect(200, "PUT", &path, Some(body)).await;
    assert_eq!((&replaced["id"], &replaced["title"]), (&user["id"], &json!("Captain")));
    assert_eq!(bench.get(&path).await, replaced);
}

#[tokio::test]
async fn a_group_patch_answers_204_unless_it_is_configured_otherwise() {
    for (setting, status) in [("", 204), ("group_patch_status = 200", 200)] {
        let line = CONFIG.lines().find(|line| line.starts_with("group_patch_status")).unwrap();
        let bench = Bench::with(&CONFIG.replace(line, setting)).await;
        let group = bench.make("/Groups", json!({})).await;
        let operations = json!([{"op": "replace", "path": "displayName", "value": "Crew"}]);
        let body = bench.expect(status, "PATCH", &path_of("/Groups", &group), Some(patch(&operations))).await;
        assert_eq!(body["displayName"], if status == 200 { json!("Crew") } else { Value::Null });
    }
}

#[tokio::test]
async fn created_is_201_with_a_location_and_every_location_can_be_read() {
    let bench = Bench::new().await;
    for endpoint in ["/Users", "/Groups"] {
        let name = if endpoint == "/Users" { "userName" } else { "displayName" };
        let answer = bench.ask("POST", endpoint, Some(json!({name: "ann"}))).await;
        let created = answer.json();
        assert_eq!(answer.status, 201, "{created}");
        assert_eq!(answer.header("location"), created["meta"]["location"].as_str());
    }
    for list in ["/Users", "/Groups", "/Schemas", "/ResourceTypes"] {
        let list = bench.get(list).await;
        for resource in list["Resources"].as_array().unwrap() {
            assert_eq!(bench.get(resource["meta"]["location"].as_str().unwrap()).await, *resource);
        }
    }
    let config = bench.get("/ServiceProviderConfig").await;
    assert_eq!(bench.get(config["meta"]["location"].as_str().unwrap()).await, config);
    let types = bench.get("/ResourceTypes").await;
    for resource_type in types["Resources"].as_array().unwrap() {
        bench.get(resource_type["endpoint"].as_str().unwrap()).await;
        bench.get(&format!("/Schemas/{}", resource_type["schema"].as_str().unwrap())).await;
    }
}

#[tokio::test]
async fn integers_are_integers() {
    let bench = Bench::new().await;
    bench.make("/Users", json!({})).await;
    for path in ["/Users", "/Users?startIndex=1&count=1", "/Schemas", "/ResourceTypes"] {
        let list = bench.get(path).await;
        for key in ["totalResults", "startIndex", "itemsPerPage"] {
            assert!(list[key].is_u64(), "{path}: {key} is {}", list[key]);
        }
    }
    let config = bench.get("/ServiceProviderConfig").await;
    for pointer in ["/bulk/maxOperations", "/bulk/maxPayloadSize", "/filter/maxResults", "/pagination/maxPageSize"] {
        assert!(config.pointer(pointer).is_some_and(Value::is_u64), "{pointer} in {config}");
    }
}

#[tokio::test]
async fn errors_have_scim_bodies() {
    let bench = Bench::new().await;
    for authorization in [None, Some("Bearer wrong"), Some("Basic dTpw")] {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert("authorization", value.parse().unwrap());
        }
        let url = format!("{}/Users", bench.base);
        let answer = bench.client.send("GET", &url, headers, Bytes::new()).await.unwrap();
        assert_error(&answer, 401, None);
        assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")));
    }
    for path in ["/Users/none", "/Robots", "/Schemas/urn:none", "/ResourceTypes/None", "/Users/1/2"] {
        assert_error(&bench.ask("GET", path, None).await, 404, None);
    }
    let cases = [
        ("/Users", &["PUT", "PATCH", "DELETE"][..], "GET, POST"),
        ("/Users/1", &["POST"], "GET, PUT, PATCH, DELETE"),
        ("/ServiceProviderConfig", &["POST", "PUT", "PATCH", "DELETE"], "GET"),
        ("/Schemas", &["POST", "PUT", "PATCH", "DELETE"], "GET"),
        ("/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", &["PUT", "PATCH", "DELETE"], "GET"),
        ("/ResourceTypes", &["POST", "PUT", "PATCH", "DELETE"], "GET"),
        ("/ResourceTypes/User", &["PUT", "PATCH", "DELETE"], "GET"),
        ("/Bulk", &["GET", "PUT", "PATCH", "DELETE"], "POST"),
        ("/.search", &["GET", "PUT", "PATCH", "DELETE"], "POST"),
        ("/Users/.search", &["GET", "PUT", "PATCH", "DELETE"], "POST"),
    ];
    for (path, methods, allow) in cases {
        for method in methods {
            let answer = bench.ask(method, path, Some(json!({}))).await;
            assert_error(&answer, 405, None);
            assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
        }
    }
    assert_error(&bench.ask("GET", "/Schemas?filter=id%20eq%20%22x%22", None).await, 403, None);
}

#[tokio::test]
async fn no_body_has_a_key_that_the_announced_schema_lacks() {
    let bench = Bench::new().await;
    let schemas = Schemas::read(&bench).await;
    let full = json!({
        "userName": "ann", "externalId": "x-1", "name": {"givenName": "Ann", "familyName": "Ohm"}, "active": true,
        "emails": [{"value": "ann@acme.test", "type": "work", "primary": true}], "title": "Pilot", "password": "s3cret",
        "addresses": [{"type": "work", "country": "DE"}], "roles": [{"value": "admin"}],
        ENTERPRISE: {"department": "Air", "manager": {"value": "7"}},
        ACME: {"tag": "t", "badges": [{"value": "gold"}]},
    });
    let user = bench.make("/Users", full).await;
    assert!(user.get("password").is_none(), "{user}");
    let group = bench.make("/Groups", json!({"members": [{"value": user["id"]}]})).await;
    let mut found = Vec::new();
    for (kind, resource) in [("User", &user), ("Group", &group)] {
        schemas.check(kind, resource, &mut found);
    }
    for (kind, path) in [("User", "/Users?attributes=groups,userName,emails"), ("User", "/Users"), ("Group", "/Groups")]
    {
        let list = bench.get(path).await;
        undeclared(&list, &["schemas", "totalResults", "startIndex", "itemsPerPage", "Resources"], path, &mut found);
        list["Resources"].as_array().unwrap().iter().for_each(|one| schemas.check(kind, one, &mut found));
    }
    let own = bench.get(&format!("{}?attributes=groups", path_of("/Users", &user))).await;
    assert_eq!(own["groups"][0]["value"], group["id"]);
    schemas.check("User", &own, &mut found);
    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test]
async fn discovery_documents_have_the_keys_of_the_rfc_alone() {
    let bench = Bench::new().await;
    let mut found = Vec::new();
    let config = bench.get("/ServiceProviderConfig").await;
    let known = [
        "schemas",
        "documentationUri",
        "patch",
        "bulk",
        "filter",
        "changePassword",
        "sort",
        "etag",
        "pagination",
        "authenticationSchemes",
        "meta",
    ];
    undeclared(&config, &known, "config", &mut found);
    undeclared(&config["bulk"], &["supported", "maxOperations", "maxPayloadSize"], "bulk", &mut found);
    undeclared(&config["filter"], &["supported", "maxResults"], "filter", &mut found);
    for key in ["patch", "changePassword", "sort", "etag"] {
        undeclared(&config[key], &["supported"], key, &mut found);
    }
    let known = ["cursor", "index", "defaultPaginationMethod", "defaultPageSize", "maxPageSize", "cursorTimeout"];
    undeclared(&config["pagination"], &known, "pagination", &mut found);
    for scheme in config["authenticationSchemes"].as_array().unwrap() {
        let known = ["type", "name", "description", "specUri", "documentationUri", "primary"];
        undeclared(scheme, &known, "scheme", &mut found);
    }
    for one in bench.get("/ResourceTypes").await["Resources"].as_array().unwrap() {
        let known = ["schemas", "id", "name", "description", "endpoint", "schema", "schemaExtensions", "meta"];
        undeclared(one, &known, "resource type", &mut found);
    }
    for one in bench.get("/Schemas").await["Resources"].as_array().unwrap() {
        undeclared(one, &["schemas", "id", "name", "description", "attributes", "meta"], "schema", &mut found);
        one["attributes"].as_array().unwrap().iter().for_each(|attribute| check_definition(attribute, &mut found));
    }
    assert_eq!(found, Vec::<String>::new());
}

fn check_definition(attribute: &Value, found: &mut Vec<String>) {
    let known = [
        "name",
        "type",
        "subAttributes",
        "multiValued",
        "description",
        "required",
        "canonicalValues",
        "caseExact",
        "mutability",
        "returned",
        "uniqueness",
        "referenceTypes",
    ];
    undeclared(attribute, &known, &attribute["name"].to_string(), found);
    attribute["subAttributes"].as_array().into_iter().flatten().for_each(|sub| check_definition(sub, found));
}

#[tokio::test]
async fn id_schemas_and_meta_of_a_resource_written_back_are_ignored() {
    let bench = Bench::new().await;
    let user = bench.make("/Users", json!({"title": "Driver"})).await;
    let path = path_of("/Users", &user);
    let mut changed = user.clone();
    changed["id"] = json!("other");
    changed["meta"] = json!({"resourceType": "User", "version": "W/\"0\"", "created": "1999-01-01T00:00:00Z"});
    changed["schemas"] = json!(["urn:ietf:params:scim:schemas:core:2.0:User", "urn:example:unknown"]);
    changed["title"] = json!("Pilot");
    let replaced = bench.expect(200, "PUT", &path, Some(changed.clone())).await;
    assert_eq!((&replaced["id"], &replaced["title"]), (&user["id"], &json!("Pilot")));
    assert_eq!(replaced["meta"]["created"], user["meta"]["created"]);
    // A PATCH that names another id than its URL is not a resource written back, but a mistake.
    changed["id"] = user["id"].clone();
    changed["title"] = json!("Captain");
    let patched = bench.patch(&path, json!([{"op": "replace", "value": changed}])).await;
    assert_eq!((&patched["id"], &patched["title"]), (&user["id"], &json!("Captain")));
    assert_eq!(patched["schemas"], user["schemas"]);
    let made = bench.make("/Users", json!({"id": "mine", "meta": {"resourceType": "Group"}})).await;
    assert_ne!(made["id"], "mine");
    assert_eq!(made["meta"]["resourceType"], "User");
}

#[tokio::test]
async fn unknown_attributes_of_a_create_are_ignored_and_counted() {
    let bench = Bench::new().await;
    let answer = bench.ask("POST", "/Users", Some(json!({"userName": "ann", "shoeSize": 38, "hobbies": ["x"]}))).await;
    let user = answer.json();
    assert_eq!(answer.status, 201, "{user}");
    assert!(user.get("shoeSize").is_none() && user.get("hobbies").is_none(), "{user}");
    let id = answer.header("x-request-id").unwrap();
    let mut ignored = scimshim::demo::cycle::Observer::observed(bench.sidecar.observer(), id).unwrap().ignored;
    ignored.sort();
    assert_eq!(ignored, ["hobbies", "shoeSize"]);
}

#[tokio::test]
async fn a_create_may_have_empty_groups_and_no_schemas() {
    let bench = Bench::new().await;
    let user = bench.make("/Users", json!({"groups": []})).await;
    assert_eq!(user["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:User"]));
    let group = bench.make("/Groups", json!({"members": []})).await;
    assert_eq!(group["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:Group"]));
}

#[tokio::test]
async fn user_names_and_group_names_are_unique_without_regard_to_case() {
    let bench = Bench::new().await;
    for (endpoint, name) in [("/Users", "userName"), ("/Groups", "displayName")] {
        let first = bench.make(endpoint, json!({name: "Ann Ohm"})).await;
        assert_error(&bench.ask("POST", endpoint, Some(json!({name: "ANN OHM"}))).await, 409, Some("uniqueness"));
        let other = bench.make(endpoint, json!({name: "bob"})).await;
        let operations = json!([{"op": "replace", "path": name, "value": "ann ohm"}]);
        let answer = bench.ask("PATCH", &path_of(endpoint, &other), Some(patch(&operations))).await;
        assert_error(&answer, 409, Some("uniqueness"));
        let answer = bench.ask("PUT", &path_of(endpoint, &other), Some(json!({name: "aNN oHM"}))).await;
        assert_error(&answer, 409, Some("uniqueness"));
        let found = bench.get(&format!("{endpoint}?filter={name}%20eq%20%22ann%20OHM%22")).await;
        assert_eq!((&found["totalResults"], &found["Resources"][0]["id"]), (&json!(1), &first["id"]));
        // Its own name in another case is a change and no conflict.
        let operations = json!([{"op": "replace", "path": name, "value": "ANN Ohm"}]);
        let renamed = bench.ask("PATCH", &path_of(endpoint, &first), Some(patch(&operations))).await;
        assert!([200, 204].contains(&renamed.status), "{}", renamed.json());
        assert_eq!(bench.get(&path_of(endpoint, &first)).await[name], "ANN Ohm");
    }
}

#[tokio::test]
async fn a_replace_without_path_takes_dotted_keys_urn_keys_and_the_id() {
    let bench = Bench::new().await;
    let user = bench.make("/Users", json!({"name": {"givenName": "Ann", "familyName": "Ohm"}})).await;
    let value = json!({
        "id": user["id"], "name.givenName": "Bea", "active": false,
        format!("{ENTERPRISE}:department"): "Air", ACME: {"tag": "t"},
        "urn:ietf:params:scim:schemas:core:2.0:User:title": "Pilot",
    });
    let patched = bench.patch(&path_of("/Users", &user), json!([{"op": "replace", "value": value}])).await;
    assert_eq!(patched["id"], user["id"]);
    assert_eq!(patched["name"], json!({"givenName": "Bea", "familyName": "Ohm"}));
    assert_eq!((&patched["active"], &patched["title"]), (&json!(false), &json!("Pilot")));
    assert_eq!((&patched[ENTERPRISE]["department"], &patched[ACME]["tag"]), (&json!("Air"), &json!("t")));
}

#[tokio::test]
async fn an_empty_value_an_empty_text_and_null_clear() {
    let bench = Bench::new().await;
    let full = || json!({"title": "Pilot", "name": {"givenName": "Ann"}, ENTERPRISE: {"manager": {"value": "7"}}});
    let manager = format!("{ENTERPRISE}:manager");
    for (path, value, pointer) in [
        ("title", json!(""), "/title"),
        ("title", json!(null), "/title"),
        ("name.givenName", json!(""), "/name"),
        (&manager, json!({"value": ""}), "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"),
        (&manager, json!(""), "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"),
        (&manager, json!(null), "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"),
    ] {
        let user = bench.make("/Users", full()).await;
        assert!(user.pointer(pointer).is_some(), "{user}");
        let operations = json!([{"op": "replace", "path": path, "value": value}]);
        let patched = bench.patch(&path_of("/Users", &user), operations).await;
        assert!(patched.pointer(pointer).is_none(), "{path} {value}: {patched}");
    }
    let user = bench.make("/Users", full()).await;
    let body = json!({"userName": user["userName"], "title": "", "name": null, ENTERPRISE: {"manager": {"value": ""}}});
    let replaced = bench.expect(200, "PUT", &path_of("/Users", &user), Some(body)).await;
    assert!(["title", "name", ENTERPRISE].iter().all(|key| replaced.get(key).is_none()), "{replaced}");
}

#[tokio::test]
async fn groups_of_a_user_are_shown_and_cannot_be_written() {
    let bench = Bench::new().await;
    let user = bench.make("/Users", json!({})).await;
    let group = bench.make("/Groups", json!({"displayName": "Crew", "members": [{"value": user["id"]}]})).await;
    let path = path_of("/Users", &user);
    let shown = bench.get(&format!("{path}?attributes=groups")).await;
    let expected = json!([{
        "value": group["id"], "display": "Crew", "type": "direct", "$ref": group["meta"]["location"],
    }]);
    assert_eq!(shown["groups"], expected);
    let operations = json!([{"op": "add", "path": "groups", "value": [{"value": group["id"]}]}]);
    assert_error(&bench.ask("PATCH", &path, Some(patch(&operations))).await, 400, Some("mutability"));
    let body = json!({"userName": user["userName"], "groups": []});
    bench.expect(200, "PUT", &path, Some(body)).await;
    assert_eq!(bench.get(&format!("{path}?attributes=groups")).await["groups"], expected);
}

#[tokio::test]
async fn values_of_a_table_are_announced() {
    let table = "userType = { native = \"kind\", map = { Employee = \"emp\", Contractor = \"con\" } }";
    let line = CONFIG.lines().find(|line| line.starts_with("userType ")).unwrap();
    let bench = Bench::with(&CONFIG.replace(line, table)).await;
    let schema = bench.get("/Schemas/urn:ietf:params:scim:schemas:core:2.0:User").await;
    let attributes = schema["attributes"].as_array().unwrap();
    let of = |name: &str| attributes.iter().find(|one| one["name"] == name).unwrap();
    let mut values: Vec<&str> =
        of("userType")["canonicalValues"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    values.sort_unstable();
    assert_eq!(values, ["Contractor", "Employee"]);
    assert!(of("title").get("canonicalValues").is_none());
    let user = bench.make("/Users", json!({"userType": "Contractor"})).await;
    assert_eq!(user["userType"], "Contractor");
    assert_error(
        &bench.ask("POST", "/Users", Some(json!({"userName": "x", "userType": "Guest"}))).await,
        400,
        Some("invalidValue"),
    );
}

#[tokio::test]
async fn what_a_codec_cannot_hold_is_not_announced() {
    let bench = Bench::new().await;
    let schema = bench.get(&format!("/Schemas/{ACME}")).await;
    let badges = schema["attributes"].as_array().unwrap().iter().find(|one| one["name"] == "badges").unwrap();
    let subs: Vec<&Value> = badges["subAttributes"].as_array().unwrap().iter().map(|sub| &sub["name"]).collect();
    assert_eq!(subs, ["value"]);
}

#[tokio::test]
async fn me_is_the_user_that_the_credential_belongs_to() {
    let bench = Bench::new().await;
    assert_error(&bench.ask("GET", "/Me", None).await, 501, None);
    let bench = Bench::with(&CONFIG.replace("[auth.idp]", "[auth.idp]\nuser = \"7\"")).await;
    assert_error(&bench.ask("GET", "/Me", None).await, 404, None);
    bench.app.seed_user(Some("7"), json!({"login": "ann"}));
    let answer = bench.ask("GET", "/Me", None).await;
    let me = answer.json();
    assert_eq!((answer.status, &me), (200, &bench.get("/Users/7").await));
    assert_eq!(answer.header("content-location"), me["meta"]["location"].as_str());
    let patched = bench.patch("/Me", json!([{"op": "replace", "path": "title", "value": "Pilot"}])).await;
    assert_eq!((&patched["id"], &patched["title"]), (&json!("7"), &json!("Pilot")));
    assert_error(&bench.ask("POST", "/Me", Some(json!({"userName": "x"}))).await, 405, None);
    bench.expect(204, "DELETE", "/Me", None).await;
    assert_error(&bench.ask("GET", "/Users/7", None).await, 404, None);
}

/// What `/Schemas` and `/ResourceTypes` announce.
struct Schemas {
    by_urn: BTreeMap<String, Value>,
    /// URNs by the name of the type, the core schema first.
    of_type: BTreeMap<String, Vec<String>>,
}

impl Schemas {
    async fn read(bench: &Bench) -> Schemas {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let all = |list: &Value| list["Resources"].as_array().unwrap().clone();
        let schemas = all(&bench.get("/Schemas").await);
        let by_urn = schemas.into_iter().map(|one| (text(&one["id"]), one["attributes"].clone())).collect();
        let types = all(&bench.get("/ResourceTypes").await);
        let urns = |one: &Value| {
            let extensions = one["schemaExtensions"].as_array().unwrap().iter().map(|one| text(&one["schema"]));
            std::iter::once(text(&one["schema"])).chain(extensions).collect()
        };
        Schemas { by_urn, of_type: types.iter().map(|one| (text(&one["name"]), urns(one))).collect() }
    }

    fn check(&self, kind: &str, resource: &Value, found: &mut Vec<String>) {
        let urns = &self.of_type[kind];
        let (core, extensions) = urns.split_first().unwrap();
        for (key, value) in resource.as_object().unwrap() {
            if extensions.contains(key) {
                attributes(&self.by_urn[key], value, key, found);
            } else if key == "meta" {
                let known = ["resourceType", "created", "lastModified", "location", "version"];
                undeclared(value, &known, "meta", found);
            } else if !["id", "externalId", "schemas"].contains(&key.as_str()) {
                attributes(&self.by_urn[core], &json!({key: value}), kind, found);
            }
        }
        for urn in resource["schemas"].as_array().unwrap() {
            if !urns.iter().any(|known| urn == known) {
                found.push(format!("{kind}: schemas {urn}"));
            }
        }
    }
}

/// Every key of an object must be one of the definitions, at any depth.
fn attributes(definitions: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    for (key, value) in value.as_object().unwrap() {
        let Some(definition) = definitions.as_array().unwrap().iter().find(|one| one["name"] == **key) else {
            found.push(format!("{place}: {key}"));
            continue;
        };
        let elements = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for element in elements.iter().filter(|element| element.is_object()) {
            attributes(&definition["subAttributes"], element, &format!("{place}.{key}"), found);
        }
    }
}

fn undeclared(object: &Value, known: &[&str], place: &str, found: &mut Vec<String>) {
    let keys = object.as_object().unwrap().keys();
    found.extend(keys.filter(|key| !known.contains(&key.as_str())).map(|key| format!("{place}: {key}")));
}
