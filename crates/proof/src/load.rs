//! Load of several clients on a few items, pipelined and not, that writes down what was asked and what was answered.
//!
//! What is asked is a function of names and numbers that nobody uses twice, so that each event of the log can be led
//! back to its command: a reservation's content follows from its id, a part has an id of its own, an extension a ttl,
//! settings a number. Clients ask for each other's reservations, and again for what they asked before.

use crate::support::resp::encoded;
use crate::support::{Connection, Value, clock};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use sumun_auditor::generate::Random;
use sumun_auditor::{OwnedCommand, OwnedLine, PartVerb};
use sumun_wire::{Allocation, Kind, Limit, Timestamp};

/// How many commands each client has out at most. A single one is asked and answered in turn.
pub const DEPTHS: [usize; 6] = [1, 1, 1, 8, 32, 4];
/// How far back others' reservations, and repeated commands, lie at most.
const RECENT: u64 = 24;
/// What a server says that cannot write, or is not ready. Whoever hears it waits a little.
const UNABLE: [&str; 3] = ["MISCONF", "LOADING", "OVERLOADED"];

/// One command, or those of one EXEC, as a client sent it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Of all connections of a proof, which one; and what on it.
    pub connection: u64,
    pub place: u64,
    pub commands: Vec<OwnedCommand>,
    pub exec: bool,
    /// One a command. `None`: nobody knows, the connection went before the answer.
    pub answers: Option<Vec<Value>>,
    /// When it was given to the socket, and when its answer was read.
    pub began_ns: u64,
    pub ended_ns: u64,
}

/// What all clients of one life of the server share.
#[derive(Debug)]
pub struct Board {
    /// Names of this life begin so.
    name: String,
    seed: u64,
    /// How many reservations each client has asked for.
    issued: Vec<AtomicU64>,
    /// Requests that were answered, those aside that the server could not serve at the time.
    pub answered: AtomicU64,
    /// The server is about to be killed: connections that end are not made again.
    pub ending: AtomicBool,
    /// Connections that ended before that.
    pub closed: AtomicU64,
    done: Mutex<Vec<Asked>>,
}

impl Board {
    pub fn new(name: &str, seed: u64) -> Board {
        Board {
            name: name.to_owned(),
            seed,
            issued: DEPTHS.iter().map(|_| AtomicU64::new(0)).collect(),
            answered: AtomicU64::new(0),
            ending: AtomicBool::new(false),
            closed: AtomicU64::new(0),
            done: Mutex::new(Vec::new()),
        }
    }

    /// All that was asked, by connection and in the order of each.
    pub fn into_asked(self) -> Vec<Asked> {
        let mut asked = self.done.into_inner().expect("no client panics while it hands over");
        asked.sort_by_key(|one| (one.connection, one.place));
        asked
    }

    /// One client, until the server is killed. An error is a breach: what is no reply of the contract, or none in time.
    pub fn client(&self, number: usize, address: SocketAddr) -> Result<(), String> {
        let random = Random::new(self.seed ^ (number as u64) << 32);
        let mut asking = Asking { board: self, number, random, own: 0, earlier: VecDeque::new() };
        loop {
            let ended = self.connection(&mut asking, address);
            let breach = [io::ErrorKind::InvalidData, io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
            if breach.contains(&ended.kind()) {
                return Err(format!("client {number}: {ended}"));
            }
            if self.ending.load(Ordering::Acquire) {
                return Ok(());
            }
            self.closed.fetch_add(1, Ordering::Relaxed);
            clock::sleep_ms(2);
        }
    }

    /// One connection to its end, and how it ended.
    fn connection(&self, asking: &mut Asking<'_>, address: SocketAddr) -> io::Error {
        let (depth, connection) = (DEPTHS[asking.number], fresh_connection());
        let (mut waiting, mut place) = (VecDeque::new(), 0);
        // What another connection asked for and was not told may still be under way: nobody could say whose it was.
        asking.earlier.clear();
        let mut socket = match Connection::open(address) {
            Ok(socket) => socket,
            Err(error) => return error,
        };
        let ended = loop {
            let mut bytes = Vec::new();
            while waiting.len() < depth {
                let (commands, exec) = asking.next();
                encode(&commands, exec, &mut bytes);
                let began_ns = clock::ticks_ns();
                waiting.push_back(Asked { connection, place, commands, exec, answers: None, began_ns, ended_ns: 0 });
                place += 1;
            }
            // At least half a pipeline is read before more is sent.
            let done = socket.send(&bytes).and_then(|()| self.read(&mut socket, &mut waiting, depth.div_ceil(2)));
            if let Err(error) = done {
                break error;
            }
        };
        waiting.into_iter().for_each(|unanswered| self.keep(unanswered));
        ended
    }

    fn read(&self, socket: &mut Connection, waiting: &mut VecDeque<Asked>, count: usize) -> io::Result<()> {
        for _ in 0..count {
            let Some(first) = waiting.front_mut() else { break };
            let answers = answers(socket, first)?;
            first.ended_ns = clock::ticks_ns();
            if answers.iter().filter_map(Value::error).any(|text| UNABLE.iter().any(|word| text.starts_with(word))) {
                clock::sleep_ms(1);
            } else {
                self.answered.fetch_add(1, Ordering::Relaxed);
            }
            first.answers = Some(answers);
            waiting.pop_front().into_iter().for_each(|answered| self.keep(answered));
        }
        Ok(())
    }

    fn keep(&self, asked: Asked) {
        self.done.lock().expect("no client panics while it hands over").push(asked);
    }
}

/// A number that no other connection of this process has.
pub fn fresh_connection() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub fn encode(commands: &[OwnedCommand], exec: bool, bytes: &mut Vec<u8>) {
    if exec {
        bytes.extend(encoded("MULTI"));
    }
    commands.iter().for_each(|command| bytes.extend(encoded(&command.to_string())));
    if exec {
        bytes.extend(encoded("EXEC"));
    }
}

/// The answers to what was asked, one a command. A `MULTI` that is refused (a server that loads) makes what follows
/// commands like any other.
pub fn answers(socket: &mut Connection, asked: &mut Asked) -> io::Result<Vec<Value>> {
    let count = asked.commands.len();
    if !asked.exec {
        return (0..count).map(|_| socket.read()).collect();
    }
    let multi = socket.read()?;
    asked.exec = multi.error().is_none();
    let mut answers: Vec<Value> = (0..count).map(|_| socket.read()).collect::<io::Result<_>>()?;
    let exec = socket.read()?;
    if !asked.exec {
        return Ok(answers);
    }
    if exec.error().is_some() {
        // Refused whole: each of its commands was.
        answers.fill(exec);
    } else if exec.rows().len() == count && answers.iter().all(|queued| queued.text() == Some("QUEUED")) {
        answers = exec.rows().to_vec();
    } else {
        let what = format!("a MULTI was answered {multi}, {answers:?}, {exec}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(answers)
}

/// The items, before any load.
pub fn opening() -> Vec<OwnedCommand> {
    let item = |sku: &str| OwnedCommand::Configure {
        sku: sku.to_owned(),
        kind: (sku == "points").then_some(Kind::Points),
        safety_stock: if sku == "scarce" { 3 } else { 0 },
        backorder_limit: if sku == "later" { 50 } else { 0 },
        limit: (sku == "limited").then_some(Limit { quantity: 6, window_ms: None }),
        allocation: Allocation::Fefo,
        metadata: Some("0".to_owned()),
    };
    let mut commands: Vec<OwnedCommand> = SKUS.iter().map(|sku| item(sku)).collect();
    let first = SKUS.iter().filter(|sku| **sku != "lots").map(|sku| OwnedCommand::Receive {
        sku: (*sku).to_owned(),
        quantity: if *sku == "scarce" { 40 } else { 1_000_000 },
        movement: Some("first".to_owned()),
        lot: None,
        expires_at: None,
        location: None,
    });
    commands.extend(first);
    commands.extend((0..8_u64).map(|lot| OwnedCommand::Receive {
        sku: "lots".to_owned(),
        quantity: 5_000,
        movement: Some(format!("first-{lot}")),
        lot: Some(format!("L{lot}")),
        expires_at: Some(Timestamp(clock::unix_ms() + (90 - lot) * 86_400_000)),
        location: Some(if lot % 2 == 0 { "seoul" } else { "busan" }.to_owned()),
    }));
    commands
}

const SKUS: [&str; 6] = ["plenty", "scarce", "lots", "limited", "points", "later"];

struct Asking<'a> {
    board: &'a Board,
    number: usize,
    random: Random,
    /// Numbers that this client used for names.
    own: u64,
    earlier: VecDeque<OwnedCommand>,
}

impl Asking<'_> {
    fn next(&mut self) -> (Vec<OwnedCommand>, bool) {
        if self.random.below(12) > 0 {
            return (vec![self.command()], false);
        }
        // Receipts cannot be refused: so it shows whether an EXEC was cut.
        let mut commands = vec![self.receive()];
        commands.extend((0..self.random.between(1, 4)).map(|_| self.command()));
        commands.push(self.receive());
        (commands, true)
    }

    fn command(&mut self) -> OwnedCommand {
        let command = match self.random.below(100) {
            0..40 => self.reserve(),
            40..46 => self.reserve_of_another(),
            46..60 => self.part(PartVerb::Capture),
            60..70 => self.part(PartVerb::Release),
            70..76 => self.part(PartVerb::Return),
            76..80 => OwnedCommand::Extend { reservation: self.known(), ttl_ms: 3_600_000 + self.fresh_number() },
            80..86 => self.receive(),
            86..89 => self.adjust(),
            89 => self.configure(),
            90..93 => OwnedCommand::Item { sku: (*self.random.pick(&SKUS)).to_owned() },
            93..96 => OwnedCommand::Reservation { id: self.known() },
            _ => return self.again(),
        };
        if self.earlier.len() as u64 == RECENT {
            self.earlier.pop_front();
        }
        self.earlier.push_back(command.clone());
        command
    }

    /// A number that only this client of this life has used, whatever it is for.
    fn fresh_number(&mut self) -> u64 {
        self.own += 1;
        self.own * DEPTHS.len() as u64 + self.number as u64
    }

    fn fresh(&mut self) -> String {
        format!("{}-{}", self.board.name, self.fresh_number())
    }

    fn reserve(&mut self) -> OwnedCommand {
        let place = self.board.issued[self.number].fetch_add(1, Ordering::Relaxed);
        reserve(&format!("{}-{}-{place}", self.board.name, self.number))
    }

    /// The id of a reservation that was asked for lately, the last one rather.
    fn known(&mut self) -> String {
        let client = if self.random.chance(70) {
            self.number
        } else {
            usize::try_from(self.random.below(DEPTHS.len() as u64)).expect("a few clients")
        };
        let issued = self.board.issued[client].load(Ordering::Relaxed);
        let back = self.random.below(RECENT).min(self.random.below(RECENT)) + 1;
        format!("{}-{client}-{}", self.board.name, issued.saturating_sub(back))
    }

    fn reserve_of_another(&mut self) -> OwnedCommand {
        reserve(&self.known())
    }

    fn part(&mut self, verb: PartVerb) -> OwnedCommand {
        let reservation = self.known();
        let whole = verb != PartVerb::Return && self.random.chance(60);
        if whole {
            let id = self.random.chance(30).then(|| self.fresh());
            return OwnedCommand::Part { verb, reservation, id, lines: None };
        }
        let OwnedCommand::Reserve { lines, .. } = reserve(&reservation) else { unreachable!("it makes nothing else") };
        let line = self.random.pick(&lines);
        let part = (line.sku.clone(), self.random.between(1, line.quantity));
        OwnedCommand::Part { verb, reservation, id: Some(self.fresh()), lines: Some(vec![part]) }
    }

    fn receive(&mut self) -> OwnedCommand {
        let movement = Some(self.fresh());
        if self.random.chance(6) {
            // An item that nobody has made: `item.configured` comes with it.
            let sku = format!("new-{}", self.fresh());
            return OwnedCommand::Receive { sku, quantity: 1, movement, lot: None, expires_at: None, location: None };
        }
        let sku = *self.random.pick(&SKUS);
        let (mut lot, mut expires_at) = (None, None);
        if sku == "lots" {
            lot = Some(format!("L{}", self.random.below(8)));
            if self.random.chance(15) {
                lot = Some(format!("short-{}", self.fresh()));
                expires_at = Some(Timestamp(clock::unix_ms() + self.random.between(20, 600)));
            }
        }
        let quantity = self.random.between(1, 3);
        OwnedCommand::Receive { sku: sku.to_owned(), quantity, movement, lot, expires_at, location: None }
    }

    fn adjust(&mut self) -> OwnedCommand {
        OwnedCommand::Adjust {
            sku: (*self.random.pick(&SKUS[..3])).to_owned(),
            delta: if self.random.chance(70) { -1 } else { 2 },
            reason: "counted".to_owned(),
            movement: Some(self.fresh()),
            lot: None,
        }
    }

    fn configure(&mut self) -> OwnedCommand {
        OwnedCommand::Configure {
            sku: "plenty".to_owned(),
            kind: None,
            safety_stock: self.random.below(100),
            backorder_limit: 0,
            limit: None,
            allocation: Allocation::Fefo,
            // Of all clients of all lives: the seed's own bits and a number.
            metadata: Some(((self.board.seed & 0xff_ffff) * 1_000_000 + self.fresh_number()).to_string()),
        }
    }

    /// What this client asked before, word by word.
    fn again(&mut self) -> OwnedCommand {
        let earlier: Vec<&OwnedCommand> = self.earlier.iter().filter(|command| may_be_asked_again(command)).collect();
        if earlier.is_empty() {
            return OwnedCommand::Item { sku: SKUS[0].to_owned() };
        }
        (*self.random.pick(&earlier)).clone()
    }
}

/// Settings and extensions carry no id: asked again, they are asked anew.
pub(crate) fn may_be_asked_again(command: &OwnedCommand) -> bool {
    !matches!(command, OwnedCommand::Configure { .. } | OwnedCommand::Extend { .. })
}

pub(crate) fn is_read(command: &OwnedCommand) -> bool {
    matches!(command, OwnedCommand::Item { .. } | OwnedCommand::Reservation { .. })
}

/// The reserve whose id this is. Whoever knows the id knows all of it.
fn reserve(id: &str) -> OwnedCommand {
    let hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let mut random = Random::new(hash);
    let capture = random.chance(12);
    let mut lines = Vec::new();
    for _ in 0..[1, 1, 1, 2, 3][usize::try_from(random.below(5)).expect("a few")] {
        let sku = *random.pick(&SKUS);
        let location = (sku == "lots" && random.chance(20)).then(|| "seoul".to_owned());
        let lot = (sku == "lots" && location.is_none() && random.chance(20)).then(|| format!("L{}", random.below(8)));
        lines.push(OwnedLine { sku: sku.to_owned(), quantity: random.between(1, 3), lot, location });
    }
    let ttl_ms = if random.chance(15) { random.between(1, 200) } else { 600_000 + random.below(600_000) };
    OwnedCommand::Reserve {
        reservation: id.to_owned(),
        ttl_ms: Some(if capture { 0 } else { ttl_ms }),
        lines,
        holder: Some(format!("holder-{}", random.below(400))),
        needed_until: None,
        capture,
    }
}
