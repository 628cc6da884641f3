//! What is written is read as what it was, and written again as the same bytes.

use crate::history;
use crate::tell::tell;
use proptest::prelude::*;
use sumun_codec::{decode, encode, next_event, outside};
use sumun_core::{
    Event, EventKind, Figures, ItemEntry, LogEntry, LotEntry, LotSums, Move, NONE, Named, PartEntry, ReservationEntry,
    SettingsEntry, Span, UsageEntry,
};
use sumun_wire::limits::QUANTITY_MAX;
use sumun_wire::{Allocation, Ended, Kind, Limit, State, Trace};

fn written(event: &Event) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(event, &mut bytes);
    bytes
}

fn read(bytes: &[u8], sequence: u64) -> Event {
    let (mut batch, mut event) = (bytes, Event::default());
    let one = next_event(&mut batch).unwrap().unwrap();
    assert!(batch.is_empty(), "one event");
    decode(one, sequence, &mut event).unwrap();
    event
}

fn comes_back(event: &Event) {
    let bytes = written(event);
    let back = read(&bytes, event.sequence);
    assert_eq!(tell(&back), tell(event));
    assert_eq!(outside(&back), outside(event));
    assert_eq!(back.sequence, event.sequence);
    assert_eq!(back.trace, event.trace);
    assert_eq!(written(&back), bytes);
}

#[test]
fn what_fifty_histories_write_comes_back() {
    for seed in 0..50 {
        history::events(seed, 400).iter().for_each(comes_back);
    }
}

#[test]
fn an_event_of_one_line_takes_at_most_200_bytes() {
    let (id, sku) = ("order-2026-000000001", "sku-000001");
    assert_eq!((id.len(), sku.len()), (20, 10));
    let receive = format!("RECEIVE {sku} 9007199254740991 ID m");
    let events = history::events_of(&[&receive, &format!("RESERVE {id} 600000 1 {sku} 1")]);
    let held = events.last().unwrap();
    assert_eq!(held.kind, EventKind::Held);
    let bytes = written(held).len();
    println!("an event of one line: {bytes} bytes");
    assert!(bytes <= 200, "{bytes} bytes");
}

#[test]
fn a_trace_takes_25_bytes_and_none_takes_none() {
    let trace = Trace::new([7; 16], [9; 8], 1);
    for event in history::events(5, 200).iter().filter(|event| event.kind.is_of_command()) {
        let traced = Event { trace, ..event.clone() };
        assert_eq!(written(&traced).len(), written(event).len() + 25);
        comes_back(&traced);
        assert_eq!(read(&written(&traced), event.sequence).trace, trace);
    }
}

/// Numbers around every length of a varint, the contract's greatest and the format's.
fn number() -> impl Strategy<Value = u64> {
    let edge = (0..63u32).prop_flat_map(|bit| (-1..=1i64).prop_map(move |by| (1u64 << bit).saturating_add_signed(by)));
    prop_oneof![Just(0), 0..200u64, edge, Just(QUANTITY_MAX), Just((1 << 63) - 1), any::<u64>().prop_map(|n| n >> 1)]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9]{1,12}", "[!-~]{127,128}", "[가-힣]{1,42}", Just("수문".to_owned())]
}

fn maybe_name() -> impl Strategy<Value = Option<String>> {
    prop::option::of(name())
}

fn some<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(of, 0..6)
}

type Fields = (EventKind, Vec<u64>, Vec<bool>, Vec<Option<String>>, Vec<usize>, u128, Option<(u128, u64, u8)>);

/// Enough of everything, from which `build` takes one after the other.
fn fields() -> impl Strategy<Value = Fields> {
    let kinds = [
        EventKind::LogOpened,
        EventKind::LogTime,
        EventKind::Configured,
        EventKind::Removed,
        EventKind::Received,
        EventKind::Adjusted,
        EventKind::LotExpired,
        EventKind::Held,
        EventKind::Captured,
        EventKind::Released,
        EventKind::Expired,
        EventKind::Extended,
        EventKind::Returned,
    ];
    (
        prop::sample::select(kinds.to_vec()),
        prop::collection::vec(number(), 40),
        prop::collection::vec(any::<bool>(), 16),
        prop::collection::vec(maybe_name(), 8),
        prop::collection::vec(0..6usize, 5),
        any::<u128>(),
        any::<Option<(u128, u64, u8)>>(),
    )
}

struct Builder {
    event: Event,
    numbers: std::iter::Cycle<std::vec::IntoIter<u64>>,
    flags: std::iter::Cycle<std::vec::IntoIter<bool>>,
    names: std::iter::Cycle<std::vec::IntoIter<Option<String>>>,
}

impl Builder {
    fn number(&mut self) -> u64 {
        self.numbers.next().unwrap()
    }
    fn small(&mut self) -> u32 {
        self.number() as u32
    }
    fn signed(&mut self) -> i64 {
        let number = self.number() as i64;
        // Sums of one line stay within an `i64`: the contract ends far below.
        if self.flag() { -(number >> 4) } else { number >> 4 }
    }
    fn flag(&mut self) -> bool {
        self.flags.next().unwrap()
    }
    fn optional(&mut self) -> Option<u64> {
        let number = self.number();
        self.flag().then_some(number)
    }
    fn name(&mut self) -> Span {
        let name = self.names.next().unwrap();
        self.event.add_optional(name.as_deref())
    }
    fn some_name(&mut self) -> Span {
        let name = self.names.next().unwrap();
        self.event.add(name.as_deref().unwrap_or("x"))
    }
    fn kind(&mut self) -> Kind {
        if self.flag() { Kind::Points } else { Kind::Stock }
    }

    fn item(&mut self) -> ItemEntry {
        let touched = self.flag();
        let mut figures = Figures::default();
        if touched {
            figures = Figures {
                version: self.number(),
                previous: self.number() % self.event.sequence,
                on_hand: self.signed(),
                reserved: self.number(),
                available: self.number(),
                received: self.number(),
                removed: self.number(),
                returned: self.number(),
                captured: self.number(),
                lots: LotSums::default(),
            };
        }
        if touched && self.flag() {
            figures.lots = LotSums {
                on_hand: self.number(),
                reserved: self.number(),
                ended_on_hand: self.number(),
                ended_reserved: self.number(),
            };
        }
        ItemEntry {
            sku: self.some_name(),
            hint: self.small(),
            touched,
            counted: self.flag(),
            kind: self.kind(),
            figures,
        }
    }

    fn lot(&mut self, items: u32) -> LotEntry {
        LotEntry {
            item: self.small() % items,
            lot: self.some_name(),
            hint: self.small(),
            on_hand: self.number(),
            reserved: self.number(),
            expires_at: self.optional(),
            location: self.name(),
            first: self.number(),
            ended: self.flag(),
        }
    }

    fn tables(&mut self, counts: &[usize]) {
        for _ in 0..counts[0] {
            let entry = self.item();
            self.event.items.push(entry);
        }
        let items = self.event.items.len() as u32;
        for _ in 0..if items > 0 { counts[1] } else { 0 } {
            let entry = self.lot(items);
            self.event.lots.push(entry);
        }
        let lots = self.event.lots.len() as u32;
        for _ in 0..if items > 0 { counts[2] } else { 0 } {
            let lot = if lots > 0 && self.flag() { self.small() % lots } else { NONE };
            let entry = Move { line: self.small(), item: self.small() % items, lot, quantity: self.signed() };
            self.event.moves.push(entry);
        }
        for _ in 0..counts[3] {
            let entry = Named { line: self.small(), lot: self.name(), location: self.name() };
            self.event.named.push(entry);
        }
        for _ in 0..if items > 0 { counts[4] } else { 0 } {
            let (item, hint) = (self.small() % items, self.small());
            let entry = UsageEntry { item, hint, held: self.number(), captured: self.number() };
            self.event.usages.push(entry);
        }
    }

    fn reservation(&mut self) {
        let states = [State::Held, State::Captured, State::PartiallyCaptured, State::Released, State::Expired];
        let ends = [None, Some(Ended::Captured), Some(Ended::Released), Some(Ended::Expired)];
        let created_at = self.number().min(self.event.time);
        self.event.reservation = ReservationEntry {
            id: self.some_name(),
            hint: self.small(),
            version: self.small(),
            state: states[self.small() as usize % states.len()],
            ended: ends[self.small() as usize % ends.len()],
            tombstone: self.flag(),
            capture: self.flag(),
            created_at,
            expires_at: self.optional().map(|ttl| created_at + (ttl >> 1)),
            needed_until: self.optional(),
            holder: self.name(),
        };
    }

    fn settings(&mut self) {
        let window_ms = self.optional();
        self.event.settings = SettingsEntry {
            kind: self.kind(),
            safety_stock: self.number(),
            backorder_limit: self.number(),
            limit: self.optional().map(|quantity| Limit { quantity, window_ms }),
            allocation: if self.flag() { Allocation::Fifo } else { Allocation::Fefo },
            metadata: self.name(),
            counts: self.flag(),
        };
    }
}

fn build((kind, numbers, flags, names, counts, digest, trace): Fields) -> Event {
    let mut b = Builder {
        event: Event::default(),
        numbers: numbers.into_iter().cycle(),
        flags: flags.into_iter().cycle(),
        names: names.into_iter().cycle(),
    };
    let (sequence, time) = (b.number().max(1), b.number());
    b.event.clear(sequence, time, kind);
    if kind.is_of_command() {
        b.event.trace = trace.and_then(|(id, span, flags)| Trace::new(id.to_be_bytes(), span.to_be_bytes(), flags));
    }
    if matches!(kind, EventKind::LogOpened | EventKind::LogTime) {
        let (shard, epoch, retention_ms) = (b.small(), b.number(), b.number());
        b.event.log = LogEntry { shard, epoch, retention_ms, log_retention_ms: b.number() };
        return b.event;
    }
    if kind.is_reservation() {
        b.reservation();
    } else {
        b.event.reason = b.name();
    }
    if kind == EventKind::Configured {
        b.settings();
    }
    let id = b.name();
    if id.is_some() {
        b.event.part = PartEntry { id, digest, partial: b.flag() };
    }
    b.tables(&counts);
    b.event
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_an_event_holds_comes_back(fields in fields()) {
        comes_back(&build(fields));
    }

    #[test]
    fn a_batch_of_whatever_events_is_split_where_it_was_joined(all in some(fields())) {
        let events: Vec<Event> = all.into_iter().map(build).collect();
        let mut bytes = Vec::new();
        events.iter().for_each(|event| encode(event, &mut bytes));
        let mut batch = bytes.as_slice();
        for event in &events {
            let one = next_event(&mut batch).unwrap().unwrap();
            let mut back = Event::default();
            decode(one, event.sequence, &mut back).unwrap();
            prop_assert_eq!(tell(&back), tell(event));
        }
        prop_assert_eq!(next_event(&mut batch), Ok(None));
    }
}
