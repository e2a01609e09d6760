//! Properties of paging: for every style, and for applications that clamp sizes, have sizes of their own, or say
//! nothing about totals, the pages of a client are the whole collection, once each.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::config::Snapshot;
use crate::plan::call::{NativeCall, NativeOutcome, ScimResponse};
use crate::plan::harness::{drive, ok, parameter, snapshot};
use crate::plan::marks::Marks;

const STYLES: [&str; 7] = ["page0", "page1", "offset0", "offset1", "cursor", "link", "none"];
const TOTALS: [&str; 3] = ["total", "walk", "open"];
/// The largest size that the configurations say.
const MAX: usize = 7;

/// By style, total, and whether the call carries a size.
static SNAPSHOTS: LazyLock<Vec<Arc<Snapshot>>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for style in STYLES {
        for total in TOTALS {
            for sized in [true, false] {
                all.push(configured(style, total, sized, ""));
            }
        }
    }
    all
});

fn configured(style: &str, total: &str, sized: bool, more: &str) -> Arc<Snapshot> {
    let size = if sized { "size = \"size\"," } else { "" };
    let total = if style == "none" && total == "open" { "walk" } else { total };
    let paging = match style {
        "page0" | "page1" => format!("style = \"page\", page = \"page\", {size} first = {}, max = {MAX}", &style[4..]),
        "offset0" | "offset1" => format!("style = \"offset\", {size} first = {}, max = {MAX}", &style[6..]),
        "cursor" => format!("style = \"cursor\", cursor = \"after\", next = \"next\", {size} max = {MAX}"),
        "link" => format!("style = \"link\", next = \"next\", {size} max = {MAX}"),
        _ => "style = \"none\"".to_owned(),
    };
    snapshot(&format!(
        "[backend.app]\nurl = \"http://app.example/api\"\nenvelope = {{ items = \"data\", item = \"data\" }}\n\
         paging = {{ {paging}, total = \"{total}\"{more} }}\n\
         [resource.User]\npath = \"/users\"\nattrs = {{ userName = {{ native = \"login\", access = \"read\" }} }}\n\
         ops = {{ list = \"GET /users\" }}\nfilter = {{ '*' = {{ scan = {{ max = 1000 }} }} }}\n",
    ))
}

/// An application with so many users.
#[derive(Clone, Copy, Debug)]
struct App {
    style: usize,
    users: usize,
    /// The largest page it serves.
    cap: usize,
    /// Whether it reads the size at all.
    reads_size: bool,
    /// Whether the last marker leads to an empty page.
    marks_the_end: bool,
}

impl App {
    fn answer(&self, call: &NativeCall) -> NativeOutcome {
        let number = |name: &str| parameter(call, name).and_then(|text| text.parse::<usize>().ok());
        let asked = number("size").filter(|_| self.reads_size).unwrap_or(self.cap);
        assert_ne!(asked, 0, "size 0 was asked for: {}", call.target);
        let size = asked.min(self.cap);
        let style = STYLES[self.style];
        let (start, size) = match style {
            "page0" | "page1" => ((number("page").unwrap() - usize::from(style == "page1")).saturating_mul(size), size),
            "offset0" | "offset1" => (number("offset").unwrap() - usize::from(style == "offset1"), size),
            "cursor" | "link" => (number("after").unwrap_or(0), size),
            _ => (0, usize::MAX),
        };
        let end = start.saturating_add(size).min(self.users);
        let users: Vec<Value> = (start..end).map(user).collect();
        let more = end < self.users || (self.marks_the_end && !users.is_empty());
        let next = match style {
            "link" if more => json!(format!("https://elsewhere.example/api/users?after={end}&size={size}")),
            "cursor" if more => json!(end),
            _ => Value::Null,
        };
        ok(json!({ "data": users, "total": self.users, "next": next }))
    }
}

fn user(number: usize) -> Value {
    json!({ "id": format!("u{number}"), "login": format!("login{number}") })
}

fn ids(response: &ScimResponse) -> Vec<String> {
    assert_eq!(response.status, 200, "{:?}", response.body);
    let resources =
        response.body.as_ref().and_then(|body| body.tree()["Resources"].as_array().cloned()).unwrap_or_default();
    resources.iter().map(|resource| resource["id"].as_str().unwrap().to_owned()).collect()
}

fn total(response: &ScimResponse) -> usize {
    usize::try_from(response.body.as_ref().unwrap().tree()["totalResults"].as_u64().unwrap()).unwrap()
}

fn any_app() -> impl Strategy<Value = App> {
    let numbers = (0..STYLES.len(), 0..34usize, 1..12usize);
    (numbers, any::<bool>(), any::<bool>()).prop_map(|((style, users, cap), reads_size, marks_the_end)| App {
        style,
        users,
        cap,
        reads_size,
        marks_the_end,
    })
}

fn of(app: &App, total: usize, sized: usize) -> &'static Arc<Snapshot> {
    &SNAPSHOTS[(app.style * TOTALS.len() + total) * 2 + sized]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn the_pages_of_a_client_are_the_whole_collection(
        app in any_app(), total_kind in 0..3usize, sized in 0..2usize, sizes in prop::collection::vec(1..11usize, 1..4),
        remembers in any::<bool>(),
    ) {
        let snapshot = of(&app, total_kind, sized);
        let mut marks = Marks::default();
        let (mut start, mut seen, mut turn) = (1, Vec::new(), 0);
        loop {
            let count = sizes[turn % sizes.len()];
            turn += 1;
            let target = format!("/scim/Users?attributes=userName&startIndex={start}&count={count}");
            let (response, calls) =
                drive(snapshot, &mut marks, ("GET", &target, &Value::Null), &mut |call| app.answer(call));
            if !remembers {
                marks = Marks::default();
            }
            let page = ids(&response);
            prop_assert!(page.len() <= count);
            // Reading all of it page by page, twice, and a few pages to learn their size, is as bad as it gets.
            let once = app.users.div_ceil(app.cap.min(count).min(MAX)) + 1;
            prop_assert!(calls <= 2 * once + 6, "{calls} calls");
            start += page.len();
            let total = total(&response);
            let empty = page.is_empty();
            seen.extend(page);
            prop_assert!(total_kind == 2 || total == app.users, "{total}");
            prop_assert!(total >= seen.len());
            if empty || start > total {
                break;
            }
        }
        prop_assert_eq!(seen, (0..app.users).map(|number| format!("u{number}")).collect::<Vec<_>>());
    }

    #[test]
    fn any_stretch_is_the_one_asked_for(
        app in any_app(), total_kind in 0..3usize, sized in 0..2usize, start in 1..60usize, count in 0..12usize,
    ) {
        let snapshot = of(&app, total_kind, sized);
        let target = format!("/scim/Users?startIndex={start}&count={count}");
        let (response, _) =
            drive(snapshot, &mut Marks::default(), ("GET", &target, &Value::Null), &mut |call| app.answer(call));
        let expected: Vec<String> = (start - 1..app.users).take(count).map(|number| format!("u{number}")).collect();
        prop_assert_eq!(ids(&response), expected);
        prop_assert!(total_kind == 2 || total(&response) == app.users);
    }

    #[test]
    fn cursors_reach_everything(app in any_app(), total_kind in 0..3usize, sized in 0..2usize, count in 1..11usize) {
        let snapshot = of(&app, total_kind, sized);
        let mut marks = Marks::default();
        let (mut cursor, mut seen) = (String::new(), Vec::new());
        loop {
            let target = format!("/scim/Users?cursor={cursor}&count={count}");
            let (response, _) =
                drive(snapshot, &mut marks, ("GET", &target, &Value::Null), &mut |call| app.answer(call));
            seen.extend(ids(&response));
            match response.body.as_ref().and_then(|body| body.tree()["nextCursor"].as_str().map(str::to_owned)) {
                Some(next) => cursor = next,
                None => break,
            }
        }
        prop_assert_eq!(seen, (0..app.users).map(|number| format!("u{number}")).collect::<Vec<_>>());
    }
}

fn list(
    snapshot: &Arc<Snapshot>,
    query: &str,
    app: &mut dyn FnMut(&NativeCall) -> NativeOutcome,
) -> (u16, Value, usize) {
    let target = format!("/scim/Users?{query}");
    let (response, calls) = drive(snapshot, &mut Marks::default(), ("GET", &target, &Value::Null), app);
    (response.status, response.body.map(|body| body.tree().into_owned()).unwrap_or_default(), calls)
}

#[test]
fn a_known_place_saves_the_way_there() {
    let app = App { style: 4, users: 30, cap: 5, reads_size: true, marks_the_end: false };
    let snapshot = configured("cursor", "total", true, "");
    let mut marks = Marks::default();
    let mut calls = |query: &str| {
        let target = format!("/scim/Users?{query}");
        drive(&snapshot, &mut marks, ("GET", &target, &Value::Null), &mut |call| app.answer(call)).1
    };
    assert_eq!(calls("startIndex=21&count=5"), 5, "from the beginning");
    assert_eq!(calls("startIndex=26&count=5"), 1, "from where the last page ended");
    assert_eq!(calls("startIndex=13&count=5"), 2, "from the page before");
}

#[test]
fn a_marker_that_the_application_has_forgotten_is_no_failure() {
    let app = App { style: 4, users: 12, cap: 5, reads_size: true, marks_the_end: false };
    let snapshot = configured("cursor", "total", true, "");
    let mut marks = Marks::default();
    let mut forgetful = false;
    for _ in 0..2 {
        let request = ("GET", "/scim/Users?startIndex=11&count=5", &Value::Null);
        let (response, _) = drive(&snapshot, &mut marks, request, &mut |call| match app.answer(call) {
            NativeOutcome::Reply(reply) if forgetful && parameter(call, "after").as_deref() == Some("10") => {
                forgetful = false;
                NativeOutcome::Reply(crate::plan::call::NativeReply { status: 410, ..reply })
            }
            other => other,
        });
        assert_eq!(ids(&response), ["u10", "u11"]);
        forgetful = true;
    }
}

#[test]
fn lists_that_do_not_get_on_are_errors() {
    let page =
        |from: usize, next: Value| ok(json!({ "data": (from..from + 7).map(user).collect::<Vec<_>>(), "next": next }));
    // Two markers in turn.
    let mut turn = 0;
    let (status, body, calls) = list(&configured("cursor", "walk", true, ""), "", &mut |_| {
        turn += 1;
        page(7 * turn, json!(format!("m{}", turn % 2)))
    });
    assert_eq!((status, calls), (502, 3), "{body}");
    assert!(body["detail"].as_str().unwrap().contains("page marker"), "{body}");
    // A full page for ever.
    let (status, body, calls) = list(&configured("page1", "walk", true, ""), "", &mut |_| page(0, Value::Null));
    assert_eq!((status, calls), (502, 2), "{body}");
    // A page of many, and nothing that leads on.
    for style in ["cursor", "none"] {
        let (status, body, _) =
            list(&configured(style, "total", true, ""), "", &mut |_| ok(json!({ "data": [user(1)], "total": 9 })));
        assert_eq!(status, 502, "{body}");
        assert!(body["detail"].as_str().unwrap().contains("1 of 9"), "{body}");
    }
}

#[test]
fn the_end_of_a_list_without_a_total() {
    let short = |call: &NativeCall| {
        ok(json!({ "data": if parameter(call, "page").as_deref() == Some("1") { vec![user(1)] } else { vec![] } }))
    };
    let count = |more: &str, app: &mut dyn FnMut(&NativeCall) -> NativeOutcome| {
        let (status, body, calls) = list(&configured("page1", "walk", true, more), "", app);
        assert_eq!((status, &body["totalResults"]), (200, &json!(1)), "{body}");
        calls
    };
    assert_eq!(count("", &mut { short }), 2, "only an empty page is the end");
    assert_eq!(count(", end = \"short\"", &mut { short }), 1, "unless the mapping knows better");
    assert_eq!(count("", &mut |_| ok(json!({ "data": [user(1)] }))), 2, "or the parameter is not known");
}

#[test]
fn counting_is_bounded() {
    let app = App { style: 1, users: 2000, cap: 7, reads_size: true, marks_the_end: false };
    let (status, body, calls) = list(&configured("page1", "walk", true, ""), "count=1", &mut |call| app.answer(call));
    assert_eq!((status, body["scimType"].as_str()), (400, Some("tooMany")));
    assert!(calls <= 1000 / 7 + 1);
    let (status, _, calls) = list(&configured("page1", "open", true, ""), "count=1", &mut |call| app.answer(call));
    assert_eq!((status, calls), (200, 1), "an open list is not counted");
}
