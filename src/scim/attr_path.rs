//! Attribute paths (RFC 7644 3.10) in canonical form.

use std::fmt;
use std::sync::Arc;

/// Where a value lives in a resource: `[urn:]attribute[.sub]`, resolved against a resource type, so every name has
/// the spelling of its schema.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AttrPath {
    /// URN of the extension schema; `None` for the core schema and the common attributes.
    pub extension: Option<Arc<str>>,
    /// Attribute name.
    pub attribute: Arc<str>,
    /// Sub-attribute name.
    pub sub: Option<Arc<str>>,
}

impl fmt::Display for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.extension {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.attribute)?;
        if let Some(sub) = &self.sub {
            write!(f, ".{sub}")?;
        }
        Ok(())
    }
}
