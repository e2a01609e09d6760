//! Files that compile, and what they compile to.

use scimshim::config::{Snapshot, render};
use scimshim::mapping::members::{InverseSource, MemberSource};
use scimshim::mapping::{Access, Body, FilterCall, IdKind, Mapping, Omit, PagingStyle, Phase, Source, Total};
use scimshim::scim::schema::{Attribute, Mutability, Returned};

use super::{compiled, files, fine, folder, root};

fn example(name: &str) -> Snapshot {
    let text = std::fs::read_to_string(folder("good").join(name)).unwrap();
    compiled(&text).unwrap_or_else(|found| panic!("{name}\n{}", render(&found)))
}

fn mapping<'s>(snapshot: &'s Snapshot, name: &str) -> &'s Mapping {
    let mappings = &snapshot.routes[0].mappings;
    mappings.iter().find(|mapping| *mapping.resource_type.name == *name).unwrap()
}

fn row<'m>(mapping: &'m Mapping, target: &str) -> &'m scimshim::mapping::Row {
    mapping.rows.iter().find(|row| row.target.to_string() == target).unwrap_or_else(|| panic!("no row {target}"))
}

fn announced<'m>(mapping: &'m Mapping, schema: usize, name: &str) -> &'m Attribute {
    mapping.resource_type.announced[schema].attribute(name).unwrap_or_else(|| panic!("{name} is not announced"))
}

#[test]
fn the_root_file_compiles_without_warnings() {
    let snapshot = fine(&root());
    assert_eq!(snapshot.warnings, []);
    assert_eq!(snapshot.hash.len(), 16);
    let variables: Vec<&str> = snapshot.variables.iter().map(|name| &**name).collect();
    assert_eq!(variables, ["project", "env", "tenant"]);
    assert_eq!(snapshot.routes[0].set, [(2, "default".to_owned())]);
    assert_eq!(snapshot.server.passthrough, Some(0));
}

/// Deleting `[server]`, `[limits]` and `[metrics]` changes nothing: what the annotated file says is the default, is.
#[test]
fn the_defaults_are_as_documented() {
    let text = root();
    let start = text.find("[server]").unwrap();
    let end = text.find("# Named regular expressions").unwrap();
    let without = format!("{}{}", &text[..start], &text[end..]);
    let (with, without) = (fine(&text), fine(&without));
    assert_eq!(with.server, without.server);
    assert_eq!(with.limits, without.limits);
    assert_eq!(with.metrics, without.metrics);
}

#[test]
fn a_token_may_say_when_it_expires() {
    let with = |tokens: &str| root().replacen("tokens = [\"env:SCIM_TOKEN\"]", &format!("tokens = [{tokens}]"), 1);
    let digest = format!("'sha256:{}'", "0a".repeat(32));
    let snapshot = fine(&with(&format!(
        "'env:OLD', {{ token = 'file:/run/secrets/new', expires = '2027-03-01' }}, {digest}, {{ token = {digest}, name = 'x' }}"
    )));
    let facts: Vec<(&str, Option<i64>)> =
        snapshot.authenticators[0].tokens.iter().map(|facts| (&*facts.name, facts.expires)).collect();
    assert_eq!(facts, [("OLD", None), ("new", Some(1_803_859_200)), ("tokens[2]", None), ("x", None)]);
    assert_eq!(render(&snapshot.warnings), "");
}

/// What is allowed before its time has come is not reported as something that nothing gives.
#[test]
fn an_expiry_may_be_accepted_before_it_comes() {
    for expires in ["2025-12-31", "2027-03-01"] {
        let token = format!("tokens = [{{ token = \"env:SCIM_TOKEN\", expires = \"{expires}\" }}]");
        let text = root().replacen("tokens = [\"env:SCIM_TOKEN\"]", &token, 1);
        let warned = render(&fine(&text).warnings);
        assert_eq!(warned.contains("[W170]"), expires < "2026", "{warned}");
        let allowed = fine(&text.replacen("allow = {}", "allow = { W170 = \"a rehearsal\" }", 1));
        assert_eq!(render(&allowed.warnings), "", "{expires}");
    }
}

#[test]
fn the_examples_compile_without_warnings() {
    for path in files("good") {
        let text = std::fs::read_to_string(&path).unwrap();
        let snapshot = compiled(&text).unwrap_or_else(|found| panic!("{}\n{}", path.display(), render(&found)));
        assert_eq!(render(&snapshot.warnings), "", "{}", path.display());
    }
}

#[test]
fn a_mirror_is_the_row_it_mirrors() {
    let snapshot = example("a-users-only.toml");
    let user = mapping(&snapshot, "User");
    let mirror = row(user, "emails[type eq \"work\"].value");
    assert_eq!(mirror.access, Access::Mirror);
    assert!(matches!(mirror.source, Source::Mirror { row: 0 }));
    let plans: Vec<String> = user.filters.iter().map(|plan| plan.path.to_string()).collect();
    assert_eq!(plans, ["userName", "emails.value"], "a mirror is found the way its row is");
}

#[test]
fn operations_come_from_the_preset_and_inherit_the_backend() {
    let snapshot = example("a-users-only.toml");
    let user = mapping(&snapshot, "User");
    let list = user.ops.list.as_ref().unwrap();
    assert_eq!(&*list.call.method, "GET");
    assert_eq!(list.call.envelope.items.to_string(), "data");
    assert!(matches!(list.paging.style, PagingStyle::Page { first: 1, .. }));
    assert_eq!(list.call.origin.to_string(), "preset:rest@1:4");
    let update = user.ops.update.as_ref().unwrap().own_call().unwrap();
    assert_eq!(update.segments.len(), 2);
    assert!(matches!(update.body, Body::Rows));
    assert!(!update.idempotent && user.ops.delete.as_ref().unwrap().own_call().unwrap().idempotent);
    assert!(user.ops.replace.is_none());
    let FilterCall::List(plan) = &user.filters[0].how else { panic!("a list") };
    assert_eq!(plan.call.query.len(), 1);
    assert_eq!(user.filters[0].row, Some(0));
}

#[test]
fn omission_follows_from_the_column() {
    let snapshot = example("a-users-only.toml");
    let user = mapping(&snapshot, "User");
    assert_eq!(row(user, "active").omit, Omit::Keep, "a total table has no unassigned state");
    assert_eq!(row(user, "userName").omit, Omit::Keep, "required");
    assert_eq!(row(user, "externalId").omit, Omit::Null);
    let snapshot = example("e-devices.toml");
    assert_eq!(row(mapping(&snapshot, "Device"), "externalId").omit, Omit::Absent, "documents are sent whole");
}

#[test]
fn members_with_their_calls() {
    let snapshot = example("b-roles-and-tenants.toml");
    let members = mapping(&snapshot, "Group").members.as_ref().unwrap();
    let MemberSource::List(list) = &members.source else { panic!("a list") };
    assert_eq!(list.call.envelope.items.to_string(), "", "own key");
    assert!(matches!(list.call.envelope.total, Total::Path(_)), "the backend's key");
    assert_eq!(members.parallel, 8);
    let snapshot = example("c-names-as-ids.toml");
    let group = mapping(&snapshot, "Group");
    assert_eq!(group.members.as_ref().unwrap().add.as_ref().unwrap().batch, Some(200));
    assert_eq!(group.ops.create.as_ref().unwrap().then, [Phase::Members]);
    assert!(matches!(group.ops.create.as_ref().unwrap().own_call().unwrap().body, Body::None));
}

#[test]
fn ids_and_totals_of_the_legacy_application() {
    let snapshot = example("d-always-200.toml");
    let user = mapping(&snapshot, "User");
    assert_eq!(user.id.kind, IdKind::Int);
    let list = user.ops.list.as_ref().unwrap();
    assert_eq!(list.call.envelope.total, Total::Walk);
    assert!(list.call.success.ok.is_some(), "the backend's");
    assert_eq!(user.writes.iter().map(|rule| rule.rows.count_ones()).collect::<Vec<_>>(), [1, 1, 1]);
    assert!(snapshot.backends[0].errors[2].when.constant().is_some());
}

#[test]
fn a_type_of_ones_own() {
    let snapshot = example("e-devices.toml");
    assert_eq!(snapshot.routes[0].auth, None);
    let device = mapping(&snapshot, "Device");
    assert_eq!(&*device.resource_type.endpoint, "/Devices");
    assert_eq!(announced(device, 0, "serial").mutability, Mutability::Immutable);
    assert!(device.resource_type.announced[0].attribute("slots").is_none(), "no row holds it");
    assert_eq!(announced(device, 1, "position").sub_attributes.len(), 2);
    let FilterCall::List(plan) = &device.filters[0].how else { panic!("a list") };
    assert!(plan.call.envelope.single);
    assert!(device.ops.update.is_none() && device.ops.replace.is_some());
}

#[test]
fn discovery_shows_what_the_mapping_holds() {
    let snapshot = fine(&root());
    let user = mapping(&snapshot, "User");
    let names: Vec<&str> = user.resource_type.announced.iter().map(|schema| schema.name.as_str()).collect();
    assert_eq!(names, ["User", "EnterpriseUser", "AcmeUser"]);
    let password = announced(user, 0, "password");
    assert_eq!((password.mutability, password.returned), (Mutability::WriteOnly, Returned::Never));
    assert_eq!(announced(user, 0, "groups").returned, Returned::Default);
    let manager = announced(user, 1, "manager");
    assert_eq!(manager.sub_attribute("displayName").unwrap().mutability, Mutability::ReadOnly);
    assert_eq!(announced(user, 2, "badges").sub_attributes.len(), 1);
    assert!(announced(mapping(&snapshot, "Group"), 0, "displayName").required);
    assert!(matches!(user.inverse.as_ref().unwrap().source, InverseSource::Native(_)));
    let snapshot = example("d-always-200.toml");
    let emails = announced(mapping(&snapshot, "User"), 0, "emails");
    let shown: Vec<&str> = emails.sub_attributes.iter().map(|sub| &*sub.name).collect();
    assert_eq!(shown, ["value", "type"]);
    assert_eq!(emails.sub_attribute("type").unwrap().canonical_values, ["work"]);
}

/// A small file with these rows of a user.
fn with_rows(rows: &str) -> Snapshot {
    fine(&format!(
        r#"
version = 1
extends = ["preset:rest@1"]
[auth.idp]
kind = "bearer"
tokens = ["env:SCIM_TOKEN"]
[backend.app]
url = "http://127.0.0.1:3000/api"
auth = {{ kind = "bearer", token = "env:APP_TOKEN" }}
[[route]]
path = "/scim/v2/{{tenant}}"
auth = "idp"
[resource.User]
path = "/{{tenant}}/users"
[resource.User.attrs]
{rows}
"#
    ))
}

/// What discovery says of an attribute follows from its row.
#[test]
fn characteristics_follow_from_the_row() {
    use scimshim::scim::schema::Uniqueness;
    let user = |rows: &str| {
        let snapshot = with_rows(&format!("userName = \"login\"\n{rows}"));
        mapping(&snapshot, "User").clone()
    };
    let title = |row: &str| announced(&user(&format!("title = {row}")), 0, "title").clone();
    assert_eq!(title("\"job\"").mutability, Mutability::ReadWrite);
    assert_eq!(title("{ native = \"job\", access = \"read\" }").mutability, Mutability::ReadOnly);
    assert_eq!(title("{ native = \"job\", access = \"create\" }").mutability, Mutability::Immutable);
    let secret = title("{ native = \"job\", access = \"write\" }");
    assert_eq!((secret.mutability, secret.returned), (Mutability::WriteOnly, Returned::Never));
    assert!(!title("\"job\"").required);
    assert!(title("{ native = \"job\", required = true }").required);
    assert_eq!(title("\"job\"").uniqueness, Uniqueness::None);
    assert_eq!(title("{ native = \"job\", unique = true }").uniqueness, Uniqueness::Server);
    assert!(!title("\"job\"").case_exact);
    assert!(title("{ native = \"job\", case = \"exact\" }").case_exact);
    assert!(!announced(&user("externalId = { native = \"ext\", case = \"ignore\" }"), 0, "userName").case_exact);
    assert_eq!(title("{ native = \"job\", map = { A = 1, B = 2 } }").canonical_values, ["A", "B"]);
    let mapped = user("department = \"dept\"");
    let names: Vec<&str> = mapped.resource_type.announced.iter().map(|schema| schema.name.as_str()).collect();
    assert_eq!(names, ["User", "EnterpriseUser"], "a bare name is looked for in the extension too");
    assert!(mapped.resource_type.announced[0].attribute("title").is_none(), "what no row holds is not shown");
}

/// Where `omit` is not said it follows from the column, then from the resource, then from what the calls send.
#[test]
fn omission_may_be_said_for_a_resource() {
    let rows = "userName = \"login\"\ntitle = \"job\"\nnickName = { native = \"nick\", omit = \"absent\" }";
    let omit = |snapshot: &Snapshot, name: &str| row(mapping(snapshot, "User"), name).omit;
    let snapshot = with_rows(rows);
    assert_eq!((omit(&snapshot, "title"), omit(&snapshot, "nickName")), (Omit::Null, Omit::Absent));
    let whole = |omit: &str| {
        let text =
            root().replacen("put_omitted = \"clear\"", &format!("put_omitted = \"clear\"\nomit = \"{omit}\"\n#"), 1);
        fine(&text)
    };
    assert_eq!(omit(&whole("empty"), "title"), Omit::Empty);
    assert_eq!(omit(&whole("absent"), "title"), Omit::Absent);
    assert_eq!(omit(&whole("null"), "active"), Omit::Keep, "it has a default");
    assert_eq!(omit(&snapshot, "userName"), Omit::Keep, "it is required");
}

/// Either side of `else` may stand alone, and a table for one direction needs no reason.
#[test]
fn half_an_else_is_enough() {
    let snapshot = with_rows(concat!(
        "userName = \"login\"\n",
        "title = { native = \"job\", map = { A = 1 }, else = { read = \"other\" }, access = \"read\" }\n",
        "userType = { native = \"kind\", map = { A = 1 }, else = { write = 9 }, lossy = \"others are folded\" }\n",
    ));
    let user = mapping(&snapshot, "User");
    let Source::Native { codec, .. } = &row(user, "title").source else { panic!("a table") };
    assert_eq!(codec[0].decode(&serde_json::json!(5)), Ok(serde_json::json!("other")));
    assert!(codec[0].encode(&serde_json::json!("C")).is_err());
    let Source::Native { codec, .. } = &row(user, "userType").source else { panic!("a table") };
    assert_eq!(codec[0].encode(&serde_json::json!("C")), Ok(serde_json::json!(9)));
    assert!(codec[0].decode(&serde_json::json!(5)).is_err());
}

/// The lock mark in front of a stored hash, and the format of a zone: lawful rows of the harder kind.
#[test]
fn rows_that_see_the_old_native_value_are_lawful() {
    with_rows(concat!(
        "userName = \"login\"\n",
        "active = { native = \"login_key\", read = \"!native.login_key.startsWith('!')\", ",
        "write = \"(scim.active ? '' : '!') + default(native.login_key, '').replaceRe('^!+', '')\", on = [\"update\"] }\n",
        "'meta.created' = { native = \"ctime\", codec = { datetime = \"%Y-%m-%d %H:%M:%S\", zone = \"Europe/Oslo\" } }\n",
        "displayName = { native = \"d\", default = \"{default(scim.department, scim.userName)}\" }\n",
        "department = { native = \"dept\", codec = { regex = { pattern = 'D-(.*)', back = 'D-$1' } } }\n",
    ));
}

/// `{ native, access = "mirror" }`, `{ mirror = .. }`: the long and the short way to say one thing.
#[test]
fn both_spellings_of_a_mirror_mean_the_same() {
    let text = std::fs::read_to_string(folder("good").join("a-users-only.toml")).unwrap();
    let other = text.replace("{ native = \"email\", access = \"mirror\" }", "{ mirror = \"userName\" }");
    assert_ne!(text, other);
    let (long, short) = (fine(&text), fine(&other));
    let source = |snapshot: &Snapshot| format!("{:?}", mapping(snapshot, "User").rows[5].source);
    assert_eq!(source(&long), source(&short));
}

#[test]
fn a_mapping_is_compiled_once_per_backend() {
    let snapshot = fine(&root());
    assert_eq!(snapshot.routes.len(), 2);
    assert!(std::sync::Arc::ptr_eq(&snapshot.routes[0].mappings[0], &snapshot.routes[1].mappings[0]));
}

/// What other parts of the project ship: examples of deployments, and the example in the readme.
#[test]
fn what_the_project_shows_compiles() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let example = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    fine(example);
    for entry in std::fs::read_dir(root.join("deploy/examples")).unwrap() {
        let path = entry.unwrap().path().join("config.toml");
        if path.exists() {
            let text = std::fs::read_to_string(&path).unwrap();
            let compiled = compiled(&text);
            assert!(compiled.is_ok(), "{}\n{}", path.display(), render(&compiled.err().unwrap_or_default()));
        }
    }
}
