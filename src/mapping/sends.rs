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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::config::{Snapshot, compile};
    use crate::mapping::part::Part;
    use crate::scim::AttrPath;

    /// The configurations among the examples and the test cases.
    fn snapshots() -> Vec<Snapshot> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folders = ["tests/config/good", "tests/plans/config", "deploy/examples"];
        let entries = folders.iter().flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
        let paths = entries.map(|entry| entry.unwrap().path());
        let paths = paths.map(|path| if path.is_dir() { path.join("config.toml") } else { path });
        let texts = paths.filter_map(|path| std::fs::read_to_string(path).ok());
        let source = |text| crate::config::Source { name: Arc::from("config.toml"), text };
        texts.filter_map(|text| compile(source(text)).ok()).collect()
    }

    /// What one row says about each of the sets.
    fn asked(mapping: &Mapping, index: usize, row: &Row) -> [bool; 7] {
        let holds = |set: RowSet| set >> index & 1 == 1;
        let is_sent_by = |part: &Part| part.update.is_some() || holds(part.named);
        let writes = matches!(row.access, Access::Both | Access::Write | Access::Create);
        let of = || mapping.parts.iter().filter(|part| holds(part.rows));
        let on_update = writes && row.access != Access::Create && row.on_update && of().all(is_sent_by);
        let by_rule = mapping.writes.iter().any(|rule| rule.on_create && holds(rule.rows));
        [
            writes && row.on_create && of().next().is_none(),
            on_update,
            on_update && by_rule,
            row.default.is_some(),
            row.access == Access::Mirror,
            on_update && row.target.path == AttrPath::core("active", None),
            row.access == Access::Read && *row.target.path.attribute == *"active",
        ]
    }

    #[test]
    fn what_is_decided_at_load_is_what_each_row_says() {
        let mut seen = [0; 7];
        for mapping in snapshots().iter().flat_map(|snapshot| &snapshot.routes).flat_map(|route| &route.mappings) {
            let Sends { on_create, on_update, by_rules_on_create, with_default, mirrors, active, active_read_only } =
                mapping.sends;
            let sets = [on_create, on_update, by_rules_on_create, with_default, mirrors, active, active_read_only];
            for (index, row) in mapping.rows.iter().enumerate() {
                let decided = sets.map(|set| set >> index & 1 == 1);
                assert_eq!(decided, asked(mapping, index, row), "{}: {}", mapping.origin, row.target);
                decided.iter().zip(&mut seen).for_each(|(decided, seen)| *seen += usize::from(*decided));
            }
            assert_eq!(sets.iter().fold(0, |all, set| all | set) >> mapping.rows.len().min(127), 0);
        }
        assert!(seen.iter().all(|seen| *seen > 0), "{seen:?}");
    }
}
