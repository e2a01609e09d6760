//! What only a socket can show. One binary, because each further one links again.

#[path = "../apps/mod.rs"]
mod apps;
mod auth_in;
mod auth_out;
mod bounds;
#[path = "../config/main.rs"]
mod config;
mod conformance_bench;
mod conformance_lists;
mod conformance_strict;
mod cycles;
mod doc_blocks;
mod doc_commands;
mod drain;
mod examples_bench;
mod examples_cases;
mod examples_configcat;
mod examples_jsonrpc;
mod examples_legacy;
mod examples_people;
mod examples_permit;
mod examples_redmine;
mod examples_upsert;
mod mapping_guide;
mod members;
mod native_keys;
mod online;
mod operator;
mod proxy_binary;
mod proxy_connection;
mod proxy_forward;
mod proxy_harness;
mod proxy_protocol;
mod proxy_reload;
mod proxy_scim;
mod sessions;
mod shapes;
mod stack;
mod tenants;
mod tidy;
mod tls;
mod turns;
mod wire_backend;
mod wire_case;
mod wire_compare;
mod wire_corpus;
