//! Events as the auditor reads them: out of a batch that waits, or out of the log after a restart.

use std::path::Path;
use std::sync::Arc;
use sumun_codec::{decode, next_event, outside};
use sumun_core::Event;
use sumun_log::disk::Disk;
use sumun_log::{Reader, ReaderEnd};
use sumun_wire as wire;

/// Events in a batch's bytes, the first of which has this sequence.
pub(crate) fn of_batch(mut bytes: &[u8], first: u64) -> Result<Vec<wire::Event>, String> {
    let mut event = Event::default();
    let mut events = Vec::new();
    while let Some(one) = next_event(&mut bytes).map_err(|error| error.to_string())? {
        decode(one, first + events.len() as u64, &mut event).map_err(|error| error.to_string())?;
        events.push(outside(&event));
    }
    Ok(events)
}

/// Two commands of three are traced: each differently.
pub(crate) fn trace_of(sequence: u64) -> Option<wire::Trace> {
    let id = u128::from(sequence).to_be_bytes();
    if sequence.is_multiple_of(3) { None } else { wire::Trace::new(id, sequence.to_be_bytes(), sequence as u8) }
}

/// The event that a command made carries its trace; ends, and the item that came before it, carry none.
pub(crate) fn check_trace(events: &[wire::Event], trace: Option<wire::Trace>) -> Result<(), String> {
    let mut own = events.iter().rfind(|event| !matches!(event.kind(), "lot.expired" | "reservation.expired"));
    if trace.is_none() {
        own = None;
    }
    let expected = |event: &wire::Event| if own.is_some_and(|own| own == event) { trace } else { None };
    match events.iter().find(|event| event.trace != expected(event)) {
        Some(event) => Err(format!("asked with the trace {trace:?}, and one is not where it belongs: {event:#?}")),
        None => Ok(()),
    }
}

/// All events of the log past `after`.
pub(crate) fn of_log(
    disk: &Arc<dyn Disk>,
    data: &Path,
    end: ReaderEnd,
    after: u64,
) -> Result<Vec<wire::Event>, String> {
    let reader = Reader::open(disk, data, 0, end).map_err(|error| error.to_string())?;
    let mut reader = reader.ok_or("there is no log")?;
    let bounds = reader.bounds();
    let mut events = Vec::new();
    if bounds.last <= after {
        return Ok(events);
    }
    let mut at = reader.find(after + 1).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    while let Some(frame) = reader.read(at, &mut bytes).map_err(|error| error.to_string())? {
        let found = of_batch(&bytes, frame.first)?;
        events.extend(found.into_iter().filter(|event| event.sequence.0 > after));
        at = frame.next;
    }
    Ok(events)
}
