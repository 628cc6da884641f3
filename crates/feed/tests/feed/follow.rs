//! Following: each event once, in order, whatever is slow, trimmed, restarted or broken.

use crate::world::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use sumun_feed::{Counts, FeedError, Filter, Next, Start, Turn, caps};
use sumun_log::Log;
use sumun_log::faulty::Call;

fn receive(world: &mut World, n: u64) {
    world.run(&format!("RECEIVE a 1 ID m{n}"));
}

/// So many events of `a`, in batches of so many.
fn receive_many(world: &mut World, events: u64, batch: u64) {
    let begin = world.last();
    for n in 0..events / batch {
        let steps: Vec<String> = (0..batch).map(|at| format!("RECEIVE a 1 ID m{begin}-{n}-{at}")).collect();
        world.run(&steps.join(" ; "));
    }
}

#[test]
fn what_comes_is_given_as_it_comes() {
    let mut world = World::after(&["RECEIVE a 10 ID begin"]);
    let mut all = world.follow("", Start::Now);
    let mut of_a = world.follow("subject=a", Start::Now);
    let mut held = world.follow("type=reservation.held", Start::Now);
    let mut none = world.follow("shard=3", Start::Begin);
    world.run("RESERVE r1 60000 1 a 1 ; RECEIVE a 1 ID m2");
    world.turn();
    assert_eq!(all.told(), "3 reservation.held r1, 4 item.received a");
    assert_eq!(of_a.told(), "4 item.received a");
    assert_eq!(held.told(), "3 reservation.held r1");
    world.run("RESERVE r2 60000 1 a 1");
    world.run("opened");
    world.turn();
    assert_eq!(
        (all.told(), held.told()),
        ("5 reservation.held r2, 6 log.opened".to_owned(), "5 reservation.held r2".to_owned())
    );
    assert_eq!((of_a.told(), none.told()), (String::new(), String::new()));
    assert_eq!((all.catches_up, of_a.catches_up), (0, 0), "who keeps up never reads the log");
    assert_eq!((all.subscription.reached(), of_a.subscription.reached()), (6, 6));
}

#[test]
fn one_begins_where_it_left_or_where_the_log_begins_or_is_refused() {
    let mut world = World::after(&["RECEIVE a 10 ID begin", "RECEIVE b 10 ID m1", "RESERVE r1 60000 1 a 1"]);
    assert_eq!(world.follow("subject=b", Start::Begin).told(), "3 item.configured b, 4 item.received b");
    assert_eq!(world.follow("", Start::After(3)).told(), "4 item.received b, 5 reservation.held r1");
    assert_eq!(world.follow("", Start::After(5)).told(), "");
    let refused = |start| world.feed.subscribe(Filter::default(), start).unwrap_err();
    assert!(matches!(refused(Start::After(6)), FeedError::Ahead { wanted: 6, last: 5 }));
    receive_many(&mut world, 2_000, 50);
    world.trim(1_800);
    let first = world.log().bounds().first;
    let refused = |start| world.feed.subscribe(Filter::default(), start).unwrap_err();
    assert!(matches!(refused(Start::After(first - 2)), FeedError::Trimmed { first: begins, .. } if begins == first));
    assert_eq!(world.follow("", Start::After(first - 1)).sequences().first(), Some(&first));
    assert_eq!(world.follow("", Start::Begin).sequences().first(), Some(&first));
}

#[test]
fn when_nobody_follows_nothing_is_read() {
    let mut world = World::after(&["RECEIVE a 10 ID begin"]);
    let calls = |world: &World| world.disk.calls();
    for n in 0..10 {
        let before = calls(&world);
        receive(&mut world, 1000 + n);
        let written = calls(&world) - before;
        world.turn();
        assert_eq!(calls(&world) - before, written);
        assert_eq!(world.feed.turn(), Turn::Idle);
    }
    let mut one = world.follow("", Start::Now);
    receive(&mut world, 1);
    world.turn();
    assert_eq!(one.sequences().len(), 1);
    drop(one);
    assert_eq!(world.feed.counts(), Counts::default(), "and nothing is kept");
    receive(&mut world, 2);
    let before = calls(&world);
    world.turn();
    assert_eq!(calls(&world), before);
}

#[test]
fn one_that_stalls_costs_no_more_than_its_outbox_and_misses_nothing() {
    let mut world = World::after(&["RECEIVE a 10 ID begin"]);
    let mut stalls = world.follow("", Start::Now);
    let mut goes = world.follow("", Start::Now);
    let begin = world.last();
    let mut seen = Vec::new();
    for _ in 0..30 {
        receive_many(&mut world, 100, 10);
        world.turn();
        seen.extend(goes.sequences());
    }
    let end = world.last();
    assert_eq!(seen, (begin + 1..=end).collect::<Vec<_>>(), "others do not notice");
    assert_eq!(goes.catches_up, 0);
    let counts = world.feed.counts();
    assert_eq!((counts.followers, counts.live, counts.left_behind), (2, 1, 1));
    assert_eq!(counts.behind, end - begin, "it has taken nothing");
    assert!(counts.outbox_events > 0 && counts.outbox_events <= sumun_feed::caps::OUTBOX_EVENTS_MAX, "{counts:?}");
    // It comes back, takes its time, and others go on.
    let mut late = Vec::new();
    for _ in 0..10 {
        late.extend(stalls.take(150).unwrap().iter().map(|entry| entry.sequence));
        receive_many(&mut world, 50, 10);
        world.turn();
        goes.sequences();
    }
    late.extend(stalls.sequences());
    assert_eq!(late, (begin + 1..=world.last()).collect::<Vec<_>>());
    assert!(stalls.catches_up > 0);
    let counts = world.feed.counts();
    assert_eq!((counts.live, counts.behind, counts.outbox_events), (2, 0, 0), "it is one of them again");
}

#[test]
fn when_all_stall_the_tail_sleeps() {
    let mut world = World::after(&["RECEIVE a 10 ID begin"]);
    let mut one = world.follow("", Start::Now);
    let begin = world.last();
    receive_many(&mut world, 1_000, 10);
    world.turn();
    assert_eq!((world.feed.counts().followers, world.feed.counts().live), (1, 0));
    receive_many(&mut world, 10_000, 100);
    let before = world.disk.calls();
    world.turn();
    assert_eq!(world.disk.calls(), before);
    assert_eq!(one.sequences(), (begin + 1..=world.last()).collect::<Vec<_>>());
    receive(&mut world, 1);
    world.turn();
    assert_eq!(one.sequences(), [world.last()]);
    assert_eq!(world.feed.counts().live, 1);
}

#[test]
fn what_the_ring_still_has_is_not_read_again() {
    let mut world = World::after(&["RECEIVE a 10 ID begin"]);
    let mut goes = world.follow("", Start::Now);
    let mut slow = world.follow("subject=a", Start::Now);
    let begin = world.last();
    for _ in 0..20 {
        receive_many(&mut world, 100, 100);
        world.turn();
        goes.sequences();
    }
    let before = world.disk.calls();
    let taken = slow.take(usize::MAX).unwrap();
    assert_eq!(world.disk.calls(), before, "the log was not touched");
    assert_eq!(
        taken.iter().map(|entry| entry.sequence).collect::<Vec<_>>(),
        (begin + 1..=world.last()).collect::<Vec<_>>()
    );
    // And bytes are shared.
    let again = world.follow("", Start::After(begin)).take(1).unwrap();
    assert!(Arc::ptr_eq(&again[0], &taken[0]));
}

#[test]
fn the_ring_is_bounded_and_who_lost_its_place_in_it_reads_the_log() {
    let mut world = World::after(&["RECEIVE a 10 ID begin"]);
    let mut goes = world.follow("", Start::Now);
    let mut slow = world.follow("type=item.received", Start::Now);
    let begin = world.last();
    while world.last() < begin + 2 * caps::RING_EVENTS_MAX as u64 {
        receive_many(&mut world, 100, 100);
        world.turn();
        goes.sequences();
        let counts = world.feed.counts();
        assert!(counts.ring_events <= caps::RING_EVENTS_MAX && counts.ring_bytes <= caps::RING_BYTES_MAX);
    }
    assert_eq!(goes.catches_up, 0);
    let before = world.disk.calls();
    assert_eq!(slow.sequences(), (begin + 1..=world.last()).collect::<Vec<_>>());
    assert!(world.disk.calls() > before);
}

#[test]
fn a_trim_in_the_middle_of_following_is_told_to_whom_it_concerns() {
    let mut world = World::after(&["RECEIVE a 10 ID begin"]);
    let mut goes = world.follow("", Start::Now);
    let mut stalls = world.follow("", Start::Now);
    for _ in 0..300 {
        receive_many(&mut world, 50, 50);
        world.turn();
        goes.sequences();
    }
    let last = world.last();
    world.trim(last - 10);
    let first = world.log().bounds().first;
    assert!(first > caps::OUTBOX_EVENTS_MAX as u64 + 2);
    // What waits for it is given; then comes the gap, and it is said.
    let waiting = stalls.take(caps::OUTBOX_EVENTS_MAX).unwrap();
    assert_eq!(waiting.len(), caps::OUTBOX_EVENTS_MAX);
    assert_eq!(stalls.told(), format!("trimmed: begins at {first}"));
    assert_eq!(stalls.told(), format!("trimmed: begins at {first}"), "and stays so");
    receive(&mut world, 1);
    world.turn();
    assert_eq!(goes.sequences(), [last + 1]);
}

#[test]
fn a_follower_goes_on_through_a_log_that_failed_and_was_opened_again() {
    for seed in 0..10 {
        let mut world = World::new(seed);
        world.run("RECEIVE a 10 ID begin");
        let mut one = world.follow("", Start::Begin);
        assert_eq!(one.sequences(), [1, 2]);
        let command = "RECEIVE a 7 ID lost".parse::<sumun_auditor::OwnedCommand>().unwrap();
        world.handle(&command.as_command());
        (1..=8).for_each(|nth| world.disk.fail_nth(Call::Sync, nth, 5));
        assert!(matches!(world.submit(), Some(sumun_log::Progress::Failed(_))));
        world.turn();
        assert!(one.sequences().is_empty(), "what nobody knows to be durable is shown to nobody");
        world.disk.heal();
        world.reopen();
        world.turn();
        let shown = one.sequences().len() as u64;
        assert_eq!(shown, world.last() - 2);
    }
}

#[test]
fn an_error_of_the_disk_is_told_to_whom_reads_and_passes() {
    let mut world = World::after(&["RECEIVE a 10 ID begin"]);
    let mut one = world.follow("", Start::Now);
    receive(&mut world, 1);
    world.disk.fail_always(Call::Read, 5);
    world.turn();
    assert_eq!((world.feed.counts().live, world.feed.turn()), (0, Turn::Idle), "the tail does not spin");
    assert!(matches!(one.take(1), Err(FeedError::Log(_))));
    assert!(matches!(one.take(1), Err(FeedError::Log(_))));
    world.disk.heal();
    receive(&mut world, 2);
    world.turn();
    assert_eq!(one.sequences(), [3, 4]);
    receive(&mut world, 3);
    world.turn();
    assert_eq!(one.sequences(), [5]);
}

#[test]
fn ends_are_at_once() {
    let mut world = World::after(&["RECEIVE a 10 ID begin"]);
    let (mut one, two) = (world.follow("", Start::Now), world.follow("subject=a", Start::Now));
    assert_eq!((world.feed.counts().followers, world.feed.counts().live), (2, 2));
    drop(two);
    assert_eq!((world.feed.counts().followers, world.feed.counts().live), (1, 1));
    let woken = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&woken);
    one.subscription.set_waker(Box::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    }));
    receive(&mut world, 1);
    receive(&mut world, 2);
    world.turn();
    assert_eq!(woken.load(Ordering::Relaxed), 1, "one wake for all that came while it slept");
    one.sequences();
    world.feed.close();
    assert_eq!(woken.load(Ordering::Relaxed), 2);
    assert_eq!(one.subscription.try_next(), Next::Ended);
    assert_eq!(world.feed.turn(), Turn::Closed);
    assert!(matches!(world.feed.subscribe(Filter::default(), Start::Now), Err(FeedError::Closed)));
}

#[test]
fn followers_are_capped() {
    let world = World::new(1);
    let all: Vec<_> =
        (0..caps::SUBSCRIBERS_MAX).map(|_| world.feed.subscribe(Filter::default(), Start::Now).unwrap()).collect();
    let refused = world.feed.subscribe(Filter::default(), Start::Now);
    assert!(matches!(refused, Err(FeedError::TooManySubscribers)));
    drop(all);
    assert!(world.feed.subscribe(Filter::default(), Start::Now).is_ok());
}
