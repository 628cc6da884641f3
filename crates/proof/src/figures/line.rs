//! One connection of a load: commands are put together and sent without waiting, answers are matched in their order.

use super::caps::READ_BYTES;
use super::words::reply_length;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;

#[derive(Debug)]
pub(super) struct Line {
    stream: TcpStream,
    unsent: Vec<u8>,
    sent: usize,
    unread: Vec<u8>,
    /// Number of each command that is out, and the time it was meant for.
    out: VecDeque<(u64, u64)>,
}

impl Line {
    pub(super) fn open(address: SocketAddr) -> io::Result<Line> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Line { stream, unsent: Vec::new(), sent: 0, unread: Vec::new(), out: VecDeque::new() })
    }

    /// Commands without an answer yet.
    pub(super) fn out(&self) -> usize {
        self.out.len()
    }

    pub(super) fn unsent(&self) -> usize {
        self.unsent.len() - self.sent
    }

    pub(super) fn say(&mut self, number: u64, meant: u64, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.unsent);
        self.out.push_back((number, meant));
    }

    /// Sends what the socket takes now.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.sent < self.unsent.len() {
            match self.stream.write(&self.unsent[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.sent += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.unsent.clear();
        self.sent = 0;
        Ok(())
    }

    /// Takes the answers that have come: number, time meant, bytes.
    pub(super) fn hear(&mut self, mut take: impl FnMut(u64, u64, &[u8]) -> Result<(), String>) -> Result<(), String> {
        let had = self.unread.len();
        self.unread.resize(had + READ_BYTES, 0);
        let got = self.stream.read(&mut self.unread[had..]);
        self.unread.truncate(had + got.as_ref().copied().unwrap_or_default());
        match got {
            Ok(0) => return Err("the server closed a connection".to_owned()),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return Ok(());
            }
            Err(error) => return Err(format!("a connection ended: {error}")),
        }
        let mut at = 0;
        while let Some(length) = reply_length(&self.unread[at..])? {
            let (number, meant) = self.out.pop_front().ok_or("an answer that nobody asked for")?;
            take(number, meant, &self.unread[at..at + length])?;
            at += length;
        }
        self.unread.drain(..at);
        Ok(())
    }
}

/// Waits until one of them can be read, or be written where something is left to send; at most so long.
pub(super) fn wait(lines: &[Line], nanos: u64) -> io::Result<()> {
    let mut asked: Vec<libc::pollfd> = lines
        .iter()
        .map(|line| {
            let events = if line.unsent() > 0 { libc::POLLIN | libc::POLLOUT } else { libc::POLLIN };
            libc::pollfd { fd: line.stream.as_raw_fd(), events, revents: 0 }
        })
        .collect();
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(nanos / 1_000_000_000).map_err(io::Error::other)?,
        tv_nsec: libc::c_long::try_from(nanos % 1_000_000_000).map_err(io::Error::other)?,
    };
    let count = libc::nfds_t::try_from(asked.len()).map_err(io::Error::other)?;
    // SAFETY: the pointers are to our own array of the length given and to a time of our own; there is no signal mask.
    let found = unsafe { libc::ppoll(asked.as_mut_ptr(), count, &raw const time, std::ptr::null()) };
    let error = io::Error::last_os_error();
    if found >= 0 || error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}
