//! `sumun log`: the events of a log as they are.

use crate::config::DataDirectory;
use crate::event_text;
use crate::failure::Failure;
use crate::logfile::{LogFile, Next, SHARD};
use crate::show::Form;
use clap::{Args, Subcommand};
use std::io::{self, BufWriter, Write};
use sumun_feed::CloudEvents;

/// Look into a server's log
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Examples:
  sumun log dump --data ./sumun-data
  sumun log dump --data ./sumun-data --after 1000 --json | jq .type")]
pub(crate) struct Log {
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    Dump(Dump),
}

/// Print the events, one a line, running or stopped
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun log dump --data ./sumun-data
  sumun log dump --data ./sumun-data --after 1000 --json | jq -r .subject

With --json each line is a CloudEvent. Beside a running server it prints up to the log's durable end. A log whose oldest \
events have left with --log-retention is printed from where it begins; where that is, is said on stderr.")]
struct Dump {
    #[command(flatten)]
    directory: DataDirectory,
    /// Begin after this sequence
    #[arg(long, value_name = "N", default_value_t = 0)]
    after: u64,
    #[command(flatten)]
    form: Form,
}

pub(crate) fn run(arguments: &Log) -> Result<(), Failure> {
    match &arguments.command {
        LogCommand::Dump(dump) => print(dump),
    }
}

fn print(arguments: &Dump) -> Result<(), Failure> {
    let mut log = LogFile::open(&arguments.directory.data)?;
    let first = log.reader().bounds().first;
    if arguments.after > 0 && arguments.after + 1 < first {
        return Err(Failure::No(format!(
            "sequence {} is older than the log, which begins at {first}",
            arguments.after + 1
        )));
    }
    if first > 1 && arguments.after < first {
        eprintln!("sumun: the log begins at {first}: what was before has left with --log-retention");
    }
    let cloud_events = CloudEvents::new(log.id(), SHARD);
    let mut out = BufWriter::new(io::stdout().lock());
    let mut text = Vec::new();
    log.each(arguments.after, |event| {
        text.clear();
        if arguments.form.json {
            cloud_events.write(event, &mut text);
        } else {
            text.extend_from_slice(event_text::line(event).as_bytes());
        }
        text.push(b'\n');
        written(out.write_all(&text))
    })?;
    written(out.flush()).map(|_| ())
}

/// A reader that has gone (`| head`) has seen enough.
fn written(result: io::Result<()>) -> Result<Next, Failure> {
    match result {
        Ok(()) => Ok(Next::Go),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Next::Stop),
        Err(error) => Err(error.into()),
    }
}
