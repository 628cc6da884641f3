//! The table of what the verbs mean, one test a cell: each verb on `held`, replayed, late (on each final state), and
//! on an id that nobody has used.

use crate::script::check;

// Reserve.

#[test]
fn a_reserve_holds_until_its_ttl() {
    check(
        "configure a; receive a 5 id=m1; reserve r1 a=2 ttl=10s -> held until 10000 | reservation.held a=2
         item a -> on_hand 5 reserved 2 available 3
         tick 9999
         item a -> reserved 2
         tick 1 -> expired r1
         item a -> on_hand 5 reserved 0 available 5
         reservation r1 -> state expired ended expired quantity 2 expired 2",
    );
}

#[test]
fn a_reserve_again_on_held_is_replayed_and_the_first_ttl_stands() {
    check(
        "receive a 5 id=m1; reserve r1 a=2 ttl=10s -> held until 10000
         tick 5s
         reserve r1 a=2 ttl=10s -> held until 10000 replayed |
         item a -> reserved 2",
    );
}

#[test]
fn a_reserve_again_on_captured_is_replayed_as_captured() {
    check(
        "receive a 5 id=m1; reserve r1 a=2 ttl=10s; capture r1
         reserve r1 a=2 ttl=10s -> captured replayed |
         item a -> on_hand 3 reserved 0",
    );
}

#[test]
fn a_reserve_again_on_released_says_released() {
    check("receive a 5 id=m1; reserve r1 a=2 ttl=10s; release r1; reserve r1 a=2 ttl=10s -> RELEASED");
}

#[test]
fn a_reserve_again_on_expired_says_expired() {
    check("receive a 5 id=m1; reserve r1 a=2 ttl=10s; tick 10s -> expired r1; reserve r1 a=2 ttl=10s -> EXPIRED");
}

#[test]
fn a_reserve_again_on_partially_captured_says_how_the_rest_ended() {
    check(
        "receive a 9 id=m1
         reserve r1 a=2 ttl=10s; capture r1 a=1 id=c; release r1; reserve r1 a=2 ttl=10s -> RELEASED
         reserve r2 a=2 ttl=10s; capture r2 a=1 id=c; tick 10s -> expired r2; reserve r2 a=2 ttl=10s -> EXPIRED",
    );
}

#[test]
fn every_verb_sees_the_end_of_the_reservation_that_it_names() {
    check(
        "receive a 9 id=m1
         reserve r1 a=1 ttl=10s; reserve r2 a=1 ttl=10s; reserve r3 a=1 ttl=10s; reserve r4 a=1 ttl=10s
         reserve r5 a=1 ttl=10s; reserve r6 a=1 ttl=10s
         pass 10s
         reserve r1 a=1 ttl=10s -> EXPIRED | reservation.expired a=1
         release r2 -> expired replayed | reservation.expired a=1
         release r3 a=1 id=x -> EXPIRED | reservation.expired a=1
         extend r4 ttl=1s -> EXPIRED | reservation.expired a=1
         return r5 id=x -> EXPIRED | reservation.expired a=1
         reservation r6 -> state expired | reservation.expired a=1
         item a -> available 9",
    );
}

#[test]
fn units_of_other_ends_come_free_as_these_are_written() {
    check(
        "receive a 1 id=m1; reserve r1 a=1 ttl=10s; pass 10s
         reserve r2 a=1 ttl=10s -> INSUFFICIENT a wanted 1 available 0 |
         tick 0 -> expired r1
         reserve r2 a=1 ttl=10s -> held",
    );
}

#[test]
fn a_reserve_with_other_content_is_a_conflict_in_every_state() {
    check(
        "receive a 9 id=m1; receive b 9 id=m1; receive a 9 id=m2 lot=l at=p
         reserve r1 a=2 b=1 ttl=10s for=ann until=20s
         reserve r1 b=1 a=2 ttl=1s for=ann until=20s -> held replayed
         reserve r1 a=2 b=2 ttl=10s for=ann until=20s -> CONFLICT id
         reserve r1 a=2 ttl=10s for=ann until=20s -> CONFLICT id
         reserve r1 a=2 b=1 ttl=10s for=ben until=20s -> CONFLICT id
         reserve r1 a=2 b=1 ttl=10s until=20s -> CONFLICT id
         reserve r1 a=2 b=1 ttl=10s for=ann until=21s -> CONFLICT id
         reserve r1 a=2 b=1 ttl=10s for=ann -> CONFLICT id
         reserve r1 a=2 b=1 ttl=10s for=ann until=20s capture -> CONFLICT id
         reserve r1 a=2@l b=1 ttl=10s for=ann until=20s -> CONFLICT id
         reserve r1 a=2%p b=1 ttl=10s for=ann until=20s -> CONFLICT id
         reserve r2 a=1 a=1 ttl=10s; reserve r2 a=2 ttl=10s -> CONFLICT id
         capture r1; reserve r1 a=2 ttl=10s -> CONFLICT id
         release r2; reserve r2 a=2 ttl=10s -> CONFLICT id
         reserve r3 a=1 ttl=1s; tick 1s -> expired r3
         reserve r3 a=2 ttl=1s -> CONFLICT id",
    );
}

#[test]
fn the_id_of_a_refused_reserve_is_free_with_any_content() {
    check(
        "receive a 1 id=m1; configure b limit=1
         reserve r1 a=2 ttl=10s -> INSUFFICIENT a wanted 2 available 1
         reserve r1 c=1 ttl=10s -> NOTFOUND c
         reserve r1 b=1 ttl=10s -> INVALID
         reserve r1 b=2 ttl=10s for=ann -> LIMIT b ann wanted 2 left 1
         reservation r1 -> null
         reserve r1 a=1 ttl=10s -> held",
    );
}

#[test]
fn a_tombstone_stops_late_copies_of_a_reserve_whatever_they_hold() {
    check(
        "receive a 5 id=m1; release r1 -> released tombstone
         reserve r1 a=1 ttl=10s -> RELEASED
         reserve r1 a=2 ttl=10s capture -> RELEASED
         item a -> reserved 0 captured 0",
    );
}

#[test]
fn who_gives_up_after_a_refusal_leaves_a_tombstone_for_late_copies() {
    check(
        "receive a 1 id=m1; reserve r1 a=2 ttl=1s -> INSUFFICIENT a wanted 2 available 1
         release r1 -> released tombstone
         receive a 9 id=m2; reserve r1 a=2 ttl=1s -> RELEASED
         item a -> reserved 0",
    );
}

#[test]
fn a_reserve_with_other_content_conflicts_with_what_was_captured_in_part_too() {
    check(
        "receive a 9 id=m1; reserve r1 a=2 ttl=10s; capture r1 a=1 id=c; release r1
         reserve r1 a=3 ttl=10s -> CONFLICT id; reserve r1 a=2 ttl=10s capture -> CONFLICT id",
    );
}

#[test]
fn a_reserve_again_after_a_return_is_replayed_since_the_state_stays() {
    check(
        "receive a 5 id=m1; reserve r1 a=2 capture; return r1 id=b -> captured
         reserve r1 a=2 capture -> captured replayed |
         reserve r2 a=2 ttl=1h; capture r2; return r2 a=1 id=b; reserve r2 a=2 ttl=1s -> captured replayed |",
    );
}

// Reserve with capture.

#[test]
fn a_reserve_with_capture_is_captured_in_one_step_and_its_ttl_is_not_used() {
    check(
        "receive a 5 id=m1
         reserve r1 a=2 capture -> captured | reservation.captured a=2
         reserve r2 a=1 ttl=0 capture -> captured
         reserve r3 a=1 ttl=5s capture -> captured
         item a -> on_hand 1 reserved 0 captured 4
         tick 10s
         reservation r3 -> state captured ended captured captured 1 expires_at - version 1
         reserve r4 a=2 capture -> INSUFFICIENT a wanted 2 available 1
         reserve r4 a=1 ttl=31d capture -> INVALID",
    );
}

#[test]
fn a_reserve_with_capture_again_is_replayed_as_captured() {
    check(
        "receive a 5 id=m1; reserve r1 a=2 capture; reserve r1 a=2 ttl=9s capture -> captured replayed
         reserve r1 a=2 ttl=9s -> CONFLICT id
         item a -> on_hand 3",
    );
}

// Capture of the whole.

#[test]
fn a_capture_takes_all_that_is_left() {
    check(
        "receive a 5 id=m1; reserve r1 a=4 ttl=10s; capture r1 a=1 id=c; release r1 a=1 id=r
         capture r1 -> captured | reservation.captured a=2
         item a -> on_hand 2 reserved 0 captured 3 available 2
         reservation r1 -> captured 3 released 1 ended captured",
    );
}

#[test]
fn a_capture_again_on_captured_is_replayed() {
    check(
        "receive a 5 id=m1; reserve r1 a=2 ttl=10s; capture r1; capture r1 -> captured replayed |
         capture r1 id=x -> captured replayed |
         item a -> captured 2",
    );
}

#[test]
fn a_capture_of_what_ended_otherwise_says_how_it_ended() {
    check(
        "receive a 9 id=m1
         reserve r1 a=2 ttl=10s; release r1; capture r1 -> RELEASED
         reserve r2 a=2 ttl=10s; capture r2 a=1 id=c; release r2; capture r2 -> RELEASED
         reserve r3 a=2 ttl=10s; reserve r4 a=2 ttl=10s; capture r4 a=1 id=c
         tick 10s -> expired r4 expired r3
         capture r3 -> EXPIRED
         capture r4 -> EXPIRED
         item a -> on_hand 7 reserved 0",
    );
}

#[test]
fn a_capture_at_its_end_is_too_late_though_nobody_wrote_the_end() {
    check(
        "receive a 5 id=m1; reserve r1 a=2 ttl=10s; pass 9999
         capture r1 a=1 id=c -> held
         pass 1
         capture r1 -> EXPIRED | reservation.expired a=1
         item a -> on_hand 4 reserved 0 captured 1
         reserve r2 a=1 ttl=1s; pass 1d
         capture r2 a=1 id=c -> EXPIRED | reservation.expired a=1",
    );
}

#[test]
fn a_capture_of_an_unknown_id_is_not_found_and_leaves_nothing() {
    check("capture r1 -> NOTFOUND r1 |; reservation r1 -> null");
}

#[test]
fn a_capture_of_a_tombstone_says_released() {
    check("release r1; capture r1 -> RELEASED; extend r1 ttl=1s -> RELEASED; return r1 id=x -> RELEASED");
}

#[test]
fn the_whole_again_under_a_new_id_is_replayed_and_that_id_is_not_kept() {
    check(
        "receive a 9 id=m1; reserve r1 a=2 ttl=10s; capture r1; capture r1 id=x -> captured replayed |
         capture r1 a=2 id=x -> CAPTURED
         reserve r2 a=2 ttl=10s; release r2; release r2 id=x -> released replayed |
         release r2 a=2 id=x -> RELEASED",
    );
}

// Capture of a part.

#[test]
fn a_capture_of_a_part_leaves_the_rest_held_and_needs_an_id() {
    check(
        "receive a 9 id=m1; receive b 9 id=m1; reserve r1 a=2 b=3 a=1 ttl=10s
         capture r1 a=1 -> INVALID
         capture r1 b=1 a=2 id=c -> held | reservation.captured a=2 b=1
         item a -> on_hand 7 reserved 1
         item b -> on_hand 8 reserved 2
         reservation r1 -> captured 3 quantity 6",
    );
}

#[test]
fn a_part_of_more_than_is_left_exceeds_and_nothing_is_captured() {
    check(
        "receive a 9 id=m1; receive b 9 id=m1; reserve r1 a=3 b=1 ttl=10s
         capture r1 b=1 a=4 id=c -> EXCEEDS a wanted 4 left 3 |
         capture r1 a=2 a=2 id=c -> EXCEEDS a wanted 4 left 3
         capture r1 z=1 id=c -> EXCEEDS z wanted 1 left 0
         release r1 a=4 id=c -> EXCEEDS a wanted 4 left 3
         capture r1 a=3 id=c -> held",
    );
}

#[test]
fn a_part_again_is_replayed_whatever_the_state() {
    check(
        "receive a 9 id=m1; receive b 9 id=m1; reserve r1 a=3 b=1 ttl=10s
         capture r1 a=1 b=1 id=c -> held
         capture r1 b=1 a=1 id=c -> held replayed |
         release r1 a=1 id=r -> held
         release r1 a=1 id=r -> held replayed |
         tick 10s -> expired r1
         capture r1 a=1 b=1 id=c -> partially_captured replayed |
         release r1 a=1 id=r -> partially_captured replayed |
         item a -> on_hand 8 reserved 0",
    );
}

#[test]
fn a_part_with_an_id_of_other_content_is_a_conflict() {
    check(
        "receive a 9 id=m1; reserve r1 a=5 ttl=10s; capture r1 a=2 id=x
         capture r1 a=1 id=x -> CONFLICT id
         capture r1 a=1 a=1 id=x -> CONFLICT id
         capture r1 id=x -> CONFLICT id
         release r1 a=2 id=x -> held
         release r1 id=x -> CONFLICT id
         capture r1 id=w -> captured
         capture r1 a=1 id=w -> CONFLICT id
         capture r1 id=w -> captured replayed",
    );
}

#[test]
fn a_new_part_on_a_final_state_gets_its_error() {
    check(
        "receive a 9 id=m1
         reserve r1 a=1 ttl=10s; capture r1; capture r1 a=1 id=x -> CAPTURED; release r1 a=1 id=x -> CAPTURED
         reserve r2 a=1 ttl=10s; release r2; capture r2 a=1 id=x -> RELEASED; release r2 a=1 id=x -> RELEASED
         reserve r3 a=1 ttl=10s; tick 10s -> expired r3
         capture r3 a=1 id=x -> EXPIRED; release r3 a=1 id=x -> EXPIRED
         release r4; capture r4 a=1 id=x -> RELEASED; release r4 a=1 id=x -> RELEASED
         reserve r5 a=2 ttl=10s; capture r5 a=1 id=c; release r5
         capture r5 a=1 id=x -> RELEASED; release r5 a=1 id=x -> RELEASED
         reserve r6 a=2 ttl=10s; capture r6 a=1 id=c; tick 10s -> expired r6
         capture r6 a=1 id=x -> EXPIRED; release r6 a=1 id=x -> EXPIRED; extend r6 ttl=1s -> EXPIRED",
    );
}

#[test]
fn a_part_of_an_unknown_id_is_not_found_and_leaves_no_tombstone() {
    check(
        "capture r1 a=1 id=x -> NOTFOUND r1; release r1 a=1 id=x -> NOTFOUND r1; reservation r1 -> null
         receive a 1 id=m1; reserve r1 a=1 ttl=1s -> held",
    );
}

// Release.

#[test]
fn a_release_gives_back_all_that_is_left_with_lots_and_limits() {
    check(
        "configure a limit=3; receive a 2 id=m1 lot=l1 expires=1h; receive a 2 id=m2 lot=l2
         reserve r1 a=3 ttl=10s for=ann
         holder a ann -> held 3 counted 0 left 0
         item a -> lots l1:2/2,l2:2/1
         release r1 -> released | reservation.released a=1@l2 a=2@l1
         item a -> available 4 lots l1:2/0,l2:2/0
         holder a ann -> held 0 counted 0 left 3",
    );
}

#[test]
fn a_release_again_is_replayed_on_all_that_was_not_wholly_captured() {
    check(
        "receive a 9 id=m1
         reserve r1 a=1 ttl=10s; release r1; release r1 -> released replayed |; release r1 id=x -> released replayed |
         reserve r2 a=2 ttl=10s; capture r2 a=1 id=c; release r2 -> partially_captured
         release r2 -> partially_captured replayed |
         reserve r3 a=1 ttl=10s; tick 10s -> expired r3
         release r3 -> expired replayed |",
    );
}

#[test]
fn a_release_of_what_is_captured_says_captured() {
    check("receive a 9 id=m1; reserve r1 a=1 ttl=10s; capture r1; release r1 -> CAPTURED; item a -> captured 1");
}

#[test]
fn a_release_of_an_unknown_id_leaves_a_tombstone() {
    check(
        "release r1 -> released tombstone | reservation.released
         release r1 -> released replayed tombstone |
         reservation r1 -> state released ended released tombstone 1 lines 0 version 1
         release r2 id=x -> released tombstone
         release r2 id=x -> released replayed tombstone
         release r2 a=1 id=x -> CONFLICT id",
    );
}

#[test]
fn a_release_of_a_part_gives_back_what_was_taken_last() {
    check(
        "receive a 2 id=m1 lot=l1 expires=1h; receive a 2 id=m2 lot=l2; reserve r1 a=4 ttl=10s
         release r1 a=3 -> INVALID
         release r1 a=3 id=x -> held | reservation.released a=2@l2 a=1@l1
         item a -> lots l1:2/1,l2:2/0
         release r1 a=1 id=y -> released
         reservation r1 -> released 4 ended released",
    );
}

#[test]
fn the_last_rest_decides_the_state() {
    check(
        "receive a 9 id=m1
         reserve r1 a=2 ttl=10s; capture r1 a=1 id=c; release r1 a=1 id=r -> partially_captured
         reservation r1 -> ended released captured 1 released 1
         reserve r2 a=2 ttl=10s; release r2 a=1 id=r; capture r2 a=1 id=c -> captured
         reservation r2 -> ended captured captured 1 released 1
         reserve r3 a=2 ttl=10s; release r3 a=1 id=r; tick 10s -> expired r3
         reservation r3 -> state expired ended expired released 1 expired 1
         reserve r4 a=2 ttl=10s; capture r4 a=1 id=r; tick 10s -> expired r4
         reservation r4 -> state partially_captured ended expired captured 1 expired 1",
    );
}

// Extend.

#[test]
fn an_extend_moves_the_end_to_the_later_of_both() {
    check(
        "receive a 5 id=m1; reserve r1 a=1 ttl=10s
         extend r1 ttl=20s -> held until 20000 | reservation.extended
         extend r1 ttl=5s -> held until 20000 |
         extend r1 ttl=20s -> held until 20000 |
         item a -> version 3
         tick 19999
         extend r1 ttl=30d -> held until 2592019999
         tick 1
         capture r1 -> captured",
    );
}

#[test]
fn an_extend_of_what_is_final_gets_its_error() {
    check(
        "receive a 9 id=m1
         reserve r1 a=1 ttl=10s; capture r1; extend r1 ttl=1s -> CAPTURED
         reserve r2 a=1 ttl=10s; release r2; extend r2 ttl=1s -> RELEASED
         reserve r4 a=2 ttl=10s; capture r4 a=1 id=c; release r4; extend r4 ttl=1s -> RELEASED
         reserve r3 a=1 ttl=10s; tick 10s -> expired r3
         extend r3 ttl=1s -> EXPIRED",
    );
}

#[test]
fn an_extend_of_an_unknown_id_is_not_found() {
    check("extend r1 ttl=1s -> NOTFOUND r1; extend r1 ttl=0 -> INVALID; extend r1 ttl=31d -> INVALID");
}

// Return.

#[test]
fn a_return_brings_back_what_was_captured_whatever_the_state() {
    check(
        "configure a limit=9; receive a 2 id=m1 lot=l1 expires=1h; receive a 3 id=m2 lot=l2
         reserve r1 a=4 ttl=10s for=ann; capture r1 a=3 id=c
         return r1 a=2 id=b -> held | reservation.returned a=1@l2 a=1@l1
         holder a ann -> held 1 counted 1 left 7
         release r1 -> partially_captured
         return r1 id=b2 -> partially_captured | reservation.returned a=1@l1
         reservation r1 -> captured 3 returned 3 released 1 state partially_captured
         item a -> on_hand 5 returned 3 captured 3 lots l1:2/0,l2:3/0
         holder a ann -> held 0 counted 0 left 9",
    );
}

#[test]
fn a_return_on_captured_and_expired_rests_goes_to_on_hand() {
    check(
        "receive a 5 id=m1; reserve r1 a=2 capture; return r1 a=1 id=b -> captured
         reserve r2 a=2 ttl=1s; capture r2 a=1 id=c; tick 1s -> expired r2
         return r2 id=b -> partially_captured
         item a -> on_hand 4 captured 3 returned 2",
    );
}

#[test]
fn a_return_needs_an_id_and_exceeds_when_more_or_nothing_is_left() {
    check(
        "receive a 5 id=m1; reserve r1 a=2 ttl=10s
         return r1 -> INVALID
         return r1 a=1 -> INVALID
         return r1 id=b -> EXCEEDS a wanted 2 left 0
         return r1 a=1 id=b -> EXCEEDS a wanted 1 left 0
         capture r1
         return r1 a=3 id=b -> EXCEEDS a wanted 3 left 2
         return r1 id=b -> captured
         return r1 id=b2 -> EXCEEDS a wanted 2 left 0",
    );
}

#[test]
fn a_return_again_is_replayed_and_other_content_is_a_conflict() {
    check(
        "receive a 5 id=m1; reserve r1 a=3 capture; return r1 a=1 id=b -> captured
         return r1 a=1 id=b -> captured replayed |
         return r1 a=2 id=b -> CONFLICT id
         return r1 id=b -> CONFLICT id
         return r1 id=w -> captured
         return r1 id=w -> captured replayed |",
    );
}

#[test]
fn a_return_of_what_was_never_captured_gets_the_states_error() {
    check(
        "receive a 5 id=m1; reserve r1 a=1 ttl=10s; release r1; return r1 id=b -> RELEASED; return r1 a=1 id=b -> RELEASED
         reserve r2 a=1 ttl=1s; tick 1s -> expired r2
         return r2 id=b -> EXPIRED
         return r3 id=b -> NOTFOUND r3; return r3 a=1 id=b -> NOTFOUND r3; reservation r3 -> null",
    );
}
