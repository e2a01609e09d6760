//! Which parts of a resource cannot be told without certain native fields.
//!
//! In: a mapping and paths of its native documents. Out: its rows, `members`, `groups` and the question whether the
//! object may be shown at all, as far as they read something there. Computed when the configuration is loaded; a request
//! only compares sets.

use crate::expr::{Expr, Name};

use super::members::{InverseSource, MemberSource};
use super::row::{Access, Row, Source};
use super::{Mapping, NativePath, Origin, RowSet};

/// Fields that the items of a list leave out.
#[derive(Clone, Debug)]
pub struct Lacks {
    /// The fields.
    pub paths: Vec<NativePath>,
    /// What reads them.
    pub readers: Readers,
    /// Items completed together.
    pub parallel: usize,
    /// The list.
    pub origin: Origin,
}

/// What reads certain native fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readers {
    /// Rows that are read from there.
    pub rows: RowSet,
    /// `members` is.
    pub members: bool,
    /// `groups` is.
    pub groups: bool,
    /// Whether the object may be shown is.
    pub hides: bool,
}

impl Readers {
    /// What of a mapping reads any of the paths, or something below or above them.
    pub fn of(mapping: &Mapping, paths: &[NativePath]) -> Self {
        let path_meets = |read: &NativePath| paths.iter().any(|path| path.overlaps(read));
        let expr_meets = |expr: &Expr| fields_meet(&expr.field_paths(Name::Native), paths);
        let reads = |row: &Row| match &row.source {
            Source::Native { path, .. } => path_meets(path),
            Source::Computed { read: Some(read), .. } => expr_meets(read),
            Source::Computed { path, .. } => path.as_ref().is_some_and(path_meets),
            Source::Mirror { .. } => false,
        };
        let mut rows: RowSet = 0;
        for (index, row) in mapping.rows.iter().enumerate().filter(|(_, row)| row.access != Access::Write) {
            let primary = match &row.source {
                Source::Mirror { row } => mapping.rows.get(*row),
                _ => Some(row),
            };
            if primary.is_some_and(reads) {
                rows |= 1 << index;
            }
        }
        let members = mapping.members.as_ref().is_some_and(|members| match &members.source {
            MemberSource::Native(path) => path_meets(path),
            MemberSource::List(_) => false,
        });
        let groups = mapping.inverse.as_ref().is_some_and(|inverse| match &inverse.source {
            InverseSource::Native(path) => path_meets(path),
            InverseSource::Call(_) => false,
        });
        Self { rows, members, groups, hides: mapping.hiding().any(expr_meets) }
    }

    /// Whether there is nothing that reads them.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether anything is in both.
    pub fn meets(&self, other: &Self) -> bool {
        self.rows & other.rows != 0
            || (self.members && other.members)
            || (self.groups && other.groups)
            || (self.hides && other.hides)
    }
}

/// Whether any of an expression's selections from `native` reads something at the paths.
pub fn fields_meet(fields: &[Vec<String>], paths: &[NativePath]) -> bool {
    fields.iter().any(|fields| paths.iter().any(|path| path.meets_fields(fields)))
}

impl Mapping {
    /// The conditions over `native` under which an object is not to be seen. They are asked for every object that is
    /// about to be shown, so that what they read is always needed.
    pub fn hiding(&self) -> impl Iterator<Item = &Expr> {
        let guards = self.guards.iter().filter(|guard| guard.hides());
        self.gone.iter().chain(guards.map(|guard| &guard.when))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_of_expressions_meet_paths_above_and_below() {
        let fields = |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        for (selection, path, expected) in [
            ("status", "status", true),
            ("status", "state", false),
            ("", "status", true),
            ("profile", "profile.status", true),
            ("profile status", "profile", true),
            ("profile name", "profile.status", false),
            ("phones", "phones[kind eq 1].number", true),
            ("phones number", "phones[].number", true),
        ] {
            let found = fields_meet(&[fields(selection)], &[NativePath::parse(path).unwrap()]);
            assert_eq!(found, expected, "{selection:?} {path}");
        }
    }
}
