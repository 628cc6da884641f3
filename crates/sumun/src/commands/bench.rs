//! `sumun bench`: its arguments.

use crate::bench::{self, Goal, Live, Pace, PeerKind, Plan, Refused, Scenario, Workload};
use crate::caps::{CONNECTIONS_MAX, ITEMS_MAX, PIPELINE_MAX};
use crate::child::Server;
use crate::clock;
use crate::config::ServerAddress;
use crate::failure::Failure;
use crate::load::length_ns;
use crate::scratch::Scratch;
use crate::show::{Form, say};
use crate::units::Millis;
use clap::Args;
use std::net::{Ipv4Addr, SocketAddr};

/// Measure a server: throughput and latency under a load
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun bench --spawn                                a server of its own, 64 connections, 10 s
  sumun bench uniform --connections 16 --pipeline 64
  sumun bench full-life --rate 20000 --duration 60s  open loop: stalls show in full
  sumun bench --peer http --server 127.0.0.1:7080    the same over HTTP, with keep-alive
  sumun bench --peer redis --server 127.0.0.1:6379   the usual Lua script, to compare
  sumun bench flash-sale --spawn --json | jq .throughput

Without --rate the loop is closed: each connection waits for an answer before it sends the next request, so that a \
server that stalls is asked less, and its stalls show too little. With --rate they show in full. It makes its own items \
under names that no other run has. Ends with 1 when anything was refused that the scenario does not expect, or lost.")]
pub(crate) struct Bench {
    /// What is asked for
    #[arg(value_enum, default_value_t = Scenario::Hot)]
    scenario: Scenario,
    /// Which server it is
    #[arg(long, value_enum, default_value_t = PeerKind::Sumun)]
    peer: PeerKind,
    #[command(flatten)]
    server: ServerAddress,
    /// Start a server for the run, on a temporary directory
    #[arg(long)]
    spawn: bool,
    /// Connections
    #[arg(long, short, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=i64::from(CONNECTIONS_MAX)))]
    connections: u32,
    /// Requests in flight on each connection (closed loop)
    #[arg(long, short, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(PIPELINE_MAX)))]
    pipeline: u32,
    /// Requests a second in all: an open loop
    #[arg(long, short, value_name = "N", conflicts_with = "pipeline", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    rate: Option<u64>,
    /// How long is measured
    #[arg(long, short, value_name = "DURATION", default_value = "10s")]
    duration: Millis,
    /// Measure so many requests instead
    #[arg(long, short = 'n', value_name = "N", conflicts_with = "duration", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// How long before that is not measured
    #[arg(long, value_name = "DURATION", default_value = "1s")]
    warm_up: Millis,
    /// What choices are made from: the same seed asks for the same items
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Items to make; the scenario's own number when not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=ITEMS_MAX))]
    items: Option<u64>,
    /// Units of each item; the scenario's own number when not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=sumun_wire::limits::QUANTITY_MAX))]
    units: Option<u64>,
    /// How long a reservation is held; the scenario's own when not given
    #[arg(long, value_name = "DURATION")]
    ttl: Option<Millis>,
    /// Of a hundred reservations, so many are held for --ttl; the others outlast the run
    #[arg(long, value_name = "PERCENT", default_value_t = 100, value_parser = clap::value_parser!(u64).range(0..=100))]
    ending: u64,
    /// Ask again what is refused for the moment (OVERLOADED), after the time that the refusal says
    #[arg(long)]
    retry: bool,
    #[command(flatten)]
    form: Form,
}

pub(crate) fn run(arguments: &Bench) -> Result<(), Failure> {
    if arguments.duration.0 == 0 && arguments.count.is_none() {
        return Err(Failure::Usage("--duration must be more than 0".to_owned()));
    }
    if !arguments.spawn {
        return measure(arguments, arguments.server.resolve()?);
    }
    if arguments.peer != PeerKind::Sumun {
        return Err(Failure::Usage(
            "--spawn starts a Sumun server for RESP; start another peer yourself and name it with --server".to_owned(),
        ));
    }
    let scratch = Scratch::new("bench")?;
    let mut server = Server::start(scratch.path(), SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let ready = server.wait_ready()?;
    let measured = measure(arguments, ready.resp);
    server.stop()?;
    measured
}

fn measure(arguments: &Bench, server: SocketAddr) -> Result<(), Failure> {
    let plan = arguments.plan(server)?;
    let report = bench::run(&plan, &mut Live::new(&plan))?;
    say(&if arguments.form.json { report.json() } else { report.text() })?;
    if report.clean() { Ok(()) } else { Err(Failure::No(String::new())) }
}

impl Bench {
    fn plan(&self, server: SocketAddr) -> Result<Plan, Failure> {
        let items = self.items.unwrap_or(self.scenario.default_items());
        let units = self.units.unwrap_or(self.scenario.default_units());
        let ttl_ms = self.ttl.map_or(self.scenario.default_ttl_ms(), |ttl| ttl.0);
        let (duration_ns, warm_up_ns) =
            (length_ns("--duration", self.duration)?, length_ns("--warm-up", self.warm_up)?);
        let mut workload = Workload::new(self.scenario, self.seed, clock::run_id(), items, units, ttl_ms);
        workload.ending = self.ending;
        Ok(Plan {
            server,
            peer: self.peer,
            workload,
            pace: self.rate.map_or(Pace::Closed { pipeline: self.pipeline }, |rate| Pace::Open { rate }),
            goal: self.count.map_or(Goal::Nanos(duration_ns), Goal::Count),
            warm_up_ns,
            connections: self.connections,
            refused: if self.retry { Refused::AskAgain } else { Refused::Count },
        })
    }
}
