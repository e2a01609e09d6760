//! Stages 1 and 9, and everything that passes through: sockets on one side, [`edge`] on the other.
//!
//! In: connections. Out: answers. Each request head is inspected ([`head`], [`downstream`]) before the proxy library
//! reads it; by its path alone an [`edge::ScimService`] claims it or not. SCIM requests are read whole and bounded
//! (`direct`, or by way of the library where a body frames itself) and answered by that service, which knows no
//! socket; all others stream to the application ([`service`]).
//!
//! The data side speaks HTTP/1.1 only. A sidecar's neighbours are an ingress and an identity provider, and both do;
//! HTTP/2 by prior knowledge would bypass the inspection of heads.
//!
//! No `Via` header is added: the application is meant to see the request as the ingress sent it, and some servers
//! stop compressing for requests that carry one.

pub mod admin;
mod body;
mod direct;
pub mod downstream;
pub mod edge;
mod exchange;
pub mod forward;
pub mod head;
pub mod listener;
mod log_level;
mod respond;
mod scan;
pub mod service;
pub mod trust;
pub mod upstream;
