//! What writing to a mapped application depends on, as sets of rows.
//!
//! In, when a configuration is loaded: the mapping. Out, while serving: whether something can be decided or sent when
//! nothing but new values of some rows is known. So a write compares sets, and asks no expression what it reads.

use crate::expr::{Expr, Name};

use super::guard::Verb;
use super::row::{Access, Source};
use super::{Flow, Mapping, Row, RowSet, WriteRule};

/// What follows for writes from a mapping alone.
#[derive(Clone, Debug, Default)]
pub struct Writing {
    /// Rows that cannot be written.
    pub read_only: RowSet,
    /// Rows of which a new value says everything.
    pub alone: RowSet,
    /// Rows that every object has a native value for.
    pub required: RowSet,
    /// Whether the update is to hold all rows, changed or not.
    pub update_is_whole: bool,
    /// What the update needs.
    pub update: Needs,
    /// What the updates of parts need, by part.
    pub parts: Vec<Needs>,
    /// What write rules need, by rule.
    pub rules: Vec<Needs>,
    /// What decides whether an update is denied, the object as it is apart.
    pub guards: Needs,
}

/// What must be known before something can be decided or sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The state that is there.
    state: bool,
    /// The rows that each selection from the new state is about. One that is about no row is never known.
    selections: Vec<RowSet>,
}

impl Writing {
    /// Of a mapping in which everything else is in place.
    pub fn of(mapping: &Mapping) -> Self {
        let rows = &mapping.rows;
        let set = |wanted: &dyn Fn(&Row) -> bool| {
            let wanted = rows.iter().enumerate().filter(|(_, row)| wanted(row));
            wanted.fold(0, |set, (index, _)| set | 1 << index)
        };
        let required = |row: &Row| {
            let schema = &mapping.resource_type.schema;
            let in_core = row.target.path.extension.is_none() && row.native_path().is_some();
            in_core && schema.attributes.iter().any(|of| of.required && of.name == row.target.path.attribute)
        };
        let whole = |flow: &Flow| Needs { state: flow.sends_all_rows(), ..Needs::default() };
        let update = mapping.ops.update.as_ref();
        let guards = mapping.guards.iter().filter(|guard| guard.deny.names(Verb::Update));
        Self {
            read_only: set(&|row| row.access == Access::Read),
            alone: set(&stands_alone),
            required: set(&required),
            update_is_whole: update.is_some_and(Flow::sends_all_rows),
            update: update.map_or_else(Needs::default, |flow| whole(flow).and_flow(rows, flow)),
            parts: mapping
                .parts
                .iter()
                .map(|part| part.update.as_ref().map_or_else(Needs::default, |flow| whole(flow).and_flow(rows, flow)))
                .collect(),
            rules: mapping.writes.iter().map(|rule| Needs::of_rule(rows, rule)).collect(),
            guards: guards.fold(Needs::default(), |needs, guard| needs.and_selections(rows, &guard.when)),
        }
    }
}

impl Needs {
    /// Whether new values of these rows are all that is needed.
    pub fn are_met_by(&self, rows: RowSet) -> bool {
        !self.state && self.selections.iter().all(|about| about & rows != 0)
    }

    fn of_rule(rows: &[Row], rule: &WriteRule) -> Self {
        let needs = Self::default().and_flow(rows, &rule.flow);
        match &rule.when {
            Some(when) => {
                let state = needs.state || when.uses(Name::Old) || when.uses(Name::Native);
                Self { state, ..needs.and_selections(rows, when) }
            }
            None => needs,
        }
    }

    fn and_flow(mut self, rows: &[Row], flow: &Flow) -> Self {
        self.state |= flow.uses(Name::Old) || flow.uses(Name::Native);
        flow.each_path(Name::Scim, &mut |path| self.select(rows, path));
        self
    }

    fn and_selections(mut self, rows: &[Row], when: &Expr) -> Self {
        when.selections(Name::Scim).for_each(|path| self.select(rows, path));
        self
    }

    fn select(&mut self, rows: &[Row], path: &[String]) {
        let about = rows.iter().enumerate().filter(|(_, row)| is_about(row, path));
        let about = about.fold(0, |set, (index, _)| set | 1 << index);
        if !self.selections.contains(&about) {
            self.selections.push(about);
        }
    }
}

/// Whether a selection from `scim` is about the row.
fn is_about(row: &Row, path: &[String]) -> bool {
    let target = &row.target.path;
    path.first().is_some_and(|name| **name == *target.attribute)
        && (target.sub.is_none() || path.get(1).map(String::as_str) == target.sub.as_deref())
}

/// Whether a new value of the row says everything about it.
fn stands_alone(row: &Row) -> bool {
    let plain = match &row.source {
        Source::Native { path, .. } => path.whole_field().is_none(),
        Source::Computed { path: Some(path), write: Some(write), .. } => {
            path.whole_field().is_none() && !write.uses(Name::Native) && write.field_paths(Name::Scim).len() <= 1
        }
        Source::Computed { .. } | Source::Mirror { .. } => false,
    };
    plain
        && row.target.selector.is_empty()
        && !row.target.multi_valued
        && matches!(row.access, Access::Both | Access::Write | Access::Read)
}
