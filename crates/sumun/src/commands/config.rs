//! `sumun config`: the configuration file with every key, its default and its meaning.

use crate::config::DEFAULT_FILE;
use crate::failure::Failure;
use crate::show::say;

pub(crate) const HELP: &str = "Examples:
  sumun config > sumun.toml                          a file to start from";

pub(crate) fn run() -> Result<(), Failure> {
    say(DEFAULT_FILE.trim_end())
}
