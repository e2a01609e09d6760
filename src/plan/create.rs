//! POST (RFC 7644 3.3).

use serde_json::Value;

use crate::dialect::{self, Purpose, Repairs};
use crate::expr::{Env, Name};
use crate::mapping::members::MemberSource;
use crate::mapping::{Body, BodyNode, Collision, Flow, Phase, Row, RowSet, to_native};
use crate::scim::patch::MemberChange;
use crate::scim::query::parse_projection;
use crate::scim::{Resource, ScimError};

use super::call::ScimResponse;
use super::exists::Found;
use super::lost::{Lost, Settled, Wanted};
use super::members::{Applied, Group};
use super::read::{self, MEMBERS, Object};
use super::render::Rows;
use super::run::Run;
use super::steps::{self, Progress};
use super::{ScimRequest, advice, answer, change, exists, guard, lost, members, parts, revive, show, tables, update};

#[inline]
pub(super) async fn create(run: &Run<'_>, request: &ScimRequest) -> Result<ScimResponse, ScimError> {
    let resource_type = &run.mapping.resource_type;
    let projection = parse_projection(&request.query, resource_type, &answer::query_limits(run))?;
    let body = change::json_body(run, &request.body)?;
    let mut repairs = Repairs::default();
    let normalised = dialect::resource(resource_type, body, Purpose::Create, &answer::body_limits(run), &mut repairs);
    run.record_repairs(&repairs);
    let normalised = normalised?;
    run.record_ignored(change::unmapped(run, &normalised.resource), normalised.unknown);
    let mut resource = normalised.resource;
    let members = match resource.0.remove(&*MEMBERS.attribute) {
        Some(Value::Array(members)) => members,
        _ => Vec::new(),
    };
    check_members(run, &members)?;
    change::check_mirrors(run, &resource)?;
    change::note_elements(run, &resource);
    change::check_active(run, &resource, None)?;

    let flow =
        run.mapping.ops.create.as_ref().ok_or_else(|| {
            ScimError::new(501, format!("the application offers no way to create a {}", run.type_name()))
        })?;
    let plain = Value::Object(resource.0);
    let resource = Resource::of(&plain).ok_or_else(|| ScimError::internal("a resource is no object"))?;
    let derived = derived_key(run, &plain)?;
    tables::know_names(run, resource).await?;
    guard::allow_create(run, derived.as_ref(), resource)?;
    let joining = MemberChange::Delta { add: members.clone(), remove: Vec::new() };
    if !members.is_empty() {
        Box::pin(members::permit(run, derived.as_ref(), None, &joining, &[])).await?;
    }
    let with_parts = to_native::with_parts(run.mapping, resource, &run.env())?;
    let mut progress = Progress::default();
    exists::take_turn(run, derived.as_ref(), resource, &members).await?;
    let with_members = (!members.is_empty()).then(|| with_members(resource, &members));
    let scim = with_members.as_ref().unwrap_or(&plain);
    let asked = Asked { resource, scim, derived: derived.as_ref() };
    let mut made = find_or_make(run, flow, asked, &mut progress).await?;
    run.record_id(&made.id);
    if !made.fresh && !members.is_empty() {
        Box::pin(members::permit(run, Some(&made.key), made.object.as_ref(), &joining, &[])).await?;
    }
    let resource = with_parts.as_ref().filter(|_| made.fresh).unwrap_or(resource);
    let shown = made.object.take();
    let done = follow_up(run, flow, resource, members, &made, shown).await;
    let whole = match done {
        Ok(object) => show::one(run, object, &projection).await,
        Err(error) => Err(error),
    };
    match whole {
        Ok(whole) => Ok(answer::with_resource(201, whole)),
        Err(error) => Err(Box::pin(take_back(run, &made, progress, error)).await),
    }
}

/// What is to be made.
#[derive(Clone, Copy)]
struct Asked<'a> {
    /// Without members, which rows know nothing of.
    resource: &'a Resource,
    /// The same with its members, as expressions see it.
    scim: &'a Value,
    /// The key it will have, where the mapping computes it.
    derived: Option<&'a Value>,
}

/// What expressions see of a resource that is made with members.
fn with_members(resource: &Resource, members: &[Value]) -> Value {
    let mut scim = resource.0.clone();
    scim.insert(MEMBERS.attribute.to_string(), Value::Array(members.to_vec()));
    Value::Object(scim)
}

/// What the create call left behind.
struct Made {
    id: String,
    key: Value,
    /// What the replies so far show of it.
    object: Option<Object>,
    /// Whether this request made it; it is an existing one otherwise.
    fresh: bool,
    /// Whether it was gone, and nothing of its former life is to stay.
    revived: bool,
}

impl Made {
    fn existing(holder: Object) -> Self {
        Self { id: holder.id.clone(), key: holder.key.clone(), object: Some(holder), fresh: false, revived: false }
    }
}

async fn find_or_make<'f>(
    run: &Run<'_>,
    flow: &'f Flow,
    asked: Asked<'_>,
    progress: &mut Progress<'f>,
) -> Result<Made, ScimError> {
    let Asked { resource, derived, .. } = asked;
    // Boxed, like all that is rare, or every create would be as large as a revival.
    if (run.mapping.exists.is_some() || exists::looks_for_key(run, derived))
        && let Some(found) = Box::pin(exists::before(run, derived, resource)).await?
    {
        return Box::pin(used(run, found, resource)).await;
    }
    match make_surely(run, flow, asked, progress).await {
        // Somebody else was faster, outside this adapter: it ends as if the look had come later.
        Err(error) if error.status == 409 && progress.done.is_empty() => {
            let found = match Box::pin(exists::held(run, derived, resource)).await? {
                Some(found) => found,
                None => Box::pin(exists::gone(run, derived)).await?.ok_or(error)?,
            };
            Box::pin(used(run, found, resource)).await
        }
        made => made,
    }
}

/// What is there already instead of a new object, brought back if it was gone.
async fn used(run: &Run<'_>, found: Found, resource: &Resource) -> Result<Made, ScimError> {
    match found {
        Found::Live(holder) => Ok(Made::existing(holder)),
        Found::Gone(gone) => {
            let holder = revive::revive(run, &gone, resource).await?;
            Ok(Made { revived: true, ..Made::existing(holder) })
        }
    }
}

/// Makes the object. Where the answer is lost, it is looked for before anything is sent again: once.
async fn make_surely<'f>(
    run: &Run<'_>,
    flow: &'f Flow,
    asked: Asked<'_>,
    progress: &mut Progress<'f>,
) -> Result<Made, ScimError> {
    // Calls that may be repeated have been.
    let mut may_repeat = flow.own_call().is_some_and(|call| !call.idempotent) && run.backend.idempotency.is_none();
    loop {
        let made = make(run, flow, asked, progress).await;
        let (error, lost) = match (made, progress.lost) {
            (Err(error), Some(lost)) => (error, lost),
            (made, _) => return made,
        };
        let wanted = Wanted { derived: asked.derived, resource: asked.resource, is_one_call: flow.steps.len() == 1 };
        match Box::pin(lost::settle(run, lost, &wanted, error)).await {
            Settled::Made(object) => {
                let (id, key) = (object.id.clone(), object.key.clone());
                return Ok(Made { id, key, object: Some(*object), fresh: true, revived: false });
            }
            Settled::Nothing(_) if may_repeat => {
                run.note("the answer to the create was lost, and nothing was made: it is sent again");
                may_repeat = false;
            }
            Settled::Nothing(error) | Settled::Failed(error) => return Err(error),
        }
    }
}

/// What was made on the way to something else, or was there by then.
pub(super) struct OnTheWay {
    pub(super) id: String,
    pub(super) key: Value,
    /// Whether this request made it.
    pub(super) fresh: bool,
}

/// Makes an object on the way to something else, with everything that a create of its own sends. One that is there is
/// used as it is: nobody has asked to change it. `note` is said when something is made.
///
/// # Errors
/// What a create fails with.
pub(super) async fn on_the_way(run: &Run<'_>, resource: &Resource, note: String) -> Result<OnTheWay, ScimError> {
    let flow = run.mapping.ops.create.as_ref();
    let flow = flow.ok_or_else(|| ScimError::internal(format!("{}: no create", run.mapping.origin)))?;
    let scim = &Value::Object(resource.0.clone());
    let derived = derived_key(run, scim)?;
    let derived = derived.as_ref();
    tables::know_names(run, resource).await?;
    guard::allow_create(run, derived, resource)?;
    if (run.mapping.exists.is_some() || exists::looks_for_key(run, derived))
        && let Some(found) = exists::there(run, derived, resource).await?
    {
        return Ok(OnTheWay { id: found.id, key: found.key, fresh: false });
    }
    run.note(note);
    let with_parts = to_native::with_parts(run.mapping, resource, &run.env())?;
    let mut progress = Progress::default();
    let mut made = match make_surely(run, flow, Asked { resource, scim, derived }, &mut progress).await {
        // Somebody else was faster, or it is here under a key that nobody knew.
        Err(error) if error.status == 409 && progress.done.is_empty() => {
            let found = exists::there(run, derived, resource).await?.ok_or(error)?;
            return Ok(OnTheWay { id: found.id, key: found.key, fresh: false });
        }
        made => made?,
    };
    let shown = made.object.take();
    let resource = with_parts.as_ref().unwrap_or(resource);
    match send_unsent(run, unsent(run, flow, resource), resource, &made, shown).await {
        Ok(_) => Ok(OnTheWay { id: made.id, key: made.key, fresh: true }),
        Err(error) => Err(take_back(run, &made, progress, error).await),
    }
}

/// Members that cannot be ids of their type are refused before anything is made.
fn check_members(run: &Run<'_>, elements: &[Value]) -> Result<(), ScimError> {
    match (&run.mapping.members, elements.is_empty()) {
        (Some(members), false) => members::check_ids(run, members, elements),
        _ => Ok(()),
    }
}

/// The key a new object will have, where the mapping computes it.
fn derived_key(run: &Run<'_>, scim: &Value) -> Result<Option<Value>, ScimError> {
    let Some(template) = &run.mapping.id.derive else { return Ok(None) };
    let env = Env { scim: Some(scim), ..run.env() };
    let text = template
        .text(&env)
        .map_err(|error| ScimError::internal(format!("mapping error at {}: {error}", run.mapping.origin)))?;
    let text = text.unwrap_or_default();
    let in_a_path = !text.contains('/') || run.mapping.id.encoded;
    let fits = !text.is_empty() && in_a_path && text != "." && text != "..";
    let key = if fits { run.mapping.id.key(&Value::from(text.as_str())) } else { None };
    key.map(Some).ok_or_else(|| {
        ScimError::invalid_value(format!(
            "the application cannot use '{text}' as the key of a {}; change the attribute it is made from",
            run.type_name()
        ))
    })
}

async fn make<'f>(
    run: &Run<'_>,
    flow: &'f Flow,
    asked: Asked<'_>,
    progress: &mut Progress<'f>,
) -> Result<Made, ScimError> {
    let Asked { resource, scim, derived } = asked;
    let env = Env { id: derived, scim: Some(scim), ..run.env() };
    let rows = to_native::create_rows(run.mapping);
    let mut document = to_native::document(run.mapping, rows, resource, None, to_native::Purpose::Create, &env)?;
    run.native.trace(|trace| trace.created(run.mapping, run.mapping.with_value(rows, resource), &document));
    with_key(run, flow, derived, &mut document);
    let rows = Rows::new(&document, &document);
    let made = steps::carry_out(run, flow, "the create", &env, rows, progress).await;
    let key = progress.key.clone().or_else(|| derived.cloned());
    let made = made.and_then(|outcome| Ok((outcome, key.ok_or_else(|| steps::unknown_id(run))?)));
    let (outcome, key) = match made {
        Ok(made) => made,
        // Made, as far as is known, and yet nobody knows what: that is looked for.
        Err(error) if progress.lost.is_some() || nameless(flow, derived, progress) => {
            progress.lost = progress.lost.or(Some(Lost::Nameless));
            return Err(error);
        }
        Err(error) => return Err(Box::pin(not_made(run, derived, progress, error)).await),
    };
    let object = outcome.last.and_then(|(call, reply)| read::object_in(run, &call.envelope.item, reply));
    let id = run.id_of(&key).unwrap_or_default();
    // A later step may answer with something else.
    let object = object.filter(|object| object.id == id);
    Ok(Made { id, key, object, fresh: true, revived: false })
}

/// Whether an object was made whose id is not known, and which cannot be taken back; the error says so itself.
fn nameless(flow: &Flow, derived: Option<&Value>, progress: &Progress<'_>) -> bool {
    let unknown = progress.key.is_none() && derived.is_none();
    unknown && flow.has_own_call && !progress.done.is_empty() && !progress.is_undoable()
}

/// A create of several calls that ended on the way.
async fn not_made(run: &Run<'_>, derived: Option<&Value>, progress: &mut Progress<'_>, error: ScimError) -> ScimError {
    let key = progress.key.clone().or_else(|| derived.cloned());
    if progress.done.is_empty() {
        return error;
    }
    let done = progress.done.join(", ");
    let who = key.as_ref().and_then(|key| run.id_of(key)).map_or_else(String::new, |id| format!(" {id}"));
    let what = format!("{}{who} was created in part ({done})", run.type_name());
    undone(run, key.as_ref(), &what, progress, error).await
}

/// The object exists, but not everything about it was carried out: it is taken back where the mapping says how, and
/// the client is told either way.
async fn take_back(run: &Run<'_>, made: &Made, mut progress: Progress<'_>, mut error: ScimError) -> ScimError {
    if !made.fresh {
        let how = if made.revived { "was revived" } else { "was there already" };
        error.detail = format!("{} {} {how}, and is not complete: {}", run.type_name(), made.id, error.detail);
        return error;
    }
    let what = format!("{} {} was created, but not completed", run.type_name(), made.id);
    undone(run, Some(&made.key), &what, &mut progress, error).await
}

/// Undoes what can be undone, and says in the error what became of it.
async fn undone(
    run: &Run<'_>,
    key: Option<&Value>,
    what: &str,
    progress: &mut Progress<'_>,
    mut error: ScimError,
) -> ScimError {
    // The client repeats a create, which is no retry of what came after it.
    let is_found_again = run.mapping.exists.as_ref().is_some_and(|exists| exists.adopt)
        || (run.mapping.id.derive.is_some() && run.mapping.id.collision == Collision::Reuse);
    if progress.is_undoable() || !is_found_again {
        advice::withdraw(&mut error.detail);
    }
    if !progress.is_undoable() {
        error.detail = format!("{what}: {}", error.detail);
        return error;
    }
    error.detail = match progress.take_back(run, &Env { id: key, ..run.env() }).await {
        Ok(()) => format!("{what}, and was taken back: {}", error.detail),
        Err(failure) => {
            run.note(format!("{what}, and could not be taken back: {}", failure.detail));
            format!(
                "{what}: {}; taking it back failed too ({}), so it has to be removed in the application",
                error.detail, failure.detail
            )
        }
    };
    error
}

/// A key that the adapter computed travels in the document, unless the call carries it in its path.
fn with_key(run: &Run<'_>, flow: &Flow, derived: Option<&Value>, document: &mut Value) {
    let native = &run.mapping.id.native;
    let in_path = flow.calls().any(|call| call.segments.iter().any(|segment| segment.uses(Name::Id)));
    if let Some(key) = derived.filter(|_| !in_path && native.get(document).is_none_or(Value::is_null)) {
        native.put(document, Some(key.clone()));
    }
}

/// Phases after the create call; answers with the object as it then is. Rows that are still unsent and members are
/// sent in any case; `then` puts them in another order.
async fn follow_up(
    run: &Run<'_>,
    flow: &Flow,
    resource: &Resource,
    members: Vec<Value>,
    made: &Made,
    mut object: Option<Object>,
) -> Result<Object, ScimError> {
    let members_first = flow.then.iter().find(|phase| **phase != Phase::Get) == Some(&Phase::Members);
    let (first, second) = if members_first { (Phase::Members, Phase::Update) } else { (Phase::Update, Phase::Members) };
    for phase in [first, second] {
        object = match phase {
            Phase::Update => match unsent(run, flow, resource) {
                0 => object,
                pending => Box::pin(send_unsent(run, pending, resource, made, object)).await?,
            },
            _ => add_members(run, flow, &members, made, object).await?,
        };
    }
    match object.filter(|_| !flow.then.contains(&Phase::Get)) {
        Some(object) => Ok(object),
        None => Box::pin(read::find_by_key(run, &made.key)).await?.ok_or_else(|| run.not_found(&made.id)),
    }
}

/// Sends the rows that the create call did not carry, as far as they are not there yet.
async fn send_unsent(
    run: &Run<'_>,
    pending: RowSet,
    resource: &Resource,
    made: &Made,
    object: Option<Object>,
) -> Result<Option<Object>, ScimError> {
    if pending == 0 {
        return Ok(object);
    }
    let known = match object {
        Some(object) => object,
        None => read::find_by_key(run, &made.key).await?.ok_or_else(|| run.not_found(&made.id))?,
    };
    let known = if pending & run.mapping.part_rows() == 0 { known } else { parts::with_all(run, known).await? };
    let old = read::base(run, &known);
    let differing = pending_rows(run, &old, resource, pending);
    if differing == 0 {
        return Ok(Some(known));
    }
    update::send(run, &made.key, resource, Some((&known, &old)), differing).await
}

async fn add_members(
    run: &Run<'_>,
    flow: &Flow,
    elements: &[Value],
    made: &Made,
    object: Option<Object>,
) -> Result<Option<Object>, ScimError> {
    if (elements.is_empty() && !made.revived) || run.mapping.members.is_none() {
        return Ok(object);
    }
    // Whoever the call has named may be in it: that is seen before anybody is added again.
    let named = made.fresh && names_members(flow);
    let known = object.clone().filter(|object| !named || shows_members(run, object));
    let group = Group { run, id: &made.id, key: &made.key, known, is_new: made.fresh && !named, look: named };
    let change = if made.revived {
        MemberChange::Set(elements.to_vec())
    } else {
        MemberChange::Delta { add: elements.to_vec(), remove: Vec::new() }
    };
    // Boxed, or every write would be as large as a change of members.
    let Applied { sent, read, .. } = Box::pin(members::apply(group, change, &[])).await?;
    Ok(read.or(object).filter(|_| !sent || members::outlasts_members(run)))
}

/// Whether a create says in its own way who is in the group.
fn names_members(flow: &Flow) -> bool {
    let mut found = false;
    flow.each_path(Name::Scim, &mut |path| found |= path.first().is_some_and(|name| **name == *MEMBERS.attribute));
    found
}

/// Whether an object as a reply showed it says who its members are, where the object says so at all.
fn shows_members(run: &Run<'_>, object: &Object) -> bool {
    run.mapping.members.as_ref().is_none_or(|members| match &members.source {
        MemberSource::Native(path) => path.find(&object.document).is_some(),
        MemberSource::List(_) => true,
    })
}

/// Rows with a value that the create call did not carry and an update can, or that a rule sends besides.
fn unsent(run: &Run<'_>, flow: &Flow, resource: &Resource) -> RowSet {
    let carried = flow.calls().any(|call| carries_rows(&call.body));
    let sent = if carried { to_native::create_rows(run.mapping) } else { 0 };
    let rows = (to_native::update_rows(run.mapping) & !sent) | run.mapping.sends.by_rules_on_create;
    run.mapping.with_value(rows, resource) | asked_off(run, resource)
}

/// Rows of `active` where somebody is made who shall not come in. Some applications switch everybody on who is made,
/// whatever the call says, and that nobody may overlook.
fn asked_off(run: &Run<'_>, resource: &Resource) -> RowSet {
    let off = |row: &Row| change::value(run, row, resource).as_deref() == Some(&Value::Bool(false));
    let rows = run.mapping.rows_in(run.mapping.sends.active).filter(|(_, row)| off(row));
    rows.fold(0, |set, (index, _)| set | 1 << index)
}

fn carries_rows(body: &Body) -> bool {
    match body {
        Body::None => false,
        Body::Rows => true,
        Body::Built(node) => matches!(node, BodyNode::Object { .. }),
    }
}

fn pending_rows(run: &Run<'_>, old: &Resource, resource: &Resource, pending: RowSet) -> RowSet {
    run.mapping
        .rows_in(pending)
        .filter(|(_, row)| change::value(run, row, old) != change::value(run, row, resource))
        .fold(0, |set, (index, _)| set | 1 << index)
}
