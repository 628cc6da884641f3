//! The log of a data directory, read event by event: a stopped server's as it lies there, a running one's up to the
//! durable end that it gives. Nothing is locked, written or cut.

use crate::caps::CONTROL_TIMEOUT;
use crate::failure::Failure;
use anyhow::{Context, anyhow};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use sumun_log::disk::Disk;
use sumun_log::{LogId, OpenError, Position, ReadError, Reader, ReaderEnd, RealDisk};
use sumun_wire::Event;

const CONTROL: &str = "control.sock";
/// The one shard that there is.
pub(crate) const SHARD: u32 = 0;

#[derive(Debug)]
pub(crate) struct LogFile {
    reader: Reader,
}

impl LogFile {
    pub(crate) fn open(data: &Path) -> Result<LogFile, Failure> {
        if !data.is_dir() {
            return Err(Failure::Usage(format!(
                "there is no directory {}; name the server's with --data",
                data.display()
            )));
        }
        let end = durable_end(data)?.map_or(ReaderEnd::Known, ReaderEnd::Given);
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let reader = Reader::open(&disk, data, SHARD, end).map_err(opening)?;
        let nothing =
            || Failure::Usage(format!("there is no log in {}; name a server's directory with --data", data.display()));
        reader.map(|reader| LogFile { reader }).ok_or_else(nothing)
    }

    pub(crate) fn id(&self) -> LogId {
        self.reader.id()
    }

    /// Where it stands: first and last sequence, and whether a server is writing to it.
    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Calls `each` with every event after `after`, in order, until it says stop.
    pub(crate) fn each(
        &mut self,
        after: u64,
        mut each: impl FnMut(&Event) -> Result<Next, Failure>,
    ) -> Result<(), Failure> {
        self.each_decoded(after, |event| each(&sumun_codec::outside(event)))
    }

    /// As `each`, events as the log has them.
    pub(crate) fn each_decoded(
        &mut self,
        after: u64,
        mut each: impl FnMut(&sumun_core::Event) -> Result<Next, Failure>,
    ) -> Result<(), Failure> {
        let bounds = self.reader.bounds();
        if after >= bounds.last {
            return Ok(());
        }
        let mut at =
            if after < bounds.first { bounds.first_position } else { self.reader.find(after + 1).map_err(reading)? };
        let (mut bytes, mut event) = (Vec::new(), Default::default());
        while let Some(frame) = self.reader.read(at, &mut bytes).map_err(reading)? {
            at = frame.next;
            let mut rest = bytes.as_slice();
            let mut sequence = frame.first;
            let undecodable = |error, sequence| Failure::No(format!("LOG-2: event {sequence} cannot be read: {error}"));
            while let Some(one) = sumun_codec::next_event(&mut rest).map_err(|error| undecodable(error, sequence))? {
                if sequence > after {
                    sumun_codec::decode(one, sequence, &mut event).map_err(|error| undecodable(error, sequence))?;
                    if each(&event)? == Next::Stop {
                        return Ok(());
                    }
                }
                sequence += 1;
            }
            if sequence != frame.first + u64::from(frame.count) {
                let (first, said, found) = (frame.first, frame.count, sequence - frame.first);
                return Err(Failure::No(format!("LOG-2: the frame at {first} says {said} events and has {found}")));
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Go,
    Stop,
}

/// Damage is what was asked about: the answer is no.
fn reading(error: ReadError) -> Failure {
    match error {
        ReadError::Io(error) => Failure::Other(anyhow!(error).context("cannot read the log")),
        error @ (ReadError::Damaged { .. } | ReadError::Trimmed { .. } | ReadError::NoSuchPosition(_)) => {
            Failure::No(error.to_string())
        }
    }
}

fn opening(error: OpenError) -> Failure {
    match error {
        OpenError::Read(error) => reading(error),
        error @ (OpenError::Locked { .. }
        | OpenError::NewerFormat { .. }
        | OpenError::OtherLog { .. }
        | OpenError::OtherShard { .. }
        | OpenError::Io { .. }) => Failure::Other(error.into()),
    }
}

/// Asks the server how far its log is durable. `None` when no server runs there.
fn durable_end(data: &Path) -> Result<Option<Position>, Failure> {
    let socket = match UnixStream::connect(data.join(CONTROL)) {
        Ok(socket) => socket,
        // The file of a server that was killed stays.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(anyhow!(error).context("cannot ask the running server for its log's end").into()),
    };
    socket.set_read_timeout(Some(CONTROL_TIMEOUT))?;
    socket.set_write_timeout(Some(CONTROL_TIMEOUT))?;
    let mut socket = BufReader::new(socket);
    socket.get_mut().write_all(b"end\n").context("cannot ask the running server for its log's end")?;
    let mut line = String::new();
    socket.read_line(&mut line).context("the running server does not say where its log ends")?;
    let position = end_of(&line)
        .ok_or_else(|| anyhow!("the running server's answer is no end of a log: {:?}", line.trim_end()))?;
    Ok(Some(position))
}

/// `sequence segment offset`
fn end_of(line: &str) -> Option<Position> {
    let mut words = line.strip_suffix('\n')?.split(' ').map(str::parse::<u64>);
    let (_sequence, segment, offset) = (words.next()?.ok()?, words.next()?.ok()?, words.next()?.ok()?);
    words.next().is_none().then_some(Position { segment, offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_three_numbers_on_a_whole_line() {
        assert_eq!(end_of("12 3 4096\n"), Some(Position { segment: 3, offset: 4_096 }));
        for line in ["", "12 3 4096", "12 3\n", "12 3 4 5\n", "a b c\n", "-1 3 4\n"] {
            assert_eq!(end_of(line), None, "{line:?}");
        }
    }
}
