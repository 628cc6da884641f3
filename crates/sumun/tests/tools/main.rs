//! The operators' tools against the real server: import and export, `top` in a real terminal, checks of a configuration.

mod config;
mod import;
mod round_trip;
mod support;
mod top;
