//! The example `permit`: what people, roles, tenants and assignments have to do with one another, sentence by sentence,
//! then whole cycles below both base URLs, then trouble.

use scimshim::demo::cycle::Idp;
use serde_json::{Value, json};

use crate::apps::permit::{Behaviour, KEY, Permit};
use crate::apps::serve::{Reply, Trouble};
use crate::cycles;
use crate::examples_bench::{Example, members, patch};

async fn example() -> Example<Permit> {
    example_of(Behaviour::default()).await
}

async fn example_of(behaviour: Behaviour) -> Example<Permit> {
    let mut app = Permit::new("demo", "demo", &["default", "demo", "t1", "t2"]);
    app.behaviour = behaviour;
    Example::start("permit", app, &[("PERMIT_KEY", KEY)]).await
}

/// The base URL of a tenant.
fn at(tenant: &str) -> String {
    format!("/scim/v2/demo/demo/v2/{tenant}")
}

/// The base URL without one.
const LEGACY: &str = "/scim/v2/demo/demo";

fn person(login: &str) -> Value {
    json!({"userName": format!("{login}@acme.example"), "externalId": format!("e-{login}"), "active": true,
        "displayName": login, "name": {"givenName": login, "familyName": "Berg"}})
}

fn add(who: &str) -> Value {
    patch(json!([{"op": "Add", "path": "members", "value": [{"value": who}]}]))
}

fn remove(who: &str) -> Value {
    patch(json!([{"op": "Remove", "path": format!("members[value eq \"{who}\"]")}]))
}

fn active(value: &str) -> Value {
    patch(json!([{"op": "Replace", "path": "active", "value": value}]))
}

impl Example<Permit> {
    fn grants(&self, tenant: &str) -> Vec<String> {
        self.app.with(|app| app.grants(tenant))
    }

    async fn group_at(&self, tenant: &str, id: &str) -> Vec<String> {
        members(&self.get(&format!("{}/Groups/{id}", at(tenant))).await)
    }
}

#[tokio::test]
async fn every_cycle_below_the_base_url_of_a_tenant() {
    let example = example().await;
    cycles::check(Idp::All, "permit", &example.sidecar).await;
    assert!(example.app.with(|app| app.user_keys().is_empty() && app.role_keys().is_empty()));
}

#[tokio::test]
async fn every_cycle_below_the_legacy_base_url() {
    let example = example().await;
    let base = format!("http://{}{LEGACY}", example.sidecar.addr());
    cycles::check_at(Idp::All, "permit", &example.sidecar, base).await;
}

#[tokio::test]
async fn the_legacy_base_url_is_the_tenant_default() {
    let example = example().await;
    let ann = example.make(&format!("{LEGACY}/Users"), person("ann")).await;
    let group = json!({"displayName": "Admins", "members": [{"value": ann}]});
    let admins = example.make(&format!("{LEGACY}/Groups"), group).await;
    assert_eq!(example.grants("default"), ["Admins:ann@acme.example"]);
    assert_eq!(example.group_at("default", &admins).await, [ann]);
    assert_eq!(example.group_at("t1", &admins).await, Vec::<String>::new());
}

#[tokio::test]
async fn one_user_through_any_tenant_url() {
    let example = example().await;
    let ann = example.make(&format!("{}/Users", at("t1")), person("ann")).await;
    for base in [at("t2"), LEGACY.to_owned()] {
        let seen = example.get(&format!("{base}/Users/{ann}")).await;
        assert_eq!(seen["userName"], "ann@acme.example");
        let filter = "filter=userName%20eq%20%22ANN%40acme.example%22";
        assert_eq!(example.get(&format!("{base}/Users?{filter}")).await["totalResults"], 1);
        let location = seen["meta"]["location"].as_str().unwrap();
        assert!(location.ends_with(&format!("{base}/Users/{ann}")), "{location}");
    }
    let rename = patch(json!([{"op": "Replace", "path": "name.familyName", "value": "Nord"}]));
    example.expect(200, "PATCH", &format!("{}/Users/{ann}", at("t2")), Some(rename)).await;
    assert_eq!(example.get(&format!("{}/Users/{ann}", at("t1"))).await["name"]["familyName"], "Nord");
    example.expect(204, "DELETE", &format!("{LEGACY}/Users/{ann}"), None).await;
    assert_eq!(example.ask("GET", &format!("{}/Users/{ann}", at("t1")), None).await.status, 404);
}

#[tokio::test]
async fn a_user_name_is_unique_in_the_environment() {
    let example = example().await;
    example.make(&format!("{}/Users", at("t1")), person("ann")).await;
    let ben = example.make(&format!("{}/Users", at("t1")), person("ben")).await;
    let users = format!("{}/Users", at("t2"));
    let (kind, detail) = example.refused(409, "POST", &users, Some(person("Ann"))).await;
    assert_eq!(kind, "uniqueness");
    assert!(detail.contains("ann@acme.example"), "{detail}");
    let taken = patch(json!([{"op": "Replace", "path": "userName", "value": "ann@acme.example"}]));
    let (kind, detail) = example.refused(409, "PATCH", &format!("{users}/{ben}"), Some(taken)).await;
    assert_eq!(kind, "uniqueness");
    assert!(detail.contains("ann@acme.example"), "{detail}");
}

#[tokio::test]
async fn a_user_name_may_change_and_the_id_stays() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    let rename = json!([{"op": "Replace", "path": "userName", "value": "Anna@acme.example"}]);
    let renamed = example.patch(&format!("/Users/{ann}"), rename).await;
    assert_eq!((&renamed["id"], &renamed["userName"]), (&json!(ann), &json!("anna@acme.example")));
    assert_eq!(example.app.with(|app| app.user_keys().len()), 1);
    for (name, found) in [("ann", 0), ("anna", 1)] {
        let path = format!("/Users?filter=userName%20eq%20%22{name}%40acme.example%22");
        assert_eq!(example.get(&path).await["totalResults"], found, "{name}");
    }
}

#[tokio::test]
async fn a_role_is_keyed_by_the_stripped_name() {
    let example = example().await;
    let group = example.make("/Groups", json!({"displayName": "Eng Team: Norway & Denmark"})).await;
    assert_eq!(group, "EngTeamNorwayDenmark");
    assert_eq!(example.app.with(|app| app.role_keys().join(" ")), "EngTeamNorwayDenmark");
    let shown = example.get(&format!("/Groups/{group}")).await;
    assert_eq!(shown["displayName"], "Eng Team: Norway & Denmark");
    let (kind, detail) = example.refused(400, "POST", "/Groups", Some(json!({"displayName": "???"}))).await;
    assert_eq!(kind, "invalidValue", "{detail}");
}

#[tokio::test]
async fn names_that_strip_to_one_key_collide_and_the_holder_is_named() {
    let example = example().await;
    example.make(&format!("{}/Groups", at("t1")), json!({"displayName": "Eng Team"})).await;
    for tenant in ["t1", "t2"] {
        let groups = format!("{}/Groups", at(tenant));
        let (kind, detail) = example.refused(409, "POST", &groups, Some(json!({"displayName": "EngTeam"}))).await;
        assert_eq!(kind, "uniqueness");
        assert!(detail.contains("EngTeam") && detail.contains("'Eng Team'"), "{detail}");
    }
    assert_eq!(example.app.with(|app| app.role_keys().len()), 1);
}

#[tokio::test]
async fn the_same_name_from_a_second_tenant_reuses_the_role() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    let ben = example.make("/Users", person("ben")).await;
    let group = |who: &str| json!({"displayName": "Eng Team", "members": [{"value": who}]});
    let first = example.make(&format!("{}/Groups", at("t1")), group(&ann)).await;
    let second = example.make(&format!("{}/Groups", at("t2")), group(&ben)).await;
    assert_eq!(first, second);
    assert_eq!(example.app.with(|app| app.role_keys().len()), 1);
    assert_eq!(example.grants("t1"), ["EngTeam:ann@acme.example"]);
    assert_eq!(example.grants("t2"), ["EngTeam:ben@acme.example"]);
}

#[tokio::test]
async fn membership_is_fully_independent_between_tenants() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    let ben = example.make("/Users", person("ben")).await;
    let whole = json!({"displayName": "Editors", "members": [{"value": ann}, {"value": ben}]});
    let id = example.make(&format!("{}/Groups", at("t1")), whole.clone()).await;
    example.make(&format!("{}/Groups", at("t2")), whole).await;
    let (first, second) = (format!("{}/Groups/{id}", at("t1")), format!("{}/Groups/{id}", at("t2")));
    example.expect(200, "PATCH", &first, Some(remove(&ann))).await;
    assert_eq!(example.grants("t1"), ["Editors:ben@acme.example"]);
    assert_eq!(example.grants("t2").len(), 2);
    let empty = json!({"displayName": "Editors", "members": []});
    example.expect(200, "PUT", &second, Some(empty)).await;
    assert_eq!(example.grants("t1"), ["Editors:ben@acme.example"]);
    assert_eq!(example.grants("t2"), Vec::<String>::new());
    example.expect(200, "PATCH", &second, Some(add(&ann))).await;
    assert_eq!(example.group_at("t1", &id).await, [ben.as_str()]);
    assert_eq!(example.group_at("t2", &id).await, [ann.as_str()]);
    // The groups of a person are those of the tenant that is asked.
    let groups = example.get(&format!("{}/Users/{ann}?attributes=groups", at("t2"))).await;
    assert_eq!(groups["groups"][0]["value"], id, "{groups}");
    let groups = example.get(&format!("{}/Users/{ann}?attributes=groups", at("t1"))).await;
    assert!(groups.get("groups").is_none(), "{groups}");
}

#[tokio::test]
async fn deleting_a_group_in_one_tenant_leaves_the_others_alone() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    let whole = json!({"displayName": "Editors", "members": [{"value": ann}]});
    let id = example.make(&format!("{}/Groups", at("t1")), whole.clone()).await;
    example.make(&format!("{}/Groups", at("t2")), whole).await;
    example.expect(204, "DELETE", &format!("{}/Groups/{id}", at("t1")), None).await;
    assert_eq!(example.grants("t1"), Vec::<String>::new());
    assert_eq!(example.grants("t2"), ["Editors:ann@acme.example"]);
    // The last tenant that lets go takes the role along.
    example.expect(204, "DELETE", &format!("{}/Groups/{id}", at("t2")), None).await;
    assert!(example.app.with(|app| app.role_keys().is_empty()));
    assert_eq!(example.ask("GET", &format!("{}/Groups/{id}", at("t2")), None).await.status, 404);
}

#[tokio::test]
async fn missing_users_are_created() {
    let example = example().await;
    let id = example.make("/Groups", json!({"displayName": "Editors"})).await;
    example.expect(200, "PATCH", &format!("/Groups/{id}"), Some(add("new@acme.example"))).await;
    assert_eq!(example.grants("demo"), ["Editors:new@acme.example"]);
    let found = example.get("/Users?filter=userName%20eq%20%22new%40acme.example%22").await;
    let user = &found["Resources"][0];
    assert_eq!((&found["totalResults"], &user["active"]), (&json!(1), &json!(true)), "{found}");
    assert_eq!(example.group_at("demo", &id).await, [user["id"].as_str().unwrap()]);
    // A second one is asked for by name and by id; both are there already.
    example.expect(200, "PATCH", &format!("/Groups/{id}"), Some(add("new@acme.example"))).await;
    example.expect(200, "PATCH", &format!("/Groups/{id}"), Some(add(user["id"].as_str().unwrap()))).await;
    assert_eq!(example.app.with(|app| app.user_keys().len()), 1);
}

#[tokio::test]
async fn an_id_that_is_gone_makes_nobody() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    let id = example.make("/Groups", json!({"displayName": "Editors"})).await;
    example.expect(204, "DELETE", &format!("/Users/{ann}"), None).await;
    let (kind, detail) = example.refused(400, "PATCH", &format!("/Groups/{id}"), Some(add(&ann))).await;
    assert_eq!(kind, "invalidValue");
    assert!(detail.contains(&ann), "{detail}");
    assert!(example.app.with(|app| app.user_keys().is_empty()));
}

#[tokio::test]
async fn missing_tenants_are_not_created_and_the_administrator_is_told() {
    for user_is_missing in [false, true] {
        let example = example().await;
        let ann =
            if user_is_missing { "new@acme.example".to_owned() } else { example.make("/Users", person("ann")).await };
        let id = example.make(&format!("{}/Groups", at("nowhere")), json!({"displayName": "Editors"})).await;
        let path = format!("{}/Groups/{id}", at("nowhere"));
        let (kind, detail) = example.refused(400, "PATCH", &path, Some(add(&ann))).await;
        assert_eq!(kind, "invalidValue");
        assert!(detail.contains("Tenant with key 'nowhere' was not found") && detail.contains("base URL"), "{detail}");
        let whole = json!({"displayName": "Watch", "members": [{"value": ann}]});
        let (_, detail) = example.refused(400, "POST", &format!("{}/Groups", at("nowhere")), Some(whole)).await;
        assert!(detail.contains("'nowhere'") && detail.contains("was created"), "{detail}");
        assert_eq!(example.grants("default"), Vec::<String>::new());
    }
}

#[tokio::test]
async fn switching_a_user_off_drops_the_roles_in_this_tenant_only() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    let ben = example.make("/Users", person("ben")).await;
    for (tenant, name) in [("t1", "Editors"), ("t1", "Readers"), ("t2", "Editors")] {
        let group = json!({"displayName": name, "members": [{"value": ann}, {"value": ben}]});
        example.make(&format!("{}/Groups", at(tenant)), group).await;
    }
    let off = example.expect(200, "PATCH", &format!("{}/Users/{ann}", at("t1")), Some(active("False"))).await;
    assert_eq!(off["active"], json!(false));
    assert_eq!(example.grants("t1"), ["Editors:ben@acme.example", "Readers:ben@acme.example"]);
    assert_eq!(example.grants("t2"), ["Editors:ann@acme.example", "Editors:ben@acme.example"]);
    let on = example.expect(200, "PATCH", &format!("{}/Users/{ann}", at("t1")), Some(active("True"))).await;
    assert_eq!(on["active"], json!(true));
    assert_eq!(example.grants("t1").len(), 2, "what was taken away is not given back");
}

#[tokio::test]
async fn switching_off_that_fails_half_way_is_said_and_a_retry_finishes_it() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    for name in ["A", "B", "C"] {
        example.make("/Groups", json!({"displayName": name, "members": [{"value": ann}]})).await;
    }
    let mut deletions = 0;
    example.app.trouble(move |call| {
        deletions += usize::from(call.method == "DELETE");
        (call.method == "DELETE" && deletions >= 2).then(|| Trouble::Instead(Reply::empty(503)))
    });
    let path = format!("/Users/{ann}");
    let answer = example.ask("PATCH", &path, Some(active("False"))).await;
    assert!(answer.status >= 500, "{}", answer.json());
    assert_eq!(example.grants("demo").len(), 2);
    example.app.no_trouble();
    example.expect(200, "PATCH", &path, Some(active("False"))).await;
    assert_eq!(example.grants("demo"), Vec::<String>::new());
    assert_eq!(example.get(&path).await["active"], json!(false));
}

#[tokio::test]
async fn attributes_that_scim_does_not_know_survive() {
    let example = example().await;
    let ann = example.make("/Users", person("ann")).await;
    example.app.with(|app| app.set_attribute("ann@acme.example", "age", json!(50)));
    let path = format!("/Users/{ann}");
    example.expect(200, "PATCH", &path, Some(active("False"))).await;
    let rename = json!([{"op": "Replace", "path": "displayName", "value": "Ann N."}]);
    example.patch(&path, rename).await;
    example.patch(&path, json!([{"op": "Remove", "path": "externalId"}])).await;
    let attributes = example.app.with(|app| app.user("ann@acme.example")["attributes"].clone());
    assert_eq!((&attributes["age"], &attributes["scim_active"]), (&json!(50), &json!(false)), "{attributes}");
    assert_eq!(attributes.get("scim_external_id").filter(|value| !value.is_null()), None, "{attributes}");
    example.expect(200, "PUT", &path, Some(person("ann"))).await;
    assert_eq!(example.app.with(|app| app.user("ann@acme.example")["attributes"]["age"].clone()), json!(50));
}

#[tokio::test]
async fn a_login_that_can_be_no_key_is_refused_with_the_reason() {
    let example = example().await;
    for login in ["ann berg", "bjørn", "a/b"] {
        let (kind, detail) = example.refused(400, "POST", "/Users", Some(person(login))).await;
        assert_eq!(kind, "invalidValue");
        assert!(detail.starts_with("key: string does not match"), "{detail}");
    }
    assert!(example.app.with(|app| app.user_keys().is_empty()));
}

#[tokio::test]
async fn whichever_way_the_service_behaves_the_client_reads_the_same() {
    let behaviours = [
        Behaviour { assigning_twice_is_fine: true, ..Behaviour::default() },
        Behaviour { new_assignments_name_emails: false, ..Behaviour::default() },
        Behaviour { listed_assignments_name_emails: true, ..Behaviour::default() },
        Behaviour { no_tenant_is_an_empty_list: false, ..Behaviour::default() },
    ];
    for behaviour in behaviours {
        let example = example_of(behaviour).await;
        cycles::check(Idp::Entra, "permit", &example.sidecar).await;
    }
}

#[tokio::test]
async fn more_people_and_members_than_a_page_holds() {
    let example = example().await;
    let mut everybody = Vec::new();
    for number in 0..120 {
        everybody.push(json!({"value": example.make("/Users", person(&format!("u{number}"))).await}));
    }
    let page = example.get("/Users?startIndex=101&count=50").await;
    assert_eq!((&page["totalResults"], page["Resources"].as_array().unwrap().len()), (&json!(120), 20));
    let id = example.make("/Groups", json!({"displayName": "All", "members": everybody})).await;
    assert_eq!(example.group_at("demo", &id).await.len(), 120);
    let (_, detail) = example.refused(503, "DELETE", &format!("/Groups/{id}"), None).await;
    assert!(detail.contains("20 people still have this role"), "{detail}");
    assert_eq!(example.grants("demo").len(), 20);
    example.expect(204, "DELETE", &format!("/Groups/{id}"), None).await;
    assert_eq!(example.grants("demo"), Vec::<String>::new());
    assert!(example.app.with(|app| app.role_keys().is_empty()));
}

#[tokio::test]
async fn what_is_no_project_environment_or_tenant_asks_nobody() {
    let example = example().await;
    for path in ["/scim/v2/demo/demo/v2/a%2Fb/Users", "/scim/v2/demo/d%20emo/Users", "/scim/v2/demo/demo/v2/a.b/Users"]
    {
        assert_eq!(example.ask("GET", path, None).await.status, 404, "{path}");
    }
    assert_eq!(example.app.take_calls(), Vec::<String>::new());
}
