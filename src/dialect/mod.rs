//! What clients send, in the form the RFCs meant.
//!
//! In: the JSON body of a create, a replace or a PATCH, as sent. Out: a canonical resource or canonical operations,
//! the names that no schema knows, and the count of every [`Repair`] made on the way. Repairs go by the shape of the
//! request and the type that the schema gives an attribute, never by who seems to be calling, so they are always on.
//! They move and unwrap values; they do not invent, translate or tidy them. This module reads no state: what a PATCH
//! does to a resource is [`crate::scim::patch`]'s business.

pub mod catalogue;
mod expand;
mod notes;
mod patch;
mod resource;
mod shape;

#[cfg(test)]
mod tests;

pub use catalogue::{Entry, Evidence, Repair, Repairs};
pub use patch::{NormalisedPatch, PatchLimits, patch};
pub use resource::{Normalised, Purpose, resource};
