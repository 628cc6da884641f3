//! What the contract's tests stand on: a server to start and kill, a client that judges bytes, and scripts that read as
//! text.

pub(crate) mod collector;
pub(crate) mod http;
pub(crate) mod http_script;
pub(crate) mod proxy;
pub(crate) mod resp;
pub(crate) mod script;
pub(crate) mod server;
pub(crate) mod world;

pub(crate) use http::Http;
pub(crate) use http_script::{http, http_check, problem};
pub(crate) use resp::{Client, Value};
pub(crate) use script::check;
pub(crate) use server::Server;
