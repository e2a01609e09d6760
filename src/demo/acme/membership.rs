//! Who is in which team: pairs of ids, readable from both sides.
//!
//! It does not know whether either side exists; the endpoints decide what may be stored.

use std::collections::{BTreeMap, BTreeSet};

use super::id::Id;

/// All memberships. Every pair is in both maps, or in neither.
#[derive(Default)]
pub(super) struct Memberships {
    /// Team -> employee -> when they joined (RFC 3339).
    by_team: BTreeMap<Id, BTreeMap<Id, String>>,
    by_employee: BTreeMap<Id, BTreeSet<Id>>,
}

impl Memberships {
    pub(super) fn contains(&self, team: &Id, employee: &Id) -> bool {
        self.by_employee.get(employee).is_some_and(|teams| teams.contains(team))
    }

    /// Puts an employee into a team. One who is in it already keeps the time they joined.
    pub(super) fn add(&mut self, team: &Id, employee: &Id, added_at: &str) {
        let teams = self.by_employee.entry(employee.clone()).or_default();
        if teams.insert(team.clone()) {
            let members = self.by_team.entry(team.clone()).or_default();
            members.insert(employee.clone(), added_at.to_owned());
        }
    }

    /// Returns whether the employee was in the team.
    pub(super) fn remove(&mut self, team: &Id, employee: &Id) -> bool {
        let was_member = take_from(&mut self.by_employee, employee, |teams| teams.remove(team), BTreeSet::is_empty);
        take_from(&mut self.by_team, team, |members| members.remove(employee).is_some(), BTreeMap::is_empty);
        was_member
    }

    /// Takes an employee out of every team and returns those teams.
    pub(super) fn remove_employee(&mut self, employee: &Id) -> BTreeSet<Id> {
        let teams = self.by_employee.remove(employee).unwrap_or_default();
        for team in &teams {
            take_from(&mut self.by_team, team, |members| members.remove(employee).is_some(), BTreeMap::is_empty);
        }
        teams
    }

    pub(super) fn remove_team(&mut self, team: &Id) {
        for employee in self.by_team.remove(team).unwrap_or_default().keys() {
            take_from(&mut self.by_employee, employee, |teams| teams.remove(team), BTreeSet::is_empty);
        }
    }

    /// The members of a team and when they joined, by employee id.
    pub(super) fn members(&self, team: &Id) -> impl ExactSizeIterator<Item = (&Id, &String)> {
        self.by_team.get(team).unwrap_or(&NO_MEMBERS).iter()
    }

    pub(super) fn teams(&self, employee: &Id) -> impl ExactSizeIterator<Item = &Id> {
        self.by_employee.get(employee).unwrap_or(&NO_TEAMS).iter()
    }
}

/// Takes something out of one entry of a map, and the entry out of the map once it holds nothing.
fn take_from<V>(
    map: &mut BTreeMap<Id, V>,
    key: &Id,
    take: impl FnOnce(&mut V) -> bool,
    is_empty: impl FnOnce(&V) -> bool,
) -> bool {
    let Some(entry) = map.get_mut(key) else {
        return false;
    };
    let taken = take(entry);
    if is_empty(entry) {
        map.remove(key);
    }
    taken
}

static NO_MEMBERS: BTreeMap<Id, String> = BTreeMap::new();
static NO_TEAMS: BTreeSet<Id> = BTreeSet::new();

#[cfg(test)]
mod tests {
    use super::{Id, Memberships};

    #[test]
    fn both_sides_agree_after_every_step() {
        let [team, other, ann, bob] = ["t", "u", "1", "2"].map(Id::parse);
        let mut all = Memberships::default();
        all.add(&team, &ann, "then");
        all.add(&team, &ann, "later");
        all.add(&team, &bob, "then");
        all.add(&other, &ann, "then");
        assert!(all.contains(&other, &ann) && !all.contains(&other, &bob));
        let members = all.members(&team).map(|(id, at)| (id, at.as_str()));
        assert_eq!(members.collect::<Vec<_>>(), [(&ann, "then"), (&bob, "then")]);
        assert_eq!(all.teams(&ann).collect::<Vec<_>>(), [&team, &other]);

        assert!(all.remove(&team, &bob) && !all.remove(&team, &bob));
        assert_eq!(all.remove_employee(&ann).into_iter().collect::<Vec<_>>(), [team.clone(), other.clone()]);
        assert_eq!((all.members(&team).len(), all.teams(&ann).len()), (0, 0));

        all.add(&team, &bob, "then");
        all.remove_team(&team);
        assert_eq!((all.members(&team).len(), all.teams(&bob).len()), (0, 0));
        assert!(all.by_team.is_empty() && all.by_employee.is_empty(), "nothing is left behind");
    }
}
