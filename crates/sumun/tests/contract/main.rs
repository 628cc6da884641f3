//! The contract, as a client may rely on it: the real binary is started, spoken to over a socket, killed and started
//! again. Each module is an area; each test starts one server at most.
//!
//! Never here: crates of ours. What is known of Sumun in here stands in its public contract.

mod clients;
mod command_line;
mod durability;
mod http_bodies;
mod http_durability;
mod http_events;
mod http_hostile;
mod http_hostile_bytes;
mod http_ids;
mod http_items;
mod http_lists;
mod http_metrics;
mod http_movements;
mod http_numbers;
mod http_openapi;
mod http_outages;
mod http_parts;
mod http_paths;
mod http_protocol;
mod http_refusals;
mod http_reservations;
mod http_schemathesis;
mod http_stream;
mod http_traces;
mod logs;
mod races;
mod redis_rs;
mod resp_items;
mod resp_limits;
mod resp_lots;
mod resp_multi;
mod resp_parts;
mod resp_protocol;
mod resp_verbs;
mod support;
