//! What every proof stands on: the server as a child that can be killed, clients of RESP and HTTP that hide nothing, the log as
//! it can be read beside it.
//!
//! Failures are texts: whoever reads them is a person. Never here: what is right and wrong.

pub mod binary;
pub mod clock;
pub mod http;
pub mod log;
pub mod resp;
pub mod scratch;
pub mod server;
pub mod shim;

pub use http::Web;
pub use resp::{Connection, Value};
pub use scratch::Scratch;
pub use server::{Server, Setup};
