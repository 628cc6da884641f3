//! A mirror needs nothing but events: built from pages and from following, through restarts, trims of what it has seen, and its
//! own pauses, it equals the items.

use crate::world::*;
use serde_json::Value;
use std::collections::BTreeMap;
use sumun_auditor::Ledger;
use sumun_auditor::generate::{Generator, Random};
use sumun_feed::{FeedError, Start};
use sumun_log::Log;
use sumun_wire::{Answer, Command, Timestamp};

/// The figures of each item as its newest event told them, its lots' too.
#[derive(Debug, Default, PartialEq)]
struct Mirror {
    at: u64,
    items: BTreeMap<String, Value>,
    lots: BTreeMap<(String, String), (u64, u64)>,
}

impl Mirror {
    fn take(&mut self, event: &Value) {
        let sequence = event["sequence"].as_u64().unwrap();
        assert_eq!(sequence, self.at + 1, "the log has no gap");
        self.at = sequence;
        assert_eq!(event["id"], format!("0/{sequence}"));
        let Some(lines) = event["data"]["lines"].as_array() else { return };
        for line in lines {
            let sku = line["sku"].as_str().unwrap().to_owned();
            if let Some(lot) = line["lot"].as_str() {
                let figure = |name: &str| line[name].as_u64().unwrap();
                self.lots.insert((sku.clone(), lot.to_owned()), (figure("lot_on_hand"), figure("lot_reserved")));
            }
            let version = line["version"].as_u64().unwrap();
            if let Some(before) = self.items.get(&sku)
                && before["sequence"] != sequence
            {
                assert_eq!(before["version"], version - 1, "versions have no gap");
                assert_eq!(before["sequence"], line["previous"]);
            }
            let mut figures = line.clone();
            figures["sequence"] = sequence.into();
            self.items.insert(sku, figures);
        }
    }

    fn check(&self, world: &mut World) {
        assert_eq!(self.at, world.last());
        for (sku, figures) in &self.items {
            // What is hidden, and what has ended and is not written yet, is not to be compared.
            let Answer::Item(Some(item)) = world.handle(&Command::Item { sku }) else { continue };
            let expected = [
                ("version", item.version),
                ("sequence", item.sequence.0),
                ("reserved", item.reserved),
                ("available", item.available),
                ("received", item.received),
                ("removed", item.removed),
                ("returned", item.returned),
                ("captured", item.captured),
            ];
            for (name, value) in expected {
                assert_eq!(figures[name], value, "{name} of {sku}");
            }
            assert_eq!(figures["on_hand"], item.on_hand, "on_hand of {sku}");
            for lot in item.lots.iter().filter(|lot| lot.lot.is_some()) {
                let key = (sku.clone(), lot.lot.as_deref().unwrap().to_owned());
                assert_eq!(self.lots[&key], (lot.on_hand as u64, lot.reserved), "{key:?}");
            }
        }
    }
}

fn by_pages(world: &World, mirror: &mut Mirror, random: &mut Random) {
    loop {
        let page = world.page(Some(mirror.at), "", 1 + random.below(60) as usize).unwrap();
        events_of(&page.events).iter().for_each(|event| mirror.take(event));
        if page.next.is_none() {
            break;
        }
    }
}

fn by_following(follower: &mut Follower, mirror: &mut Mirror, most: u64) -> Result<(), FeedError> {
    for entry in follower.take(most as usize)? {
        let event: Value = serde_json::from_slice(&entry.text).unwrap();
        assert_eq!(event["type"], entry.kind);
        assert_eq!(event["subject"].as_str(), entry.subject.as_deref());
        mirror.take(&event);
    }
    Ok(())
}

#[test]
fn a_mirror_of_pages_and_of_following_equals_the_items() {
    for seed in 0..12 {
        live(seed);
    }
}

fn live(seed: u64) {
    let mut random = Random::new(seed);
    let mut generator = Generator::new(seed);
    let mut ledger = Ledger::new();
    let mut world = World::new(seed);
    let (mut paged, mut followed, mut both) = (Mirror::default(), Mirror::default(), Mirror::default());
    let mut follower = world.follow("", Start::Begin);
    for step in 0..600 {
        advance(&mut world, &mut generator, &mut ledger);
        if random.chance(70) {
            world.commit();
        }
        if random.chance(50) {
            world.feed.turn();
        }
        if random.chance(10) {
            by_pages(&world, &mut paged, &mut random);
        }
        if random.chance(20) {
            by_following(&mut follower, &mut followed, random.below(200)).unwrap();
        }
        match random.below(60) {
            0 => by_pages(&world, &mut both, &mut random),
            1 => {
                let mut one = world.follow("", Start::After(both.at));
                by_following(&mut one, &mut both, random.below(200)).unwrap();
            }
            2 => {
                world.restart();
                follower = world.follow("", Start::After(followed.at));
            }
            3 => {
                let seen = paged.at.min(followed.at).min(both.at);
                if seen > world.log().bounds().first {
                    world.trim(seen);
                }
            }
            _ => {}
        }
        if step % 100 == 99 {
            world.commit();
            world.turn();
            by_pages(&world, &mut paged, &mut random);
            by_pages(&world, &mut both, &mut random);
            by_following(&mut follower, &mut followed, u64::MAX).unwrap();
            assert_eq!(paged, followed);
            assert_eq!(paged, both);
            paged.check(&mut world);
        }
    }
}

fn advance(world: &mut World, generator: &mut Generator, ledger: &mut Ledger) {
    let step = generator.step(ledger);
    world.go_on(step.advance_ms);
    ledger.perform_ends(Timestamp(world.now)).unwrap();
    for command in &step.commands {
        let answer = world.handle(&command.as_command());
        let (expected, _) = ledger.perform(Timestamp(world.now), &command.as_command()).unwrap();
        assert_eq!(std::mem::discriminant(&answer), std::mem::discriminant(&expected));
    }
}
