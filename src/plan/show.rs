//! Resources as the client sees them.
//!
//! In: native objects and a projection. Out: text. Where everything is shown, a resource is written as its native
//! document is read; otherwise it is built and projected first. A page is written object by object, so that no more
//! than one resource is there at a time.

use serde_json::Value;

use crate::expr::Env;
use crate::mapping::from_native::{About, ReadFault, Version, Writer};
use crate::mapping::layout::Layout;
use crate::scim::projection::Projection;
use crate::scim::{Listing, Resource, ScimError};

use super::call::Content;
use super::read::{self, Object};
use super::run::Run;
use super::{answer, complete};

/// A resource on its way to the client.
pub(super) struct Shown {
    pub(super) location: String,
    pub(super) version: Option<String>,
    pub(super) body: Content,
}

/// The resource of one object.
pub(super) async fn one(run: &Run<'_>, object: Object, projection: &Projection) -> Result<Shown, ScimError> {
    let Some(layout) = layout(run, projection) else {
        let resource = Box::pin(read::one(run, object, projection)).await?;
        let location = run.location(resource.id().unwrap_or_default());
        let version = answer::version(&resource).map(str::to_owned);
        return Ok(Shown { location, version, body: Content::Tree(projected(run, projection, resource)) });
    };
    let wants = read::shown_by(run, projection);
    let id = object.id.clone();
    let object = complete::settled(run, vec![object], || complete::wanted(run, &wants)).await?.pop();
    let object = object.ok_or_else(|| run.not_found(&id))?;
    let related = read::related(run, std::slice::from_ref(&object), wants).await?;
    let (location, mut text) = (run.location(&object.id), Vec::with_capacity(TEXT_BYTES));
    let placed = Placed { object: &object, location: &location };
    let mut writer = Writer::default();
    let version = related.of_each().map(|of| write(run, layout, &mut writer, placed, of, &mut text)).next();
    Ok(Shown { location, version: version.flatten(), body: Content::Text(text) })
}

/// Adds the resources of objects to a page.
pub(super) async fn all(
    run: &Run<'_>,
    objects: Vec<Object>,
    projection: &Projection,
    page: &mut Listing,
) -> Result<(), ScimError> {
    let wants = read::shown_by(run, projection);
    let Some(layout) = layout(run, projection) else {
        let resources = Box::pin(read::whole(run, objects, wants)).await?;
        for resource in resources {
            page.push(&projected(run, projection, resource));
        }
        return Ok(());
    };
    let objects = complete::settled(run, objects, || complete::wanted(run, &wants)).await?;
    let related = read::related(run, &objects, wants).await?;
    let mut writer = Writer::default();
    let more = objects.len();
    for (index, (object, of)) in objects.into_iter().zip(related.of_each()).enumerate() {
        if index == 1 {
            page.reserve(more);
        }
        let placed = Placed { object: &object, location: &run.location(&object.id) };
        page.write(|text| drop(write(run, layout, &mut writer, placed, of, text)));
    }
    Ok(())
}

/// What is shown of a resource that was built.
pub(super) fn projected(run: &Run<'_>, projection: &Projection, resource: Resource) -> Value {
    Value::Object(projection.apply(&run.mapping.resource_type, resource).0)
}

fn layout<'a>(run: &Run<'a>, projection: &Projection) -> Option<&'a Layout> {
    run.mapping.layout.as_ref().filter(|_| *projection == Projection::All)
}

/// An object and where its resource is.
#[derive(Clone, Copy)]
struct Placed<'a> {
    object: &'a Object,
    location: &'a str,
}

/// Writes one resource; answers with its version.
fn write(
    run: &Run<'_>,
    layout: &Layout,
    writer: &mut Writer,
    Placed { object, location }: Placed<'_>,
    (members, groups): (Vec<Value>, Vec<Value>),
    text: &mut Vec<u8>,
) -> Option<String> {
    #[cfg(test)]
    let start = text.len();
    let env = Env { id: Some(&object.key), ..run.env() };
    let own = object.version.as_deref().map(answer::entity_tag);
    let version = match &own {
        Some(own) => Version::Own(own),
        // One computed without everything would not change with what is missing.
        None if object.lacks.is_some() => Version::None,
        None => Version::Computed,
    };
    let about = About { id: &object.id, location, version, members: &members, groups: &groups };
    let written = writer.write((run.mapping, layout), &object.document, &about, &env, text);
    note_faults(run, object, written.faults);
    run.native.trace(|trace| trace.read_rows(run.mapping, written.read));
    #[cfg(test)]
    tests::check(run, object, (members, groups), text.get(start..).unwrap_or_default());
    own.or(written.version)
}

/// Says which rows were left out of a resource.
pub(super) fn note_faults(run: &Run<'_>, object: &Object, faults: Vec<ReadFault>) {
    for fault in faults {
        let row = run.mapping.rows.get(fault.row).map(|row| row.origin.to_string()).unwrap_or_default();
        run.note(format!("{row}: left out of {}: {}", object.id, fault.reason));
    }
}

/// Room for most resources.
const TEXT_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::mapping::from_native;
    use crate::plan::call::{NativeOutcome, NativeReply};
    use crate::plan::harness::{drive, ok, snapshot};
    use crate::plan::marks::Marks;

    /// Every plan that a test drives is also a test of this: what is written as it is read is what would have been
    /// built and projected.
    pub(super) fn check(run: &Run<'_>, object: &Object, (members, groups): (Vec<Value>, Vec<Value>), text: &[u8]) {
        let env = Env { id: Some(&object.key), ..run.env() };
        let mut resource = from_native::resource(run.mapping, &object.document, &env, &mut Vec::new());
        resource.0.insert("id".to_owned(), Value::from(object.id.as_str()));
        for (path, elements) in [(&*read::MEMBERS, members), (&*read::GROUPS, groups)] {
            if !elements.is_empty() {
                resource.set(path, Some(Value::Array(elements)));
            }
        }
        answer::finish(run, &mut resource, object, object.lacks.is_none());
        let built = projected(run, &Projection::All, resource);
        assert_eq!(std::str::from_utf8(text).unwrap(), built.to_string());
    }

    const MAPPED: &str = "
        [backend.app]
        url = 'https://app.example'
        [resource.User]
        path = '/people'
        attrs.userName = 'login'
        attrs.displayName = 'label'
        attrs.name = 'name'
        attrs.addresses = 'places'
        [resource.User.ops]
        get = 'GET {path}/{id}'
        update = 'PATCH {path}/{id}'
    ";

    #[test]
    fn how_a_reply_is_spelled_does_not_show() {
        let snapshot = snapshot(MAPPED);
        let body = |outcome: &NativeOutcome| {
            let (response, _) =
                drive(&snapshot, &mut Marks::default(), ("GET", "/scim/Users/7", &Value::Null), &mut |_| {
                    outcome.clone()
                });
            assert!(matches!(response.body, Some(Content::Text(_))), "{response:?}");
            (response.headers, response.body.map(Content::into_bytes))
        };
        for text in [
            "{\"id\":7,\"login\":\"\u{7f}\u{80}\u{2028}\u{1f600}/\",\"label\":\"\"}",
            r#"{"login":"a\/b\u0041\u007f\ud83d\ude00\u2028\u0000\b\f\u001F\"\\","id":7}"#,
            r#"{"places":[{"type":"work","street\u0041ddress":"x","country":"","locality":null},{}, null],"login":"a","id":"7"}"#,
            r#"{"name":{"givenName":"z","familyName":"\/","formatted":"é"},"label":"a","login":"b","id":7,"x":{"id":1}}"#,
            r#"{"id":1,"login":"a","name":{"familyName":"1","familyName":"2"},"\u0069d":7}"#,
            r#"{"id":7,"login":"a","places":[{"region":1.0,"locality":-0,"country":1e2,"primary":true}]}"#,
        ] {
            let parsed = Document::parse(text).unwrap();
            let reply = NativeReply { status: 200, body: parsed, ..NativeReply::default() };
            assert_eq!(body(&NativeOutcome::Reply(reply)), body(&ok(serde_json::from_str(text).unwrap())), "{text}");
        }
    }
}
