//! Many followers at once, each on its own thread or none, beside a shard that does not wait for them.

use crate::world::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use sumun_auditor::generate::Random;
use sumun_feed::{Next, Start, Subscription};
use sumun_wire::{Command, Receive};

fn receive(world: &mut World, sku: &str, id: u64) {
    let movement = format!("m{id}");
    let command = Receive { sku, quantity: 1, movement: Some(&movement), lot: None, expires_at: None, location: None };
    world.handle(&Command::Receive(command));
}

#[test]
fn a_thousand_followers_of_a_subject_each_get_their_own_and_nothing_else() {
    let mut world = World::new(1);
    let mut followers: Vec<Follower> = (0..1_000).map(|n| world.follow(&format!("subject=s{n}"), Start::Now)).collect();
    let mut random = Random::new(1);
    let mut expected = vec![Vec::new(); 1_000];
    for id in 0..5_000 {
        let n = random.below(1_000) as usize;
        receive(&mut world, &format!("s{n}"), id);
        if id % 50 == 0 {
            world.commit();
        }
        expected[n].push(id);
        if id % 500 == 0 {
            world.turn();
        }
    }
    world.commit();
    world.turn();
    for (n, follower) in followers.iter_mut().enumerate() {
        let taken = follower.take(usize::MAX).unwrap();
        assert!(taken.iter().all(|entry| entry.subject.as_deref() == Some(&format!("s{n}"))));
        let ids: Vec<u64> = taken
            .iter()
            .filter(|entry| entry.kind == "item.received")
            .map(|entry| {
                let event: serde_json::Value = serde_json::from_slice(&entry.text).unwrap();
                event["data"]["movement"].as_str().unwrap()[1..].parse().unwrap()
            })
            .collect();
        assert_eq!(ids, expected[n]);
        assert_eq!(follower.catches_up, 0);
    }
}

/// A user of the callbacks: sleeps until it is woken, and takes its time.
fn sleeper(mut subscription: Subscription, until: u64, slow: u64) -> Vec<u64> {
    let (wake, woken): (SyncSender<()>, _) = sync_channel(1);
    subscription.set_waker(Box::new(move || {
        // One wake that waits is enough.
        let _ = wake.try_send(());
    }));
    let mut seen = Vec::new();
    while subscription.reached() < until {
        match subscription.try_next() {
            Next::Event(entry) => {
                seen.push(entry.sequence);
                (0..slow).for_each(|_| std::thread::yield_now());
            }
            Next::Wait => woken.recv().unwrap(),
            Next::Behind => subscription.catch_up().unwrap(),
            Next::Ended => break,
        }
    }
    seen
}

#[test]
fn threads_that_sleep_until_they_are_woken_miss_nothing_and_double_nothing() {
    for seed in 0..2 {
        let mut world = World::new(seed);
        receive(&mut world, "a", 0);
        world.commit();
        let begin = world.last();
        let events = 20_000;
        let end = begin + events;
        let tail = {
            let feed = world.feed.clone();
            std::thread::spawn(move || feed.run())
        };
        let mut threads = Vec::new();
        for n in 0..8u64 {
            let start = if n % 2 == 0 { Start::Now } else { Start::Begin };
            let filter = if n < 6 { "" } else { "subject=a type=item.received" };
            let subscription = world.feed.subscribe(filter_of(filter), start).unwrap();
            let first = match (start, n < 6) {
                (Start::Now, _) => begin + 1,
                (_, true) => 1,
                (_, false) => 2,
            };
            let slow = [0, 0, 1, 10][n as usize % 4];
            let thread = std::thread::spawn(move || sleeper(subscription, end, slow));
            threads.push((first, thread));
        }
        let mut random = Random::new(seed);
        let mut id = 1;
        while id <= events {
            for _ in 0..=random.below(40).min(events - id) {
                receive(&mut world, "a", id);
                id += 1;
            }
            world.commit();
            if random.chance(5) {
                std::thread::yield_now();
            }
        }
        assert_eq!(world.last(), end);
        for (first, thread) in threads {
            let seen = thread.join().unwrap();
            assert!(seen == (first..=end).collect::<Vec<_>>(), "from {first}: {} events", seen.len());
        }
        world.feed.close();
        tail.join().unwrap();
    }
}

#[test]
fn comings_and_goings_never_leave_a_gap() {
    let mut world = World::new(5);
    receive(&mut world, "a", 0);
    world.commit();
    let done = Arc::new(AtomicBool::new(false));
    let tail = {
        let feed = world.feed.clone();
        std::thread::spawn(move || feed.run())
    };
    let comers: Vec<_> = (0..4u64)
        .map(|n| {
            let (feed, done) = (world.feed.clone(), Arc::clone(&done));
            std::thread::spawn(move || {
                let mut random = Random::new(n);
                let mut at = 2;
                // Each goes on where it left, as a client that reconnects.
                while !done.load(Ordering::Relaxed) || at < feed.bounds().last {
                    let subscription = feed.subscribe(filter_of(""), Start::After(at)).unwrap();
                    let mut follower = Follower::new(subscription);
                    for entry in follower.take(random.below(300) as usize + 1).unwrap() {
                        at += 1;
                        assert_eq!(entry.sequence, at);
                    }
                }
                at
            })
        })
        .collect();
    for id in 1..20_000 {
        receive(&mut world, "a", id);
        if id % 7 == 0 {
            world.commit();
        }
    }
    world.commit();
    done.store(true, Ordering::Relaxed);
    for comer in comers {
        assert_eq!(comer.join().unwrap(), world.last());
    }
    world.feed.close();
    tail.join().unwrap();
}

/// What a follower of one subject checks: its figures go on by one.
fn go_on(follower: &mut Follower, most: usize, received: &mut u64, at: &mut u64) {
    for entry in follower.take(most).unwrap() {
        let event: serde_json::Value = serde_json::from_slice(&entry.text).unwrap();
        *received += 1;
        *at = entry.sequence;
        assert_eq!(event["data"]["lines"][0]["received"], *received, "{event}");
    }
}

#[test]
fn followers_of_subjects_that_come_while_the_tail_reads_miss_nothing() {
    let mut world = World::new(7);
    let skus: Vec<String> = (0..40).map(|n| format!("s{n}")).collect();
    for (id, sku) in skus.iter().enumerate() {
        receive(&mut world, sku, id as u64);
    }
    world.commit();
    let begin = world.last();
    let done = Arc::new(AtomicBool::new(false));
    let tail = {
        let feed = world.feed.clone();
        std::thread::spawn(move || feed.run())
    };
    let comers: Vec<_> = (0..4u64)
        .map(|n| {
            let (feed, done, skus) = (world.feed.clone(), Arc::clone(&done), skus.clone());
            std::thread::spawn(move || {
                let mut random = Random::new(n);
                let filter = |sku: &str| filter_of(&format!("subject={sku} type=item.received"));
                // One that stays, so that the tail goes on, and many that come and go.
                let mut stays = Follower::new(feed.subscribe(filter(&skus[n as usize]), Start::After(begin)).unwrap());
                let (mut received, mut at) = (1, begin);
                let mut others = vec![(1, begin); skus.len()];
                while !done.load(Ordering::Relaxed) {
                    let sku = random.below(skus.len() as u64) as usize;
                    let (received_of, at_of) = &mut others[sku];
                    let subscription = feed.subscribe(filter(&skus[sku]), Start::After(*at_of)).unwrap();
                    let mut follower = Follower::new(subscription);
                    for _ in 0..random.below(20) {
                        go_on(&mut follower, 50, received_of, at_of);
                        go_on(&mut stays, 1_000, &mut received, &mut at);
                    }
                }
                // The tail may still be reading what it wakes them for.
                let last = feed.bounds().last;
                let to_the_end = |follower: &mut Follower, received: &mut u64, at: &mut u64| {
                    while follower.subscription.reached() < last {
                        go_on(follower, 1_000, received, at);
                        std::thread::yield_now();
                    }
                };
                for (sku, (received_of, at_of)) in others.iter_mut().enumerate() {
                    let subscription = feed.subscribe(filter(&skus[sku]), Start::After(*at_of)).unwrap();
                    to_the_end(&mut Follower::new(subscription), received_of, at_of);
                }
                to_the_end(&mut stays, &mut received, &mut at);
                assert_eq!(others[n as usize].0, received);
                others.into_iter().map(|(received, _)| received).collect::<Vec<_>>()
            })
        })
        .collect();
    let mut random = Random::new(9);
    let mut expected = vec![1; skus.len()];
    for id in 0..60_000 {
        let sku = random.below(skus.len() as u64) as usize;
        receive(&mut world, &skus[sku], 1_000 + id);
        expected[sku] += 1;
        if id % 20 == 0 {
            world.commit();
        }
    }
    world.commit();
    done.store(true, Ordering::Relaxed);
    for comer in comers {
        assert_eq!(comer.join().unwrap(), expected);
    }
    world.feed.close();
    tail.join().unwrap();
}
