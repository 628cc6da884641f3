//! RESP, the Redis serialization protocol, without a socket: bytes to requests, requests to commands, answers to bytes.
//!
//! Never here: I/O, clocks, decisions about items or reservations.

pub mod admin;
pub mod ahead;
pub mod command;
pub mod json;
pub mod parse;
pub mod reply;
pub mod session;
pub mod table;
pub mod transaction;
pub mod write;

pub use ahead::Ahead;
pub use command::{Read, Refused};
pub use parse::{Args, Parsed, Parser, ProtocolError, Span};
pub use session::{Identity, Session};
pub use table::{Talk, Turn, Verb, Word};
pub use write::{Protocol, Writer};
