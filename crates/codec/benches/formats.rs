//! What writing and reading an event and a record costs: those that a load is made of. `cargo bench -p sumun-codec`.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use sumun_codec::{decode, decode_record, encode, encode_record, next_event};
use sumun_core::{Decision, Event, Key, State};
use sumun_wire::{Command, Line, Part, Receive, Reserve};

const BEGIN: u64 = 1_770_000_000_000;
const SKUS: [&str; 3] = ["s00000042", "s00000043", "s00000044"];
const ID: &str = "r07-0123456789abcdef";

fn main() {
    divan::main();
}

#[derive(Clone, Copy, Debug)]
enum What {
    HeldOneLine,
    HeldThreeLinesForSomebody,
    Captured,
    Received,
}

const ALL: [What; 4] = [What::HeldOneLine, What::HeldThreeLinesForSomebody, What::Captured, What::Received];

#[derive(Clone, Copy, Debug)]
enum Stored {
    Item,
    Reservation,
    Movement,
}

const STORED: [Stored; 3] = [Stored::Item, Stored::Reservation, Stored::Movement];

fn reserve(lines: usize, holder: Option<&'static str>) -> Command<'static> {
    let lines = SKUS[..lines].iter().map(|sku| Line { sku, quantity: 2, ..Line::default() }).collect();
    Command::Reserve(Reserve { reservation: ID, ttl_ms: Some(60_000), lines, holder, ..Reserve::default() })
}

/// A state after some commands, and the event of the last one.
fn after(what: What) -> (State, Event) {
    let mut state = State::new(7, 1_000_000);
    assert_eq!(state.arm(BEGIN, 0, 1), None, "an empty state has nothing to arm");
    let receive = |sku| Command::Receive(Receive { sku, quantity: 1_000, movement: Some("m-1"), ..Receive::default() });
    let mut commands: Vec<Command<'_>> = SKUS.iter().map(|sku| receive(sku)).collect();
    match what {
        What::HeldOneLine => commands.push(reserve(1, None)),
        What::HeldThreeLinesForSomebody => commands.push(reserve(3, Some("customer-0000042"))),
        What::Captured => {
            let capture = Part { reservation: ID, ..Part::default() };
            commands.extend([reserve(1, None), Command::Capture(capture)]);
        }
        What::Received => {}
    }
    let (mut event, mut missing) = (Event::default(), Vec::new());
    for command in &commands {
        loop {
            match state.decide(BEGIN, command, &mut event, &mut missing) {
                Decision::First => state.apply(&event),
                Decision::Event(_) => break state.apply(&event),
                other @ (Decision::Answer(_) | Decision::Missing) => panic!("{command:?}: {other:?}"),
            }
        }
    }
    (state, event)
}

#[divan::bench(args = ALL)]
fn encode_event(bencher: Bencher<'_, '_>, what: What) {
    let (_, event) = after(what);
    let mut bytes = Vec::new();
    encode(&event, &mut bytes);
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| {
        bytes.clear();
        encode(black_box(&event), &mut bytes);
    });
}

#[divan::bench(args = ALL)]
fn decode_event(bencher: Bencher<'_, '_>, what: What) {
    let (_, mut event) = after(what);
    let (mut bytes, sequence) = (Vec::new(), event.sequence);
    encode(&event, &mut bytes);
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| {
        let mut batch = black_box(&bytes[..]);
        let found = next_event(&mut batch).expect("it was just written").expect("there is one");
        decode(found, sequence, &mut event).expect("it was just written");
    });
}

fn stored(what: Stored) -> Vec<u8> {
    let (state, _) = after(What::Captured);
    let key = match what {
        Stored::Item => Key::Item(SKUS[0].into()),
        Stored::Reservation => Key::Reservation(ID.into()),
        Stored::Movement => Key::Movement(SKUS[0].into(), "m-1".into()),
    };
    let mut bytes = Vec::new();
    encode_record(&state.record(&key).expect("it is in memory"), &mut bytes);
    bytes
}

#[divan::bench(args = STORED)]
fn encode_stored_record(bencher: Bencher<'_, '_>, what: Stored) {
    let mut bytes = stored(what);
    let kept = bytes.clone();
    let record = decode_record(&kept).expect("it was just written");
    bencher.counter(BytesCount::new(kept.len())).bench_local(|| {
        bytes.clear();
        encode_record(black_box(&record), &mut bytes);
    });
}

#[divan::bench(args = STORED)]
fn decode_stored_record(bencher: Bencher<'_, '_>, what: Stored) {
    let bytes = stored(what);
    let read = || drop(black_box(decode_record(black_box(&bytes)).expect("it was just written")));
    bencher.counter(BytesCount::new(bytes.len())).bench_local(read);
}
