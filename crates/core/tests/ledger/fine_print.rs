//! What the contract says beside the verb table: items, lots, limits, what is checked first, and the fine print.

use crate::script::check;
use crate::support::Judged;
use sumun_auditor::OwnedCommand;
use sumun_wire::{Answer, Command, Facts, State};

// What is checked, in this order.

#[test]
fn what_the_request_alone_shows_comes_first_then_the_id_then_skus_then_holder_limit_and_quantity() {
    check(
        "configure a limit=1; receive a 1 id=m1; configure b; reserve r1 a=1 ttl=1h for=ann
         reserve r1 z=1 ttl=0 -> INVALID
         reserve r1 z=1 ttl=1s -> CONFLICT id
         reserve r2 z=1 a=9 ttl=1s -> NOTFOUND z
         reserve r2 a=9 b=9 ttl=1s -> INVALID
         reserve r2 b=9 a=9 ttl=1s for=ann -> LIMIT a ann wanted 9 left 0
         reserve r2 b=9 ttl=1s -> INSUFFICIENT b wanted 9 available 0",
    );
}

#[test]
fn lines_of_one_sku_are_counted_together_and_the_first_sku_that_is_short_is_named() {
    check(
        "receive a 5 id=m1; receive b 5 id=m1
         reserve r1 b=3 a=3 a=3 b=3 ttl=1s -> INSUFFICIENT b wanted 6 available 5
         reserve r1 a=3 b=5 a=3 ttl=1s -> INSUFFICIENT a wanted 6 available 5
         reserve r1 a=3 b=5 a=2 ttl=1s -> held | reservation.held a=5 b=5",
    );
}

#[test]
fn a_refused_reserve_takes_nothing_of_any_line() {
    check(
        "receive a 5 id=m1; receive b 1 id=m1; reserve r1 a=5 b=2 ttl=1s -> INSUFFICIENT b wanted 2 available 1 |; item a -> reserved 0",
    );
}

#[test]
fn ids_that_begin_with_run_belong_to_flows() {
    check(
        "receive a 1 id=m1; reserve run:1 a=1 ttl=1s -> INVALID; capture run:1 -> INVALID; release run:1 -> INVALID
         extend run:1 ttl=1s -> INVALID; return run:1 id=x -> INVALID; reservation run:1 -> null; reserve runs a=1 ttl=1s -> held",
    );
}

#[test]
fn a_star_is_no_id() {
    check(
        "receive a 5 id=* -> INVALID; receive a 5 -> INVALID; receive a 5 id=m; adjust a 1 id=* -> INVALID; adjust a 1 -> INVALID
         reserve r a=1 ttl=1s; capture r id=* -> INVALID; release r id=* -> INVALID; return r id=* -> INVALID",
    );
}

#[test]
fn sixty_four_lines_are_the_most() {
    let lines = |count| "a=1 ".repeat(count);
    check(&format!(
        "receive a 99 id=m; reserve r1 {}ttl=1s -> INVALID; reserve r1 {}ttl=1s -> held; item a -> reserved 64
         capture r1 {}id=c -> INVALID; capture r1 {}id=c -> captured",
        lines(65),
        lines(64),
        lines(65),
        lines(64)
    ));
}

#[test]
fn names_have_1_to_128_bytes() {
    let name = |bytes| "n".repeat(bytes);
    check(&format!(
        "receive {} 1 id=m -> INVALID; receive {} 1 id={} lot={} at={} -> 1
         reserve {} a=1 ttl=1s -> INVALID; item . -> INVALID; item .. -> INVALID; item ... -> null",
        name(129),
        name(128),
        name(128),
        name(128),
        name(128),
        name(129)
    ));
}

#[test]
fn quantities_times_and_metadata_beyond_their_limits_are_invalid() {
    let (most, beyond) = (9_007_199_254_740_991u64, 9_007_199_254_740_992u64);
    let json = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    // The end of the year 9999, counted from the beginning of the script.
    let last = 253_402_300_799_999 - crate::support::BEGIN;
    check(&format!(
        "configure a safety={most} -> 0; configure a safety={beyond} -> INVALID; configure a backorder={beyond} -> INVALID
         configure a limit=0 -> INVALID; configure a limit={beyond} -> INVALID; configure a limit={most} window={most} -> 0
         configure a limit=1 window=0 -> INVALID; configure a limit=1 window={beyond} -> INVALID
         configure a metadata={} -> 0; configure a metadata={} -> INVALID; configure a
         receive a 0 id=m -> INVALID; receive a 9 id=m; adjust a -{beyond} id=x -> INVALID; adjust a {beyond} id=x -> INVALID
         reserve r a=0 ttl=1s -> INVALID; reserve r a={beyond} ttl=1s -> INVALID; reserve r a=1 ttl=0 -> INVALID
         reserve r a=1 -> INVALID; reserve r a=1 ttl=2592000001 -> INVALID; reserve r a=1 ttl=30d until={last} -> held
         reserve s a=1 ttl=1s until={} -> INVALID; receive a 1 id=n lot=l expires={} -> INVALID
         capture r a=0 id=c -> INVALID; release r a={beyond} id=c -> INVALID; return r a=0 id=c -> INVALID",
        json(16 * 1_024),
        json(16 * 1_024 + 1),
        last + 1,
        last + 1
    ));
}

#[test]
fn what_a_sku_lacks_is_what_its_lines_could_have_been_given_together() {
    check(
        "receive a 2 id=m1 lot=l1 at=p; receive a 2 id=m2 lot=l2; receive a 5 id=m3
         reserve r a=3@l1 a=1 ttl=1s -> INSUFFICIENT a wanted 4 available 3
         reserve r a=3%p a=2@l1 ttl=1s -> INSUFFICIENT a wanted 5 available 2
         reserve r a=9 a=1@l1 ttl=1s -> INSUFFICIENT a wanted 10 available 9
         reserve r a=1@unknown a=1 ttl=1s -> INSUFFICIENT a wanted 2 available 1",
    );
}

#[test]
fn a_refusal_names_every_line_of_its_kind() {
    let mut judged = Judged::new(1);
    let mut refused = |text: &str| match judged.handle(&text.parse().unwrap()).unwrap().0 {
        Answer::Refused(refusal) => match refusal.facts {
            Facts::Missing(names) => names.iter().map(|name| name.to_string()).collect::<Vec<_>>(),
            Facts::Short(shorts) => shorts
                .iter()
                .map(|short| format!("{} {} {} {}", short.sku, short.wanted, short.available, short.reserved))
                .collect(),
            facts @ (Facts::None | Facts::Invalid(_) | Facts::About(_) | Facts::RetryAfterMs(_)) => panic!("{facts:?}"),
        },
        Answer::Available { .. }
        | Answer::Outcome(_)
        | Answer::Item(_)
        | Answer::Reservation(_)
        | Answer::Holder(_) => Vec::new(),
    };
    for text in ["CONFIGURE a LIMIT 3", "CONFIGURE b LIMIT 1", "RECEIVE a 2 ID m", "RESERVE r 9 1 a 1 FOR h"] {
        assert!(refused(text).is_empty(), "{text}");
    }
    assert_eq!(refused("RESERVE s 9 4 y 1 a 9 x 1 y 1 FOR h"), ["y", "x"]);
    assert_eq!(refused("RESERVE s 9 2 b 2 a 3 FOR h"), ["b 2 1 0", "a 3 2 0"]);
    assert_eq!(refused("RESERVE s 9 3 b 1 a 2 a 1 FOR i"), ["b 1 0 0", "a 3 1 1"]);
    assert_eq!(refused("CAPTURE r 2 z 1 a 2 ID c"), ["z 1 0 0", "a 2 1 0"]);
}

#[test]
fn the_sequence_of_a_replay_is_the_records_newest() {
    let mut judged = Judged::new(1);
    judged.handle(&"RECEIVE a 9 ID m".parse().unwrap()).unwrap();
    let wanted = [
        ("RESERVE r 1000 1 a 4", 3),
        ("RESERVE s 1000 1 a 1", 4),
        ("CAPTURE r 1 a 1 ID c", 5),
        ("RESERVE r 1000 1 a 4", 5),
        ("CAPTURE r", 6),
        ("RETURN r ID b", 7),
        ("CAPTURE r 1 a 1 ID c", 7),
        ("CAPTURE r", 7),
        ("EXTEND s 1", 4),
        ("RELEASE t", 8),
        ("RELEASE s", 9),
        ("RELEASE t", 8),
    ];
    for (text, sequence) in wanted {
        let answer = judged.handle(&text.parse().unwrap()).unwrap().0;
        let Answer::Outcome(outcome) = answer else { panic!("{text}: {answer:?}") };
        assert_eq!(outcome.sequence.0, sequence, "{text}");
    }
}

/// While nothing can be written: what ends stands as it stood, for reads alone.
#[test]
fn what_is_due_and_not_written_reads_as_it_last_stood() {
    let mut judged = Judged::new(1);
    for text in ["RECEIVE a 9 ID m LOT l EXPIRES 1770000001000", "RESERVE r 1000 1 a 4"] {
        judged.handle(&text.parse().unwrap()).unwrap();
    }
    let (state, now) = (&judged.driven.state, judged.driven.now + 5_000);
    let Some(Answer::Reservation(Some(r))) = state.as_it_stands(now, &Command::Reservation { id: "r" }) else {
        panic!("it is there")
    };
    assert_eq!((r.state, r.ended), (State::Held, None));
    let Some(Answer::Item(Some(item))) = state.as_it_stands(now, &Command::Item { sku: "a" }) else {
        panic!("it is there")
    };
    assert_eq!((item.available, item.expired), (5, 0));
    let extend: OwnedCommand = "EXTEND r 5".parse().unwrap();
    assert_eq!(state.as_it_stands(now, &extend.as_command()), None, "only what reads");
}

// Items.

#[test]
fn available_is_what_is_free_less_safety_stock_plus_backorders_and_never_below_0() {
    check(
        "receive a 5 id=m1; configure a safety=2 backorder=4 -> 7
         reserve r1 a=7 ttl=1h -> held
         configure a safety=3 backorder=4 -> 0
         item a -> on_hand 5 reserved 7 available 0
         capture r1 -> captured
         item a -> on_hand -2 reserved 0 available 0
         receive a 4 id=m2 -> 3
         item a -> on_hand 2 received 9 captured 7",
    );
}

#[test]
fn settings_come_all_at_once_and_unchanged_ones_leave_no_event() {
    check(
        "configure a safety=2 limit=5 window=1s metadata={\"a\":1} -> 0 | item.configured a=0
         configure a safety=2 limit=5 window=1s metadata={\"a\":1} -> 0 |
         configure a -> 0 | item.configured a=0
         item a -> version 2",
    );
}

#[test]
fn a_raised_safety_stock_takes_nothing_from_those_who_hold() {
    check(
        "receive a 5 id=m1; reserve r1 a=5 ttl=1h; configure a safety=5 -> 0; capture r1 -> captured
         item a -> on_hand 0 captured 5",
    );
}

#[test]
fn kind_never_changes_and_left_out_it_stays() {
    check(
        "configure p points; configure p limit=3 -> 0; item p -> kind points; configure p stock -> CONFLICT
         configure s; configure s points -> CONFLICT; item s -> kind stock
         configure p safety=1 -> CONFLICT; configure p backorder=1 -> CONFLICT; receive p 5 id=m lot=l -> CONFLICT
         receive p 5 id=m -> 5; reserve r p=2 ttl=1s for=ann -> held",
    );
}

#[test]
fn a_receipt_for_an_unknown_sku_makes_a_stock_item_first() {
    check("receive a 5 id=m1 -> 5 | item.configured a=0, item.received a=5; item a -> kind stock version 2");
}

#[test]
fn a_receipt_again_gives_the_first_answer_and_other_content_is_a_conflict() {
    check(
        "receive a 5 id=m1 -> 5; receive a 2 id=m2 -> 7
         receive a 5 id=m1 -> 5 replayed |
         receive a 6 id=m1 -> CONFLICT id
         receive a 5 id=m1 lot=l -> CONFLICT id
         adjust a 5 id=m1 -> CONFLICT id
         receive b 5 id=m1 -> 5
         receive a 1 id=m3 lot=l expires=1h at=x -> 8
         receive a 1 id=m3 lot=l -> CONFLICT id
         receive a 1 id=m3 lot=l expires=1h at=x -> 8 replayed",
    );
}

#[test]
fn an_adjustment_again_is_replayed_and_other_content_is_a_conflict() {
    check(
        "receive a 5 id=m1; adjust a -2 id=x reason=broken -> 3
         adjust a 4 id=y -> 7
         adjust a -2 id=x reason=broken -> 3 replayed |
         adjust a -2 id=x reason=lost -> CONFLICT id
         adjust a -3 id=x reason=broken -> CONFLICT id
         item a -> on_hand 7 received 9 removed 2",
    );
}

#[test]
fn an_adjustment_of_what_is_unknown_is_not_found_and_of_0_is_invalid() {
    check(
        "adjust a 1 id=x -> NOTFOUND a; receive a 1 id=m; adjust a 1 id=x lot=l -> NOTFOUND l; adjust a 0 id=x -> INVALID",
    );
}

#[test]
fn a_negative_adjustment_leaves_what_is_reserved_and_may_eat_into_safety_stock() {
    check(
        "configure a safety=3; receive a 5 id=m1; reserve r1 a=2 ttl=1h
         adjust a -4 id=x -> INSUFFICIENT a wanted 4 available 3
         adjust a -3 id=x -> 0
         item a -> on_hand 2 reserved 2
         receive b 5 id=m1 lot=l1; receive b 5 id=m2 lot=l2; reserve r2 b=3@l1 ttl=1h
         adjust b -3 id=x lot=l1 -> INSUFFICIENT b wanted 3 available 2
         adjust b -2 id=x lot=l1 -> 5
         item b -> lots l1:3/3,l2:5/0",
    );
}

#[test]
fn a_negative_adjustment_without_lot_takes_ended_lots_first_then_in_allocation_order() {
    check(
        "receive a 2 id=m0; receive a 2 id=m1 lot=l1 expires=2h; receive a 2 id=m2 lot=l2 expires=1h; receive a 2 id=m3 lot=l3 expires=1s
         tick 1s -> lot_expired a/l3
         adjust a -3 id=x -> 5 | item.adjusted a=-2@l3 a=-1@l2
         adjust a -4 id=y -> 1 | item.adjusted a=-1@l2 a=-2@l1 a=-1",
    );
}

#[test]
fn an_item_is_removed_only_when_nothing_is_left_and_comes_back_as_it_was() {
    check(
        "configure p points; receive p 2 id=m1; remove p -> CONFLICT; reserve r p=1 capture; adjust p -1 id=x
         remove p -> 0 | item.removed p=0
         item p -> null; remove p -> NOTFOUND p; reserve s p=1 ttl=1s -> NOTFOUND p; return r id=b -> NOTFOUND p
         adjust p 1 id=z -> NOTFOUND p
         receive p 2 id=m1 -> 2 replayed |
         item p -> null
         receive p 3 id=m2 -> 3
         item p -> kind points received 5 captured 1 removed 1
         return r id=b -> captured",
    );
}

#[test]
fn no_figure_passes_2_to_the_53_minus_1() {
    check(
        "receive a 9007199254740991 id=m1 -> 9007199254740991
         receive a 1 id=m2 -> INVALID
         configure a backorder=1 -> INVALID
         receive a 9007199254740992 id=m2 -> INVALID
         reserve r1 a=9007199254740991 ttl=1h -> held
         reserve r2 a=9007199254740991 ttl=1h -> INSUFFICIENT a wanted 9007199254740991 available 0
         capture r1; return r1 id=b
         reserve r2 a=1 ttl=1h -> INVALID",
    );
}

// Lots.

#[test]
fn lots_are_taken_earliest_expiry_first_then_first_received_and_units_without_lot_last() {
    check(
        "receive a 1 id=m0; receive a 1 id=m1 lot=b expires=2h; receive a 1 id=m2 lot=a expires=2h; receive a 1 id=m3 lot=c expires=1h
         receive a 1 id=m4 lot=d
         reserve r1 a=5 ttl=1m; reservation r1 -> taken c:1,b:1,a:1,d:1,-:1",
    );
}

#[test]
fn fifo_is_by_a_lots_first_receipt() {
    check(
        "configure a fifo; receive a 1 id=m1 lot=late expires=2h; receive a 1 id=m2 lot=soon expires=1h
         adjust a -1 id=x lot=late; receive a 1 id=m3 lot=late
         reserve r1 a=2 ttl=1m; reservation r1 -> taken late:1,soon:1
         release r1; configure a; item a -> lots soon:1/0,late:1/0",
    );
}

#[test]
fn lines_that_name_a_lot_take_first_then_those_that_name_a_place() {
    check(
        "receive a 2 id=m1 lot=l1 expires=1h at=p; receive a 2 id=m2 lot=l2 at=p; receive a 2 id=m3 lot=l3 at=q
         reserve r1 a=2 a=2%p a=1@l1 ttl=1m -> held
         reservation r1 -> taken l2:1,l3:1/l1:1,l2:1/l1:1
         reserve r2 a=1@nobody ttl=1m -> INSUFFICIENT a wanted 1 available 0
         reserve r2 a=1@l3%p ttl=1m -> INSUFFICIENT a wanted 1 available 0
         reserve r2 a=1@l3%q ttl=1m -> held",
    );
}

#[test]
fn a_lot_that_ends_by_needed_until_is_not_taken_named_or_not() {
    check(
        "receive a 1 id=m1 lot=l1 expires=1h; receive a 1 id=m2 lot=l2 expires=2h
         reserve r1 a=1@l1 ttl=1m until=1h -> INSUFFICIENT a wanted 1 available 0
         reserve r1 a=2 ttl=1m until=1h -> INSUFFICIENT a wanted 2 available 1
         reserve r1 a=1 ttl=1m until=1h -> held
         reservation r1 -> taken l2:1",
    );
}

#[test]
fn a_lot_cannot_be_taken_at_its_end_though_nobody_wrote_it() {
    check(
        "receive a 2 id=m1 lot=l1 expires=1h; receive a 1 id=m2; pass 1h
         reserve r1 a=2 ttl=1m -> INSUFFICIENT a wanted 2 available 1 | lot.expired a=2@l1
         item a -> on_hand 3 available 1 expired 2",
    );
}

#[test]
fn every_verb_ends_the_due_lots_of_what_it_touches_first() {
    for touch in ["capture r1", "release r1", "item a", "receive a 1 id=n", "adjust a 1 id=n", "configure a safety=1"] {
        check(&format!(
            "receive a 2 id=m1 lot=l1 expires=1h; receive a 1 id=m2; reserve r1 a=1 ttl=2h; pass 1h
             {touch}
             tick 0
             item a -> expired {}",
            if touch == "capture r1" { 1 } else { 2 }
        ));
    }
}

#[test]
fn a_lot_that_ends_while_held_stays_with_its_holder() {
    check(
        "receive a 2 id=m1 lot=l1 expires=1h; reserve r1 a=1 ttl=2h; tick 1h -> lot_expired a/l1
         item a -> on_hand 2 reserved 1 available 0 expired 2
         capture r1 -> captured
         return r1 id=b -> captured
         item a -> on_hand 2 available 0 expired 2
         adjust a -2 id=x lot=l1 -> 0
         item a -> on_hand 0 expired 0",
    );
}

/// Found by history 15675013196295238165.
#[test]
fn an_extend_names_a_lot_that_is_due_and_leaves_its_end_to_be_written() {
    check(
        "receive a 2 id=m1 lot=l1 expires=1h; reserve r1 a=1 ttl=2h; pass 1h
         extend r1 ttl=3h -> held | reservation.extended
         tick 0 -> lot_expired a/l1
         item a -> on_hand 2 reserved 1 available 0 expired 2
         release r1 -> released; item a -> reserved 0 available 0 expired 2",
    );
}

#[test]
fn a_release_into_a_lot_that_has_ended_makes_nothing_available() {
    check(
        "receive a 2 id=m1 lot=l1 expires=1h; reserve r1 a=2 ttl=2h; tick 1h -> lot_expired a/l1
         release r1 -> released; item a -> on_hand 2 reserved 0 available 0 expired 2",
    );
}

#[test]
fn a_lot_received_already_due_is_born_ended_without_an_event() {
    check(
        "receive a 1 id=m0; pass 1h; receive a 2 id=m1 lot=l1 expires=1h -> 1 | item.received a=2@l1
         item a -> on_hand 3 available 1 expired 2; tick 1h",
    );
}

#[test]
fn a_lot_has_one_expiry_and_one_place() {
    check(
        "receive a 1 id=m1 lot=l expires=1h at=p; receive a 1 id=m2 lot=l -> 2
         receive a 1 id=m3 lot=l expires=2h -> CONFLICT; receive a 1 id=m3 lot=l at=q -> CONFLICT
         receive a 1 id=m3 lot=l expires=1h at=p -> 3
         receive a 1 id=m4 lot=k; receive a 1 id=m5 lot=k expires=1h -> CONFLICT; receive a 1 id=m5 lot=k at=p -> CONFLICT
         receive a 1 id=m5 expires=1h -> INVALID; receive a 1 id=m5 at=p -> INVALID",
    );
}

#[test]
fn lots_and_backorders_exclude_each_other() {
    check(
        "configure a backorder=5; receive a 1 id=m lot=l -> CONFLICT; reserve r a=3 capture; configure a
         item a -> on_hand -3
         receive a 1 id=m lot=l -> CONFLICT
         receive a 3 id=m0; receive a 1 id=m lot=l -> 1
         adjust a -1 id=x lot=l; configure a backorder=1 -> CONFLICT",
    );
}

#[test]
fn the_1025th_lot_with_units_is_invalid_and_an_empty_one_makes_room() {
    let mut script = String::new();
    for n in 0..1_024 {
        script += &format!("receive a 1 id=m{n} lot=l{n};");
    }
    script += "receive a 1 id=x lot=new -> INVALID; receive a 1 id=x lot=l7 -> 1025; receive a 1 id=y -> 1026
               reserve r1 a=1@l3 ttl=1h; capture r1; receive a 1 id=z lot=new -> 1026
               return r1 id=b -> captured; item a -> on_hand 1027";
    check(&script);
}

#[test]
fn more_lots_taken_than_1024_are_invalid_counted_once_a_line() {
    let mut script = String::new();
    for n in 0..1_024 {
        script += &format!("receive a 2 id=m{n} lot=l{n};");
    }
    script += "receive a 1 id=loose; receive b 2 id=m lot=l
               reserve r1 a=2047 b=1 ttl=1h -> INVALID; reserve r1 a=2047 a=1 ttl=1h -> INVALID
               reserve r1 a=2046 a=1 ttl=1h -> held; reservation r1 -> lines 2
               capture r1 -> captured; return r1 id=b -> captured; reserve r2 a=2049 ttl=1h -> held";
    check(&script);
}

#[test]
fn the_1025th_part_is_invalid_and_the_whole_always_passes() {
    let mut script = String::from("receive a 3000 id=m; reserve r1 a=3000 ttl=1h;");
    for n in 0..1_024 {
        script += &format!("capture r1 a=1 id=c{n}; release r1 a=1 id=c{n};");
    }
    script +=
        "capture r1 a=1 id=more -> INVALID; release r1 a=1 id=more -> INVALID; capture r1 a=1 id=c9 -> held replayed
               capture r1 id=whole -> captured; capture r1 id=whole -> captured replayed; return r1 id=b -> captured";
    check(&script);
}

// Limits.

#[test]
fn an_item_with_a_limit_takes_only_reserves_with_a_holder() {
    check(
        "configure a limit=2; receive a 9 id=m; reserve r1 a=1 ttl=1m -> INVALID; reserve r1 a=1 ttl=1m for=ann -> held",
    );
}

#[test]
fn held_counts_always_and_captured_while_its_begin_is_in_the_window() {
    check(
        "configure a limit=3 window=10s; receive a 99 id=m
         reserve r1 a=2 for=ann capture; reserve r2 a=1 ttl=1h for=ann
         reserve r3 a=1 ttl=1h for=ann -> LIMIT a ann wanted 1 left 0
         reserve r3 a=1 ttl=1h for=ben -> held
         holder a ann -> held 1 counted 2 left 0 next_free_at 10000
         pass 9999
         reserve r4 a=1 ttl=1h for=ann -> LIMIT a ann wanted 1 left 0
         # A window may be counted in thousandths of its length, never ending early.
         pass 11
         holder a ann -> held 1 counted 0 left 2 next_free_at -
         reserve r4 a=2 ttl=1h for=ann -> held",
    );
}

#[test]
fn released_expired_and_returned_quantities_do_not_count() {
    check(
        "configure a limit=3; receive a 99 id=m
         reserve r1 a=3 ttl=1h for=ann; release r1; holder a ann -> held 0 left 3
         reserve r2 a=3 ttl=1s for=ann; tick 1s -> expired r2
         holder a ann -> held 0 left 3
         reserve r3 a=3 for=ann capture; return r3 a=2 id=b; holder a ann -> held 0 counted 1 left 2",
    );
}

#[test]
fn counting_begins_with_the_first_limit_and_goes_on_while_it_is_removed_or_changed() {
    check(
        "receive a 99 id=m; reserve r0 a=5 ttl=1h for=ann
         configure a limit=3; holder a ann -> held 0 left 3
         reserve r1 a=2 ttl=1h for=ann -> held
         configure a; holder a ann -> held 2 left -
         reserve r2 a=5 for=ann capture
         configure a limit=9; holder a ann -> held 2 counted 5 left 2
         capture r0; holder a ann -> held 2 counted 5 left 2
         configure a limit=4; holder a ann -> left 0
         release r1; reserve r3 a=1 ttl=1h for=ann -> LIMIT a ann wanted 1 left 0",
    );
}

#[test]
fn the_limit_of_several_lines_is_that_of_their_sum() {
    check("configure a limit=3; receive a 9 id=m; reserve r1 a=2 a=2 ttl=1h for=ann -> LIMIT a ann wanted 4 left 3");
}

// Order of parts.

#[test]
fn a_part_is_captured_in_the_order_taken_and_given_back_in_exactly_the_reverse() {
    check(
        "receive a 2 id=m1 lot=l1 expires=1h; receive a 2 id=m2 lot=l2 expires=2h; receive b 2 id=m1
         reserve r1 a=3 b=1 a=1 ttl=1m; reservation r1 -> taken l1:2,l2:1/-:1/l2:1
         capture r1 a=3 id=c -> held | reservation.captured a=2@l1 a=1@l2
         return r1 a=2 id=b -> held | reservation.returned a=1@l2 a=1@l1
         release r1 -> partially_captured | reservation.released a=1@l2 b=1
         return r1 id=all -> partially_captured | reservation.returned a=1@l1
         item a -> on_hand 4 lots l1:2/0,l2:2/0",
    );
}
