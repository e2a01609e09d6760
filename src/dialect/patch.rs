//! Canonical operations from the body of a PATCH.
//!
//! In: a `PatchOp` message as sent. Out: operations that each name one attribute and carry a value of its type. The
//! resource is not looked at: whether a filter matches is for [`crate::scim::patch::apply`].

use serde_json::{Map, Value};

use super::catalogue::{Repair, Repairs};
use super::expand::{Assignment, clear_schema, expand, expand_schema, note_bare_extension, note_legacy};
use super::notes::{At, Notes, ReadOnly};
use super::shape::{Object, Shaped, removal_list, shape, single};
use crate::scim::filter::FilterLimits;
use crate::scim::patch::{self as scim_patch, PatchOp, PatchPath, PatchPathError, PatchTarget};
use crate::scim::{AttrPath, Bound, ResourceType, ScimError, ScimType};

/// Bounds on one body: a PATCH, or a resource, which has no operations.
#[derive(Clone, Debug)]
pub struct PatchLimits {
    /// Entries of `Operations`.
    pub max_operations: usize,
    /// Elements of multi-valued attributes in the whole body together.
    pub max_values: usize,
    /// Bounds on each value filter.
    pub filter: FilterLimits,
}

impl Default for PatchLimits {
    fn default() -> Self {
        Self { max_operations: 1000, max_values: 100_000, filter: FilterLimits::default() }
    }
}

/// Canonical operations and what else the body said.
#[derive(Clone, Debug, PartialEq)]
pub struct NormalisedPatch {
    /// The operations, in order.
    pub ops: Vec<PatchOp>,
    /// Names that no schema knows in objects without a path, ignored; at most a few dozen are listed.
    pub unknown: Vec<String>,
}

/// Normalises a PATCH body. `resource_id` is the id in the URL: a client may restate it.
///
/// # Errors
/// 400 `invalidSyntax` (no operations, unknown `op`), 413 (bounds), `noTarget` (remove without path),
/// `invalidPath` and `invalidFilter` (a path that names nothing), `mutability` (a path to something read-only),
/// `invalidValue` (value missing, of the wrong type, or clearing something required).
pub fn patch(
    rt: &ResourceType,
    body: Value,
    limits: &PatchLimits,
    resource_id: Option<&str>,
    repairs: &mut Repairs,
) -> Result<NormalisedPatch, ScimError> {
    let notes = Notes::new(repairs, ReadOnly::Ignored, limits.max_values);
    let mut reader = Reader { rt, limits, resource_id, notes, ops: Vec::new() };
    let operations = operations(body, &mut reader.notes)?;
    if operations.is_empty() {
        reader.notes.repair(Repair::NoOperations);
    }
    if operations.len() > limits.max_operations {
        return Err(ScimError::too_large(format!(
            "more than {} operations in one request; send them in several",
            limits.max_operations
        ))
        .with_bound(Bound::PatchMaxOperations));
    }
    for operation in operations {
        reader.read(operation)?;
    }
    Ok(NormalisedPatch { ops: reader.ops, unknown: reader.notes.into_unknown() })
}

/// `add` or `replace`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Add,
    Replace,
}

/// One entry of `Operations`, parsed as far as its own members go.
struct Operation {
    /// `None` for `remove`.
    verb: Option<Verb>,
    path: Option<String>,
    /// `None` if the member is missing; null is a value.
    value: Option<Value>,
}

struct Reader<'a, 'r> {
    rt: &'a ResourceType,
    limits: &'a PatchLimits,
    resource_id: Option<&'a str>,
    notes: Notes<'r>,
    ops: Vec<PatchOp>,
}

impl<'a> Reader<'a, '_> {
    fn read(&mut self, operation: Value) -> Result<(), ScimError> {
        let Operation { verb, path, value } = parse_operation(operation, &mut self.notes)?;
        match (verb, path) {
            (None, None) => Err(ScimError::no_target("remove needs a path")),
            (None, Some(path)) => self.remove(&path, value),
            (Some(verb), path) => {
                let Some(value) = value else {
                    return Err(ScimError::invalid_value("add and replace need a value"));
                };
                match path {
                    Some(path) => self.write(verb, &path, value),
                    None => self.write_object(verb, value),
                }
            }
        }
    }

    /// An operation without path: one assignment per key.
    fn write_object(&mut self, verb: Verb, value: Value) -> Result<(), ScimError> {
        let value = match value {
            Value::Array(mut items) if items.len() == 1 => {
                self.notes.repair(Repair::SingleValueInList);
                items.pop().unwrap_or_default()
            }
            value => value,
        };
        let Value::Object(members) = value else {
            return Err(At::Attribute(&"the value of an operation without path").expected("an object", &value));
        };
        let assignments = expand(self.rt, members, &self.limits.filter, &mut self.notes)?;
        self.assign_all(verb, assignments)
    }

    /// An operation whose path is given.
    fn write(&mut self, verb: Verb, path: &str, value: Value) -> Result<(), ScimError> {
        match self.target(path)? {
            PatchTarget::Core => {
                self.notes.repair(Repair::SchemaAsPath);
                let assignments = expand_schema(self.rt, &self.rt.schema, value, &self.limits.filter, &mut self.notes)?;
                self.assign_all(verb, assignments)
            }
            PatchTarget::Extension(schema) => {
                self.notes.repair(Repair::SchemaAsPath);
                let assignments = expand_schema(self.rt, schema, value, &self.limits.filter, &mut self.notes)?;
                self.assign_all(verb, assignments)
            }
            PatchTarget::Attribute { path: target, attribute, sub } => {
                note_bare_extension(path, &target.attr, &mut self.notes);
                let assignment = Assignment { path: target, attribute, sub, value };
                if self.is_restated(&assignment)? {
                    return Ok(());
                }
                if assignment.is_read_only() {
                    return Err(read_only(&assignment.path.attr));
                }
                assign(verb, assignment, &mut self.notes, &mut self.ops)
            }
        }
    }

    /// The assignments of an object; what is read-only in it is restated, not asked for.
    fn assign_all(&mut self, verb: Verb, assignments: Vec<Assignment<'a>>) -> Result<(), ScimError> {
        for assignment in assignments {
            if self.is_restated(&assignment)? {
                continue;
            }
            if assignment.is_read_only() {
                self.notes.repair(Repair::ReadOnlyRestated);
                continue;
            }
            assign(verb, assignment, &mut self.notes, &mut self.ops)?;
        }
        Ok(())
    }

    /// Whether this only repeats what cannot change: the id of the resource, or its `schemas`.
    ///
    /// # Errors
    /// 400 `mutability` for another id.
    fn is_restated(&mut self, assignment: &Assignment<'_>) -> Result<bool, ScimError> {
        let attr = &assignment.path.attr;
        if attr.extension.is_some() || !matches!(&*attr.attribute, "id" | "schemas") {
            return Ok(false);
        }
        if &*attr.attribute == "id" {
            match self.resource_id {
                Some(id) if assignment.value == id => {}
                Some(_) => return Err(read_only(attr)),
                None => return Ok(false),
            }
        }
        self.notes.repair(Repair::ReadOnlyRestated);
        Ok(true)
    }

    fn remove(&mut self, path: &str, value: Option<Value>) -> Result<(), ScimError> {
        match self.target(path)? {
            PatchTarget::Core => Err(ScimError::invalid_path("the path of a remove must name an attribute")),
            PatchTarget::Extension(schema) => {
                self.notes.repair(Repair::SchemaAsPath);
                let assignments = clear_schema(self.rt, schema);
                self.ops.extend(assignments.into_iter().map(|cleared| PatchOp::Remove { path: cleared.path }));
                Ok(())
            }
            PatchTarget::Attribute { path: target, attribute, sub } => {
                note_bare_extension(path, &target.attr, &mut self.notes);
                let assignment = Assignment { path: target, attribute, sub, value: value.unwrap_or_default() };
                if assignment.is_read_only() || assignment.path.attr == AttrPath::core("schemas", None) {
                    return Err(read_only(&assignment.path.attr));
                }
                self.ops.extend(removal(assignment, &mut self.notes)?);
                Ok(())
            }
        }
    }

    fn target(&mut self, path: &str) -> Result<PatchTarget<'a>, ScimError> {
        note_legacy(path, &mut self.notes);
        let parsed = scim_patch::parse(self.rt, path, &self.limits.filter).map_err(|error| path_error(&error))?;
        self.notes.filter_repairs(parsed.repairs);
        Ok(parsed.target)
    }
}

/// The entries of `Operations`.
fn operations(body: Value, notes: &mut Notes<'_>) -> Result<Vec<Value>, ScimError> {
    let Value::Object(mut members) = body else {
        return Err(ScimError::invalid_syntax("the body must be a JSON object"));
    };
    let mut has_schemas = false;
    let mut operations = None;
    for (key, value) in &mut members {
        has_schemas |= key.eq_ignore_ascii_case("schemas");
        if operations.is_none() && key.eq_ignore_ascii_case("Operations") {
            operations = Some((key != "Operations", value.take()));
        }
    }
    if !has_schemas {
        notes.repair(Repair::SchemasMissing);
    }
    let (misspelt, operations) = operations.ok_or_else(|| ScimError::invalid_syntax("Operations is missing"))?;
    if misspelt {
        notes.repair(Repair::OperationsCase);
    }
    match operations {
        Value::Array(operations) => Ok(operations),
        _ => Err(ScimError::invalid_syntax("Operations must be a list")),
    }
}

fn parse_operation(operation: Value, notes: &mut Notes<'_>) -> Result<Operation, ScimError> {
    let Value::Object(mut members) = operation else {
        return Err(ScimError::invalid_syntax("an operation must be an object"));
    };
    let Some(Value::String(op)) = value_of(&mut members, "op") else {
        return Err(ScimError::invalid_syntax("op must be add, replace or remove"));
    };
    let verb = match op.as_str() {
        op if op.eq_ignore_ascii_case("replace") => Some(Verb::Replace),
        op if op.eq_ignore_ascii_case("add") => Some(Verb::Add),
        op if op.eq_ignore_ascii_case("remove") => None,
        _ => return Err(ScimError::invalid_syntax("op must be add, replace or remove")),
    };
    if op.bytes().any(|byte| byte.is_ascii_uppercase()) {
        notes.repair(Repair::OpCase);
    }
    let path = match value_of(&mut members, "path") {
        Some(Value::String(path)) if !path.is_empty() => Some(path),
        Some(Value::Null | Value::String(_)) => {
            notes.repair(Repair::EmptyPath);
            None
        }
        Some(_) => return Err(ScimError::invalid_syntax("path must be a string")),
        None => None,
    };
    Ok(Operation { verb, path, value: value_of(&mut members, "value") })
}

/// The value of a member, out of an object that nobody looks at afterwards; one in another spelling serves.
fn value_of(members: &mut Map<String, Value>, name: &str) -> Option<Value> {
    if let Some(value) = members.get_mut(name) {
        return Some(value.take());
    }
    let respelt = members.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name));
    respelt.map(|(_, value)| value.take())
}

/// Takes a member out by its name, without regard to case where nothing has just this name.
pub(super) fn take(members: &mut Map<String, Value>, name: &str) -> Option<Value> {
    members.remove(name).or_else(|| {
        let key = members.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned()?;
        members.remove(&key)
    })
}

/// Adds the operations that one assignment comes to: usually one, none if it says nothing.
///
/// # Errors
/// 400 `invalidValue` for a value of the wrong type and for clearing what is required.
pub(super) fn assign(
    verb: Verb,
    assignment: Assignment<'_>,
    notes: &mut Notes<'_>,
    ops: &mut Vec<PatchOp>,
) -> Result<(), ScimError> {
    let Assignment { path, attribute, sub, value } = assignment;
    let at = At::Attribute(&path.attr);
    let is_whole = path.filter.is_none() && sub.is_none();
    let shaped = match sub {
        Some(sub) => shape(&at, sub, value, notes)?,
        None if is_whole => shape(&at, attribute, value, notes)?,
        None => single(&at, attribute, value, notes)?,
    };
    match shaped {
        Shaped::Nothing => {}
        Shaped::Unassigned if is_whole && attribute.required => return Err(required(&path.attr)),
        Shaped::Unassigned if is_whole && attribute.multi_valued => match verb {
            Verb::Add => {}
            Verb::Replace => ops.push(PatchOp::Replace { path, value: Value::Array(Vec::new()) }),
        },
        Shaped::Unassigned => ops.push(PatchOp::Remove { path }),
        Shaped::Value(value) => ops.push(write(verb, path, value)),
        Shaped::Object(object) if is_whole => assign_object(verb, path, object, ops),
        Shaped::Object(object) => assign_elements(verb, path, object, ops),
    }
    Ok(())
}

/// A complex value: its members merge, its nulls clear, and a bare scalar stands for the whole.
fn assign_object(verb: Verb, path: PatchPath, object: Object, ops: &mut Vec<PatchOp>) {
    if object.from_scalar {
        ops.push(PatchOp::Remove { path: path.clone() });
    }
    let cleared = remove_each(&path, &object);
    if !object.members.is_empty() {
        ops.push(write(verb, path, Value::Object(object.members)));
    }
    ops.extend(cleared);
}

/// Elements chosen by a filter. A bare scalar is their `value`; an object replaces them or merges into them.
fn assign_elements(verb: Verb, path: PatchPath, object: Object, ops: &mut Vec<PatchOp>) {
    if object.from_scalar {
        let (name, value) = object.members.into_iter().next().unwrap_or_default();
        let path = PatchPath { attr: path.attr.child(&name.into()), ..path };
        ops.push(write(verb, path, value));
        return;
    }
    let cleared = if verb == Verb::Add || object.members.is_empty() { remove_each(&path, &object) } else { Vec::new() };
    if !object.members.is_empty() {
        ops.push(write(verb, path, Value::Object(object.members)));
    }
    ops.extend(cleared);
}

fn remove_each(path: &PatchPath, object: &Object) -> Vec<PatchOp> {
    let remove = |sub| PatchOp::Remove { path: PatchPath { attr: path.attr.child(sub), filter: path.filter.clone() } };
    object.cleared.iter().map(remove).collect()
}

fn write(verb: Verb, path: PatchPath, value: Value) -> PatchOp {
    match verb {
        Verb::Add => PatchOp::Add { path, value },
        Verb::Replace => PatchOp::Replace { path, value },
    }
}

/// The operation for a `remove`. RFC 7644 3.5.2.2 knows no value there, but clients that send one for a list mean
/// these elements, and reading them literally would empty the list.
fn removal(assignment: Assignment<'_>, notes: &mut Notes<'_>) -> Result<Option<PatchOp>, ScimError> {
    let Assignment { path, attribute, sub, value } = assignment;
    if attribute.multi_valued && sub.is_none() && !value.is_null() {
        notes.repair(Repair::RemoveWithValue);
        let attr = path.attr.clone();
        let values = removal_list(&At::Attribute(&attr), attribute, value, notes)?;
        return Ok((!values.is_empty()).then_some(PatchOp::RemoveElements { path, values }));
    }
    if path.filter.is_none() && sub.is_none() && attribute.required {
        return Err(required(&path.attr));
    }
    Ok(Some(PatchOp::Remove { path }))
}

fn required(attr: &AttrPath) -> ScimError {
    ScimError::invalid_value(format!("{attr} is required and cannot be cleared"))
}

fn read_only(attr: &AttrPath) -> ScimError {
    ScimError::mutability(format!("{attr} is read-only"))
}

fn path_error(error: &PatchPathError) -> ScimError {
    let (scim_type, bound) = match error {
        PatchPathError::Filter(error) => (ScimType::InvalidFilter, error.bound()),
        PatchPathError::Path(_) | PatchPathError::Brackets | PatchPathError::NotAList { .. } => {
            (ScimType::InvalidPath, None)
        }
    };
    ScimError { bound, ..ScimError::bad_request(scim_type, error.to_string()) }
}
