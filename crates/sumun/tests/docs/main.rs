//! The documents, held to the real thing: every command in them is run and its output compared, every program in them is
//! the file that the tests run, every link leads somewhere, and what they say of errors and metrics is all there is.
//!
//! docs/README.md says how a page is written so that this can be done.

mod markdown;
mod matching;
mod page;
mod pages;
mod reference;
mod shops;
#[path = "../contract/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "what the contract's tests stand on; these need a part of it")]
mod support;

use std::path::{Path, PathBuf};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is there")
}
