//! scimshim.
pub mod expr;
