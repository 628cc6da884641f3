//! The real reactor over the real engine and file log, on a disk whose syncs can be held and fail; and clients that
//! speak bytes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use sumun_engine::env::{System, Threads};
use sumun_engine::{Engine, Opened, Shelves};
use sumun_log::faulty::FaultyDisk;
use sumun_log::{FileLog, LogId, Setup};
use sumun_server::ledger::{
    Broken, Executed, Figures, Foreseen, Handled, Ledger, ListBy, Listed, OpenPage, Proof, Readiness, Skus, SkusOf,
    Step,
};
use sumun_server::{Ended, Handover, Options, Reactor, Shard, Stop};
use sumun_store::{StoreError, Twin};
use sumun_wire::{Answer, Command, Trace};

/// Longer than anything here takes, so that a test that hangs fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) disk: FaultyDisk,
    /// Whether the ledger says that it is ready, when it is.
    pub(crate) ready: Arc<AtomicBool>,
    stop: Stop,
    pub(crate) handover: Handover,
    /// Told when it is ready.
    pub(crate) told: mpsc::Receiver<SocketAddr>,
    thread: Option<JoinHandle<Ended>>,
}

pub(crate) fn options() -> Options {
    Options::new("127.0.0.1:0".parse().expect("an address"))
}

/// How a server is started.
pub(crate) struct Start {
    pub(crate) options: Options,
    pub(crate) disk: FaultyDisk,
    /// Whether it is ready at once, or when it is told so.
    pub(crate) ready: bool,
    /// What records may take.
    pub(crate) memory: usize,
}

impl Default for Start {
    fn default() -> Start {
        Start { options: options(), disk: FaultyDisk::new(1), ready: true, memory: 1 << 30 }
    }
}

pub(crate) fn start() -> Server {
    start_with(Start::default())
}

pub(crate) fn start_with(Start { options, disk, ready, memory }: Start) -> Server {
    let mut reactor = Reactor::bind(options, None).expect("it binds");
    let (address, stop) = (reactor.address(), reactor.stopper());
    let handover = reactor.handover();
    let ready = Arc::new(AtomicBool::new(ready));
    let mut ledger = Late { shard: Shard::new(engine(&disk, &reactor, memory)), ready: Arc::clone(&ready) };
    let (tell, told) = mpsc::channel();
    let loading = !ready.load(Ordering::Acquire);
    let thread = std::thread::spawn(move || {
        let ended = reactor.run(&mut ledger, |address| tell.send(address).expect("the test waits")).expect("it runs");
        ledger.shard.into_engine().close().expect("the log closes");
        ended
    });
    if !loading {
        assert_eq!(told.recv_timeout(PATIENCE), Ok(address));
    }
    Server { address, disk, ready, stop, handover, told, thread: Some(thread) }
}

pub(crate) fn engine(disk: &FaultyDisk, reactor: &Reactor, memory: usize) -> Engine {
    let (disk, waker) = (disk.clone(), reactor.waker());
    let opener = Box::new(move || {
        let waker = Arc::clone(&waker);
        let (log, report) = FileLog::open(Setup {
            disk: Arc::new(disk.clone()),
            data: PathBuf::from("/data"),
            shard: 0,
            fresh: LogId([7; 16]),
            expected: None,
            crew: Arc::new(Threads),
            wake: Arc::new(move || waker.wake().expect("the loop is there")),
            options: sumun_log::Options { segment_bytes: 8 << 20, ..sumun_log::Options::default() },
        })?;
        Ok(Opened { log: Box::new(log), report })
    });
    let day_ms = 24 * 60 * 60 * 1_000;
    let options = sumun_engine::Options {
        shard: 0,
        memory,
        retention_ms: 30 * day_ms,
        log_retention_ms: 30 * day_ms,
        stage_after_ms: 0,
        accept_clock: false,
    };
    Engine::open(options, Box::new(System::new()), opener, || shelves(reactor)).expect("the log opens").0
}

/// A store in memory.
fn shelves(reactor: &Reactor) -> Result<Shelves, StoreError> {
    let waker = reactor.waker();
    let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(move || waker.wake().expect("the loop is there"));
    Shelves::beside(Box::new(Twin::new(1)), &Threads, &wake)
}

impl Server {
    pub(crate) fn connect(&self) -> Peer {
        Peer::new(self.address)
    }

    pub(crate) fn stopper(&self) -> Stop {
        self.stop.clone()
    }

    pub(crate) fn end(mut self) -> Ended {
        self.stop.stop().expect("the loop is there");
        self.thread.take().expect("it ends once").join().expect("it ends well")
    }

    /// A figure of `INFO`.
    pub(crate) fn figure(&self, name: &str) -> u64 {
        let info = self.connect().ask("INFO");
        let found = info.split('|').find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        found.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {info}"))
    }

    pub(crate) fn wait_for(&self, what: &str, done: impl Fn(&Server) -> bool) {
        for _ in 0..2_000 {
            if done(self) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        panic!("{what} did not happen");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.disk.release_syncs();
        if let Some(thread) = self.thread.take() {
            self.stop.stop().expect("the loop is there");
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server failed");
        }
    }
}

pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Peer {
    pub(crate) fn new(address: SocketAddr) -> Peer {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        let reader = BufReader::with_capacity(1 << 16, stream.try_clone().expect("a second handle"));
        Peer { stream, reader }
    }

    pub(crate) fn send(&self, text: &str) {
        (&self.stream).write_all(text.as_bytes()).expect("it is taken");
    }

    /// One request, one reply.
    pub(crate) fn ask(&mut self, request: &str) -> String {
        self.send(&format!("{request}\n"));
        self.reply()
    }

    /// The next reply, its lines joined with `|`.
    pub(crate) fn reply(&mut self) -> String {
        self.try_reply().expect("a reply")
    }

    /// `None` when the connection ended instead.
    pub(crate) fn try_reply(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("no reply: {error}"),
        }
        let line = line.trim_end();
        let count: i64 = line[1..].parse().unwrap_or_default();
        let parts = match line.as_bytes()[0] {
            b'$' if count >= 0 => {
                let mut bulk = vec![0; count as usize + 2];
                self.reader.read_exact(&mut bulk).expect("the rest of a string");
                return Some(String::from_utf8_lossy(&bulk[..count as usize]).replace("\r\n", "|"));
            }
            b'*' => count,
            b'%' => count * 2,
            _ => 0,
        };
        let mut all = vec![line.to_owned()];
        for _ in 0..parts {
            all.push(self.try_reply()?);
        }
        Some(if parts > 0 { all[1..].join(" ") } else { line.to_owned() })
    }

    /// Whether nothing comes for a while.
    pub(crate) fn is_silent(&mut self) -> bool {
        self.stream.set_read_timeout(Some(Duration::from_millis(150))).expect("a timeout");
        let silent = self.reader.fill_buf().is_err();
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        silent
    }

    pub(crate) fn is_closed(&mut self) -> bool {
        self.try_reply().is_none()
    }

    pub(crate) fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).expect("it is open");
    }
}

/// The shard, not ready before it is told so.
struct Late {
    shard: Shard,
    ready: Arc<AtomicBool>,
}

impl Ledger for Late {
    fn now_ms(&self) -> u64 {
        self.shard.now_ms()
    }
    fn readiness(&self) -> Readiness {
        if self.ready.load(Ordering::Acquire) {
            self.shard.readiness()
        } else {
            Readiness::Loading { done_permille: 5 }
        }
    }
    fn replay(&mut self) -> Result<(), Broken> {
        self.shard.replay()
    }
    fn can_step(&self) -> bool {
        self.shard.can_step()
    }
    fn open_step(&mut self) {
        self.shard.open_step();
    }
    fn foresee(&self, names: &[Foreseen<'_>]) {
        self.shard.foresee(names);
    }
    fn handle(&mut self, command: &Command<'_>, trace: Option<&Trace>) -> Handled {
        self.shard.handle(command, trace)
    }
    fn exec(&mut self, commands: &[Command<'_>], answers: &mut Vec<Answer>) -> Executed {
        self.shard.exec(commands, answers)
    }
    fn list_open(&mut self, by: ListBy<'_>, after: Option<&str>, limit: usize) -> Listed<OpenPage> {
        self.shard.list_open(by, after, limit)
    }
    fn list_skus(&mut self, ticket: &mut Option<u64>, of: &SkusOf) -> Listed<Skus> {
        self.shard.list_skus(ticket, of)
    }
    fn arrivals(&self) -> u64 {
        self.shard.arrivals()
    }
    fn is_full(&self) -> bool {
        self.shard.is_full()
    }
    fn close_step(&mut self) -> Step {
        self.shard.close_step()
    }
    fn poll(&mut self) -> Result<Proof, Broken> {
        self.shard.poll()
    }
    fn idle(&mut self) -> Option<Duration> {
        if self.ready.load(Ordering::Acquire) { self.shard.idle() } else { Some(Duration::from_millis(1)) }
    }
    fn fresh_id(&mut self) -> String {
        self.shard.fresh_id()
    }
    fn figures(&self) -> Figures {
        self.shard.figures()
    }
}
