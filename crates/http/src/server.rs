//! The server: accepts, keeps count of connections, ends those that take too long, and ends well when it is told to.
//!
//! ```text
//! accept ─► a task a connection: HTTP/1.1, or HTTP/2 when its first bytes say so ─► `service`
//! told to end: nobody new, requests under way are answered, connections close, the handover is closed
//! ```

use crate::ask::Asker;
use crate::body::Memory;
use crate::caps;
use crate::guard::Hosts;
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::service::{self, House};
use crate::socket::{Connection, Patience, Socket};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use sumun_feed::Feed;
use sumun_server::Handover;
use sumun_trace::Tracer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};

/// A socket that listens: taken early, so that an address that cannot be had is known before anything else is done.
#[derive(Debug)]
pub struct Listener {
    listener: std::net::TcpListener,
    address: SocketAddr,
}

impl Listener {
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Listener { listener, address })
    }
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// How long peers may take, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub idle_ms: u64,
    pub head_ms: u64,
    pub body_ms: u64,
    pub stall_ms: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            idle_ms: caps::IDLE_MS_MAX,
            head_ms: caps::HEAD_MS_MAX,
            body_ms: caps::BODY_MS_MAX,
            stall_ms: caps::STALL_MS_MAX,
        }
    }
}

pub struct Options {
    /// Names that this server is known by, beside addresses and `localhost`.
    pub hosts: Vec<String>,
    pub connections_max: usize,
    pub limits: Limits,
    /// Something that differs from run to run: request ids begin with it.
    pub run: u32,
    /// What records and the store may take, for the metrics to tell.
    pub memory_bytes: Option<u64>,
    /// Who serves events and histories; without one these paths are not found.
    pub feed: Option<Feed>,
    /// Who takes the spans of requests; without one there are none.
    pub tracer: Option<Tracer>,
}

impl Default for Options {
    fn default() -> Options {
        let limits = Limits::default();
        let connections_max = caps::CONNECTIONS_MAX;
        Options { hosts: Vec::new(), connections_max, limits, run: 0, memory_bytes: None, feed: None, tracer: None }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("hosts", &self.hosts).field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot serve HTTP: {0}")]
pub struct ServeError(#[from] io::Error);

impl Listener {
    /// Serves on this thread until the loop behind the handover is told to end and all connections are gone.
    pub fn serve(self, handover: &Handover, options: Options) -> Result<(), ServeError> {
        let (end, ending) = watch::channel(false);
        handover.on_end(move || {
            // Whoever has gone need not be told.
            let _ = end.send(true);
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(caps::BLOCKING_THREADS_MAX)
            .thread_name("sumun-http-read")
            .build();
        let result = runtime.and_then(|runtime| runtime.block_on(run(self.listener, handover, options, ending)));
        handover.close();
        Ok(result?)
    }
}

/// All connections, and what they share.
struct Server {
    house: Arc<House>,
    connections: Mutex<HashMap<u64, Arc<Connection>>>,
    gone: Notify,
    refusing: AtomicUsize,
    clock: Arc<AtomicU32>,
}

async fn run(
    listener: std::net::TcpListener,
    handover: &Handover,
    options: Options,
    mut ending: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let asker = Asker::new(handover.clone());
    asker.start();
    let house = House {
        asker,
        hosts: Hosts::new(&options.hosts),
        memory: Memory::default(),
        metrics: Metrics::new(options.memory_bytes),
        feed: options.feed,
        tracer: options.tracer,
        openapi: crate::openapi::document().into(),
        ending: ending.clone(),
        body_ms: options.limits.body_ms,
        run: options.run,
        count: AtomicU64::new(1),
    };
    let server = Arc::new(Server {
        house: Arc::new(house),
        connections: Mutex::default(),
        gone: Notify::new(),
        refusing: AtomicUsize::new(0),
        clock: Arc::default(),
    });
    tokio::spawn(sweep(Arc::clone(&server), options.limits));
    let mut number = 0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ending.wait_for(|ends| *ends) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                number += 1;
                server.welcome(stream, number, options.connections_max, &ending);
            }
            // That one came to nothing; the next may be fine.
            Err(error) if is_of_the_peer(&error) => {}
            // No descriptor or no memory for one more: it stays in the backlog.
            Err(_) => tokio::time::sleep(Duration::from_millis(caps::ACCEPT_PAUSE_MS)).await,
        }
    }
    drop(listener);
    loop {
        let gone = server.gone.notified();
        if server.lock().is_empty() {
            return Ok(());
        }
        gone.await;
    }
}

fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Looks over all connections now and then.
async fn sweep(server: Arc<Server>, limits: Limits) {
    let sweeps = |ms: u64| u32::try_from(ms.div_ceil(caps::SWEEP_MS)).unwrap_or(u32::MAX);
    let patience =
        Patience { idle: sweeps(limits.idle_ms), head: sweeps(limits.head_ms), stall: sweeps(limits.stall_ms) };
    let mut ticks = tokio::time::interval(Duration::from_millis(caps::SWEEP_MS));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        server.clock.fetch_add(1, Ordering::Relaxed);
        let all: Vec<Arc<Connection>> = server.lock().values().cloned().collect();
        all.iter().filter_map(|connection| connection.judge(patience)).for_each(|why| server.house.metrics.ended(why));
    }
}

impl Server {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn welcome(self: &Arc<Server>, stream: TcpStream, number: u64, most: usize, ending: &watch::Receiver<bool>) {
        let metrics = &self.house.metrics;
        if self.lock().len() >= most {
            metrics.connections_refused.fetch_add(1, Ordering::Relaxed);
            self.refuse(stream);
            return;
        }
        // One that cannot be set has gone already.
        let _ = stream.set_nodelay(true);
        metrics.connections.fetch_add(1, Ordering::Relaxed);
        metrics.connections_open.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection::new(Arc::clone(&self.clock)));
        self.lock().insert(number, Arc::clone(&connection));
        let stay = Stay { server: Arc::clone(self), number };
        let talk = talk(Arc::clone(&self.house), stream, Arc::clone(&connection), ending.clone(), stay);
        connection.runs_as(tokio::spawn(talk).abort_handle());
    }

    /// Says that there are too many, and reads what was asked away, so that it is heard.
    fn refuse(self: &Arc<Server>, mut stream: TcpStream) {
        if self.refusing.fetch_add(1, Ordering::Relaxed) >= caps::REFUSALS_MAX {
            self.refusing.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let server = Arc::clone(self);
        tokio::spawn(async move {
            let body = Problem::overloaded(caps::LOADING_RETRY_MS).to_bytes();
            let head = format!(
                "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\n\
                 content-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let say = async {
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&body).await?;
                stream.shutdown().await?;
                let mut waste = [0; 4_096];
                while stream.read(&mut waste).await? > 0 {}
                Ok::<(), io::Error>(())
            };
            // It is closed whether it hears this or not.
            let _ = tokio::time::timeout(Duration::from_millis(caps::LOADING_RETRY_MS.into()), say).await;
            server.refusing.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// A connection's place among the others, for as long as its task lives.
struct Stay {
    server: Arc<Server>,
    number: u64,
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.server.lock().remove(&self.number);
        self.server.house.metrics.connections_open.fetch_sub(1, Ordering::Relaxed);
        self.server.gone.notify_one();
    }
}

async fn talk(
    house: Arc<House>,
    stream: TcpStream,
    of: Arc<Connection>,
    mut ending: watch::Receiver<bool>,
    stay: Stay,
) {
    let mut socket = Socket::new(stream, Arc::clone(&of));
    let is_h2 = tokio::select! {
        is_h2 = socket.speaks_h2() => is_h2,
        _ = ending.wait_for(|ends| *ends) => return,
    };
    let Ok(is_h2) = is_h2 else { return };
    let serving = Arc::clone(&of);
    let service = service_fn(move |request| service::serve(Arc::clone(&house), Arc::clone(&serving), request));
    let io = TokioIo::new(socket);
    // What a connection ends with is the peer's affair.
    if is_h2 {
        of.speaks_h2();
        let mut connection = pin!(h2().serve_connection(io, service));
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = ending.wait_for(|ends| *ends) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    } else {
        let mut connection = pin!(h1().serve_connection(io, service));
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = ending.wait_for(|ends| *ends) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
    drop(stay);
}

fn h1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    // Whoever takes too long is found by the sweep.
    builder.header_read_timeout(None);
    // A peer that has finished sending still gets its answers.
    builder.half_close(true);
    builder.max_buf_size(caps::HEAD_BYTES_MAX);
    builder.max_headers(caps::HEADERS_MAX);
    builder
}

fn h2() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .max_concurrent_streams(caps::STREAMS_MAX)
        .initial_stream_window_size(caps::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(caps::CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(caps::SEND_BUFFER_BYTES)
        .max_header_list_size(caps::HEAD_BYTES_MAX as u32);
    builder
}
