//! The contract's verb table and fine print, cell by cell, as the model reads them.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use sumun_auditor::{Ledger, Trail};

mod script;

fn check(script: &str) {
    script::check(Ledger::new(), Trail::new(), script);
}

#[test]
fn a_receipt_for_an_unknown_sku_configures_it_first_and_a_replay_gives_the_first_answer() {
    check(
        "@1 RECEIVE a 5 ID m1 -> 5
         | item.configured a 0 = 0/0/0 v1
         | item.received a 5 = 5/0/5 v2
         RECEIVE a 2 ID m2 -> 7
         RECEIVE a 5 ID m1 -> 5 replayed
         RECEIVE a 6 ID m1 -> CONFLICT id
         ADJUST a 5 REASON x ID m1 -> CONFLICT id
         RECEIVE a 5 ID m1 LOT l -> CONFLICT id
         RECEIVE a 5 -> INVALID
         RECEIVE a 5 ID * -> INVALID
         RECEIVE a 0 ID m3 -> INVALID
         RECEIVE a 5 ID m3 EXPIRES 5 -> INVALID
         ADJUST a 0 REASON x ID m3 -> INVALID
         ADJUST b 1 REASON x ID m3 -> NOTFOUND b
         ADJUST a 1 REASON x ID m3 LOT l -> NOTFOUND l
         ITEM a -> 7/0/7
         ITEM b -> null",
    );
}

#[test]
fn settings_come_all_at_once_and_leave_no_event_when_nothing_changes() {
    check(
        "@1 CONFIGURE a SAFETY 2 BACKORDER 5 -> 3
         CONFIGURE a SAFETY 2 BACKORDER 5 -> 3
         ITEM a -> 0/0/3
         CONFIGURE a -> 0
         | item.configured a 0 = 0/0/0 v2
         CONFIGURE a KIND points -> CONFLICT
         CONFIGURE a LIMIT 0 -> INVALID
         CONFIGURE a LIMIT 1 WINDOW 0 -> INVALID
         CONFIGURE p KIND points SAFETY 1 -> CONFLICT
         CONFIGURE p KIND points -> 0
         CONFIGURE p BACKORDER 1 -> CONFLICT
         RECEIVE p 5 ID m LOT l -> CONFLICT
         RECEIVE p 5 ID m -> 5
         CONFIGURE a BACKORDER 9007199254740992 -> INVALID",
    );
}

#[test]
fn reserve_again_answers_as_the_record_stands_and_other_content_is_a_conflict() {
    check(
        "@1 RECEIVE a 9 ID m -> 9
         RESERVE r 100 2 a 1 a 2 FOR h -> held until 101
         | reservation.held a 3 = 9/3/6 v3
         RESERVE r 500 2 a 2 a 1 FOR h -> held until 101 replayed
         RESERVE r 100 1 a 3 FOR h -> CONFLICT id
         RESERVE r 100 2 a 1 a 2 -> CONFLICT id
         RESERVE r 100 2 a 1 a 2 FOR h UNTIL 5 -> CONFLICT id
         RESERVE r 100 2 a 1 a 2 FOR h CAPTURE -> CONFLICT id
         CAPTURE r -> captured until 101
         RESERVE r 100 2 a 1 a 2 FOR h -> captured until 101 replayed
         RESERVE s 100 1 a 1 -> held until 101
         RELEASE s -> released until 101
         RESERVE s 100 1 a 1 -> RELEASED
         RESERVE t 100 1 a 1 -> held until 101
         @101 RESERVE t 100 1 a 1 -> EXPIRED
         | reservation.expired a 1 = 6/0/6 v8
         RESERVE t 100 1 a 2 -> CONFLICT id
         RESERVE run:1 100 1 a 1 -> INVALID
         RESERVATION run:1 -> null
         RESERVE u 0 1 a 1 -> INVALID
         RESERVE u 2592000001 1 a 1 -> INVALID
         RESERVE u 1 0 -> INVALID",
    );
}

#[test]
fn a_refused_attempt_leaves_its_id_free() {
    check(
        "@1 RECEIVE a 1 ID m -> 1
         RESERVE r 100 1 a 2 -> INSUFFICIENT a wanted 2 available 1
         RESERVE r 100 1 b 2 -> NOTFOUND b
         RESERVE r 100 1 a 1 -> held until 101",
    );
}

#[test]
fn reserve_with_capture_is_captured_in_the_same_step() {
    check(
        "@1 RECEIVE a 3 ID m -> 3
         RESERVE r - 1 a 2 CAPTURE -> captured
         | reservation.captured a 2 = 1/0/1 v3
         RESERVE s 0 1 a 2 CAPTURE -> INSUFFICIENT a wanted 2 available 1
         RESERVE r 7 1 a 2 CAPTURE -> captured replayed
         CAPTURE r -> captured replayed
         RELEASE r -> CAPTURED
         EXTEND r 5 -> CAPTURED
         RETURN r 1 a 1 ID x -> captured
         | reservation.returned a 1 = 2/0/2 v4
         RESERVATION r -> captured by captured [a 2 c2 b1 -:2]",
    );
}

#[test]
fn parts_move_once_and_the_last_rest_decides_the_state() {
    check(
        "@1 RECEIVE a 9 ID m -> 9
         RESERVE r 100 1 a 5 -> held until 101
         CAPTURE r 1 a 2 -> INVALID
         CAPTURE r 1 a 2 ID x -> held until 101
         CAPTURE r 1 a 2 ID x -> held until 101 replayed
         CAPTURE r 1 a 3 ID x -> CONFLICT id
         CAPTURE r ID x -> CONFLICT id
         CAPTURE r 1 a 4 ID y -> EXCEEDS a wanted 4 left 3
         CAPTURE r 1 b 1 ID y -> EXCEEDS b wanted 1 left 0
         RELEASE r 2 a 1 a 1 ID x -> held until 101
         RELEASE r 1 a 1 ID y -> partially_captured until 101
         CAPTURE r 1 a 2 ID x -> partially_captured until 101 replayed
         CAPTURE r 1 a 2 ID z -> RELEASED
         CAPTURE r -> RELEASED
         RELEASE r -> partially_captured until 101 replayed
         RELEASE r 2 a 1 a 1 ID x -> partially_captured until 101 replayed
         RESERVE r 1 1 a 5 -> RELEASED
         RETURN r 1 a 3 ID x -> EXCEEDS a wanted 3 left 2
         RETURN r ID x -> partially_captured until 101
         RETURN r ID y -> EXCEEDS a wanted 5 left 0
         RETURN r -> INVALID
         RESERVATION r -> partially_captured by released [a 5 c2 r3 b2 -:5]
         ITEM a -> 9/0/9",
    );
}

#[test]
fn a_rest_that_is_captured_last_makes_captured_though_a_part_was_released() {
    check(
        "@1 RECEIVE a 9 ID m -> 9
         RESERVE r 100 1 a 3 -> held until 101
         RELEASE r 1 a 1 ID x -> held until 101
         CAPTURE r ID y -> captured until 101
         CAPTURE r ID z -> captured until 101 replayed
         CAPTURE r 1 a 1 ID z -> CAPTURED
         RELEASE r 1 a 1 ID q -> CAPTURED
         RELEASE r 1 a 1 ID x -> captured until 101 replayed
         RESERVATION r -> captured by captured [a 3 c2 r1 -:3]
         RESERVE s 100 1 a 2 -> held until 101
         CAPTURE s 1 a 1 ID x -> held until 101
         @101 CAPTURE s -> EXPIRED
         RELEASE s -> partially_captured until 101 replayed
         RESERVATION s -> partially_captured by expired [a 2 c1 e1 -:2]",
    );
}

#[test]
fn a_release_of_an_unknown_id_is_a_tombstone_and_a_part_of_it_is_not() {
    check(
        "@1 RECEIVE a 9 ID m -> 9
         RELEASE r 1 a 1 ID x -> NOTFOUND r
         CAPTURE r -> NOTFOUND r
         EXTEND r 5 -> NOTFOUND r
         RETURN r ID x -> NOTFOUND r
         RELEASE r -> released tombstone
         | reservation.released
         RELEASE r -> released replayed tombstone
         RESERVE r 5 1 a 1 -> RELEASED
         CAPTURE r -> RELEASED
         EXTEND r 5 -> RELEASED
         RETURN r ID x -> RELEASED
         RESERVATION r -> released by released
         ITEM a -> 9/0/9",
    );
}

#[test]
fn extend_never_shortens_and_is_no_use_after_the_end() {
    check(
        "@1 RECEIVE a 1 ID m -> 1
         RESERVE r 100 1 a 1 -> held until 101
         EXTEND r 50 -> held until 101
         @50 EXTEND r 100 -> held until 150
         | reservation.extended
         @149 EXTEND r 1 -> held until 150
         @150 EXTEND r 100 -> EXPIRED
         | reservation.expired a 1 = 1/0/1 v4
         EXTEND r 0 -> INVALID",
    );
}

#[test]
fn nothing_is_returned_that_was_never_captured() {
    check(
        "@1 RECEIVE a 9 ID m -> 9
         RESERVE r 100 2 a 2 a 1 -> held until 101
         RETURN r ID x -> EXCEEDS a wanted 3 left 0
         RETURN r 1 a 1 ID x -> EXCEEDS a wanted 1 left 0
         RELEASE r -> released until 101
         RETURN r ID x -> RELEASED
         RESERVE s 1 1 a 1 -> held until 2
         @2 RETURN s ID x -> EXPIRED",
    );
}

#[test]
fn lots_are_taken_earliest_expiry_first_and_loose_units_last() {
    check(
        "@1 RECEIVE a 2 ID m0 -> 2
         RECEIVE a 2 ID m1 LOT l1 EXPIRES 900 -> 4
         RECEIVE a 2 ID m2 LOT l2 EXPIRES 500 -> 6
         RECEIVE a 2 ID m3 LOT l3 -> 8
         RECEIVE a 2 ID m4 LOT l0 EXPIRES 900 -> 10
         RESERVE r 100 1 a 9 -> held until 101
         RESERVATION r -> held [a 9 l2:2 l1:2 l0:2 l3:2 -:1]
         CAPTURE r 1 a 5 ID x -> held until 101
         | reservation.captured a 2@l2 = 5/4/1 v8 a 2@l1 = 5/4/1 v8 a 1@l0 = 5/4/1 v8
         RELEASE r 1 a 2 ID x -> held until 101
         | reservation.released a 1 = 5/2/3 v9 a 1@l3 = 5/2/3 v9
         RETURN r 1 a 2 ID x -> held until 101
         | reservation.returned a 1@l0 = 7/2/5 v10 a 1@l1 = 7/2/5 v10
         ITEM a -> 7/2/5 l1:1/0 l0:2/1 l3:2/1 -:2/0
         CONFIGURE a ALLOCATION fifo -> 5
         ITEM a -> 7/2/5 l1:1/0 l3:2/1 l0:2/1 -:2/0",
    );
}

#[test]
fn a_lot_that_ends_too_early_is_not_taken_named_or_not() {
    check(
        "@1 RECEIVE a 2 ID m1 LOT l1 EXPIRES 500 -> 2
         RECEIVE a 2 ID m2 LOT l2 EXPIRES 900 AT here -> 4
         RESERVE r 100 1 a 3 UNTIL 500 -> INSUFFICIENT a wanted 3 available 2
         RESERVE r 100 1 a 1 UNTIL 500 LOT 1 l1 -> INSUFFICIENT a wanted 1 available 0
         RESERVE r 100 1 a 1 LOT 1 none -> INSUFFICIENT a wanted 1 available 0
         RESERVE r 100 1 a 3 AT 1 here -> INSUFFICIENT a wanted 3 available 2
         RESERVE r 100 1 a 1 LOT 1 l1 AT 1 here -> INSUFFICIENT a wanted 1 available 0
         RESERVE r 100 3 a 1 a 1 a 1 LOT 3 l1 AT 2 here -> held until 101
         RESERVATION r -> held [a 1 l1:1] [a 1 l2:1] [a 1 l1:1]
         RESERVE s 100 2 a 9 a 1 LOT 1 l1 -> INSUFFICIENT a wanted 10 available 1",
    );
}

#[test]
fn a_lot_that_ends_while_held_stays_with_its_holder() {
    check(
        "@1 RECEIVE a 3 ID m1 LOT l1 EXPIRES 50 -> 3
         RECEIVE a 2 ID m2 LOT l2 -> 5
         RESERVE r 1000 1 a 1 -> held until 1001
         @50 ITEM a -> 5/1/2 expired 3 l1:3/1 l2:2/0
         | lot.expired a 2@l1 = 5/1/2 v5
         RESERVE s 10 1 a 3 -> INSUFFICIENT a wanted 3 available 2
         CAPTURE r -> captured until 1001
         | reservation.captured a 1@l1 = 4/0/2 v6
         RETURN r ID x -> captured until 1001
         | reservation.returned a 1@l1 = 5/0/2 v7
         ADJUST a -4 REASON gone ID m3 -> 1
         | item.adjusted a -3@l1 = 1/0/1 v8 a -1@l2 = 1/0/1 v8
         RECEIVE a 1 ID m4 LOT l3 EXPIRES 50 -> 1
         ITEM a -> 2/0/1 expired 1 l3:1/0 l2:1/0",
    );
}

#[test]
fn a_lots_expiry_and_place_never_change_and_lots_and_backorders_exclude_each_other() {
    check(
        "@1 RECEIVE a 3 ID m1 LOT l1 EXPIRES 50 AT x -> 3
         RECEIVE a 3 ID m2 LOT l1 -> 6
         RECEIVE a 3 ID m3 LOT l1 EXPIRES 51 -> CONFLICT
         RECEIVE a 3 ID m3 LOT l1 AT y -> CONFLICT
         CONFIGURE a BACKORDER 1 -> CONFLICT
         CONFIGURE b BACKORDER 3 -> 3
         RECEIVE b 1 ID m1 LOT l1 -> CONFLICT
         RESERVE r 10 1 b 2 CAPTURE -> captured
         ITEM b -> -2/0/1
         CONFIGURE b -> 0
         RECEIVE b 1 ID m1 LOT l1 -> CONFLICT
         RECEIVE b 2 ID m1 -> 0
         RECEIVE b 2 ID m2 LOT l1 -> 2",
    );
}

#[test]
fn an_adjustment_downwards_never_takes_what_is_reserved_but_eats_into_safety_stock() {
    check(
        "@1 CONFIGURE a SAFETY 2 -> 0
         RECEIVE a 5 ID m1 LOT l1 -> 3
         RECEIVE a 2 ID m2 -> 5
         RESERVE r 100 1 a 4 -> held until 101
         ADJUST a -2 REASON x ID m3 LOT l1 -> INSUFFICIENT a wanted 2 available 1
         ADJUST a -4 REASON x ID m3 -> INSUFFICIENT a wanted 4 available 3
         ADJUST a -3 REASON x ID m3 -> 0
         | item.adjusted a -1@l1 = 4/4/0 v5 a -2 = 4/4/0 v5
         ADJUST a -3 REASON x ID m3 -> 0 replayed
         ADJUST a -3 REASON y ID m3 -> CONFLICT id",
    );
}

#[test]
fn a_limit_counts_what_is_held_and_what_was_captured_within_its_window() {
    check(
        "@1000 CONFIGURE a LIMIT 3 WINDOW 10000 -> 0
         RECEIVE a 99 ID m -> 99
         RESERVE r1 100 1 a 1 -> INVALID
         RESERVE r1 100 1 a 2 FOR h -> held until 1100
         RESERVE r2 100 2 a 1 a 1 FOR h -> LIMIT a h wanted 2 left 1
         CAPTURE r1 -> captured until 1100
         HOLDER a h -> held 0 counted 2 left 1 free 11000
         RETURN r1 1 a 1 ID x -> captured until 1100
         RESERVE r2 100 1 a 3 FOR h -> LIMIT a h wanted 3 left 2
         RESERVE r2 100 1 a 2 FOR h -> held until 1100
         RELEASE r2 -> released until 1100
         @10999 RESERVE r3 100 1 a 3 FOR h -> LIMIT a h wanted 3 left 2
         @11011 RESERVE r3 100 1 a 3 FOR h -> held until 11111
         CONFIGURE a -> 95
         RESERVE r4 100 1 a 1 FOR h -> held until 11111
         CONFIGURE a LIMIT 9 -> 94
         HOLDER a h -> held 4 counted 1 left 4",
    );
}

#[test]
fn what_was_held_before_an_item_first_had_a_limit_does_not_count() {
    check(
        "@1 RECEIVE a 99 ID m -> 99
         RESERVE r1 100 1 a 5 FOR h -> held until 101
         CONFIGURE a LIMIT 2 -> 94
         RESERVE r2 100 1 a 2 FOR h -> held until 101
         RESERVE r3 100 1 a 1 FOR h -> LIMIT a h wanted 1 left 0
         RESERVE r3 100 1 a 1 FOR i -> held until 101
         @101 RESERVE r3 100 1 a 1 FOR i -> EXPIRED
         RESERVE r4 100 1 a 2 FOR i -> held until 201",
    );
}

#[test]
fn the_first_kind_of_refusal_is_the_one_reported() {
    check(
        "@1 CONFIGURE a LIMIT 2 -> 0
         RECEIVE b 1 ID m -> 1
         RESERVE r 10 3 a 9 b 9 zz 1 -> NOTFOUND zz
         RESERVE r 10 2 b 9 a 9 -> INVALID
         RESERVE r 10 2 b 9 a 9 FOR h -> LIMIT a h wanted 9 left 2
         RESERVE r 10 2 b 9 a 2 FOR h -> INSUFFICIENT b wanted 9 available 1",
    );
}

#[test]
fn a_removed_item_is_hidden_and_goes_on_when_it_is_created_again() {
    check(
        "@1 CONFIGURE p KIND points -> 0
         RECEIVE p 2 ID m1 -> 2
         REMOVE p -> CONFLICT
         RESERVE r - 1 p 2 CAPTURE -> captured
         REMOVE p -> 0
         | item.removed p 0 = 0/0/0 v4
         REMOVE p -> NOTFOUND p
         ITEM p -> null
         RESERVE s 10 1 p 1 -> NOTFOUND p
         RETURN r ID x -> NOTFOUND p
         RECEIVE p 2 ID m1 -> 2 replayed
         ITEM p -> null
         ADJUST p 1 REASON x ID m2 -> NOTFOUND p
         RECEIVE p 1 ID m2 LOT l -> CONFLICT
         RECEIVE p 1 ID m2 -> 1
         | item.configured p 0 = 0/0/0 v5
         | item.received p 1 = 1/0/1 v6
         RETURN r ID x -> captured
         ITEM p -> 3/0/3",
    );
}

#[test]
fn figures_stop_at_2_to_the_53_less_1() {
    check(
        "@1 RECEIVE a 9007199254740990 ID m1 -> 9007199254740990
         RECEIVE a 2 ID m2 -> INVALID
         CONFIGURE a BACKORDER 1 -> 9007199254740991
         CONFIGURE a BACKORDER 2 -> INVALID
         ADJUST a 1 REASON x ID m2 -> INVALID
         CONFIGURE a -> 9007199254740990
         RESERVE r - 1 a 9007199254740989 CAPTURE -> captured
         RETURN r ID x -> captured
         RESERVE s 10 1 a 3 -> INVALID
         RESERVE s 10 1 a 2 -> held until 11",
    );
}

#[test]
fn the_caps_in_numbers_are_checked_last_and_the_whole_always_passes() {
    let mut script = String::from("@1 RECEIVE a 2000 ID m LOT z -> 2000\nRESERVE r 100 1 a 1999 -> held until 101\n");
    for n in 0..1024 {
        script += &format!("CAPTURE r 1 a 1 ID c{n} -> held until 101\n");
    }
    script += "CAPTURE r 1 a 976 ID d -> EXCEEDS a wanted 976 left 975\nCAPTURE r 1 a 1 ID d -> INVALID
        CAPTURE r 1 a 1 ID c0 -> held until 101 replayed\nCAPTURE r ID d -> captured until 101\n";
    check(&script);
    let mut script = String::from("@1 RECEIVE a 1 ID loose -> 1\n");
    for n in 0..1024 {
        script += &format!("RECEIVE a 1 ID m{n} LOT l{n} -> {}\n", n + 2);
    }
    script += "RECEIVE a 1 ID m LOT l -> INVALID\nRECEIVE a 1 ID m LOT l7 -> 1026
        ADJUST a -1 REASON x ID n LOT l9 -> 1025\nRECEIVE a 1 ID m1024 LOT l -> 1026
        ADJUST a 1 REASON x ID n2 LOT l9 -> INVALID\n";
    check(&script);
}

#[test]
fn ends_free_units_lots_first() {
    check(
        "@1 RECEIVE a 3 ID m1 LOT l1 EXPIRES 50 -> 3
         RECEIVE a 2 ID m2 -> 5
         RESERVE r 10 1 a 4 -> held until 11
         @60 ENDS
         | lot.expired a 0@l1 = 5/4/1 v5
         | reservation.expired a 1 = 5/0/2 v6 a 3@l1 = 5/0/2 v6
         ENDS",
    );
}
