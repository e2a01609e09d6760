//! What a slot for writes holds: a call, the steps behind it, and the phases that follow.

use std::sync::Arc;

use crate::expr::{Expr, Name, Template};

use super::call::{Body, BodyNode, Call, ListCall, Phase, Slot, Spread};
use super::{Extract, Origin};

/// The calls of one write slot, in order.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The slot's own call first, if it has one, then its `steps`.
    pub steps: Vec<Step>,
    /// Whether the first step is the slot's own call, which carries the rows.
    pub has_own_call: bool,
    /// Phases that follow, in order.
    pub then: Vec<Phase>,
    /// Which slot this is written in.
    pub slot: Slot,
    /// Its place.
    pub origin: Origin,
}

/// One step: a call that may depend on a condition, and may be made for every element of a list.
#[derive(Clone, Debug)]
pub struct Step {
    /// What later steps call it.
    pub id: Option<Arc<str>>,
    /// Only when this holds; with `each`, asked for every element.
    pub when: Option<Expr>,
    /// Once per element.
    pub each: Option<Each>,
    /// The call.
    pub call: Call,
    /// The same as a list that is read to its end, where one reply may not hold all of it.
    pub list: Option<Box<ListCall>>,
    /// Takes it back when something later fails; on a create only.
    pub undo: Option<Call>,
}

/// `for`, `as`, `max`, `parallel`. The element is [`Name::Local`] 0.
#[derive(Clone, Debug)]
pub struct Each {
    /// The list; null is the empty one.
    pub list: Expr,
    /// More elements are refused before the first call.
    pub max: usize,
    /// Calls under way together.
    pub parallel: usize,
}

impl Flow {
    /// A call and nothing else.
    pub fn of(call: Call) -> Self {
        let (slot, origin) = (call.slot, call.origin.clone());
        let step = Step { id: None, when: None, each: None, call, list: None, undo: None };
        Self { steps: vec![step], has_own_call: true, then: Vec::new(), slot, origin }
    }

    /// The slot's own call.
    pub fn own_call(&self) -> Option<&Call> {
        self.steps.first().filter(|_| self.has_own_call).map(|step| &step.call)
    }

    /// The call, where it is one and depends on nothing.
    pub fn single(&self) -> Option<&Call> {
        match self.steps.as_slice() {
            [step] if step.when.is_none() && step.each.is_none() => Some(&step.call),
            _ => None,
        }
    }

    /// Every call but those that undo.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.steps.iter().map(|step| &step.call)
    }

    /// Whether anything in it reads a name.
    pub fn uses(&self, name: Name) -> bool {
        let mut found = false;
        self.each_path(name, &mut |_| found = true);
        found
    }

    /// Whether some call is to hold all rows, changed or not.
    pub fn sends_all_rows(&self) -> bool {
        let spread = |call: &Call| matches!(&call.body, Body::Built(node) if node.spreads(Spread::Mapped));
        self.calls().any(spread) || self.uses(Name::Mapped)
    }

    /// Every selection it makes from a name; the empty path is the whole document.
    pub fn paths(&self, name: Name) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        self.each_path(name, &mut |path| paths.push(path.to_vec()));
        paths
    }

    /// Visits every selection it makes from a name, some of them more than once.
    pub fn each_path(&self, name: Name, visit: &mut impl FnMut(&[String])) {
        for step in &self.steps {
            let lists = step.each.iter().map(|each| &each.list);
            step.when.iter().chain(lists).flat_map(|expr| expr.selections(name)).for_each(&mut *visit);
            for call in std::iter::once(&step.call).chain(&step.undo) {
                call.each_template(&mut |template| template.selections(name).for_each(&mut *visit));
            }
        }
    }
}

impl Call {
    /// Where the id of a new object is in the reply (`save = { id = .. }`).
    pub fn saved_id(&self) -> Option<&Extract> {
        self.save.iter().find(|(name, _)| &**name == "id").map(|(_, extract)| extract)
    }

    /// Names that its templates look up in reference tables, where they stand there as such.
    pub fn looked_up(&self) -> Vec<(String, String)> {
        let mut names = Vec::new();
        self.each_template(&mut |template| {
            for path in template.field_paths(Name::Table) {
                if let [table, name, ..] = path.as_slice() {
                    names.push((table.clone(), name.clone()));
                }
            }
        });
        names
    }

    /// Visits every template of the call.
    pub fn each_template(&self, visit: &mut impl FnMut(&Template)) {
        let named = self.query.iter().chain(&self.headers).map(|(_, template)| template);
        self.segments.iter().chain(named).for_each(&mut *visit);
        if let Body::Built(node) = &self.body {
            node.each_leaf(visit);
        }
    }
}

impl BodyNode {
    /// The rows that are spread in it, if any are.
    pub fn spread(&self) -> Option<Spread> {
        [Spread::Mapped, Spread::Changed].into_iter().find(|spread| self.spreads(*spread))
    }

    fn spreads(&self, wanted: Spread) -> bool {
        match self {
            Self::Object { fields, spread } => {
                *spread == Some(wanted) || fields.iter().any(|(_, node)| node.spreads(wanted))
            }
            Self::Array(items) => items.iter().any(|node| node.spreads(wanted)),
            Self::Leaf(_) | Self::Literal(_) | Self::Secret(_) => false,
        }
    }

    fn each_leaf(&self, visit: &mut impl FnMut(&Template)) {
        match self {
            Self::Leaf(template) => visit(template),
            Self::Object { fields, .. } => fields.iter().for_each(|(_, node)| node.each_leaf(visit)),
            Self::Array(items) => items.iter().for_each(|node| node.each_leaf(visit)),
            Self::Literal(_) | Self::Secret(_) => {}
        }
    }
}
