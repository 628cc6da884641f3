//! The log of a data directory as events: a stopped server's as it lies there, a running one's up to the durable end
//! that it gives. Nothing is locked, written or cut.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use sumun_log::disk::Disk;
use sumun_log::{Position, Reader, ReaderEnd, RealDisk};
use sumun_wire::Event;

const CONTROL_TIMEOUT: Duration = Duration::from_secs(30);

/// All events past `after`, in order.
pub fn read(data: &Path, after: u64) -> Result<Vec<Event>, String> {
    let end = durable_end(data).map_err(|error| format!("the server does not say where its log ends: {error}"))?;
    let end = end.map_or(ReaderEnd::Known, |(_, position)| ReaderEnd::Given(position));
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let reader = Reader::open(&disk, data, 0, end).map_err(|error| error.to_string())?;
    let mut reader = reader.ok_or_else(|| format!("there is no log in {}", data.display()))?;
    let mut events = Vec::new();
    let bounds = reader.bounds();
    if bounds.last <= after {
        return Ok(events);
    }
    let mut at = if after < bounds.first {
        bounds.first_position
    } else {
        reader.find(after + 1).map_err(|error| error.to_string())?
    };
    let mut bytes = Vec::new();
    let mut event = sumun_core::Event::default();
    while let Some(frame) = reader.read(at, &mut bytes).map_err(|error| error.to_string())? {
        let (mut rest, mut sequence) = (bytes.as_slice(), frame.first);
        while let Some(one) = sumun_codec::next_event(&mut rest).map_err(|error| error.to_string())? {
            if sequence > after {
                sumun_codec::decode(one, sequence, &mut event).map_err(|error| format!("event {sequence}: {error}"))?;
                events.push(sumun_codec::outside(&event));
            }
            sequence += 1;
        }
        if sequence != frame.first + u64::from(frame.count) {
            return Err(format!("the frame at {} says {} events and has others", frame.first, frame.count));
        }
        at = frame.next;
    }
    Ok(events)
}

/// How far a running server's log is durable: the last sequence, and where it ends. `None` when none runs there.
pub fn durable_end(data: &Path) -> io::Result<Option<(u64, Position)>> {
    let socket = match UnixStream::connect(data.join("control.sock")) {
        Ok(socket) => socket,
        // The file of a server that was killed stays.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    socket.set_read_timeout(Some(CONTROL_TIMEOUT))?;
    let mut socket = BufReader::new(socket);
    socket.get_mut().write_all(b"end\n")?;
    let mut line = String::new();
    socket.read_line(&mut line)?;
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        [sequence, segment, offset] => Ok(Some((sequence, Position { segment, offset }))),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("no end of a log: {line:?}"))),
    }
}
