//! Applications that the example configurations are for, in memory and strict.
//!
//! In: HTTP on a loopback port. Out: each application's own answers, a line for every call, and a list of the harm that
//! was done. They know nothing of SCIM. They enforce what such an application enforces (mandatory and unique fields,
//! the pattern of a key, replacing what is replaced), and a call that they must carry out although it destroys
//! something is noted: the test that made it fails.
//!
//! | module | what it is | configuration |
//! |---|---|---|
//! | `serve` | the socket, the record of calls, trouble on demand | |
//! | `check` | what a body may hold | |
//! | `legacy` | a personnel system: sessions, forms, always 200 | `legacy` |
//! | `people` | people, with or without teams, behind pages and envelopes | `users-only`, `typical` |
//! | `permit` | an authorization service: tenants, roles and who has them | `permit` |
//! | `depot` | accounts and teams that one PUT makes and replaces | `upsert` |
//! | `monitor` | one URL, the operation in the body, refusals inside 200 | `jsonrpc` |
//! | `redmine` | Redmine's users and groups, as the real one was seen to answer | `redmine` |
//! | `seats` | people and groups that are only ever replaced whole | `configcat` |

pub(crate) mod check;
pub(crate) mod depot;
pub(crate) mod legacy;
pub(crate) mod monitor;
pub(crate) mod people;
pub(crate) mod permit;
pub(crate) mod redmine;
pub(crate) mod seats;
pub(crate) mod serve;
