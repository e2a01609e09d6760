//! Tests of the application as a whole: the API as a function, and what only a socket can show.

mod handler;
mod socket;
