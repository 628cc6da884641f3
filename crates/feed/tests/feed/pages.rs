//! Pages of events: where they begin and end, what a filter takes, what a trim does to them.

use crate::world::*;
use sumun_feed::{FeedError, Size, caps};
use sumun_log::faulty::Call;
use sumun_log::{Log, ReadError};

const SHOP: [&str; 4] =
    ["opened", "RECEIVE a 10 ID m1", "RECEIVE b 5 ID m2 ; RESERVE r1 60000 2 a 2 b 1 FOR ann", "CAPTURE r1"];

fn check(world: &World, after: Option<u64>, filter: &str, events: usize, expected: &str) {
    assert_eq!(told(&world.page(after, filter, events)), expected, "after {after:?}, {filter:?}");
}

#[test]
fn a_page_without_filter_skips_none_and_the_last_one_has_no_next() {
    let world = World::after(&SHOP);
    let all = "1 log.opened, 2 item.configured a, 3 item.received a, 4 item.configured b, 5 item.received b, \
               6 reservation.held r1, 7 reservation.captured r1";
    check(&world, None, "", 1000, all);
    check(&world, None, "", 7, all);
    check(&world, Some(0), "", 2, "1 log.opened, 2 item.configured a, next 2");
    check(&world, Some(2), "", 3, "3 item.received a, 4 item.configured b, 5 item.received b, next 5");
    check(&world, Some(5), "", 3, "6 reservation.held r1, 7 reservation.captured r1");
    check(&world, Some(7), "", 3, "");
    check(&world, Some(900), "", 3, "");
    check(&World::new(1), None, "", 3, "");
}

#[test]
fn a_filter_takes_types_a_subject_a_shard_and_all_of_them_at_once() {
    let world = World::after(&SHOP);
    check(&world, None, "type=item.received", 10, "3 item.received a, 5 item.received b");
    check(&world, None, "type=item.received type=log.opened", 10, "1 log.opened, 3 item.received a, 5 item.received b");
    check(&world, None, "subject=a", 10, "2 item.configured a, 3 item.received a");
    check(&world, None, "subject=r1", 1, "6 reservation.held r1, next 6");
    check(&world, Some(6), "subject=r1", 1, "7 reservation.captured r1");
    check(&world, None, "subject=r1 type=reservation.captured shard=0", 10, "7 reservation.captured r1");
    check(&world, None, "subject=a type=reservation.captured", 10, "");
    check(&world, None, "subject=nosuch", 10, "");
    check(&world, None, "type=no.such", 10, "");
    check(&world, None, "shard=1", 10, "");
    check(&world, Some(6), "shard=0", 10, "7 reservation.captured r1");
}

#[test]
fn a_page_ends_before_it_is_too_long_and_always_has_one_event() {
    let world = World::after(&SHOP);
    let whole = world.page(None, "", 1000).unwrap();
    for bytes in [0, 1, 300, 700, 1500, whole.events.len(), usize::MAX] {
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let page = world.feed.page(after, &filter_of(""), Size { events: 1000, bytes }).unwrap();
            assert!(page.events.len() <= bytes || page.count == 1, "{} of {bytes}", page.events.len());
            seen.extend(events_of(&page.events));
            assert_eq!(page.reached, seen.len() as u64);
            let Some(next) = page.next else { break };
            after = Some(next);
        }
        assert_eq!(seen, events_of(&whole.events));
    }
}

#[test]
fn a_page_with_a_filter_that_takes_nothing_looks_at_so_much_and_says_where_to_go_on() {
    let mut world = World::after(&["RECEIVE a 1000000 ID m0", "RECEIVE rare 1 ID m0"]);
    let mut n = 0;
    while world.last() < 2 * caps::SCAN_EVENTS_MAX {
        for _ in 0..5_000 {
            let answer = world.handle(&sumun_wire::Command::Receive(sumun_wire::Receive {
                sku: "a",
                quantity: 1,
                movement: Some(&format!("m{n}x")),
                lot: None,
                expires_at: None,
                location: None,
            }));
            assert!(matches!(answer, sumun_wire::Answer::Available { .. }), "{answer:?}");
            n += 1;
        }
        world.commit();
    }
    world.run("RECEIVE rare 1 ID m1");
    let last = world.last();
    let (mut after, mut pages, mut seen) = (None, 0, Vec::new());
    loop {
        let page = world.page(after, "subject=rare type=item.received", 1000).unwrap();
        assert!(page.reached - after.unwrap_or(0) <= caps::SCAN_EVENTS_MAX);
        pages += 1;
        seen.extend(events_of(&page.events).iter().map(told_event));
        let Some(next) = page.next else { break };
        assert_eq!(next, page.reached);
        after = Some(next);
    }
    assert_eq!((pages, seen), (3, vec!["4 item.received rare".to_owned(), format!("{last} item.received rare")]));
}

/// A world of several segments: `a` and `b` in turn, each event in a batch of its own.
fn long(events: u64) -> World {
    let mut world = World::after(&["RECEIVE a 1 ID m ; RECEIVE b 1 ID m"]);
    let metadata = "x".repeat(4_000);
    let mut n = 0;
    while world.last() < events {
        n += 1;
        let sku = if n % 2 == 0 { "a" } else { "b" };
        world.run(&format!("CONFIGURE {sku} SAFETY {n} METADATA \"\\\"{metadata}\\\"\""));
    }
    world
}

#[test]
fn what_was_trimmed_is_said_and_a_page_without_cursor_begins_where_the_log_begins() {
    let mut world = long(60);
    world.trim(40);
    let first = world.log().bounds().first;
    assert!(first > 10 && first <= 40);
    let trimmed = format!("trimmed: begins at {first}");
    check(&world, Some(0), "", 3, &trimmed);
    check(&world, Some(first - 2), "", 3, &trimmed);
    check(&world, Some(first - 2), "shard=0 type=item.received", 3, &trimmed);
    for after in [None, Some(first - 1)] {
        let page = world.page(after, "", 1000).unwrap();
        let events = events_of(&page.events);
        assert_eq!((events[0]["sequence"].as_u64(), events.len() as u64), (Some(first), 60 - first + 1));
    }
    world.restart();
    check(&world, Some(first - 2), "", 3, &trimmed);
    assert_eq!(world.page(None, "", 1000).unwrap().count as u64, 60 - first + 1);
}

#[test]
fn a_trim_in_the_middle_of_a_page_leaves_no_gap_that_is_not_said() {
    // The files go while they are read, whether the feed has heard of the trim or not.
    for is_told in [true, false] {
        let mut world = long(60);
        let page = world.page(None, "", 5).unwrap();
        assert_eq!(page.next, Some(5));
        let position = world.log().find(50).unwrap();
        world.log().trim(position);
        world.log().tend();
        let first = world.log().bounds().first;
        if is_told {
            world.tell();
        }
        // What one segment's open file still has is given; then comes the gap, and it is said.
        let (mut after, mut given) = (page.next, 5);
        let error = loop {
            match world.page(after, "", 7) {
                Ok(page) => {
                    for event in events_of(&page.events) {
                        given += 1;
                        assert_eq!(event["sequence"].as_u64(), Some(given));
                    }
                    after = page.next;
                    assert!(after.is_some() && given < 60, "what is gone is not given");
                }
                Err(error) => break error,
            }
        };
        assert!(
            matches!(error, FeedError::Trimmed { wanted, first: begins } if wanted == given + 1 && begins == first)
        );
        assert_eq!(is_told, given == 5);
        let rest = world.page(None, "", 1000).unwrap();
        assert_eq!(events_of(&rest.events)[0]["sequence"].as_u64(), Some(first));
    }
}

#[test]
fn nothing_is_shown_that_is_not_durable() {
    let mut world = World::after(&SHOP);
    let told_before = world.log().bounds();
    // Durable, and not told: the shard has not proven it yet.
    let mut other = World::after(&SHOP);
    std::mem::swap(&mut world.teller, &mut other.teller);
    world.run("RECEIVE a 1 ID m9");
    assert!(world.last() > told_before.last);
    check(&world, Some(6), "", 10, "7 reservation.captured r1");
    std::mem::swap(&mut world.teller, &mut other.teller);
    world.tell();
    check(&world, Some(6), "", 10, "7 reservation.captured r1, 8 item.received a");
}

#[test]
fn a_torn_tail_is_not_shown_and_what_comes_after_it_is() {
    for seed in 0..20 {
        let mut world = World::new(seed);
        SHOP.iter().for_each(|step| world.run(step));
        // The write comes half through, and power goes.
        world.disk.cut_at(1);
        let command = "RECEIVE a 7 ID torn".parse::<sumun_auditor::OwnedCommand>().unwrap();
        world.handle(&command.as_command());
        assert!(matches!(world.submit(), Some(sumun_log::Progress::Failed(_))));
        world.disk.power_cut();
        assert!(world.page(Some(6), "", 10).is_err() || world.page(Some(6), "", 10).unwrap().count == 1);
        world.log = None;
        world.log = Some(open_log(&world.disk));
        let last = world.last();
        (world.feed, world.teller) = feed_of(&world.disk, world.log.as_ref().unwrap());
        let page = world.page(None, "", 100).unwrap();
        assert_eq!((page.count as u64, page.next), (last, None));
        assert!(last == 7 || last == 8);
    }
}

#[test]
fn an_error_of_the_disk_passes_and_damage_is_told_when_it_is_met() {
    let mut world = long(60);
    world.disk.fail_nth(Call::Read, 1, 5);
    assert!(matches!(world.page(None, "", 10), Err(FeedError::Log(_))));
    assert_eq!(world.page(None, "", 1000).unwrap().count, 60);
    let at = world.log().find(30).unwrap();
    let path = std::path::Path::new("/data/0/log").join(sumun_log::segment_name(at.segment));
    world.disk.flip(&path, at.offset + 100, 3);
    (world.feed, world.teller) = feed_of(&world.disk, world.log.as_ref().unwrap());
    let page = world.page(None, "", 1000).unwrap();
    assert_eq!((page.count, page.next), (29, Some(29)));
    let error = world.page(Some(29), "", 1000).unwrap_err();
    let is_damage = matches!(&error, FeedError::Log(sumun_log::OpenError::Read(ReadError::Damaged { .. })));
    assert!(is_damage, "{error}");
    assert_eq!(world.page(Some(30), "", 1000).unwrap().count, 30);
}

#[test]
fn many_at_once_read_whole_pages() {
    let world = long(200);
    std::thread::scope(|scope| {
        for reader in 0..16u64 {
            let world = &world.feed;
            scope.spawn(move || {
                for n in 0..30 {
                    let after = (reader * 37 + n * 11) % 190;
                    let size = Size { events: 10, ..Size::default() };
                    let page = world.page(Some(after), &filter_of(""), size).unwrap();
                    let sequences: Vec<_> =
                        events_of(&page.events).iter().map(|event| event["sequence"].as_u64().unwrap()).collect();
                    assert_eq!(sequences, (after + 1..=after + 10).collect::<Vec<_>>());
                }
            });
        }
    });
}
