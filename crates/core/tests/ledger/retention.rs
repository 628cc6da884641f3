//! What is forgotten, and when: to the millisecond, whatever still stands in memory or in the store.

use crate::evict::{Met, run};
use crate::script::check_with_retention;
use proptest::prelude::*;

/// Runs a script under a retention of ten seconds.
fn check(script: &str) {
    check_with_retention(10_000, script);
}

#[test]
fn an_id_is_remembered_until_the_exact_millisecond() {
    check(
        "receive a 9 id=m; reserve r a=2 ttl=1h; pass 1s; release r
         pass 9999; reserve r a=2 ttl=1h -> RELEASED; reserve r a=3 ttl=1h -> CONFLICT id; reservation r -> state released
         pass 1; reservation r -> null; capture r -> NOTFOUND r; reserve r a=3 ttl=1h -> held; item a -> reserved 3",
    );
}

#[test]
fn a_forgotten_id_takes_the_same_content_as_a_new_reservation() {
    check(
        "receive a 9 id=m; reserve r a=2 capture; pass 9999; reserve r a=2 capture -> captured replayed
         pass 1; reserve r a=2 capture -> captured; item a -> captured 4; reservation r -> version 1
         pass 9999; reserve r a=2 capture -> captured replayed",
    );
}

#[test]
fn an_open_reservation_is_never_forgotten() {
    check(
        "receive a 9 id=m; reserve r a=2 ttl=1h; pass 50m; reserve r a=2 ttl=1h -> held replayed
         capture r a=1 id=c; pass 5m; capture r a=1 id=c -> held replayed; capture r -> captured
         pass 9999; capture r a=1 id=c -> captured replayed; pass 1; capture r a=1 id=c -> NOTFOUND r",
    );
}

#[test]
fn a_return_is_remembered_and_begins_the_retention_anew() {
    check(
        "receive a 9 id=m; reserve r a=4 capture; pass 9s; return r a=1 id=b1; pass 9999
         return r a=1 id=b1 -> captured replayed; return r a=2 id=b2 -> captured; pass 9999; reservation r -> returned 3
         pass 1; return r a=1 id=b3 -> NOTFOUND r; item a -> on_hand 8 returned 3",
    );
}

#[test]
fn a_replay_or_a_refusal_does_not_keep_an_id() {
    check(
        "receive a 9 id=m; reserve r a=1 capture; pass 9999; reserve r a=1 capture -> captured replayed
         capture r -> captured replayed; release r -> CAPTURED; pass 1; reservation r -> null",
    );
}

#[test]
fn a_tombstone_is_forgotten_as_a_reservation_is() {
    check(
        "receive a 9 id=m; release r -> released tombstone; pass 9999; reserve r a=1 ttl=1s -> RELEASED
           pass 1; reserve r a=1 ttl=1s -> held; pass 1s; reservation r -> state expired
           pass 9999; reserve r a=1 ttl=1s -> EXPIRED; pass 1; reserve r a=1 ttl=1s -> held",
    );
}

/// It ends when its event is written: that is what is remembered.
#[test]
fn what_expires_is_remembered_from_the_event_that_ended_it() {
    check(
        "receive a 9 id=m; reserve r a=1 ttl=1s; pass 20s; reservation r -> state expired
         pass 9999; reserve r a=1 ttl=1s -> EXPIRED; pass 1; reservation r -> null",
    );
}

#[test]
fn a_movement_is_remembered_until_the_exact_millisecond() {
    check(
        "receive a 9 id=m; adjust a -1 id=n; pass 9999; receive a 9 id=m -> 9 replayed; receive a 1 id=m -> CONFLICT id
         adjust a -1 id=n -> 8 replayed; pass 1; receive a 1 id=m -> 9; adjust a -2 id=n -> 7; receive a 1 id=m -> 9 replayed
         pass 9999; receive a 1 id=m -> 9 replayed; pass 1; receive a 1 id=m -> 8",
    );
}

#[test]
fn a_forgotten_lot_is_received_again_with_another_expiry_and_another_place() {
    check(
        "receive a 2 id=m1 lot=l expires=1h at=p; adjust a -2 id=m2 lot=l; pass 9999
         receive a 1 id=m3 lot=l expires=2h -> CONFLICT; receive a 1 id=m3 lot=l at=q -> CONFLICT; pass 1
         adjust a 1 id=m4 lot=l -> NOTFOUND l
         receive a 1 id=m3 lot=l expires=2h at=q -> 1; reserve r a=1%q ttl=1s -> held; reserve s a=1%p ttl=1s -> INSUFFICIENT a wanted 1 available 0",
    );
}

/// `fifo` is by a lot's first receipt: of the life that it has now.
#[test]
fn a_forgotten_lot_stands_behind_those_received_meanwhile() {
    check(
        "configure a fifo; receive a 1 id=m1 lot=l; receive a 1 id=m2 lot=k; adjust a -1 id=m3 lot=l
         receive a 1 id=m4 lot=l; reserve r a=1 ttl=1s -> held; reservation r -> taken l:1; release r
         adjust a -1 id=m5 lot=l; pass 10s; receive a 1 id=m6 lot=l; reserve s a=1 ttl=1s; reservation s -> taken k:1",
    );
}

#[test]
fn a_lot_with_units_is_never_forgotten() {
    check(
        "receive a 2 id=m lot=l expires=90d; pass 30d; receive a 1 id=n lot=l expires=80d -> CONFLICT; item a -> lots l:2/0",
    );
}

#[test]
fn a_lot_is_kept_by_an_open_reservation_that_took_from_it_and_for_the_retention_after() {
    check(
        "receive a 2 id=m lot=l expires=90d; receive b 1 id=m; reserve r a=2 b=1 ttl=1d; capture r a=2 id=c; pass 1h
         receive a 1 id=n lot=l expires=80d -> CONFLICT; configure a backorder=1 -> CONFLICT; release r; pass 9999
         receive a 1 id=n lot=l expires=80d -> CONFLICT; configure a backorder=1 -> CONFLICT; pass 1
         configure a backorder=1; receive a 1 id=n lot=l -> CONFLICT; configure a
         receive a 1 id=n lot=l expires=80d -> 1",
    );
}

/// The return moves nothing of `a`, and yet its lot is remembered from there.
#[test]
fn a_return_of_one_item_keeps_the_lots_of_the_others() {
    check(
        "receive a 2 id=m lot=l; receive b 1 id=m; reserve r a=2 b=1 capture; pass 9s; return r b=1 id=b; pass 9999
         configure a backorder=1 -> CONFLICT; receive a 1 id=n lot=l expires=1h -> CONFLICT; pass 1
         configure a backorder=1; configure a; receive a 1 id=n lot=l expires=1h -> 1",
    );
}

#[test]
fn an_extend_keeps_an_empty_lot_through_its_reservation() {
    check(
        "receive a 1 id=m lot=l; receive b 1 id=m; reserve r a=1 b=1 ttl=8s; capture r a=1 id=c; pass 7s; extend r ttl=1m
         pass 50s; configure a backorder=1 -> CONFLICT; pass 20s; reservation r -> ended expired
         pass 9999; configure a backorder=1 -> CONFLICT; pass 1; configure a backorder=1",
    );
}

#[test]
fn units_come_back_into_a_lot_that_a_return_finds() {
    check(
        "receive a 2 id=m lot=l expires=1h at=p; reserve r a=2 capture; pass 9999; return r a=1 id=b -> captured
         item a -> lots l:1/0; adjust a -1 id=n lot=l; pass 9999; return r a=1 id=c -> captured; item a -> lots l:1/0",
    );
}

/// What a limit has counted outlives the retention of records.
#[test]
fn limits_count_on_beyond_the_retention() {
    check(
        "configure a limit=3; receive a 9 id=m; reserve r a=2 for=ann capture; pass 1h; reservation r -> null
         holder a ann -> held 0 counted 2 left 1; reserve r a=2 for=ann capture -> LIMIT a ann wanted 2 left 1",
    );
}

fn histories(seeds: std::ops::Range<u64>, restarts: u64) {
    let retentions = [1, 50, 2_000, 10_000, 60_000];
    let met: Vec<Met> = seeds.map(|seed| run(seed, 400, retentions[seed as usize % 5], restarts)).collect();
    let dropped: u64 = met.iter().map(|met| met.dropped).sum();
    assert!(dropped > 300, "generations go: {dropped}");
}

#[test]
fn sixty_histories_with_short_retentions_forget_the_same_in_memory_and_out_of_it() {
    histories(2_000..2_060, 0);
}

#[test]
fn sixty_histories_with_short_retentions_and_restarts_forget_the_same() {
    histories(3_000..3_060, 20);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_forgets_the_same_in_memory_and_out_of_it(seed: u64, retention_ms in 1..60_000u64, restarts in 0..60u64) {
        run(seed, 300, retention_ms, restarts);
    }
}
