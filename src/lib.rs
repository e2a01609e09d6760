//! scimshim.
