//! The audit: the log by itself (the auditor's trail), every acknowledged answer against it, and what every buyer
//! believes against what the log says. Nothing but the log is believed.

use super::buyers::{Acknowledged, Known, Sale};
use crate::failure::Failure;
use crate::findings::Findings;
use crate::logfile::{LogFile, Next};
use crate::picture::thousands;
use crate::resp::Value;
use std::path::Path;
use sumun_auditor::{Proven, Trail};
use sumun_wire::{Event, EventData, EventLine, State};

#[derive(Debug)]
pub(super) struct Verdict {
    proven: Proven,
    last: u64,
    acknowledged: usize,
    units: u64,
    /// Captures of the item in the log, each a unit sold.
    sold: u64,
    held: u64,
    left: i64,
    wrong: Findings,
}

/// Walks the log and the acknowledged answers side by side, both in the order of their sequences.
struct Audit<'a> {
    sale: &'a Sale,
    acknowledged: Vec<Acknowledged>,
    at: usize,
    /// How the log says each buyer's reservation stands, and how often a unit went to it.
    states: Vec<Option<State>>,
    sold: Vec<u8>,
    item: Option<EventLine>,
    wrong: Findings,
}

pub(super) fn audit(data: &Path, sale: &Sale) -> Result<Verdict, Failure> {
    let mut log = LogFile::open(data)?;
    let mut trail = Trail::new();
    let mut audit = Audit::new(sale);
    log.each(0, |event| {
        if let Err(complaint) = trail.feed(event) {
            audit.wrong.add(|| complaint.to_string());
            return Ok(Next::Stop);
        }
        audit.event(event);
        Ok(Next::Go)
    })?;
    let proven = trail.finish().unwrap_or_else(|complaint| {
        audit.wrong.add(|| complaint.to_string());
        Proven::default()
    });
    Ok(audit.finish(proven, log.reader().bounds().last))
}

impl<'a> Audit<'a> {
    fn new(sale: &'a Sale) -> Audit<'a> {
        let mut acknowledged = sale.acknowledged.clone();
        acknowledged.sort_unstable();
        let mut wrong = Findings::default();
        sale.surprises.iter().for_each(|surprise| wrong.add(|| surprise.clone()));
        let (states, sold) = (vec![None; sale.size()], vec![0; sale.size()]);
        Audit { sale, acknowledged, at: 0, states, sold, item: None, wrong }
    }

    fn event(&mut self, event: &Event) {
        self.acknowledged_before(event.sequence.0);
        if let Some(line) = event.lines().iter().find(|line| line.sku == self.sale.sku()) {
            self.item = Some(line.clone());
        }
        let EventData::Reservation(data) = &event.data else { return };
        let Some(buyer) = self.sale.buyer(&data.reservation) else { return };
        self.states[buyer as usize] = Some(data.state);
        if data.state == State::Captured && data.verb == sumun_wire::Verb::Captured {
            self.sold[buyer as usize] = self.sold[buyer as usize].saturating_add(1);
        }
        while let Some(answer) = self.acknowledged.get(self.at).filter(|answer| answer.sequence == event.sequence.0) {
            if answer.buyer != buyer || answer.known.state() != data.state {
                let (who, said, is) = (self.sale.id(answer.buyer), answer.known.state().word(), data.state.word());
                let (sequence, reservation) = (answer.sequence, &data.reservation);
                self.wrong.add(|| {
                    format!("{who} was told `{said}` with sequence {sequence}, which is `{is}` of {reservation}")
                });
            }
            self.at += 1;
        }
    }

    /// What stands before `sequence` and was not met there is in the log nowhere.
    fn acknowledged_before(&mut self, sequence: u64) {
        while let Some(answer) = self.acknowledged.get(self.at).filter(|answer| answer.sequence < sequence) {
            let (who, said) = (self.sale.id(answer.buyer), answer.known.state().word());
            self.wrong.add(|| {
                format!("{who} was told `{said}` with sequence {}, which the log does not have", answer.sequence)
            });
            self.at += 1;
        }
    }

    fn finish(mut self, proven: Proven, last: u64) -> Verdict {
        self.acknowledged_before(u64::MAX);
        for buyer in 0..u32::try_from(self.states.len()).unwrap_or(u32::MAX) {
            let (known, state) = (self.sale.known(buyer), self.states[buyer as usize]);
            if !agree(known, state) {
                let state = state.map_or("nothing", State::word);
                self.wrong.add(|| format!("{} knows {known:?}, the log says {state}", self.sale.id(buyer)));
            }
            if self.sold[buyer as usize] > 1 {
                self.wrong.add(|| format!("{} was sold {} units", self.sale.id(buyer), self.sold[buyer as usize]));
            }
        }
        let sold: u64 = self.sold.iter().map(|&units| u64::from(units)).sum();
        let (held, left, captured) =
            self.item.as_ref().map_or((0, 0, 0), |line| (line.reserved, line.on_hand, line.captured));
        if captured != sold {
            self.wrong.add(|| format!("the item says {captured} captured, the reservations say {sold}"));
        }
        let units = self.sale.units();
        if i128::from(left) + i128::from(sold) != i128::from(units) {
            self.wrong.add(|| format!("{sold} sold and {left} left are not {units}"));
        }
        if sold != self.sale.counts.sold {
            self.wrong
                .add(|| format!("{} buyers were told that they have paid, the log says {sold}", self.sale.counts.sold));
        }
        let acknowledged = self.acknowledged.len();
        Verdict { proven, last, acknowledged, units, sold, held, left, wrong: self.wrong }
    }
}

/// Whether what a buyer last heard fits to how the log says it stands.
fn agree(known: Known, state: Option<State>) -> bool {
    match known {
        Known::Nothing | Known::Refused => state.is_none(),
        // Forgotten: it has ended since, or ends soon.
        Known::Held => matches!(state, Some(State::Held | State::Expired)),
        Known::Captured => state == Some(State::Captured),
        Known::Released => state == Some(State::Released),
        Known::Expired => state == Some(State::Expired),
    }
}

impl Verdict {
    /// What the server shows of the item must be what its log says.
    pub(super) fn against(mut self, item: &Value) -> Verdict {
        let shown = |name: &str| match item {
            Value::Map(pairs) => pairs.iter().find(|(found, _)| found == name).map(|(_, value)| value),
            Value::Null | Value::Integer(_) | Value::Text(_) | Value::Error(_) | Value::Array(_) => None,
        };
        let figures =
            [("on_hand", self.left), ("captured", self.sold.cast_signed()), ("reserved", self.held.cast_signed())];
        for (name, log) in figures {
            if shown(name) != Some(&Value::Integer(log)) {
                self.wrong.add(|| format!("the server shows {name} {:?}, its log says {log}", shown(name)));
            }
        }
        self
    }

    pub(super) const fn clean(&self) -> bool {
        self.wrong.count() == 0
    }

    pub(super) fn text(&self, deaths: u32, longest_ns: u64) -> String {
        let n = |n: u64| thousands(n);
        let mut lines = vec![
            String::new(),
            "audit of the log".to_owned(),
            format!("  events                {}, sequences 1 to {} without gap", n(self.proven.events), self.last),
            format!("  reservations          {}, each ended once", n(self.proven.reservations)),
            format!("  acknowledged answers  {}, each found in the log", n(self.acknowledged as u64)),
            format!("  units                 {} = {} sold + {} left", n(self.units), n(self.sold), self.left),
            format!(
                "  kills survived        {deaths}{}",
                if deaths > 0 { format!(", back within {} ms", longest_ns / 1_000_000) } else { String::new() }
            ),
        ];
        if self.clean() {
            lines.push("not one unit lost or sold twice".to_owned());
        } else {
            lines.push(format!("WRONG, {} times:\n{}", n(self.wrong.count()), self.wrong.text()));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::super::buyers::AcknowledgedState;
    use super::*;
    use sumun_wire::{ReservationEvent, Sequence, Timestamp, Verb};

    /// A sale of 10 units, of which the log says what `script` does: `held 0`, `captured 0` …, a buyer each.
    /// Of a step in brackets, nobody was told.
    fn audited(script: &str, change: impl Fn(&mut Sale)) -> Verdict {
        let mut sale = Sale::new(3, 10, 0, "");
        let mut events = Vec::new();
        let (mut reserved, mut captured) = (0, 0);
        for (n, step) in script.split("; ").enumerate() {
            let untold = step.starts_with('(');
            let (verb, buyer) = step.trim_matches(['(', ')']).split_once(' ').expect("a verb and a buyer");
            let buyer: u32 = buyer.parse().expect("a number");
            let sequence = n as u64 + 1;
            let (verb, state, known, of_held, of_captured) = match verb {
                "held" => (Verb::Held, State::Held, AcknowledgedState::Held, 1, 0),
                "captured" => (Verb::Captured, State::Captured, AcknowledgedState::Captured, -1, 1),
                "released" => (Verb::Released, State::Released, AcknowledgedState::Released, -1, 0),
                other => panic!("{other}"),
            };
            (reserved, captured) = (reserved + of_held, captured + of_captured);
            events.push(event(sequence, verb, state, &sale.id(buyer), reserved, captured));
            if !untold {
                sale.acknowledge(sequence, buyer, known);
            }
        }
        change(&mut sale);
        let mut audit = Audit::new(&sale);
        events.iter().for_each(|event| audit.event(event));
        audit.finish(Proven::default(), events.len() as u64)
    }

    fn event(sequence: u64, verb: Verb, state: State, id: &str, reserved: i64, captured: i64) -> Event {
        let on_hand = 10 - captured;
        let line = EventLine {
            sku: "sneaker".into(),
            lot: None,
            quantity: 1,
            version: sequence,
            previous: None,
            on_hand,
            reserved: reserved.cast_unsigned(),
            available: (on_hand - reserved).cast_unsigned(),
            received: 10,
            removed: 0,
            returned: 0,
            captured: captured.cast_unsigned(),
            lot_figures: None,
        };
        let data = ReservationEvent {
            verb,
            reservation: id.into(),
            created_at: Timestamp(0),
            version: 1,
            state,
            ended: None,
            tombstone: false,
            holder: None,
            complete: state != State::Held,
            expires_at: None,
            needed_until: None,
            part: None,
            lines: vec![line],
        };
        Event {
            sequence: Sequence(sequence),
            time: Timestamp(0),
            trace: None,
            data: EventData::Reservation(Box::new(data)),
        }
    }

    const SALE: &str = "held 0; held 1; captured 0; released 1";

    fn finds(script: &str, change: impl Fn(&mut Sale), words: &str) {
        let findings = audited(script, change);
        assert!(findings.wrong.text().contains(words), "{:?}", findings.wrong);
        assert!(!findings.clean() && findings.text(0, 0).contains("WRONG"));
    }

    #[test]
    fn a_sale_in_which_all_fits_is_clean() {
        let findings = audited(SALE, |_| {});
        assert!(findings.clean(), "{:?}", findings.wrong);
        assert_eq!((findings.sold, findings.left, findings.acknowledged), (1, 9, 4));
        assert!(findings.text(1, 7_000_000).ends_with("not one unit lost or sold twice"));
    }

    #[test]
    fn an_acknowledged_answer_that_the_log_lacks_is_found() {
        finds(SALE, |sale| sale.acknowledge(5, 2, AcknowledgedState::Held), "sequence 5, which the log does not have");
        finds(
            SALE,
            |sale| sale.acknowledge(3, 2, AcknowledgedState::Captured),
            "buyer-2 was told `captured` with sequence 3",
        );
    }

    #[test]
    fn a_unit_that_was_sold_twice_is_found() {
        finds("held 0; captured 0; (held 0); (captured 0)", |_| {}, "buyer-0 was sold 2 units");
    }

    #[test]
    fn a_buyer_who_was_refused_and_yet_holds_is_found() {
        finds("held 0; captured 0; (held 1)", |_| {}, "buyer-1 knows Nothing, the log says held");
    }

    #[test]
    fn a_server_that_shows_other_figures_than_its_log_is_found() {
        let shown = |captured| {
            let pair = |name: &str, n| (name.to_owned(), Value::Integer(n));
            Value::Map(vec![pair("on_hand", 9), pair("captured", captured), pair("reserved", 0)])
        };
        assert!(audited(SALE, |_| {}).against(&shown(1)).clean());
        assert!(!audited(SALE, |_| {}).against(&shown(2)).clean());
        assert!(!audited(SALE, |_| {}).against(&Value::Null).clean());
    }
}
