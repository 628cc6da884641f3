//! A history as it happens: clients against the real binary, each on a connection of its own (RESP2, RESP3 and HTTP in
//! turn), a kill -9 in their midst, a restart on the same data, and at the end a look at everything.

use super::history::{History, Operation};
use super::line::{Address, Line};
use super::plan;
use crate::support::{Scratch, Server, Setup, Value, clock};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;
use sumun_auditor::generate::Random;

/// Longer than any restart.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a history is made from.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    pub seed: u64,
    pub clients: u64,
    /// Of each client.
    pub operations: u64,
    /// Half of the reservations live for a moment; else all outlive the history.
    pub short_lives: bool,
}

/// A history and what there was of what it is about.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub history: History,
    /// Operations whose answer the kill took.
    pub lost: usize,
    /// Answers that marked a replay.
    pub replayed: usize,
    /// Records that were seen to have ended by time.
    pub expired: usize,
    /// Refusals by their first word.
    pub refused: BTreeMap<String, usize>,
}

/// Where the server is, and how often it was started.
struct Place {
    now: Mutex<(u32, Option<Address>)>,
    moved: Condvar,
}

impl Place {
    /// Where it is once it was started more often than `before`.
    fn after(&self, before: u32) -> Result<(u32, Address), String> {
        let now = self.now.lock().map_err(|_| "another client has failed")?;
        let waiting = |(starts, address): &mut (u32, Option<Address>)| *starts <= before || address.is_none();
        let (now, _) =
            self.moved.wait_timeout_while(now, PATIENCE, waiting).map_err(|_| "another client has failed")?;
        match *now {
            (starts, Some(address)) if starts > before => Ok((starts, address)),
            _ => Err("the server was lost and not started again".to_owned()),
        }
    }

    fn set(&self, starts: u32, address: Option<Address>) {
        if let Ok(mut now) = self.now.lock() {
            *now = (starts, address);
        }
        self.moved.notify_all();
    }
}

/// Microseconds since 1970 by a clock that never goes back.
#[derive(Clone, Copy)]
struct Clock {
    base_us: u64,
}

impl Clock {
    fn new() -> Clock {
        Clock { base_us: clock::unix_ms() * 1_000 - clock::ticks_ns() / 1_000 }
    }

    fn now_us(self) -> u64 {
        self.base_us + clock::ticks_ns() / 1_000
    }
}

/// # Errors
/// When the server cannot be started, is lost without having been killed, or says what is no RESP.
pub fn record(recipe: &Recipe) -> Result<Recorded, String> {
    let scratch = Scratch::new("linear");
    let setup = Setup::below(scratch.path());
    let clock = Clock::new();
    let mut server = Server::start(&setup)?;
    let mut operations = alone(&server, clock, "begin", &plan::stock())?;
    let place = Place { now: Mutex::new((1, Some(address(&server)))), moved: Condvar::new() };
    let done = AtomicU64::new(0);
    let total = recipe.clients * recipe.operations;
    let kill_at = total * (35 + Random::new(recipe.seed).below(30)) / 100;
    let clients: Vec<Result<Vec<Operation>, String>> = std::thread::scope(|scope| {
        let client = |number| {
            let (place, done) = (&place, &done);
            scope.spawn(move || Client::new(recipe, number, clock, place, done).run())
        };
        let clients: Vec<_> = (0..recipe.clients).map(client).collect();
        let killed = kill(&mut server, &setup, &place, || {
            done.load(Ordering::Relaxed) >= kill_at || clients.iter().any(|client| client.is_finished())
        });
        let mut results: Vec<_> = clients
            .into_iter()
            .map(|client| client.join().unwrap_or_else(|_| Err("a client panicked".to_owned())))
            .collect();
        results.extend(killed.err().map(Err));
        results
    });
    for client in clients {
        operations.extend(client?);
    }
    operations.extend(alone(&server, clock, "end", &plan::reads(recipe.operations))?);
    Ok(counted(History { operations }))
}

fn address(server: &Server) -> Address {
    Address { resp: server.resp, http: server.http }
}

/// Kills the server when it is time to and starts it again.
fn kill(server: &mut Server, setup: &Setup, place: &Place, time: impl Fn() -> bool) -> Result<(), String> {
    while !time() {
        clock::sleep_us(200);
    }
    place.set(1, None);
    let again = server.kill().and_then(|()| Server::start(setup));
    match again {
        Ok(again) => {
            *server = again;
            place.set(2, Some(address(server)));
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn counted(history: History) -> Recorded {
    let all = || history.operations.iter();
    let answers = || all().filter_map(|operation| operation.answered.as_ref().map(|(_, value)| value));
    let ended = |value: &&Value| value.field("ended").and_then(Value::text) == Some("expired");
    let mut refused = BTreeMap::new();
    for error in answers().filter_map(Value::error) {
        let word = error.split(' ').next().unwrap_or_default();
        *refused.entry(word.to_owned()).or_default() += 1;
    }
    Recorded {
        lost: all().filter(|operation| operation.answered.is_none()).count(),
        replayed: answers().filter(|value| value.number("replayed") == Some(1)).count(),
        expired: answers().filter(ended).count(),
        refused,
        history,
    }
}

/// Pipelines with nobody else there.
fn alone(server: &Server, clock: Clock, name: &str, pipelines: &[Vec<String>]) -> Result<Vec<Operation>, String> {
    let mut connection = Line::open(address(server), 0).map_err(|error| error.to_string())?;
    let mut operations = Vec::new();
    for commands in pipelines {
        let lost = pipelined(&mut connection, clock, name, commands, &mut operations);
        lost.map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(operations)
}

/// Sends all, then reads an answer each. After an error the answers that are missing are lost.
fn pipelined(
    connection: &mut Line,
    clock: Clock,
    name: &str,
    commands: &[String],
    operations: &mut Vec<Operation>,
) -> std::io::Result<()> {
    let first = operations.len();
    let sent_us = clock.now_us();
    operations.extend(commands.iter().map(|command| Operation {
        connection: name.to_owned(),
        command: command.clone(),
        sent_us,
        answered: None,
    }));
    connection.send(commands)?;
    for operation in &mut operations[first..] {
        let value = connection.read(&operation.command)?;
        operation.answered = Some((clock.now_us(), value));
    }
    Ok(())
}

struct Client<'a> {
    recipe: &'a Recipe,
    number: u64,
    random: Random,
    clock: Clock,
    place: &'a Place,
    done: &'a AtomicU64,
}

impl<'a> Client<'a> {
    fn new(recipe: &'a Recipe, number: u64, clock: Clock, place: &'a Place, done: &'a AtomicU64) -> Client<'a> {
        let random = Random::new(Random::new(recipe.seed << 8 | number).next());
        Client { recipe, number, random, clock, place, done }
    }

    fn run(mut self) -> Result<Vec<Operation>, String> {
        let mut operations: Vec<Operation> = Vec::new();
        let (mut starts, address) = self.place.after(0)?;
        let mut connection = Line::open(address, self.number).ok();
        while (operations.len() as u64) < self.recipe.operations {
            let Some(open) = &mut connection else {
                // Nothing else takes a connection from a client.
                let (again, address) = self.place.after(starts)?;
                starts = again;
                let again = Line::open(address, self.number);
                connection = Some(again.map_err(|error| format!("no connection: {error}"))?);
                continue;
            };
            let done = operations.len() as u64;
            let (left, short_lives) = (self.recipe.operations - done, self.recipe.short_lives);
            let commands = plan::pipeline(&mut self.random, done, left, short_lives);
            let name = format!("c{}.{starts}", self.number);
            match pipelined(open, self.clock, &name, &commands, &mut operations) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::InvalidData => return Err(error.to_string()),
                Err(_lost) => connection = None,
            }
            self.done.fetch_add(commands.len() as u64, Ordering::Relaxed);
        }
        Ok(operations)
    }
}
