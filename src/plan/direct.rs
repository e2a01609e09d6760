//! A PATCH that needs no old state: operations that say everything about the rows they touch.

use serde_json::Value;

use crate::expr::Env;
use crate::mapping::row::Row;
use crate::mapping::{Omit, RowSet, to_native};
use crate::scim::{PatchOp, Resource};

use super::run::Run;
use super::{change, update};

/// What operations come to without an old state.
pub(super) struct Direct {
    /// The new values, as expressions see them.
    pub(super) scim: Value,
    /// The rows that have one or lose theirs.
    pub(super) rows: RowSet,
}

/// What the operations come to, unless the old state is needed to say what they mean, or to send it.
pub(super) fn changes(run: &Run<'_>, ops: &[PatchOp]) -> Option<Direct> {
    let mapping = run.mapping;
    if mapping.gone.is_some() || (mapping.ops.update.is_none() && !ops.is_empty()) {
        return None;
    }
    let mut state = Resource::default();
    let mut touched: RowSet = 0;
    for op in ops {
        touched |= apply(run, op, &mut state)?;
    }
    // Restating a read-only value is no change, which only the old state can tell.
    if touched & mapping.writing.read_only != 0 || !is_ready(run, touched) {
        return None;
    }
    let scim = Value::Object(state.0);
    // Nor is restating a value that only rules send, of which none applies.
    let env = Env { scim: Some(&scim), ..run.env() };
    let (_, rest) = update::applying(run, touched, &env).ok()?;
    (rest & !to_native::update_rows(mapping) == 0).then_some(Direct { scim, rows: touched })
}

/// Whether all that is to be decided or sent follows from new values of these rows.
fn is_ready(run: &Run<'_>, touched: RowSet) -> bool {
    let (mapping, writing) = (run.mapping, &run.mapping.writing);
    let mut rules = mapping.writes.iter().zip(&writing.rules).filter(|(rule, _)| rule.rows & touched != 0);
    let mut parts = mapping.parts.iter().zip(&writing.parts).filter(|(part, _)| part.rows & touched != 0);
    let by_update = touched & !mapping.own_call_rows() != 0;
    rules.all(|(_, needs)| needs.are_met_by(touched))
        && (touched == 0
            || (parts.all(|(_, needs)| needs.are_met_by(touched))
                && writing.guards.are_met_by(touched)
                && (!by_update || writing.update.are_met_by(touched))))
}

/// Carries one operation out on what is known; answers with the rows it is about.
fn apply(run: &Run<'_>, op: &PatchOp, state: &mut Resource) -> Option<RowSet> {
    let (path, value) = match op {
        PatchOp::Add { path, value } | PatchOp::Replace { path, value } => (path, Some(value)),
        PatchOp::Remove { path } => (path, None),
        PatchOp::RemoveElements { .. } => return None,
    };
    if path.filter.is_some() {
        return None;
    }
    let mut touched: RowSet = 0;
    for (index, row) in change::rows_of(run, &path.attr) {
        let value = match (&row.target.path.sub, &path.attr.sub, value) {
            (row_sub, op_sub, value) if row_sub == op_sub => value,
            (Some(_), Some(_), _) => continue,
            (Some(sub), None, Some(Value::Object(fields))) => match fields.get(&**sub) {
                Some(value) => Some(value),
                None => continue,
            },
            (Some(_), None, None) => None,
            _ => return None,
        };
        let alone = run.mapping.writing.alone & 1 << index != 0;
        // Removing what is not there is no change, whether or not the application could remove it.
        if !alone || value.map_or_else(|| stays_when_removed(row), Value::is_object) {
            return None;
        }
        touched |= 1 << index;
        state.set(&row.target.path, value.cloned());
    }
    Some(touched)
}

/// Whether a removal writes nothing.
fn stays_when_removed(row: &Row) -> bool {
    row.default.is_none() && matches!(row.omit, Omit::Absent | Omit::Keep)
}

#[cfg(test)]
mod tests {
    use crate::expr::{Expr, Name};
    use crate::mapping::{Flow, Mapping, RowSet};
    use crate::plan::harness::snapshot;

    const MAPPED: &str = "
        [backend.app]
        url = 'https://app.example'
        [resource.User]
        path = '/people'
        attrs.userName = 'login'
        attrs.displayName = 'label'
        attrs.active = 'on'
        attrs.'name.givenName' = 'first'
        attrs.'name.familyName' = 'last'
        [resource.User.ops]
        get = 'GET {path}/{id}'
        update = { call = 'PATCH {path}/{id}', body = { '...' = 'changed', who = '{scim.name.givenName}' } }
        [[resource.User.write]]
        attrs = ['active']
        when = 'scim.active'
        call = 'POST {path}/{id}/on'
        [[resource.User.write]]
        attrs = ['active']
        when = '!scim.active && native.kind == 1'
        call = 'POST {path}/{id}/off'
        [[resource.User.write]]
        attrs = ['displayName']
        call = 'PUT {path}/{id}/label'
        body = { label = '{scim.displayName}', of = '{scim.name}' }
        [[resource.User.guard]]
        when = 'scim.userName == \"root\" || scim.name.familyName == \"Root\"'
        deny = ['update']
    ";

    /// Whether an expression or a flow reads nothing but these rows, asked of what it reads.
    fn is_met(mapping: &Mapping, touched: RowSet, (flow, when): (Option<&Flow>, Option<&Expr>)) -> bool {
        let mut met = true;
        let mut look = |path: &[String]| {
            met &= mapping.rows_in(touched).any(|(_, row)| {
                let target = &row.target.path;
                path.first().is_some_and(|name| **name == *target.attribute)
                    && (target.sub.is_none() || path.get(1).map(String::as_str) == target.sub.as_deref())
            });
        };
        if let Some(flow) = flow {
            flow.each_path(Name::Scim, &mut look);
        }
        when.into_iter().flat_map(|when| when.selections(Name::Scim)).for_each(&mut look);
        let state = |name| flow.is_some_and(|flow| flow.uses(name)) || when.is_some_and(|when| when.uses(name));
        met && !state(Name::Old) && !state(Name::Native)
    }

    #[test]
    fn what_is_found_out_at_load_is_what_the_expressions_say() {
        let snapshot = snapshot(MAPPED);
        let mapping = &snapshot.routes[0].mappings[0];
        let writing = &mapping.writing;
        assert_eq!((mapping.rows.len(), mapping.writes.len(), mapping.guards.len()), (5, 3, 1));
        let mut met = 0;
        for touched in 0..1 << mapping.rows.len() {
            let rules = mapping.writes.iter().zip(&writing.rules);
            let rules = rules.map(|(rule, needs)| (Some(&rule.flow), rule.when.as_ref(), needs));
            let update = (mapping.ops.update.as_ref(), None, &writing.update);
            let guard = (None, Some(&mapping.guards[0].when), &writing.guards);
            for (flow, when, needs) in rules.chain([update, guard]) {
                assert_eq!(needs.are_met_by(touched), is_met(mapping, touched, (flow, when)), "{touched:b}");
                met += usize::from(needs.are_met_by(touched));
            }
        }
        // Every other set has `active`, every other one the given name, and every fourth both that the guard reads.
        assert_eq!(met, 16 + 16 + 8);
        assert_eq!((writing.required, writing.alone, writing.read_only), (1, 0b11111, 0));
    }
}
