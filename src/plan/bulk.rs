//! `/Bulk` (RFC 7644 3.7): many operations in one request.
//!
//! Operations run one after the other, in the order their `bulkId` references allow; results come back in the order
//! of the request.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use crate::route::Endpoint;
use crate::scim::{Bound, ScimError};

use super::call::ScimResponse;
use super::coroutine::Native;
use super::run::Run;
use super::turn::TurnRequest;
use super::{Context, ScimRequest, answer, change, dispatch_again};

const REQUEST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const RESPONSE_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// How a reference to another operation's resource begins.
const REFERENCE: &str = "bulkId:";

#[inline]
pub(super) async fn bulk(context: &Context, native: &Native, request: &ScimRequest) -> Result<ScimResponse, ScimError> {
    let run = Run::new(context, 0, native)?;
    let body = change::json_body(&run, &request.body)?;
    let parsed = parse(&body, run.snapshot.limits.bulk_max_operations)?;
    let mut done: HashMap<String, Reference> = HashMap::new();
    let mut results: Vec<Option<Value>> = parsed.operations.iter().map(|_| None).collect();
    let mut errors = 0;
    while let Some(index) = next_ready(&parsed.operations, &results, &done) {
        let Some(operation) = parsed.operations.get(index) else { break };
        let outcome = one(&run, native, operation, &done).await;
        if outcome.failed {
            errors += 1;
        }
        if let Some(bulk_id) = &operation.bulk_id {
            done.insert(bulk_id.clone(), outcome.reference);
        }
        if let Some(slot) = results.get_mut(index) {
            *slot = Some(outcome.result);
        }
        if parsed.fail_on_errors.is_some_and(|limit| errors >= limit) {
            break;
        }
    }
    let body = json!({
        "schemas": [RESPONSE_SCHEMA],
        "Operations": results.into_iter().flatten().collect::<Vec<_>>(),
    });
    Ok(answer::document(body))
}

struct BulkRequest {
    operations: Vec<Operation>,
    fail_on_errors: Option<u64>,
}

struct Operation {
    method: String,
    path: String,
    bulk_id: Option<String>,
    version: Option<String>,
    data: Option<Value>,
    /// Other operations this one speaks of.
    needs: HashSet<String>,
}

/// What a `bulkId` stands for once its operation has run.
enum Reference {
    Id(String),
    Failed,
}

fn parse(body: &Value, max: usize) -> Result<BulkRequest, ScimError> {
    let field = |name: &str| {
        let object = body.as_object()?;
        object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    if let Some(schemas) = field("schemas")
        && !schemas.as_array().is_some_and(|list| {
            list.iter().any(|urn| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(REQUEST_SCHEMA)))
        })
    {
        return Err(ScimError::invalid_syntax(format!("schemas of a bulk request must hold {REQUEST_SCHEMA}")));
    }
    let operations = field("Operations")
        .and_then(Value::as_array)
        .ok_or_else(|| ScimError::invalid_syntax("a bulk request needs a list of Operations"))?;
    if operations.len() > max {
        return Err(ScimError::new(
            413,
            format!("a bulk request may hold {max} operations; this one has {}", operations.len()),
        )
        .with_bound(Bound::BulkMaxOperations));
    }
    let operations: Vec<Operation> = operations.iter().enumerate().map(operation).collect::<Result<_, _>>()?;
    let mut seen = HashSet::new();
    if let Some(twice) = operations.iter().filter_map(|op| op.bulk_id.as_ref()).find(|id| !seen.insert(*id)) {
        return Err(ScimError::invalid_value(format!("bulkId '{twice}' is used by more than one operation")));
    }
    let fail_on_errors = match field("failOnErrors") {
        None | Some(Value::Null) => None,
        Some(value) => Some(
            value
                .as_u64()
                .filter(|limit| *limit > 0)
                .ok_or_else(|| ScimError::invalid_value("failOnErrors must be a whole number above 0"))?,
        ),
    };
    Ok(BulkRequest { operations, fail_on_errors })
}

fn operation((index, value): (usize, &Value)) -> Result<Operation, ScimError> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let missing = |name: &str| ScimError::invalid_syntax(format!("Operations[{index}] needs {name}"));
    let method = text("method").ok_or_else(|| missing("a method"))?.to_ascii_uppercase();
    if !matches!(method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE") {
        return Err(ScimError::invalid_syntax(format!(
            "Operations[{index}]: {method} is not possible in a bulk request"
        )));
    }
    let path = text("path").ok_or_else(|| missing("a path"))?;
    let bulk_id = text("bulkId").filter(|id| !id.is_empty());
    if method == "POST" && bulk_id.is_none() {
        return Err(missing("a bulkId, because it is a POST"));
    }
    let data = value.get("data").filter(|data| !data.is_null()).cloned();
    if data.is_none() && method != "DELETE" {
        return Err(missing("data"));
    }
    let mut needs = HashSet::new();
    if let Some(data) = &data {
        references(data, &mut needs);
    }
    needs.extend(path.split('/').filter_map(|segment| segment.strip_prefix(REFERENCE)).map(str::to_owned));
    Ok(Operation { method, path, bulk_id, version: text("version"), data, needs })
}

/// Every `bulkId:x` in a document; its depth was bounded when it was parsed.
fn references(value: &Value, found: &mut HashSet<String>) {
    match value {
        Value::String(text) => found.extend(text.strip_prefix(REFERENCE).map(str::to_owned)),
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| references(field, found)),
        _ => {}
    }
}

/// The first operation that has not run and needs nothing that has not run; when only a cycle is left, its first
/// operation, which then fails.
fn next_ready(operations: &[Operation], results: &[Option<Value>], done: &HashMap<String, Reference>) -> Option<usize> {
    let open = || operations.iter().zip(results).enumerate().filter(|(_, (_, result))| result.is_none());
    let promised: HashSet<&String> = operations.iter().filter_map(|operation| operation.bulk_id.as_ref()).collect();
    let ready =
        |operation: &Operation| operation.needs.iter().all(|need| done.contains_key(need) || !promised.contains(need));
    open().find(|(_, (operation, _))| ready(operation)).or_else(|| open().next()).map(|(index, _)| index)
}

struct Outcome {
    result: Value,
    reference: Reference,
    failed: bool,
}

async fn one(run: &Run<'_>, native: &Native, operation: &Operation, done: &HashMap<String, Reference>) -> Outcome {
    // Each operation takes the turn that it would take on its own, and none of them keeps it for the next one.
    run.native.turn(TurnRequest::default()).await;
    let response = match sub_request(run, operation, done) {
        Ok(request) => {
            dispatch_again(run.context, &request, native).await.unwrap_or_else(|error| answer::error(&error))
        }
        Err(error) => answer::error(&error),
    };
    outcome(run, operation, response)
}

fn outcome(run: &Run<'_>, operation: &Operation, response: ScimResponse) -> Outcome {
    let failed = response.status >= 400;
    let body = response.body.map(|body| body.tree().into_owned()).unwrap_or_default();
    let id = body.get("id").and_then(Value::as_str).map(str::to_owned);
    let mut result = Map::new();
    result.insert("method".to_owned(), Value::from(operation.method.as_str()));
    result.insert("status".to_owned(), Value::from(response.status.to_string()));
    if let Some(bulk_id) = &operation.bulk_id {
        result.insert("bulkId".to_owned(), Value::from(bulk_id.as_str()));
    }
    let location = body.pointer("/meta/location").and_then(Value::as_str).map(str::to_owned);
    let names_resource = operation.method != "POST" && operation.path.starts_with('/');
    let location = location.or_else(|| names_resource.then(|| format!("{}{}", run.context.base_url, operation.path)));
    if let Some(location) = location {
        result.insert("location".to_owned(), Value::from(location));
    }
    if let Some(version) = body.pointer("/meta/version") {
        result.insert("version".to_owned(), version.clone());
    }
    if failed {
        result.insert("response".to_owned(), body);
    }
    let reference = match id {
        Some(id) if !failed => Reference::Id(id),
        _ => Reference::Failed,
    };
    Outcome { result: Value::Object(result), reference, failed }
}

fn sub_request(
    run: &Run<'_>,
    operation: &Operation,
    done: &HashMap<String, Reference>,
) -> Result<ScimRequest, ScimError> {
    for need in &operation.needs {
        match done.get(need) {
            Some(Reference::Id(_)) => {}
            Some(Reference::Failed) => {
                return Err(ScimError::new(
                    412,
                    format!("not done, because the operation with bulkId '{need}' failed"),
                ));
            }
            None => {
                return Err(ScimError::new(
                    409,
                    format!("bulkId '{need}' cannot be resolved: no operation has it, or the references form a circle"),
                ));
            }
        }
    }
    let endpoint = endpoint(run, &resolved_path(&operation.path, done))?;
    let data = operation.data.clone().map(|data| resolved(data, done));
    let body = data.map(|data| serde_json::to_vec(&data)).transpose();
    let body = body.map_err(|error| ScimError::invalid_syntax(error.to_string()))?.unwrap_or_default();
    Ok(ScimRequest {
        method: operation.method.clone(),
        endpoint,
        query: String::new(),
        body,
        if_match: operation.version.clone(),
        if_none_match: None,
    })
}

fn id_of<'d>(text: &str, done: &'d HashMap<String, Reference>) -> Option<&'d String> {
    match done.get(text.strip_prefix(REFERENCE)?) {
        Some(Reference::Id(id)) => Some(id),
        _ => None,
    }
}

fn resolved_path(path: &str, done: &HashMap<String, Reference>) -> String {
    let segments: Vec<&str> =
        path.split('/').map(|segment| id_of(segment, done).map_or(segment, String::as_str)).collect();
    segments.join("/")
}

fn resolved(value: Value, done: &HashMap<String, Reference>) -> Value {
    match value {
        Value::String(text) => Value::String(id_of(&text, done).cloned().unwrap_or(text)),
        Value::Array(items) => items.into_iter().map(|item| resolved(item, done)).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(key, field)| (key, resolved(field, done))).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}

/// `/Users` or `/Users/{id}`.
fn endpoint(run: &Run<'_>, path: &str) -> Result<Endpoint, ScimError> {
    let unknown = || ScimError::new(404, format!("{path} is not an endpoint that a bulk request can use"));
    let rest = path.strip_prefix('/').ok_or_else(unknown)?;
    let (name, id) = rest.split_once('/').map_or((rest, None), |(name, id)| (name, Some(id)));
    let matches = |endpoint: &str| endpoint.trim_start_matches('/') == name;
    let type_index =
        run.route.mappings.iter().position(|mapping| matches(&mapping.resource_type.endpoint)).ok_or_else(unknown)?;
    match id {
        None => Ok(Endpoint::Collection { type_index }),
        Some(id) if !id.is_empty() && !id.contains('/') => {
            let id = percent_encoding::percent_decode_str(id).decode_utf8().map_err(|_| unknown())?.into_owned();
            Ok(Endpoint::Resource { type_index, id })
        }
        Some(_) => Err(unknown()),
    }
}
