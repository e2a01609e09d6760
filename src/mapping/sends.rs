//! Which rows writes send, decided when a configuration is loaded.
//!
//! In: a mapping. Out: sets of rows, so that no request asks row by row what depends on the rows alone.

use super::row::{Access, Row};
use super::{Mapping, RowSet};

/// Rows by what writes do with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sends {
    /// Those a create sends; rows of parts follow it.
    pub on_create: RowSet,
    /// Those an update may send, each with the object or with its part.
    pub on_update: RowSet,
    /// Those that rules send on a create and an update may send.
    pub by_rules_on_create: RowSet,
    /// Those with a default.
    pub with_default: RowSet,
    /// Those that say again what another says.
    pub mirrors: RowSet,
    /// Those about `active` that an update may send.
    pub active: RowSet,
    /// Those about `active` that can only be read.
    pub active_read_only: RowSet,
}

impl Sends {
    /// Of a mapping whose rows, parts and rules are complete.
    pub fn of(mapping: &Mapping) -> Self {
        let is = |wanted: &dyn Fn(&Row) -> bool| {
            let rows = mapping.rows.iter().enumerate().filter(|(_, row)| wanted(row));
            rows.fold(0, |set, (index, _)| set | 1 << index)
        };
        let rules = mapping.writes.iter().filter(|rule| rule.on_create).fold(0, |set, rule| set | rule.rows);
        let writes = |row: &Row| matches!(row.access, Access::Both | Access::Write | Access::Create);
        let is_active = |row: &Row| row.target.path.extension.is_none() && row.target.path.sub.is_none();
        let named_active = is(&|row| *row.target.path.attribute == *"active");
        let on_update = is(&|row| writes(row) && row.on_update && row.access != Access::Create);
        let on_update = on_update & !mapping.unsent_part_rows();
        Self {
            on_create: is(&|row| writes(row) && row.on_create) & !mapping.part_rows(),
            on_update,
            by_rules_on_create: rules & on_update,
            with_default: is(&|row| row.default.is_some()),
            mirrors: is(&|row| row.access == Access::Mirror),
            active: named_active & on_update & is(&is_active),
            active_read_only: named_active & is(&|row| row.access == Access::Read),
        }
    }
}
