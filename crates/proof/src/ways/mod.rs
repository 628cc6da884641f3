//! One history, three ways in: commands of the auditor's generator go to the real server one after the other, each by
//! RESP2, RESP3 or HTTP as a seed has it, and one model judges every answer and every event, whichever way it came.
//!
//! What an interface does not say (a whole EXEC's facts, what a replay first answered) is taken from the model; what it
//! says must be the model's. The log is read beside the server: it gives the shard's time and the ends that nobody asked
//! for. Twice the server is killed, once while a command is under way, whose fate the log then tells. At the end every
//! record is read by all three ways.
//!
//! Never here: what is right (that is the auditor's), concurrency (that is `linear`'s).

mod hear;
mod say;

pub(crate) use hear::{Heard, http as hear_http};
pub(crate) use say::{Request, http as request, resp as words};

use crate::support::http::Reply;
use crate::support::resp::encode;
use crate::support::server::{verify, with_words};
use crate::support::{Connection, Scratch, Server, Setup, Value, Web, clock, log};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use sumun_auditor::generate::{Generator, Random};
use sumun_auditor::{Ledger, OwnedCommand};
use sumun_wire::{Answer, Code, Event, EventData, Facts, Refusal, Timestamp, Verb};

/// How far the server's clock and ours may stand apart, both read from one machine's, and rounded.
const CLOCKS_APART_MS_MAX: u64 = 25;
/// The longest that is waited for time to go by between two steps; the generator would wait for days.
const WAIT_MS_MAX: u64 = 40;
/// Steps that a failure shows.
const SHOWN_MAX: usize = 25;
/// Reads of one record by all ways that are tried until nothing happens between them.
const LOOKS_MAX: usize = 20;

#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    pub seed: u64,
    pub steps: usize,
}

/// What there was in a history.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub commands: usize,
    /// Commands by the way that they went.
    pub ways: BTreeMap<&'static str, usize>,
    /// Answers by the model's words: `held`, `INSUFFICIENT`.
    pub answers: BTreeMap<&'static str, usize>,
    pub replayed: usize,
    pub execs: usize,
    /// Of these, refused whole, as one of their commands was refused while queueing.
    pub aborted: usize,
    /// Ends by time, of reservations and lots.
    pub ends: usize,
    pub events: usize,
    /// Records that were read by all three ways.
    pub compared: usize,
}

impl Tally {
    pub fn add(&mut self, other: &Tally) {
        self.commands += other.commands;
        other.ways.iter().for_each(|(way, count)| *self.ways.entry(way).or_default() += count);
        other.answers.iter().for_each(|(word, count)| *self.answers.entry(word).or_default() += count);
        self.replayed += other.replayed;
        self.execs += other.execs;
        self.aborted += other.aborted;
        self.ends += other.ends;
        self.events += other.events;
        self.compared += other.compared;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Resp2,
    Resp3,
    Http,
}

impl Way {
    const ALL: [Way; 3] = [Way::Resp2, Way::Resp3, Way::Http];

    const fn word(self) -> &'static str {
        match self {
            Way::Resp2 => "RESP2",
            Way::Resp3 => "RESP3",
            Way::Http => "HTTP",
        }
    }

    fn can_say(self, command: &OwnedCommand) -> bool {
        match self {
            Way::Resp2 | Way::Resp3 => say::resp(command).is_some(),
            Way::Http => say::http(command).is_some(),
        }
    }
}

/// Makes one history and judges it as it goes.
///
/// # Errors
/// What went wrong, with the seed, the last steps and the server's words; the folder is left behind.
pub fn run(recipe: &Recipe) -> Result<Tally, String> {
    let mut scratch = Scratch::new("ways");
    let setup = Setup::below(scratch.path());
    let mut history = VecDeque::new();
    let done = History::start(recipe, &setup, &mut history).and_then(|mut run| run.all(recipe.steps));
    done.map_err(|why| {
        scratch.keep();
        let steps: Vec<String> = history.into_iter().collect();
        let at = format!("seed {}, after\n  {}\n", recipe.seed, steps.join("\n  "));
        with_words(&at, &why, &setup.data)
    })
}

struct Doors {
    server: Server,
    resp2: Connection,
    resp3: Connection,
    web: Web,
}

impl Doors {
    fn open(setup: &Setup) -> Result<Doors, String> {
        let server = Server::start(setup)?;
        let open = || -> io::Result<(Connection, Connection, Web)> {
            let (resp2, mut resp3) = (server.connect()?, server.connect()?);
            resp3.say("HELLO 3")?;
            Ok((resp2, resp3, server.web()?))
        };
        let (resp2, resp3, web) = open().map_err(|error| format!("no connection: {error}"))?;
        Ok(Doors { server, resp2, resp3, web })
    }

    fn resp(&mut self, way: Way) -> &mut Connection {
        if way == Way::Resp3 { &mut self.resp3 } else { &mut self.resp2 }
    }
}

struct History<'a> {
    setup: &'a Setup,
    doors: Doors,
    random: Random,
    generator: Generator,
    ledger: Ledger,
    /// The last event that was judged, and the last time.
    seen: u64,
    now: Timestamp,
    /// Every name that was asked about and could be one.
    skus: BTreeSet<String>,
    reservations: BTreeSet<String>,
    shown: &'a mut VecDeque<String>,
    tally: Tally,
}

impl<'a> History<'a> {
    fn start(recipe: &Recipe, setup: &'a Setup, shown: &'a mut VecDeque<String>) -> Result<History<'a>, String> {
        let mut history = History {
            setup,
            doors: Doors::open(setup)?,
            random: Random::new(!recipe.seed),
            generator: Generator::new(recipe.seed),
            ledger: Ledger::new(),
            seen: 0,
            now: Timestamp(0),
            skus: BTreeSet::new(),
            reservations: BTreeSet::new(),
            shown,
            tally: Tally::default(),
        };
        history.catch_up()?;
        Ok(history)
    }

    fn all(&mut self, steps: usize) -> Result<Tally, String> {
        for step in 0..steps {
            self.step()?;
            if step == steps * 3 / 4 {
                self.kill_under_way()?;
            }
        }
        self.compare_all()?;
        self.note("kill -9".to_owned());
        self.doors.server.kill()?;
        self.doors = Doors::open(self.setup)?;
        self.catch_up()?;
        self.compare_all()?;
        self.doors.server.terminate()?;
        verify(self.doors.server.data())?;
        Ok(std::mem::take(&mut self.tally))
    }

    fn note(&mut self, what: String) {
        if self.shown.len() == SHOWN_MAX {
            self.shown.pop_front();
        }
        self.shown.push_back(what);
    }

    fn step(&mut self) -> Result<(), String> {
        let step = self.generator.step(&self.ledger);
        if step.advance_ms > 0 {
            clock::sleep_ms(step.advance_ms.min(WAIT_MS_MAX));
        }
        if step.exec {
            let sayable = |command: &OwnedCommand| Way::Resp2.can_say(command);
            let commands: Vec<OwnedCommand> = step.commands.into_iter().filter(sayable).collect();
            return if commands.is_empty() { Ok(()) } else { self.exec(&commands) };
        }
        step.commands.iter().try_for_each(|command| self.one(command))
    }

    fn one(&mut self, command: &OwnedCommand) -> Result<(), String> {
        let ways: Vec<Way> = Way::ALL.into_iter().filter(|way| way.can_say(command)).collect();
        if ways.is_empty() {
            return Ok(());
        }
        let way = *self.random.pick(&ways);
        self.by(way, command).map(drop)
    }

    /// One command, judged. Gives what was heard.
    fn by(&mut self, way: Way, command: &OwnedCommand) -> Result<Heard, String> {
        self.remember(command);
        let sent = clock::unix_ms();
        let heard = self.ask(way, command).map_err(|why| format!("{} {command}: {why}", way.word()))?;
        let answered = clock::unix_ms();
        self.tally.commands += 1;
        *self.tally.ways.entry(way.word()).or_default() += 1;
        self.note(format!("{} {command} -> {heard:?}", way.word()));
        self.count(&heard);
        let command = command.clone();
        let of = heard.clone();
        self.judge((sent, answered), move |ledger, now, events| {
            let asked = command.as_command();
            let (expected, _) = ledger.clone().perform(now, &asked).map_err(|error| error.to_string())?;
            let said = if is_of_a_hidden_item(&of, &expected) && shows_nothing(ledger, now, &command)? {
                expected
            } else {
                of.complete(&expected)
            };
            ledger.judge(now, &asked, &said, events).map_err(|error| error.to_string())?;
            let Some(shown) = of.shown() else { return Ok(()) };
            let read = match shown {
                Answer::Item(Some(record)) => OwnedCommand::Item { sku: record.sku.to_string() },
                Answer::Reservation(Some(record)) => OwnedCommand::Reservation { id: record.id.to_string() },
                Answer::Available { .. }
                | Answer::Outcome(_)
                | Answer::Item(None)
                | Answer::Reservation(None)
                | Answer::Holder(_)
                | Answer::Refused(_) => return Err(format!("what was made is shown as {shown:?}")),
            };
            let judged = ledger.judge(now, &read.as_command(), shown, &[]);
            judged.map_err(|error| format!("the record that came with it: {error}"))
        })?;
        Ok(heard)
    }

    fn count(&mut self, heard: &Heard) {
        let word = match heard {
            Heard::Available(_) | Heard::Gone { .. } => "available",
            Heard::Outcome { state, .. } => state.word(),
            Heard::Record { record: Answer::Reservation(Some(record)), .. } => record.state.word(),
            Heard::Record { .. } => "available",
            Heard::Read(_) => "read",
            Heard::Problem(refusal) => refusal.code.word(),
            Heard::Error(text) => {
                let word = text.split(' ').next().unwrap_or_default();
                let codes = [Code::Invalid, Code::NotFound, Code::Conflict, Code::Expired, Code::Captured];
                let more = [Code::Released, Code::Limit, Code::Insufficient, Code::Exceeds];
                let found = codes.into_iter().chain(more).find(|code| code.word() == word);
                found.map_or("ERR", Code::word)
            }
        };
        *self.tally.answers.entry(word).or_default() += 1;
        let replayed = matches!(
            heard,
            Heard::Outcome { replayed: true, .. }
                | Heard::Record { replayed: true, .. }
                | Heard::Gone { replayed: true }
        );
        self.tally.replayed += usize::from(replayed);
    }

    fn remember(&mut self, command: &OwnedCommand) {
        let is_name = |text: &str| sumun_wire::text::flaw(text).is_none();
        let (sku, id) = match command {
            OwnedCommand::Configure { sku, .. }
            | OwnedCommand::Remove { sku }
            | OwnedCommand::Receive { sku, .. }
            | OwnedCommand::Adjust { sku, .. }
            | OwnedCommand::Item { sku }
            | OwnedCommand::Holder { sku, .. } => (Some(sku), None),
            OwnedCommand::Reserve { reservation, .. }
            | OwnedCommand::Part { reservation, .. }
            | OwnedCommand::Extend { reservation, .. }
            | OwnedCommand::Reservation { id: reservation } => (None, Some(reservation)),
        };
        self.skus.extend(sku.filter(|sku| is_name(sku)).cloned());
        self.reservations.extend(id.filter(|id| is_name(id)).cloned());
    }

    fn ask(&mut self, way: Way, command: &OwnedCommand) -> Result<Heard, String> {
        match way {
            Way::Resp2 | Way::Resp3 => {
                let words = say::resp(command).ok_or("RESP has no words for it")?;
                let connection = self.doors.resp(way);
                let value = connection.send(&encode(&words)).and_then(|()| connection.read());
                hear::resp(command, &value.map_err(|error| error.to_string())?)
            }
            Way::Http => {
                let request = say::http(command).ok_or("HTTP has no words for it")?;
                let by_header = self.random.chance(20);
                let reply = send(&mut self.doors.web, request, by_header).map_err(|error| error.to_string())?;
                hear::http(command, &reply)
            }
        }
    }

    /// Commands in one MULTI, by RESP2 or RESP3.
    fn exec(&mut self, commands: &[OwnedCommand]) -> Result<(), String> {
        commands.iter().for_each(|command| self.remember(command));
        let way = *self.random.pick(&[Way::Resp2, Way::Resp3]);
        let texts: Vec<String> = commands.iter().map(ToString::to_string).collect();
        let what = format!("{} MULTI; {}; EXEC", way.word(), texts.join("; "));
        let sent = clock::unix_ms();
        let (queued, value) = self.transaction(way, commands).map_err(|error| format!("{what}: {error}"))?;
        let answered = clock::unix_ms();
        self.tally.execs += 1;
        self.note(format!("{what} -> {value}"));
        if let Some(text) = value.error() {
            self.tally.aborted += 1;
            return self.aborted(commands, &queued, text, (sent, answered)).map_err(|why| format!("{what}: {why}"));
        }
        let heard = commands.iter().zip(value.rows()).map(|(command, value)| hear::resp(command, value));
        let heard: Vec<Heard> = heard.collect::<Result<_, _>>().map_err(|why| format!("{what}: {why}"))?;
        if heard.len() != commands.len() || value.rows().len() != commands.len() {
            return Err(format!("{what}: {} answers", value.rows().len()));
        }
        self.tally.commands += commands.len();
        *self.tally.ways.entry(way.word()).or_default() += commands.len();
        heard.iter().for_each(|heard| self.count(heard));
        let commands = commands.to_vec();
        self.judge((sent, answered), move |ledger, now, events| {
            let asked: Vec<_> = commands.iter().map(OwnedCommand::as_command).collect();
            let mut model = ledger.clone();
            let mut answers = Vec::new();
            for (command, heard) in asked.iter().zip(&heard) {
                let (expected, _) = model.perform(now, command).map_err(|error| error.to_string())?;
                answers.push(heard.complete(&expected));
            }
            ledger.judge_exec(now, &asked, &answers, events).map_err(|error| error.to_string())
        })
        .map_err(|why| format!("{what}: {why}"))
    }

    fn transaction(&mut self, way: Way, commands: &[OwnedCommand]) -> io::Result<(Vec<Value>, Value)> {
        let mut bytes = encode(&["MULTI"]);
        let words = commands.iter().filter_map(say::resp);
        words.for_each(|words| bytes.extend_from_slice(&encode(&words)));
        bytes.extend_from_slice(&encode(&["EXEC"]));
        let connection = self.doors.resp(way);
        connection.send(&bytes)?;
        connection.read()?;
        let queued = commands.iter().map(|_| connection.read()).collect::<io::Result<_>>()?;
        Ok((queued, connection.read()?))
    }

    /// Nothing was done, and what was refused while queueing is what the request alone shows.
    fn aborted(
        &mut self,
        commands: &[OwnedCommand],
        queued: &[Value],
        text: &str,
        times: (u64, u64),
    ) -> Result<(), String> {
        let refused: Vec<&OwnedCommand> =
            commands.iter().zip(queued).filter(|(_, value)| value.error().is_some()).map(|(one, _)| one).collect();
        if !text.starts_with("EXECABORT") || refused.is_empty() {
            return Err(format!("refused whole: {text}"));
        }
        let refused: Vec<OwnedCommand> = refused.into_iter().cloned().collect();
        self.judge(times, move |ledger, now, events| {
            if !events.is_empty() {
                return Err("it was refused whole, and wrote events".to_owned());
            }
            refused.iter().try_for_each(|command| {
                let said = Answer::Refused(Refusal { code: Code::Invalid, facts: Facts::None });
                let judged = ledger.clone().judge(now, &command.as_command(), &said, &[]);
                judged.map_err(|error| format!("{command} was refused while queueing: {error}"))
            })
        })
    }

    /// What the log has that was not judged yet: ends before, what was asked for, ends after.
    fn judge(
        &mut self,
        (sent, answered): (u64, u64),
        judge: impl Fn(&mut Ledger, Timestamp, &[Event]) -> Result<(), String>,
    ) -> Result<(), String> {
        let events = self.news()?;
        let first = events.iter().position(|event| !is_end(event)).unwrap_or(events.len());
        let last = events.iter().rposition(|event| !is_end(event)).map_or(first, |last| last + 1);
        let (before, rest) = events.split_at(first);
        let (own, after) = rest.split_at(last - first);
        self.ends(before)?;
        let window = sent.saturating_sub(CLOCKS_APART_MS_MAX)..=answered + CLOCKS_APART_MS_MAX;
        let times = match own.first() {
            Some(event) if window.contains(&event.time.0) => event.time.0..=event.time.0,
            Some(event) => return Err(format!("asked from {sent} to {answered}, and done at {}", event.time.0)),
            // Nothing was written: the shard's time is not known to the millisecond.
            None => (*window.start()).max(self.now.0)..=(*window.end()).max(self.now.0),
        };
        let mut why = String::new();
        for now in times.map(Timestamp) {
            let mut ledger = self.ledger.clone();
            match judge(&mut ledger, now, own) {
                Ok(()) => {
                    (self.ledger, self.now) = (ledger, now);
                    return self.ends(after);
                }
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    fn ends(&mut self, events: &[Event]) -> Result<(), String> {
        for event in events {
            self.tally.ends += usize::from(!matches!(event.data, EventData::Log(_)));
            self.ledger.judge_ends(event.time, std::slice::from_ref(event)).map_err(|error| error.to_string())?;
            self.now = event.time;
        }
        Ok(())
    }

    fn news(&mut self) -> Result<Vec<Event>, String> {
        let events = log::read(self.doors.server.data(), self.seen)?;
        self.seen = events.last().map_or(self.seen, |event| event.sequence.0);
        self.tally.events += events.len();
        Ok(events)
    }

    /// Ends alone.
    fn catch_up(&mut self) -> Result<(), String> {
        let events = self.news()?;
        self.ends(&events)
    }

    /// A command whose answer a kill takes: the log tells whether it was done, and nothing in between.
    fn kill_under_way(&mut self) -> Result<(), String> {
        let command = loop {
            let step = self.generator.step(&self.ledger);
            let found = step.commands.into_iter().find(|command| {
                Way::Resp2.can_say(command) && Way::Http.can_say(command) && !command.as_command().is_read()
            });
            if let Some(command) = found {
                break command;
            }
        };
        self.remember(&command);
        self.note(format!("{command}, and kill -9"));
        let sent = clock::unix_ms();
        let lost = if self.random.chance(50) {
            let words = say::resp(&command).unwrap_or_default();
            self.doors.resp2.send(&encode(&words))
        } else {
            let request = say::http(&command).ok_or("it can be said")?;
            put(&mut self.doors.web, &request, &[])
        };
        lost.map_err(|error| error.to_string())?;
        clock::sleep_us(self.random.below(400));
        self.doors.server.kill()?;
        let killed = clock::unix_ms();
        self.doors = Doors::open(self.setup)?;
        let of = command.clone();
        self.judge((sent, killed), move |ledger, now, events| {
            if events.is_empty() {
                return Ok(());
            }
            let asked = of.as_command();
            let (expected, _) = ledger.clone().perform(now, &asked).map_err(|error| error.to_string())?;
            ledger.judge(now, &asked, &expected, events).map_err(|error| error.to_string())
        })?;
        // The same again tells.
        self.one(&command)
    }

    /// Every record by all ways: each is the model's, and they are one another's.
    fn compare_all(&mut self) -> Result<(), String> {
        let items = self.skus.iter().map(|sku| OwnedCommand::Item { sku: sku.clone() });
        let reservations = self.reservations.iter().map(|id| OwnedCommand::Reservation { id: id.clone() });
        let all: Vec<OwnedCommand> = items.chain(reservations).collect();
        for command in &all {
            let mut looks = 0;
            loop {
                let before = self.seen;
                let heard: Vec<Heard> = Way::ALL.iter().map(|way| self.by(*way, command)).collect::<Result<_, _>>()?;
                let [resp2, resp3, http] = &heard[..] else { return Err("three ways".to_owned()) };
                if resp2.same_read(resp3) && resp2.same_read(http) {
                    break;
                }
                looks += 1;
                // An end between two looks is no difference.
                if self.seen == before || looks == LOOKS_MAX {
                    return Err(format!(
                        "{command} is\n  {resp2:?} by RESP2,\n  {resp3:?} by RESP3,\n  {http:?} by HTTP"
                    ));
                }
            }
            self.tally.compared += 1;
        }
        Ok(())
    }
}

/// A movement sent again to an item that was deleted meanwhile: RESP gives the first answer's figure, HTTP has no item to
/// show and says so.
fn is_of_a_hidden_item(heard: &Heard, expected: &Answer) -> bool {
    let is_not_found = matches!(heard, Heard::Problem(Refusal { code: Code::NotFound, .. }));
    is_not_found && matches!(expected, Answer::Available { replayed: true, .. })
}

fn shows_nothing(ledger: &Ledger, now: Timestamp, command: &OwnedCommand) -> Result<bool, String> {
    let (OwnedCommand::Receive { sku, .. } | OwnedCommand::Adjust { sku, .. }) = command else { return Ok(false) };
    let read = OwnedCommand::Item { sku: sku.clone() };
    let (answer, _) = ledger.clone().perform(now, &read.as_command()).map_err(|error| error.to_string())?;
    Ok(answer == Answer::Item(None))
}

fn is_end(event: &Event) -> bool {
    match &event.data {
        EventData::Log(_) => true,
        EventData::Item(data) => data.verb == Verb::LotExpired,
        EventData::Reservation(data) => data.verb == Verb::Expired,
    }
}

/// The request and its answer; the body's id stands in the header instead when it can and `by_header` says so.
fn send(web: &mut Web, mut request: Request, by_header: bool) -> io::Result<Reply> {
    let is_word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    let id = request.body.as_ref().and_then(|body| body.get("id")?.as_str().map(str::to_owned));
    let id = id.filter(|id| by_header && is_word(id));
    if let (Some(_), Some(body)) = (&id, &mut request.body) {
        body.remove("id");
    }
    let headers: Vec<(&str, &str)> = id.iter().map(|id| ("idempotency-key", id.as_str())).collect();
    put(web, &request, &headers)?;
    web.read()
}

pub(crate) fn put(web: &mut Web, request: &Request, headers: &[(&str, &str)]) -> io::Result<()> {
    let body = request.body.as_ref().map(|body| Json::Object(body.clone()).to_string());
    web.send(request.method, &request.path, headers, body.as_ref().map(String::as_bytes))
}
