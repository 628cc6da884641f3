//! A mirror's tables: what events say of items and reservations, and how far they were read, in one file that is written
//! whole or not at all. So the cursor moves with what it stands for, whenever the mirror is killed.
//! An event is taken when it is the next of the log, and the next of each item and reservation that it touches;
//! anything else is a gap. Never here: sockets.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tables {
    /// The sequence of the last event that is in them.
    pub after: u64,
    /// How often they were read whole, since the log had lost what comes next.
    pub read_whole: u64,
    /// How often the process behind them began.
    pub starts: u64,
    pub items: BTreeMap<String, Item>,
    pub reservations: BTreeMap<String, Reservation>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub version: u64,
    /// Of its last event.
    pub sequence: u64,
    pub figures: Figures,
    pub lots: BTreeMap<String, Lot>,
    /// It was deleted.
    pub gone: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    pub on_hand: i64,
    pub reserved: u64,
    pub available: u64,
    pub received: u64,
    pub removed: u64,
    pub returned: u64,
    pub captured: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lot {
    pub on_hand: i64,
    pub reserved: u64,
    pub expires_at: Option<String>,
    pub location: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    pub version: u64,
    pub state: String,
    pub tombstone: bool,
    pub holder: Option<String>,
    pub expires_at: Option<String>,
    pub sequence: u64,
}

impl Reservation {
    /// Whether an event of it may have been missed: what was captured may be returned long after.
    pub fn may_change(&self) -> bool {
        !["released", "expired"].contains(&self.state.as_str())
    }
}

fn natural(of: &Json, name: &str) -> Result<u64, String> {
    of[name].as_u64().ok_or_else(|| format!("no `{name}` in {of}"))
}

fn text(of: &Json, name: &str) -> Result<String, String> {
    of[name].as_str().map(str::to_owned).ok_or_else(|| format!("no `{name}` in {of}"))
}

fn maybe(of: &Json, name: &str) -> Option<String> {
    of[name].as_str().map(str::to_owned)
}

impl Figures {
    fn read(of: &Json) -> Result<Figures, String> {
        Ok(Figures {
            on_hand: of["on_hand"].as_i64().ok_or_else(|| format!("no `on_hand` in {of}"))?,
            reserved: natural(of, "reserved")?,
            available: natural(of, "available")?,
            received: natural(of, "received")?,
            removed: natural(of, "removed")?,
            returned: natural(of, "returned")?,
            captured: natural(of, "captured")?,
        })
    }
}

impl Tables {
    /// Empty ones when there is no file.
    pub fn read(path: &Path) -> io::Result<Tables> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Tables::default()),
            Err(error) => Err(error),
        }
    }

    /// Beside the file first, then in its place.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let beside = path.with_extension("new");
        let mut file = File::create(&beside)?;
        file.write_all(&serde_json::to_vec(self).map_err(io::Error::other)?)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        File::open(folder)?.sync_all()
    }

    /// Takes the next event of the log.
    ///
    /// # Errors
    /// A gap, or what is no event of the contract.
    pub fn apply(&mut self, event: &Json) -> Result<(), String> {
        let sequence = natural(event, "sequence")?;
        if sequence != self.after + 1 {
            return Err(format!("event {sequence} comes behind event {}", self.after));
        }
        let (kind, data) = (text(event, "type")?, &event["data"]);
        // What was deleted before the tables were read whole comes back with the version that it had reached.
        let may_begin_anywhere = self.read_whole > 0;
        let mut touched = BTreeSet::new();
        for line in data["lines"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let sku = text(line, "sku")?;
            let is_first = touched.insert(sku.clone());
            let item = self.items.entry(sku.clone()).or_default();
            if may_begin_anywhere && item.version == 0 {
                item.version = natural(line, "version")?.saturating_sub(1);
                item.sequence = line["previous"].as_u64().unwrap_or(0);
            }
            item.apply(sequence, line, is_first).map_err(|why| format!("event {sequence}, {kind} of {sku}: {why}"))?;
        }
        if kind == "item.removed" || kind == "item.configured" {
            let sku = text(data, "sku")?;
            if let Some(item) = self.items.get_mut(&sku).filter(|item| item.sequence == sequence) {
                item.gone = kind == "item.removed";
            }
        }
        if kind.starts_with("reservation.") {
            let id = text(data, "reservation")?;
            let known = self.reservations.entry(id.clone()).or_default();
            known.apply(sequence, data).map_err(|why| format!("event {sequence}, {kind} of {id}: {why}"))?;
        }
        self.after = sequence;
        Ok(())
    }

    /// What a server shows of an item, in their place.
    pub fn put_item(&mut self, record: &Json) -> Result<(), String> {
        let mut item = Item {
            version: natural(record, "version")?,
            sequence: natural(record, "sequence")?,
            figures: Figures::read(record)?,
            ..Item::default()
        };
        for row in record["lots"].as_array().map(Vec::as_slice).unwrap_or_default() {
            if let Some(lot) = row["lot"].as_str() {
                item.lots.insert(lot.to_owned(), Lot::read(row, ["on_hand", "reserved", "expires_at", "location"])?);
            }
        }
        self.items.insert(text(record, "sku")?, item);
        Ok(())
    }

    pub fn put_reservation(&mut self, record: &Json) -> Result<(), String> {
        let known = Reservation { sequence: natural(record, "sequence")?, ..Reservation::read(record)? };
        self.reservations.insert(text(record, "id")?, known);
        Ok(())
    }
}

impl Item {
    fn apply(&mut self, sequence: u64, line: &Json, is_first: bool) -> Result<(), String> {
        let version = natural(line, "version")?;
        // What a whole read has shown already.
        if is_first && version <= self.version && sequence <= self.sequence || sequence < self.sequence {
            return Ok(());
        }
        if is_first {
            if version != self.version + 1 {
                return Err(format!("version {version} comes behind {}", self.version));
            }
            let previous = line["previous"].as_u64();
            if previous.unwrap_or(0) != self.sequence {
                return Err(format!("its event before is {previous:?}, and {} was seen", self.sequence));
            }
            (self.version, self.sequence) = (version, sequence);
        } else if version != self.version {
            return Err(format!("one event, and versions {} and {version}", self.version));
        }
        self.figures = Figures::read(line)?;
        if let Some(lot) = line["lot"].as_str() {
            let names = ["lot_on_hand", "lot_reserved", "lot_expires_at", "lot_location"];
            self.lots.insert(lot.to_owned(), Lot::read(line, names)?);
        }
        Ok(())
    }
}

impl Lot {
    fn read(of: &Json, [on_hand, reserved, expires_at, location]: [&str; 4]) -> Result<Lot, String> {
        Ok(Lot {
            on_hand: of[on_hand].as_i64().ok_or_else(|| format!("no `{on_hand}` in {of}"))?,
            reserved: natural(of, reserved)?,
            expires_at: maybe(of, expires_at),
            location: maybe(of, location),
        })
    }
}

impl Reservation {
    fn read(of: &Json) -> Result<Reservation, String> {
        Ok(Reservation {
            version: natural(of, "version")?,
            state: text(of, "state")?,
            tombstone: of["tombstone"].as_bool().ok_or_else(|| format!("no `tombstone` in {of}"))?,
            holder: maybe(of, "holder"),
            expires_at: maybe(of, "expires_at"),
            sequence: 0,
        })
    }

    fn apply(&mut self, sequence: u64, data: &Json) -> Result<(), String> {
        let new = Reservation { sequence, ..Reservation::read(data)? };
        if new.version <= self.version && sequence <= self.sequence {
            return Ok(());
        }
        // Of one that had ended before the tables were read whole nothing was read.
        if new.version != self.version + 1 && self.version > 0 {
            return Err(format!("version {} comes behind {}", new.version, self.version));
        }
        *self = new;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(sequence: u64, version: u64, previous: Option<u64>) -> Json {
        let line = json!({ "sku": "a", "quantity": 1, "version": version, "previous": previous, "on_hand": 1,
            "reserved": 0, "available": 1, "received": 1, "removed": 0, "returned": 0, "captured": 0 });
        json!({ "sequence": sequence, "type": "item.received", "data": { "sku": "a", "lines": [line] } })
    }

    #[test]
    fn a_gap_in_the_log_or_in_versions_is_no_event_to_take() {
        let mut tables = Tables::default();
        tables.apply(&event(1, 1, None)).expect("the first");
        assert!(tables.clone().apply(&event(3, 2, Some(1))).is_err(), "a sequence is missing");
        assert!(tables.clone().apply(&event(2, 3, Some(1))).is_err(), "a version is missing");
        assert!(tables.clone().apply(&event(2, 2, Some(0))).is_err(), "an event before it is missing");
        tables.apply(&event(2, 2, Some(1))).expect("the next");
        assert_eq!((tables.after, tables.items["a"].version), (2, 2));
    }

    #[test]
    fn what_was_read_whole_is_not_taken_twice() {
        let mut tables = Tables { after: 4, ..Tables::default() };
        let record = json!({ "sku": "a", "version": 3, "sequence": 6, "lots": [], "on_hand": 1, "reserved": 0,
            "available": 1, "received": 1, "removed": 0, "returned": 0, "captured": 0 });
        tables.put_item(&record).expect("a record");
        let read = tables.items.clone();
        for (sequence, version, previous) in [(5, 2, Some(1)), (6, 3, Some(5))] {
            tables.apply(&event(sequence, version, previous)).expect("it was in what was read");
            assert_eq!(tables.items, read);
        }
        tables.apply(&event(7, 4, Some(6))).expect("the first that was not");
        assert_eq!(tables.items["a"].version, 4);
    }
}
