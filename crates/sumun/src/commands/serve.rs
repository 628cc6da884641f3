//! `sumun serve`: configuration, then the engine on its log, then the reactor in front of it.

use super::Cli;
use crate::caps::{
    STORE_BUFFER_BYTES_MAX, STORE_BUFFER_BYTES_MIN, STORE_CACHE_BYTES_MAX, STORE_CACHE_BYTES_MIN, STORE_MEMORY_PART,
};
use crate::clock;
use crate::config::{self, Config, Sources};
use crate::failure::Failure;
use crate::logfile::SHARD;
use crate::operator::{self, Level, tell};
use crate::show::say;
use anyhow::{Context, anyhow};
use clap::{Args, CommandFactory};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use sumun_engine::env::{Env, System, Threads, be_prompt};
use sumun_engine::{Engine, Opened, Opener, Shelves};
use sumun_feed::{Feed, Setup as FeedSetup, Teller};
use sumun_http::Listener;
use sumun_log::{FileLog, LogId, Report, Setup};
use sumun_server::{BindError, Ended, Hears, Reactor, Shard, Signals};
use sumun_store::FjallOpener;
use sumun_trace::Tracer;

/// Run the server: RESP for Redis clients and HTTP, on one data directory
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun serve                                        ./sumun-data, on loopback
  sumun serve --data /var/lib/sumun --resp 10.0.0.5:6380 --expose --memory 4GiB
  SUMUN_RETENTION=7d sumun serve --config /etc/sumun.toml

Prints one line when it is ready; logs go to stderr. SIGTERM ends it within the grace. `sumun config` prints a \
configuration file with every key. A flag wins over a variable, a variable over the file.")]
pub(crate) struct Serve {
    #[command(flatten)]
    sources: Sources,
}

type Waker = Arc<OnceLock<Arc<mio::Waker>>>;

pub(crate) fn run(arguments: &Serve) -> Result<(), Failure> {
    let config = Config::load(&arguments.sources)?;
    operator::tells(config.log_format, config.log_level);
    for name in config::unknown_variables(&Cli::command()) {
        tell(Level::Warn, "variable_unknown", "a variable that nothing reads: is it mistyped?", &[("name", &name)]);
    }
    for (name, why) in &config.ignored {
        tell(Level::Warn, "variable_ignored", "a variable that cannot be taken", &[("name", name), ("why", why)]);
    }
    // Before anything is opened: an address that cannot be had is a mistake to be told at once.
    let http = config.http.map(listen).transpose()?;
    crate::machine::give_freed_memory_back();
    // Before any thread is started, so that each holds them back.
    let signals = Signals::hold().context("cannot hold back signals")?;
    let waker = Waker::default();
    let mut env = System::new();
    let run = env.random() as u32;
    let opener = opener(&config, &mut env, Arc::clone(&waker));
    let options = sumun_engine::Options {
        shard: SHARD,
        memory: usize::try_from(records_bytes(config.memory.0)).unwrap_or(usize::MAX),
        retention_ms: config.retention.0,
        log_retention_ms: config.log_retention.0,
        stage_after_ms: config.store_delay.0,
        accept_clock: config.accept_clock,
    };
    // The lock on the directory comes with the log: whoever does not get it touches nothing that is another's.
    let store =
        FjallOpener { dir: config.data.join(SHARD.to_string()).join("store"), options: store_options(config.memory.0) };
    let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(waking(Arc::clone(&waker)));
    let shelves = || Shelves::beside(Box::new(store), &Threads, &wake);
    let opened = Engine::open(options, Box::new(env), opener, shelves);
    let (engine, report) = opened.with_context(|| format!("cannot open {}", config.data.display()))?;
    found(&config, &engine, &report);
    serve(&config, signals, engine, &waker, http.map(|listener| (listener, run)))
}

fn listen(address: SocketAddr) -> anyhow::Result<Listener> {
    Listener::bind(address)
        .map_err(|error| anyhow!("cannot listen at {address}: {error}; --http names another address, `-` none"))
}

/// HTTP has a thread of its own; the reactor ends when that has closed its connections.
fn start_http(
    config: &Config,
    reactor: &mut Reactor,
    listener: Listener,
    run: u32,
    feed: &Feed,
    tracer: Option<&Tracer>,
) -> anyhow::Result<()> {
    let handover = reactor.handover();
    let options = sumun_http::Options {
        hosts: config.http_hosts.clone(),
        connections_max: (config.max_clients as usize).min(sumun_http::caps::CONNECTIONS_MAX),
        run,
        memory_bytes: Some(config.memory.0),
        feed: Some(feed.clone()),
        tracer: tracer.cloned(),
        ..sumun_http::Options::default()
    };
    let serve = move || {
        if let Err(error) = listener.serve(&handover, options) {
            tell(Level::Error, "http_stopped", "HTTP has stopped", &[("why", &error)]);
        }
    };
    start_thread("sumun-http", serve)
}

/// Who sends spans, where a collector is named.
fn start_tracer(config: &Config, engine: &Engine) -> anyhow::Result<Option<Tracer>> {
    let Some(endpoint) = config.otlp.clone() else { return Ok(None) };
    tell(
        Level::Info,
        "traces_on",
        "spans are sent to a collector",
        &[("collector", &endpoint), ("part", &config.trace_ratio.part()), ("service", &config.service)],
    );
    let setup = sumun_trace::Setup {
        endpoint,
        ratio: config.trace_ratio.part(),
        service: config.service.clone(),
        instance: format!("{}/{SHARD}", engine.id()),
        version: env!("CARGO_PKG_VERSION"),
        clock: clock::wall,
        hears: Box::new(|notice| {
            let (level, event) = match notice {
                sumun_trace::Notice::CannotSend { .. } => (Level::Warn, "traces_dropped"),
                sumun_trace::Notice::SendsAgain => (Level::Info, "traces_sent"),
            };
            tell(level, event, &notice.to_string(), &[]);
        }),
    };
    Ok(Some(Tracer::start(setup)?))
}

fn end_traces(tracer: &Tracer) {
    let sumun_trace::Figures { exported, dropped, failed, .. } = tracer.close();
    tell(
        Level::Info,
        "traces_off",
        "no more spans are sent",
        &[("sent", &exported), ("dropped", &dropped), ("failed", &failed)],
    );
}

fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    started.map(drop).with_context(|| format!("cannot start the thread {name}"))
}

/// What others read of the log, and who is told how far that goes.
fn start_feed(config: &Config, engine: &Engine) -> anyhow::Result<(Feed, Teller)> {
    let setup =
        FeedSetup { disk: Arc::new(sumun_log::RealDisk), data: config.data.clone(), shard: SHARD, id: engine.id() };
    let bounds = engine.bounds().context("the log was closed as it was opened")?;
    let (feed, teller) = Feed::new(setup, &bounds);
    let tail = feed.clone();
    start_thread("sumun-feed", move || tail.run())?;
    Ok((feed, teller))
}

fn serve(
    config: &Config,
    signals: Signals,
    engine: Engine,
    waker: &Waker,
    http: Option<(Listener, u32)>,
) -> Result<(), Failure> {
    let mut options = sumun_server::Options::new(config.resp);
    options.data = Some(config.data.clone());
    options.clients_max = config.max_clients as usize;
    options.grace_ms = config.grace.0;
    let mut reactor = Reactor::bind(options, Some(signals)).map_err(|error| match error {
        BindError::Tcp { .. } => anyhow!("{error}; --resp names another address"),
        BindError::Control { .. } | BindError::Poll(_) => anyhow!(error),
    })?;
    waker.set(reactor.waker()).expect("set here alone");
    let log = engine.id();
    let http_address = http.as_ref().map_or_else(|| "-".to_owned(), |(listener, _)| listener.address().to_string());
    let (feed, mut teller) = start_feed(config, &engine)?;
    let tracer = if http.is_some() { start_tracer(config, &engine)? } else { None };
    // So is the thread of HTTP, which this one starts.
    be_prompt();
    if let Some((listener, run)) = http {
        start_http(config, &mut reactor, listener, run, &feed, tracer.as_ref())?;
    }
    let hears: Hears = Box::new(|notice| {
        let level = if notice.is_warning() { Level::Warn } else { Level::Info };
        tell(level, notice.name(), &notice.to_string(), &[]);
    });
    let mut shard = Shard::new(engine).told_to(hears).telling_bounds(Box::new(move |bounds| teller.advance(bounds)));
    let ended = reactor.run(&mut shard, |resp| {
        let pid = std::process::id();
        // Whoever waits for this line and has gone will not be served less.
        let _ = say(&format!("sumun ready resp={resp} http={http_address} pid={pid} shard={SHARD} log={log}"));
    });
    feed.close();
    // No request is under way any more.
    tracer.iter().for_each(end_traces);
    let ended = ended.map_err(anyhow::Error::from)?;
    let mut engine = shard.into_engine();
    engine.close().context("cannot close the log; nothing acknowledged is lost")?;
    match ended {
        Ended::Clean => tell(Level::Info, "stopped", "stopped", &[("sequence", &engine.sequence())]),
        Ended::GraceOver { connections } => {
            let message = "stopped; the grace was over before all replies had been read";
            tell(
                Level::Warn,
                "stopped_late",
                message,
                &[("sequence", &engine.sequence()), ("connections", &connections)],
            );
        }
    }
    Ok(())
}

/// What the store leaves of the memory; half of it where that is little.
fn records_bytes(memory: u64) -> u64 {
    let store = store_options(memory);
    memory.saturating_sub(store.cache_bytes + store.write_buffer_bytes).max(memory / 2)
}

/// The store's part of the memory: the rest is for records.
fn store_options(memory: u64) -> sumun_store::Options {
    sumun_store::Options {
        cache_bytes: (memory / STORE_MEMORY_PART).clamp(STORE_CACHE_BYTES_MIN, STORE_CACHE_BYTES_MAX),
        write_buffer_bytes: (memory / STORE_MEMORY_PART).clamp(STORE_BUFFER_BYTES_MIN, STORE_BUFFER_BYTES_MAX),
    }
}

fn waking(waker: Waker) -> impl Fn() + Send + Sync {
    move || {
        if let Some(waker) = waker.get() {
            // It fails when the process is out of memory: then the loop's own timer finds what was to be told.
            let _ = waker.wake();
        }
    }
}

/// Opens the log, the first time and whenever it has to be opened again: then it must be the same one.
fn opener(config: &Config, env: &mut System, waker: Waker) -> Opener {
    let data = config.data.clone();
    let options = sumun_log::Options { segment_bytes: config.segment.0, ..sumun_log::Options::default() };
    let fresh = LogId((u128::from(env.random()) << 64 | u128::from(env.random())).to_be_bytes());
    let mut expected = None;
    Box::new(move || {
        let setup = Setup {
            disk: Arc::new(sumun_log::RealDisk),
            data: data.clone(),
            shard: SHARD,
            fresh,
            expected,
            crew: Arc::new(Threads),
            wake: Arc::new(waking(Arc::clone(&waker))),
            options,
        };
        let (log, report) = FileLog::open(setup)?;
        expected = Some(sumun_log::Log::id(&log));
        Ok(Opened { log: Box::new(log), report })
    })
}

fn found(config: &Config, engine: &Engine, report: &Report) {
    let data = config.data.display();
    let bounds = report.bounds;
    tell(
        Level::Info,
        if report.new { "log_created" } else { "log_opened" },
        if report.new { "a new log" } else { "the log was opened" },
        &[
            ("data", &data),
            ("log", &engine.id()),
            ("epoch", &engine.epoch()),
            ("first", &bounds.first),
            ("last", &bounds.last),
            ("segments", &report.segments),
            ("closed", &report.clean),
        ],
    );
    if let Some(torn) = &report.torn {
        let copy = torn.copy.as_ref().map_or_else(|| "none".to_owned(), |copy| copy.display().to_string());
        tell(
            Level::Warn,
            "log_torn",
            "the last write was torn; it was never acknowledged and is cut",
            &[
                ("segment", &torn.segment),
                ("offset", &torn.offset),
                ("bytes", &torn.bytes),
                ("why", &torn.why),
                ("copy", &copy),
            ],
        );
    }
}
