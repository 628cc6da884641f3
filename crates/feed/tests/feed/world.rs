//! A shard in small: the core decides, its events go to a real log over the faulty disk, and the feed is told. Driven by texts
//! in the words of the auditor, and a few of its own: see `World::run`.

use std::path::PathBuf;
use std::sync::Arc;
use sumun_auditor::OwnedCommand;
use sumun_codec::encode;
use sumun_core::{Decision, Event, EventKind, LogEntry, State};
use sumun_feed::{Entry, Feed, FeedError, Filter, Next, Page, Setup, Size, Start, Subscription, Teller, Turn};
use sumun_log::disk::Disk;
use sumun_log::faulty::FaultyDisk;
use sumun_log::{Batch, Crew, FileLog, Log, LogId, Options, Place, Position, Progress};
use sumun_wire::{Answer, Command};

pub(crate) const ID: LogId = LogId(*b"an identity here");
const BEGIN: u64 = 1_770_000_000_000;
const RETENTION_MS: u64 = 1 << 40;
/// Segments are small, so that a few events make several.
const OPTIONS: Options = Options { segment_bytes: 16 << 10, batch_bytes_max: 48 << 10 };
/// A batch that grew so far is committed, so that the next event fits.
const BATCH_BYTES: usize = 24 << 10;

pub(crate) struct AtOnce;

impl Crew for AtOnce {
    fn start(&self, _name: &'static str, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}

pub(crate) fn open_log(disk: &FaultyDisk) -> FileLog {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let data = PathBuf::from("/data");
    let wake = Arc::new(|| {});
    let setup = sumun_log::Setup {
        disk,
        data,
        shard: 0,
        fresh: ID,
        expected: None,
        crew: Arc::new(AtOnce),
        wake,
        options: OPTIONS,
    };
    FileLog::open(setup).unwrap().0
}

pub(crate) fn feed_of(disk: &FaultyDisk, log: &FileLog) -> (Feed, Teller) {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Feed::new(Setup { disk, data: PathBuf::from("/data"), shard: 0, id: ID }, &log.bounds())
}

pub(crate) struct World {
    pub(crate) disk: FaultyDisk,
    pub(crate) log: Option<FileLog>,
    pub(crate) feed: Feed,
    pub(crate) teller: Teller,
    pub(crate) state: State,
    pub(crate) now: u64,
    event: Event,
    batch: Vec<u8>,
    count: u32,
}

impl World {
    pub(crate) fn new(seed: u64) -> World {
        let disk = FaultyDisk::new(seed);
        let log = open_log(&disk);
        let (feed, teller) = feed_of(&disk, &log);
        let mut state = State::new(1, RETENTION_MS);
        assert_eq!(state.arm(BEGIN, 0, 1), None, "an empty state has nothing to arm");
        World {
            disk,
            log: Some(log),
            feed,
            teller,
            state,
            now: BEGIN,
            event: Event::default(),
            batch: Vec::new(),
            count: 0,
        }
    }

    /// As `new`, after these.
    pub(crate) fn after(steps: &[&str]) -> World {
        let mut world = World::new(1);
        steps.iter().for_each(|step| world.run(step));
        world
    }

    /// A command as the auditor writes it, each in a batch of its own; or several with ` ; ` between them, in one. Or:
    /// `tick 5s`, `trim N` (so that no event before N need be kept), `restart`, `opened` (the log's own event).
    pub(crate) fn run(&mut self, step: &str) {
        match step.split_once(' ').unwrap_or((step, "")) {
            ("tick", seconds) => self.go_on(seconds.strip_suffix('s').unwrap().parse::<u64>().unwrap() * 1_000),
            ("trim", first) => self.trim(first.parse().unwrap()),
            ("restart", _) => self.restart(),
            ("opened", _) => self.opened(),
            _ => {
                for command in step.split(" ; ") {
                    let owned: OwnedCommand = command.parse().unwrap_or_else(|error| panic!("{command}: {error}"));
                    let answer = self.handle(&owned.as_command());
                    assert!(!matches!(answer, Answer::Refused(_)), "{command}: {answer:?}");
                }
            }
        }
        self.commit();
    }

    pub(crate) fn handle(&mut self, command: &Command<'_>) -> Answer {
        loop {
            match self.state.decide(self.now, command, &mut self.event, &mut Vec::new()) {
                Decision::Answer(answer) => return answer,
                Decision::Missing => panic!("nothing has left memory"),
                Decision::First => self.write(),
                Decision::Event(answer) => {
                    self.write();
                    return answer;
                }
            }
        }
    }

    /// All that ends by time until then has ended.
    pub(crate) fn go_on(&mut self, ms: u64) {
        self.now += ms;
        self.state.advance(self.now, u32::MAX);
        while self.state.end_due(self.now, &mut self.event, &mut Vec::new()) {
            self.write();
        }
    }

    fn opened(&mut self) {
        self.event.clear(self.state.sequence() + 1, self.now, EventKind::LogOpened);
        self.event.log = LogEntry { shard: 0, epoch: 1, retention_ms: RETENTION_MS, log_retention_ms: RETENTION_MS };
        self.write();
    }

    fn write(&mut self) {
        self.state.apply(&self.event);
        encode(&self.event, &mut self.batch);
        self.count += 1;
        if self.batch.len() > BATCH_BYTES {
            self.commit();
        }
    }

    pub(crate) fn log(&mut self) -> &mut FileLog {
        self.log.as_mut().unwrap()
    }

    /// Makes durable what was written, and tells.
    pub(crate) fn commit(&mut self) {
        let progress = self.submit();
        assert!(matches!(progress, None | Some(Progress::Durable { .. })), "{progress:?}");
        self.tell();
    }

    pub(crate) fn submit(&mut self) -> Option<Progress> {
        if self.count == 0 {
            return None;
        }
        let (bytes, count) = (std::mem::take(&mut self.batch), std::mem::take(&mut self.count));
        let log = self.log.as_mut().unwrap();
        log.make_room(bytes.len()).unwrap();
        log.submit(Batch { first: log.bounds().last + 1, count, epoch: log.epoch(), bytes }, Place::Here);
        let progress = log.poll();
        log.tend();
        Some(progress)
    }

    pub(crate) fn tell(&mut self) {
        let bounds = self.log().bounds();
        self.teller.advance(&bounds);
    }

    pub(crate) fn trim(&mut self, first: u64) {
        let position = self.log().find(first).unwrap();
        self.log().trim(Position { offset: 0, ..position });
        self.log().tend();
        self.tell();
    }

    pub(crate) fn last(&mut self) -> u64 {
        self.log().bounds().last
    }

    /// The log is opened again, and the feed is a new one.
    pub(crate) fn restart(&mut self) {
        self.commit();
        self.log().close().unwrap();
        self.reopen();
        (self.feed, self.teller) = feed_of(&self.disk, self.log.as_ref().unwrap());
    }

    /// The log is opened again; the feed goes on.
    pub(crate) fn reopen(&mut self) {
        self.log = None;
        self.log = Some(open_log(&self.disk));
        self.tell();
    }

    /// All that the tail has to do.
    pub(crate) fn turn(&self) {
        while self.feed.turn() == Turn::Worked {}
    }

    pub(crate) fn page(&self, after: Option<u64>, filter: &str, events: usize) -> Result<Page, FeedError> {
        self.feed.page(after, &filter_of(filter), Size { events, ..Size::default() })
    }

    pub(crate) fn history(
        &mut self,
        sku: &str,
        newest: Option<u64>,
        before: Option<u64>,
        events: usize,
    ) -> Result<Page, FeedError> {
        let newest = newest.unwrap_or_else(|| match self.handle(&Command::Item { sku }) {
            Answer::Item(Some(item)) => item.sequence.0,
            other => panic!("{other:?}"),
        });
        self.feed.history(sku, newest, before, Size { events, ..Size::default() })
    }

    pub(crate) fn follow(&self, filter: &str, start: Start) -> Follower {
        Follower::new(self.feed.subscribe(filter_of(filter), start).unwrap())
    }
}

/// `type=a type=b subject=c shard=0`
pub(crate) fn filter_of(text: &str) -> Filter {
    let mut filter = Filter::default();
    for word in text.split_whitespace() {
        match word.split_once('=').unwrap() {
            ("type", kind) => filter.types.push(kind.to_owned()),
            ("subject", subject) => filter.subject = Some(subject.to_owned()),
            ("shard", shard) => filter.shard = Some(shard.parse().unwrap()),
            other => panic!("{other:?}"),
        }
    }
    filter
}

/// `1 item.received a, 2 reservation.held r1, next 2`
pub(crate) fn told(page: &Result<Page, FeedError>) -> String {
    match page {
        Err(error) => told_error(error),
        Ok(page) => {
            let events = events_of(&page.events);
            assert_eq!(events.len(), page.count);
            let mut words: Vec<String> = events.iter().map(told_event).collect();
            words.extend(page.next.map(|next| format!("next {next}")));
            words.join(", ")
        }
    }
}

pub(crate) fn told_error(error: &FeedError) -> String {
    match error {
        FeedError::Trimmed { first, .. } => format!("trimmed: begins at {first}"),
        other => other.to_string(),
    }
}

pub(crate) fn events_of(json: &[u8]) -> Vec<serde_json::Value> {
    match serde_json::from_slice(json).unwrap() {
        serde_json::Value::Array(events) => events,
        other => panic!("{other}"),
    }
}

pub(crate) fn told_event(event: &serde_json::Value) -> String {
    let subject = event["subject"].as_str().map(|subject| format!(" {subject}")).unwrap_or_default();
    format!("{} {}{subject}", event["sequence"], event["type"].as_str().unwrap())
}

/// A follower that takes what there is when it is asked, and may be asked to take less.
pub(crate) struct Follower {
    pub(crate) subscription: Subscription,
    pub(crate) catches_up: u64,
}

impl Follower {
    pub(crate) fn new(subscription: Subscription) -> Follower {
        Follower { subscription, catches_up: 0 }
    }

    /// The next event, read from wherever it is; `None` when there is nothing new.
    pub(crate) fn next(&mut self) -> Result<Option<Arc<Entry>>, FeedError> {
        loop {
            match self.subscription.try_next() {
                Next::Event(entry) => return Ok(Some(entry)),
                Next::Wait => return Ok(None),
                Next::Behind => {
                    self.catches_up += 1;
                    self.subscription.catch_up()?;
                }
                Next::Ended => return Err(FeedError::Closed),
            }
        }
    }

    /// All that there is, at most so many.
    pub(crate) fn take(&mut self, most: usize) -> Result<Vec<Arc<Entry>>, FeedError> {
        let mut taken = Vec::new();
        while taken.len() < most {
            match self.next()? {
                Some(entry) => taken.push(entry),
                None => break,
            }
        }
        Ok(taken)
    }

    pub(crate) fn sequences(&mut self) -> Vec<u64> {
        self.take(usize::MAX).unwrap().iter().map(|entry| entry.sequence).collect()
    }

    /// As `told` of a page.
    pub(crate) fn told(&mut self) -> String {
        let words = |entry: &Arc<Entry>| told_event(&serde_json::from_slice(&entry.text).unwrap());
        match self.take(usize::MAX) {
            Ok(taken) => taken.iter().map(words).collect::<Vec<_>>().join(", "),
            Err(error) => told_error(&error),
        }
    }
}
