//! `sumun config`: the configuration file with every key, its default and its meaning; and what is wrong with one.

use crate::config::{self, DEFAULT_FILE};
use crate::failure::Failure;
use crate::mistakes::Mistake;
use crate::show::{Form, say};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Print the configuration file, with every key at its default; or check one
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun config > sumun.toml                          a file to start from
  sumun config check                                 every mistake of ./sumun.toml, with line, column and key
  sumun config check /etc/sumun.toml --json")]
pub(crate) struct Config {
    #[command(subcommand)]
    command: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    Check(Check),
}

/// Check a configuration file: every mistake, with line, column, key and what was probably meant
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun config check
  sumun config check /etc/sumun.toml --json | jq .mistakes

Checks the file with the defaults for what it leaves out; flags and variables of `sumun serve` may still differ. Ends
with 0 when it is good, with 2 when it is not.")]
struct Check {
    /// The file
    #[arg(value_name = "FILE", default_value = config::FILE_NAME)]
    file: PathBuf,
    #[command(flatten)]
    form: Form,
}

pub(crate) fn run(arguments: &Config) -> Result<(), Failure> {
    match &arguments.command {
        None => say(DEFAULT_FILE.trim_end()),
        Some(What::Check(arguments)) => check(arguments),
    }
}

fn check(arguments: &Check) -> Result<(), Failure> {
    let mistakes = config::check(&arguments.file)?;
    let file = arguments.file.display();
    if arguments.form.json {
        let ok = mistakes.is_empty();
        let told = serde_json::json!({ "file": file.to_string(), "ok": ok, "mistakes": mistakes });
        say(&told.to_string())?;
        return if ok { Ok(()) } else { Err(Failure::Usage(String::new())) };
    }
    if mistakes.is_empty() {
        return say(&format!("{file} is good"));
    }
    mistakes.iter().try_for_each(|mistake: &Mistake| say(&format!("{file}:{mistake}")))?;
    let count = mistakes.len();
    Err(Failure::Usage(if count == 1 { "1 mistake".to_owned() } else { format!("{count} mistakes") }))
}
