//! An item's history: by its back-pointers, newest first, as far as the log is kept.

use crate::world::*;
use sumun_log::Log;

fn check(world: &mut World, sku: &str, before: Option<u64>, events: usize, expected: &str) {
    assert_eq!(told(&world.history(sku, None, before, events)), expected, "{sku} before {before:?}");
}

const SHOP: [&str; 6] = [
    "RECEIVE a 10 ID m1",
    "RECEIVE b 10 ID m1",
    "RESERVE r1 60000 3 a 2 b 1 a 3",
    "RECEIVE b 1 ID m2 ; RECEIVE b 1 ID m3",
    "CAPTURE r1",
    "CONFIGURE a SAFETY 1",
];

#[test]
fn a_history_is_the_items_events_newest_first() {
    let mut world = World::after(&SHOP);
    let a =
        "9 item.configured a, 8 reservation.captured r1, 5 reservation.held r1, 2 item.received a, 1 item.configured a";
    check(&mut world, "a", None, 100, a);
    let b = "8 reservation.captured r1, 7 item.received b, 6 item.received b, 5 reservation.held r1, \
             4 item.received b, 3 item.configured b";
    check(&mut world, "b", None, 100, b);
    check(&mut world, "b", None, 6, b);
    check(&mut world, "b", None, 2, "8 reservation.captured r1, 7 item.received b, next 7");
    check(&mut world, "b", Some(7), 2, "6 item.received b, 5 reservation.held r1, next 5");
    check(&mut world, "b", Some(5), 2, "4 item.received b, 3 item.configured b");
    check(&mut world, "b", Some(3), 2, "");
    assert_eq!(told(&world.history("nosuch", Some(0), None, 10)), "");
}

#[test]
fn a_cursor_that_is_no_event_of_the_item_is_a_place_all_the_same() {
    let mut world = World::after(&SHOP);
    check(&mut world, "a", Some(7), 1, "5 reservation.held r1, next 5");
    check(&mut world, "a", Some(6), 1, "5 reservation.held r1, next 5");
    check(&mut world, "b", Some(9), 1, "8 reservation.captured r1, next 8");
    check(&mut world, "a", Some(1_000), 1, "9 item.configured a, next 9");
    check(&mut world, "b", Some(2), 10, "");
    check(&mut world, "b", Some(1), 10, "");
    check(&mut world, "b", Some(0), 10, "");
}

#[test]
fn an_item_that_was_hidden_goes_on_with_its_history() {
    let mut world =
        World::after(&["RECEIVE a 1 ID m1", "ADJUST a -1 REASON lost ID m2", "REMOVE a", "RECEIVE a 1 ID m3"]);
    let all = "6 item.received a, 5 item.configured a, 4 item.removed a, 3 item.adjusted a, 2 item.received a, \
               1 item.configured a";
    check(&mut world, "a", None, 100, all);
}

#[test]
fn a_history_that_was_trimmed_gives_what_is_kept_and_its_next_is_told() {
    let mut world = World::after(&["RECEIVE a 1000 ID m0", "RECEIVE idle 1 ID m0"]);
    for n in 1..200 {
        world.run(&format!("RECEIVE a 1 ID m{n}"));
        world.run(&format!("CONFIGURE b SAFETY {n} METADATA \"\\\"{}\\\"\"", "x".repeat(2_000)));
    }
    world.trim(300);
    let first = world.log().bounds().first;
    assert!(first > 100);
    let trimmed = format!("trimmed: begins at {first}");
    let page = world.history("a", None, None, 1000).unwrap();
    let oldest = events_of(&page.events).last().unwrap()["sequence"].as_u64().unwrap();
    assert!((first..first + 2).contains(&oldest));
    assert_eq!(page.next, Some(oldest));
    check(&mut world, "a", Some(oldest), 10, &trimmed);
    check(&mut world, "a", Some(oldest + 2), 10, &format!("{oldest} item.received a, next {oldest}"));
    check(&mut world, "a", Some(5), 10, &trimmed);
    // Nothing of it is kept: that much is given, and its next is told.
    check(&mut world, "idle", None, 10, "next 5");
    check(&mut world, "idle", Some(5), 10, &trimmed);
    world.run("RECEIVE idle 1 ID m1");
    let newest = world.last();
    check(&mut world, "idle", None, 10, &format!("{newest} item.received idle, next {newest}"));
    check(&mut world, "idle", Some(newest), 10, &trimmed);
}

#[test]
fn of_many_lines_the_pointer_is_that_of_the_skus_own() {
    let mut world = World::new(1);
    for sku in ["a", "b", "c", "d"] {
        world.run(&format!("RECEIVE {sku} 100 ID m LOT l1 ; RECEIVE {sku} 100 ID n LOT l2"));
    }
    for n in 0..30 {
        let (one, other) = (["a", "b", "c", "d"][n % 4], ["b", "c", "d", "a"][n * 3 % 4]);
        world.run(&format!("RESERVE r{n} 60000 2 {one} 1 {other} 1"));
    }
    let all = events_of(&world.page(None, "", 1000).unwrap().events);
    for sku in ["a", "b", "c", "d"] {
        let touches = |event: &&serde_json::Value| {
            event["data"]["lines"].as_array().unwrap().iter().any(|line| line["sku"] == sku)
        };
        let expected: Vec<_> = all.iter().rev().filter(touches).cloned().collect();
        let (mut before, mut seen) = (None, Vec::new());
        loop {
            let page = world.history(sku, None, before, 3).unwrap();
            seen.extend(events_of(&page.events));
            let Some(next) = page.next else { break };
            before = Some(next);
        }
        assert_eq!(seen, expected, "{sku}");
    }
}

#[test]
fn neighbours_in_one_frame_are_read_once() {
    let steps: Vec<String> = (0..500).map(|n| format!("RECEIVE a 1 ID m{n}")).collect();
    let mut world = World::after(&[&steps.join(" ; ")]);
    let calls = world.disk.calls();
    assert_eq!(world.history("a", None, None, 1000).unwrap().count, 501);
    let cost = world.disk.calls() - calls;
    assert!(cost < 20, "{cost} calls of the disk");
}
