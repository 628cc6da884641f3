//! The contract as text: `configure a; receive a 5 id=m1; reserve r1 a=2 ttl=10s -> held; tick 10s -> expired r1`.
//!
//! ```text
//! configure a [points|stock] [safety=n] [backorder=n] [limit=n] [window=time] [fifo] [metadata=json]
//! receive a 5 id=m1 [lot=l] [expires=time] [at=place]     adjust a -2 id=m2 [reason=word] [lot=l]     remove a
//! reserve r1 a=2 [b=1@lot] [b=1%place] [ttl=time] [for=holder] [until=time] [capture]
//! capture|release|return r1 [a=1 …] [id=c1]               extend r1 ttl=time
//! item a     reservation r1     holder a ann              tick time -> what ended
//! pass time, without anything being written
//! ```
//!
//! A time is `5`, `5s`, `5m`, `5h` or `5d`, without a unit in milliseconds; `expires` and `until` count from the
//! beginning of the script. What stands behind an arrow is the answer as `say` puts it; names and figures of a record
//! are compared where they are given. Without an arrow the answer must not be a refusal. Behind ` | ` stand the events
//! that were written. The auditor judges every answer and event besides.

use crate::support::{BEGIN, Judged};
use std::str::SplitWhitespace;
use sumun_auditor::{OwnedCommand, OwnedLine, PartVerb, RETENTION_MS_DEFAULT};
use sumun_wire::{
    Allocation, Answer, Code, Event, EventData, ItemRecord, Kind, Limit, Name, ReservationRecord, Timestamp,
};

/// Runs a script. Statements stand between semicolons or on lines of their own.
pub(crate) fn check(script: &str) {
    check_with_retention(RETENTION_MS_DEFAULT, script);
}

pub(crate) fn check_with_retention(retention_ms: u64, script: &str) {
    let mut judged = Judged::with_retention(7, retention_ms);
    let statements = script.split([';', '\n']).map(str::trim);
    for statement in statements.filter(|text| !text.is_empty() && !text.starts_with('#')) {
        run(&mut judged, statement);
    }
    judged.finish().unwrap_or_else(|complaint| panic!("at the end: {complaint}"));
}

fn run(judged: &mut Judged, statement: &str) {
    let (rest, events) = statement.split_once('|').map_or((statement, None), |(rest, events)| (rest, Some(events)));
    let (asked, wanted) = rest.split_once("->").map_or((rest, None), |(asked, wanted)| (asked, Some(wanted.trim())));
    let mut words = asked.split_whitespace();
    let verb = words.next().expect("a verb");
    if verb == "tick" {
        let now = judged.driven.now + time(words.next().expect("a time"));
        let ended = judged.tick(now, usize::MAX).unwrap_or_else(|complaint| panic!("{statement}: {complaint}"));
        let told: Vec<String> = ended.iter().map(end).collect();
        assert_eq!(told.join(" "), wanted.unwrap_or(""), "{statement}");
        return;
    }
    if verb == "pass" {
        let now = judged.driven.now + time(words.next().expect("a time"));
        judged.driven.advance(now, u32::MAX);
        return;
    }
    let command = command(verb, words);
    let (answer, made) = judged.handle(&command).unwrap_or_else(|complaint| panic!("{statement}: {complaint}"));
    match wanted {
        None => assert!(!matches!(answer, Answer::Refused(_)), "{statement}: {}", say(&answer)),
        Some(wanted) => compare(statement, wanted, &answer),
    }
    if let Some(events) = events {
        assert_eq!(made.iter().map(tell).collect::<Vec<_>>().join(", "), events.trim(), "{statement}");
    }
}

/// Records: each name and its figure that are given. Everything else: the whole answer, its end left out if it is not asked.
fn compare(statement: &str, wanted: &str, answer: &Answer) {
    let said = say(answer);
    match answer {
        Answer::Item(Some(_)) | Answer::Reservation(Some(_)) | Answer::Holder(_) => {
            let has: Vec<&str> = said.split(' ').collect();
            let wants: Vec<&str> = wanted.split_whitespace().collect();
            for pair in wants.chunks(2) {
                assert!(has.chunks(2).any(|given| given == pair), "{statement}\n  {pair:?} is not in: {said}");
            }
        }
        Answer::Outcome(_) if !wanted.contains("until") => {
            let mut words: Vec<&str> = said.split(' ').collect();
            if let Some(at) = words.iter().position(|word| *word == "until") {
                words.drain(at..at + 2);
            }
            assert_eq!(words.join(" "), wanted, "{statement}");
        }
        Answer::Outcome(_)
        | Answer::Available { .. }
        | Answer::Item(None)
        | Answer::Reservation(None)
        | Answer::Refused(_) => assert_eq!(said, wanted, "{statement}"),
    }
}

fn time(text: &str) -> u64 {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let unit = match &text[digits.len()..] {
        "" | "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        unit => panic!("`{unit}` is no unit of time"),
    };
    digits.parse::<u64>().unwrap_or_else(|_| panic!("`{text}` is no time")) * unit
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}

/// A moment, counted from the beginning of the script.
fn moment(text: &str) -> Timestamp {
    Timestamp(BEGIN + time(text))
}

/// The words behind the verb: bare ones, and those with a value.
struct Words<'a> {
    bare: Vec<&'a str>,
    valued: Vec<(&'a str, &'a str)>,
}

impl<'a> Words<'a> {
    fn new(words: SplitWhitespace<'a>) -> Words<'a> {
        let (mut bare, mut valued) = (Vec::new(), Vec::new());
        for word in words {
            match word.split_once('=') {
                Some(pair) => valued.push(pair),
                None => bare.push(word),
            }
        }
        Words { bare, valued }
    }
    /// The next bare word.
    fn next(&mut self) -> String {
        assert!(!self.bare.is_empty(), "a name is missing");
        self.bare.remove(0).to_owned()
    }
    fn flag(&mut self, word: &str) -> bool {
        let at = self.bare.iter().position(|bare| *bare == word);
        at.map(|at| self.bare.remove(at)).is_some()
    }
    fn option(&mut self, name: &str) -> Option<&'a str> {
        let at = self.valued.iter().position(|(key, _)| *key == name)?;
        Some(self.valued.remove(at).1)
    }
    fn text(&mut self, name: &str) -> Option<String> {
        self.option(name).map(str::to_owned)
    }
    /// What is left: quantities of skus, maybe `@lot` or `%place`.
    fn lines(&mut self) -> Vec<OwnedLine> {
        let lines = self.valued.drain(..).map(|(sku, what)| {
            let end = what.find(['@', '%']).unwrap_or(what.len());
            let named = |mark: char| {
                let from = what.find(mark)? + 1;
                let until = what[from..].find(['@', '%']).map_or(what.len(), |at| from + at);
                Some(what[from..until].to_owned())
            };
            OwnedLine { sku: sku.to_owned(), quantity: number(&what[..end]), lot: named('@'), location: named('%') }
        });
        lines.collect()
    }
    fn done(self, command: OwnedCommand) -> OwnedCommand {
        assert!(self.bare.is_empty() && self.valued.is_empty(), "not understood: {:?} {:?}", self.bare, self.valued);
        command
    }
}

fn command(verb: &str, words: SplitWhitespace<'_>) -> OwnedCommand {
    let mut w = Words::new(words);
    let command = match verb {
        "configure" => configure(&mut w),
        "remove" => OwnedCommand::Remove { sku: w.next() },
        "receive" => OwnedCommand::Receive {
            sku: w.next(),
            quantity: number(&w.next()),
            movement: w.text("id"),
            lot: w.text("lot"),
            expires_at: w.option("expires").map(moment),
            location: w.text("at"),
        },
        "adjust" => OwnedCommand::Adjust {
            sku: w.next(),
            delta: w.next().parse().expect("a signed number"),
            reason: w.text("reason").unwrap_or_else(|| "count".to_owned()),
            movement: w.text("id"),
            lot: w.text("lot"),
        },
        "reserve" => OwnedCommand::Reserve {
            reservation: w.next(),
            ttl_ms: w.option("ttl").map(time),
            holder: w.text("for"),
            needed_until: w.option("until").map(moment),
            capture: w.flag("capture"),
            lines: w.lines(),
        },
        "capture" => part(PartVerb::Capture, &mut w),
        "release" => part(PartVerb::Release, &mut w),
        "return" => part(PartVerb::Return, &mut w),
        "extend" => OwnedCommand::Extend { reservation: w.next(), ttl_ms: w.option("ttl").map(time).expect("a ttl") },
        "reservation" => OwnedCommand::Reservation { id: w.next() },
        "item" => OwnedCommand::Item { sku: w.next() },
        "holder" => OwnedCommand::Holder { sku: w.next(), holder: w.next() },
        verb => panic!("`{verb}` is no verb"),
    };
    w.done(command)
}

fn configure(w: &mut Words<'_>) -> OwnedCommand {
    let kind = if w.flag("points") { Some(Kind::Points) } else { w.flag("stock").then_some(Kind::Stock) };
    let window_ms = w.option("window").map(time);
    OwnedCommand::Configure {
        sku: w.next(),
        kind,
        safety_stock: w.option("safety").map_or(0, number),
        backorder_limit: w.option("backorder").map_or(0, number),
        limit: w.option("limit").map(|quantity| Limit { quantity: number(quantity), window_ms }),
        allocation: if w.flag("fifo") { Allocation::Fifo } else { Allocation::Fefo },
        metadata: w.text("metadata"),
    }
}

fn part(verb: PartVerb, w: &mut Words<'_>) -> OwnedCommand {
    let (reservation, id) = (w.next(), w.text("id"));
    let lines: Vec<(String, u64)> = w.lines().into_iter().map(|line| (line.sku, line.quantity)).collect();
    OwnedCommand::Part { verb, reservation, id, lines: (!lines.is_empty()).then_some(lines) }
}

/// A moment as milliseconds from the beginning.
fn since(at: Timestamp) -> i64 {
    at.0 as i64 - BEGIN as i64
}

fn say(answer: &Answer) -> String {
    match answer {
        Answer::Available { available, replayed } => format!("{available}{}", if *replayed { " replayed" } else { "" }),
        Answer::Outcome(outcome) => {
            let mut said = outcome.state.word().to_owned();
            if let Some(at) = outcome.expires_at {
                said += &format!(" until {}", since(at));
            }
            said += if outcome.replayed { " replayed" } else { "" };
            said + if outcome.tombstone { " tombstone" } else { "" }
        }
        Answer::Item(None) | Answer::Reservation(None) => "null".to_owned(),
        Answer::Item(Some(item)) => say_item(item),
        Answer::Reservation(Some(reservation)) => say_reservation(reservation),
        Answer::Holder(holder) => {
            let left = holder.left.map_or("-".to_owned(), |left| left.to_string());
            let free = holder.next_free_at.map_or("-".to_owned(), |at| since(at).to_string());
            format!("held {} counted {} left {left} next_free_at {free}", holder.held, holder.counted)
        }
        Answer::Refused(refusal) => match refusal.code {
            Code::IdConflict => "CONFLICT id".to_owned(),
            Code::Conflict | Code::Invalid | Code::Expired | Code::Captured | Code::Released => {
                refusal.code.word().to_owned()
            }
            Code::NotFound | Code::Limit | Code::Insufficient | Code::Exceeds | Code::Overloaded | Code::ReadOnly => {
                refusal.to_string()
            }
        },
    }
}

fn word(name: Option<&Name>) -> &str {
    name.map_or("-", |name| name.as_str())
}

/// Lots as `lot:on_hand/reserved`, between commas.
fn say_item(item: &ItemRecord) -> String {
    let rows = item.lots.iter().map(|row| format!("{}:{}/{}", word(row.lot.as_ref()), row.on_hand, row.reserved));
    let lots: Vec<String> = rows.collect();
    format!(
        "on_hand {} reserved {} available {} received {} removed {} returned {} captured {} expired {} version {} kind {} \
         lots {}",
        item.on_hand,
        item.reserved,
        item.available,
        item.received,
        item.removed,
        item.returned,
        item.captured,
        item.expired,
        item.version,
        item.kind.word(),
        if lots.is_empty() { "-".to_owned() } else { lots.join(",") },
    )
}

/// Sums over all lines; what was taken as `lot:quantity`, between commas, lines between slashes.
fn say_reservation(r: &ReservationRecord) -> String {
    let sum = |of: fn(&sumun_wire::ReservationLine) -> u64| r.lines.iter().map(of).sum::<u64>();
    let taken = r.lines.iter().map(|line| {
        let taken = line.taken.iter().map(|taken| format!("{}:{}", word(taken.lot.as_ref()), taken.quantity));
        taken.collect::<Vec<_>>().join(",")
    });
    let taken: Vec<String> = taken.collect();
    format!(
        "state {} ended {} tombstone {} holder {} quantity {} captured {} released {} expired {} returned {} version {} \
         expires_at {} lines {} taken {}",
        r.state.word(),
        r.ended.map_or("-", |ended| ended.word()),
        u8::from(r.tombstone),
        word(r.holder.as_ref()),
        sum(|line| line.quantity),
        sum(|line| line.captured),
        sum(|line| line.released),
        sum(|line| line.expired),
        sum(|line| line.returned),
        r.version,
        r.expires_at.map_or("-".to_owned(), |at| since(at).to_string()),
        r.lines.len(),
        if taken.is_empty() { "-".to_owned() } else { taken.join("/") },
    )
}

/// An end: `expired r1`, `lot_expired a/l1`.
fn end(event: &Event) -> String {
    match &event.data {
        EventData::Reservation(data) => format!("expired {}", data.reservation),
        EventData::Item(data) => {
            let lots: Vec<&str> = data.lines.iter().map(|line| word(line.lot.as_ref())).collect();
            format!("lot_expired {}/{}", data.sku, lots.join("+"))
        }
        EventData::Log(_) => event.kind().to_owned(),
    }
}

/// An event with its lines: `reservation.held a=2 b=1@lot`.
fn tell(event: &Event) -> String {
    let mut told = event.kind().to_owned();
    for line in event.lines() {
        let lot = line.lot.as_ref().map(|lot| format!("@{lot}")).unwrap_or_default();
        told += &format!(" {}={}{lot}", line.sku, line.quantity);
    }
    told
}
