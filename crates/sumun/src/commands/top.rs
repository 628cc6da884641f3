//! `sumun top`: a view of what goes on in a server now.

use crate::caps::TOP_EVERY_MS_MIN;
use crate::clock::pause;
use crate::config::HttpAddress;
use crate::failure::Failure;
use crate::show::{Form, say};
use crate::top::{self, Sampler, View};
use crate::units::Millis;
use clap::Args;
use std::io::IsTerminal;
use std::time::Duration;

/// Watch what goes on in a server now: rates, refusals, latencies, log, store, memory, hot items
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun top                                          of the server on this machine
  sumun top --http 10.0.0.5:7080 --every 5s
  sumun top --once                                   two samples, a second apart, as text
  sumun top --json | jq .commits

Keys: q quit, p pause, tab and arrows for the other pages. Rates lie between the last two samples; latencies are upper
bounds, since the histogram's buckets are powers of two. Items are counted in the newest 200 events alone. A server that
goes is waited for. NO_COLOR turns colours off.")]
pub(crate) struct Top {
    /// Time between two samples
    #[arg(long, value_name = "DURATION", default_value = "1s")]
    every: Millis,
    /// Print one view of two samples, and end
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    http: HttpAddress,
}

pub(crate) fn run(arguments: &Top) -> Result<(), Failure> {
    let address = arguments.http.resolve()?;
    if arguments.every.0 < TOP_EVERY_MS_MIN {
        return Err(Failure::Usage(format!("--every is at least {}", Millis(TOP_EVERY_MS_MIN))));
    }
    let every = Duration::from_millis(arguments.every.0);
    if !arguments.once && !arguments.form.json {
        if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            return Err(Failure::Usage("`sumun top` needs a terminal; --once prints one view as text".to_owned()));
        }
        return top::run(address, every);
    }
    let unreachable = |why: String| Failure::Unreachable(format!("{why}; name another server with --http"));
    let mut sampler = Sampler::new(address)?;
    let first = sampler.take().map_err(unreachable)?;
    pause(every);
    let view = View::of(Some(&first), &sampler.take().map_err(unreachable)?);
    if arguments.form.json {
        return say(&serde_json::to_string(&view).map_err(std::io::Error::from)?);
    }
    say(&top::text(&view, &address.to_string()))
}
