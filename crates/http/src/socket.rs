//! One connection: its socket, what it is doing and since when, so that one sweep over all of them finds who takes too
//! long. No timer a request, no clock: time is counted in sweeps.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

/// How long each may take, in sweeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) idle: u32,
    pub(crate) head: u32,
    pub(crate) stall: u32,
}

#[derive(Debug)]
pub(crate) struct Connection {
    /// Sweeps so far, of all.
    clock: Arc<AtomicU32>,
    /// Several requests at once, frames between them: a byte does not mean that a request has begun.
    is_h2: AtomicBool,
    requests: AtomicU32,
    /// Since it has no request.
    idle_since: AtomicU32,
    /// Since a request's first byte came, plus one; 0: none has.
    head_since: AtomicU32,
    /// Since the peer takes nothing, plus one; 0: it does.
    stalled_since: AtomicU32,
    over: AtomicBool,
    /// It is to end, and was counted.
    judged: AtomicBool,
    reader: Mutex<Option<Waker>>,
    task: OnceLock<AbortHandle>,
}

/// What a peer takes too long for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    /// To take what is sent: a follower that does not read, too.
    Stalled,
    /// To send the head of a request.
    Head,
    /// To ask again.
    Idle,
}

impl Late {
    pub(crate) const ALL: [Late; 3] = [Late::Stalled, Late::Head, Late::Idle];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Late::Stalled => "stalled",
            Late::Head => "slow_head",
            Late::Idle => "idle",
        }
    }
}

impl Connection {
    pub(crate) fn new(clock: Arc<AtomicU32>) -> Connection {
        let now = clock.load(Ordering::Relaxed);
        Connection {
            clock,
            is_h2: AtomicBool::new(false),
            requests: AtomicU32::new(0),
            idle_since: AtomicU32::new(now),
            head_since: AtomicU32::new(0),
            stalled_since: AtomicU32::new(0),
            over: AtomicBool::new(false),
            judged: AtomicBool::new(false),
            reader: Mutex::default(),
            task: OnceLock::new(),
        }
    }
    fn now(&self) -> u32 {
        self.clock.load(Ordering::Relaxed)
    }
    pub(crate) fn runs_as(&self, task: AbortHandle) {
        // Set once, when it is spawned.
        let _ = self.task.set(task);
    }
    pub(crate) fn speaks_h2(&self) {
        self.is_h2.store(true, Ordering::Relaxed);
        self.head_since.store(0, Ordering::Relaxed);
    }
    pub(crate) fn begin_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.head_since.store(0, Ordering::Relaxed);
    }
    pub(crate) fn end_request(&self) {
        self.idle_since.store(self.now(), Ordering::Relaxed);
        self.requests.fetch_sub(1, Ordering::Relaxed);
    }
    /// It ends now, whatever it was doing.
    pub(crate) fn kill(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
    /// Ends it if it takes too long: for what, the first time.
    pub(crate) fn judge(&self, patience: Patience) -> Option<Late> {
        let late = self.is_late(patience)?;
        (!self.judged.swap(true, Ordering::Relaxed)).then_some(late)
    }

    fn is_late(&self, patience: Patience) -> Option<Late> {
        let now = self.now();
        let stalled = self.stalled_since.load(Ordering::Relaxed);
        if stalled > 0 && now - (stalled - 1) > patience.stall {
            self.kill();
            return Some(Late::Stalled);
        }
        if self.requests.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let head = self.head_since.load(Ordering::Relaxed);
        let is_slow = head > 0 && now - (head - 1) > patience.head;
        if is_slow || now - self.idle_since.load(Ordering::Relaxed) > patience.idle {
            self.over.store(true, Ordering::Relaxed);
            let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
            match reader {
                Some(reader) => reader.wake(),
                None => self.kill(),
            }
            return Some(if is_slow { Late::Head } else { Late::Idle });
        }
        None
    }
    fn heard(&self) {
        if self.requests.load(Ordering::Relaxed) == 0
            && !self.is_h2.load(Ordering::Relaxed)
            && self.head_since.load(Ordering::Relaxed) == 0
        {
            self.head_since.store(self.now() + 1, Ordering::Relaxed);
        }
    }
    fn waits(&self, waker: &Waker) {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if !reader.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *reader = Some(waker.clone());
        }
    }
}

const LATE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// The socket, with what was read of it already before.
pub(crate) struct Socket {
    stream: TcpStream,
    before: Vec<u8>,
    of: Arc<Connection>,
    /// Its end by lateness has been said.
    said: bool,
}

impl Socket {
    pub(crate) const fn new(stream: TcpStream, of: Arc<Connection>) -> Socket {
        Socket { stream, before: Vec::new(), of, said: false }
    }

    /// Whether the peer begins to speak HTTP/2, as its first bytes tell. What was read is read again later.
    pub(crate) async fn speaks_h2(&mut self) -> io::Result<bool> {
        const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let mut bytes = [0; PREFACE.len()];
        let mut length = 0;
        loop {
            let mut buffer = ReadBuf::new(&mut bytes[length..]);
            std::future::poll_fn(|cx| Pin::new(&mut *self).poll_read(cx, &mut buffer)).await?;
            let read = buffer.filled().len();
            length += read;
            let is_like = PREFACE.starts_with(&bytes[..length]);
            if read == 0 || !is_like || length == PREFACE.len() {
                self.before = bytes[..length].to_vec();
                return Ok(is_like && length == PREFACE.len());
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.before.is_empty() {
            let length = self.before.len().min(buffer.remaining());
            buffer.put_slice(&self.before[..length]);
            self.before.drain(..length);
            return Poll::Ready(Ok(()));
        }
        if self.of.over.load(Ordering::Relaxed) {
            let is_slow = self.of.head_since.load(Ordering::Relaxed) > 0;
            if is_slow && !std::mem::replace(&mut self.said, true) {
                // A word as to why, if it is taken at once; nothing else is being sent meanwhile.
                let _ = self.stream.try_write(LATE);
            }
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        match &result {
            Poll::Pending => self.of.waits(cx.waker()),
            Poll::Ready(Ok(())) if buffer.filled().len() > before => self.of.heard(),
            Poll::Ready(_) => {}
        }
        result
    }
}

impl Socket {
    fn wrote<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let stalled = &self.of.stalled_since;
        if result.is_ready() {
            stalled.store(0, Ordering::Relaxed);
        } else if stalled.load(Ordering::Relaxed) == 0 {
            stalled.store(self.of.now() + 1, Ordering::Relaxed);
        }
        result
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(result)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(result)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
