//! Stage 2: which route and which endpoint a path is about, or that it is none of ours.
//!
//! In: a request path as received. Out: an [`Outcome`]. Nothing is read here but the path: no method, no credential,
//! no body.
//!
//! Everything below the literal prefix of a route belongs to SCIM: what is not found there is answered here with 404
//! and never reaches the application. Everything else passes through untouched, unless some reading of it leads below
//! such a prefix; then it is refused.

mod canonical;
mod disguise;
mod endpoint;
mod template;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use canonical::{CanonicalPath, PATH_MAX_BYTES, PathRefusal, Reason, Segment, canonicalise};
pub use endpoint::{Endpoint, RESERVED_NAMES};
pub use template::{PathTemplate, TemplateError, TemplateMatch};

use template::Probe;

/// The longest value of a route variable, in characters, whatever its pattern says.
pub const VALUE_MAX_CHARS: usize = 255;

/// The routes of a snapshot, most specific first.
#[derive(Clone, Debug)]
pub struct RouteTable {
    entries: Vec<Entry>,
    /// The literal prefixes, each once.
    prefixes: Vec<Vec<Box<str>>>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Number of the route in the configuration.
    route: usize,
    template: PathTemplate,
    /// For each name of the template its number among all variables.
    variables: Vec<usize>,
    /// Resource endpoints without their slash.
    types: Vec<Box<str>>,
}

/// What a path is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A SCIM endpoint.
    Scim(Matched),
    /// Below a SCIM prefix, yet nothing: a SCIM 404 that costs no authentication and no native call.
    NotFound(NotFoundReason),
    /// Neither served nor passed on.
    Refused(PathRefusal),
    /// The application's own.
    PassThrough,
}

/// A path that names a SCIM endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// Index of the route.
    pub route: usize,
    /// Index of each captured variable, and its value.
    pub values: Vec<(usize, String)>,
    /// What stands below the base.
    pub endpoint: Endpoint,
    /// The base as received, without a slash at its end: what `meta.location` and `$ref` begin with.
    pub base: String,
}

/// Why nothing is found below a SCIM prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotFoundReason {
    /// The value of a route variable does not match its pattern.
    BadVariable {
        /// The variable.
        name: Arc<str>,
    },
    /// The base is complete, but no endpoint of that name is served there.
    UnknownEndpoint,
    /// No route has such a base.
    NoRoute,
}

impl NotFoundReason {
    /// The word of every reason, so that its counter exists before it happens.
    pub const WORDS: [&'static str; 3] = ["bad_variable", "unknown_endpoint", "no_route"];

    /// The word used in metrics and logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::BadVariable { .. } => "bad_variable",
            Self::UnknownEndpoint => "unknown_endpoint",
            Self::NoRoute => "no_route",
        }
    }
}

impl fmt::Display for NotFoundReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadVariable { name } => write!(f, "the base URL holds no valid {name}"),
            Self::UnknownEndpoint => f.write_str("there is no such endpoint below this base URL"),
            Self::NoRoute => f.write_str("this is not the base URL of a SCIM service"),
        }
    }
}

impl RouteTable {
    /// Builds the table. `variables` is the list that the numbers in [`Matched::values`] refer to; each route comes as
    /// its template and the endpoints of its resource types (`/Users`), in configuration order. A template variable
    /// that is not in `variables` is matched but not captured.
    pub fn new<'t, E>(variables: &[Arc<str>], routes: impl IntoIterator<Item = (&'t PathTemplate, E)>) -> Self
    where
        E: IntoIterator,
        E::Item: AsRef<str>,
    {
        let number = |name: &Arc<str>| variables.iter().position(|known| known == name).unwrap_or(usize::MAX);
        let mut entries: Vec<Entry> = routes
            .into_iter()
            .enumerate()
            .map(|(route, (template, endpoints))| Entry {
                route,
                template: template.clone(),
                variables: template.names().map(number).collect(),
                types: endpoints.into_iter().map(|name| Box::from(name.as_ref().trim_start_matches('/'))).collect(),
            })
            .collect();
        let mut prefixes: Vec<Vec<Box<str>>> =
            entries.iter().map(|entry| entry.template.literal_prefix().map(Box::from).collect()).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.template.specificity()));
        Self { entries, prefixes }
    }

    /// Decides what a path is about.
    ///
    /// ```
    /// use scimshim::route::{Outcome, PathTemplate, RouteTable};
    /// let template = PathTemplate::compile("/scim/v2", &Default::default()).unwrap();
    /// let table = RouteTable::new(&[], [(&template, ["/Users"])]);
    /// assert!(matches!(table.resolve("/scim/v2/Users/7"), Outcome::Scim(_)));
    /// assert!(matches!(table.resolve("/scim/v2/Robots"), Outcome::NotFound(_)));
    /// assert!(matches!(table.resolve("/sc%69m/v2/Users"), Outcome::Refused(_)));
    /// assert!(matches!(table.resolve("/app/users"), Outcome::PassThrough));
    /// ```
    pub fn resolve(&self, raw_path: &str) -> Outcome {
        let path = match canonicalise(raw_path) {
            Ok(path) => path,
            Err(refusal) => return Outcome::Refused(refusal),
        };
        // Clients resolve dot segments before sending (RFC 3986 5.2.4); nobody but an attacker sends them.
        if path.ambiguous == Some(Reason::DotSegment) {
            return Outcome::Refused(PathRefusal(Reason::DotSegment));
        }
        if self.prefixes.iter().any(|prefix| is_above(prefix, &path)) {
            return match path.ambiguous {
                Some(reason) => Outcome::Refused(PathRefusal(reason)),
                None => self.find(&path),
            };
        }
        if disguise::reaches(raw_path, &self.prefixes) {
            return Outcome::Refused(PathRefusal(path.ambiguous.unwrap_or(Reason::Disguised)));
        }
        Outcome::PassThrough
    }

    /// The first template that fits decides. A second one is not asked, so that a path which one tenant's route does
    /// not serve cannot be served by another route with other credentials.
    fn find(&self, path: &CanonicalPath<'_>) -> Outcome {
        let mut bad_variable = None;
        for entry in &self.entries {
            match entry.template.probe(path) {
                Probe::Match => {
                    let outcome = entry.below_base(path);
                    let nothing = matches!(outcome, Outcome::NotFound(_));
                    // Of two reasons the one about the longer base is the one to mend.
                    return match bad_variable {
                        Some(name) if nothing => Outcome::NotFound(NotFoundReason::BadVariable { name }),
                        _ => outcome,
                    };
                }
                Probe::BadVariable(name) => bad_variable = bad_variable.or(Some(name)),
                Probe::Other => {}
            }
        }
        Outcome::NotFound(bad_variable.map_or(NotFoundReason::NoRoute, |name| NotFoundReason::BadVariable { name }))
    }
}

impl Entry {
    fn below_base(&self, path: &CanonicalPath<'_>) -> Outcome {
        let (base, rest) = path.segments.split_at_checked(self.template.len()).unwrap_or_default();
        let Some(endpoint) = endpoint::read(rest, &self.types) else {
            return Outcome::NotFound(NotFoundReason::UnknownEndpoint);
        };
        let mut values = Vec::with_capacity(self.variables.len());
        for (index, value) in self.variables.iter().zip(self.template.values(path)) {
            if *index != usize::MAX {
                values.push((*index, value.to_owned()));
            }
        }
        let mut as_received = String::with_capacity(base.iter().map(|segment| segment.raw.len() + 1).sum());
        for segment in base {
            as_received.push('/');
            as_received.push_str(segment.raw);
        }
        Outcome::Scim(Matched { route: self.route, values, endpoint, base: as_received })
    }
}

/// Whether the path lies at or below the prefix, as received.
fn is_above(prefix: &[Box<str>], path: &CanonicalPath<'_>) -> bool {
    path.segments.len() >= prefix.len()
        && prefix.iter().zip(&path.segments).all(|(literal, segment)| **literal == *segment.raw)
}
