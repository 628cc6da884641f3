//! Lots: which are taken, in which order, by whom, what ends with them, and how many there may be.

use super::support::resp::{encode, encoded};
use super::support::{Server, Value, check};

fn script(text: &str) {
    check(&mut Server::start(), text);
}

#[test]
fn a_lot_has_one_expiry_and_one_location() {
    script(
        "
        RECEIVE a 5 ID m1 LOT L1 EXPIRES 4000000000000 AT seoul -> 5
        # a receipt into a known lot may leave them out
        RECEIVE a 5 ID m2 LOT L1 -> 10
        RECEIVE a 5 ID m3 LOT L1 EXPIRES 4000000000000 AT seoul -> 15
        RECEIVE a 5 ID m4 LOT L1 AT seoul -> 20
        # one that says otherwise is a conflict
        RECEIVE a 5 ID m5 LOT L1 EXPIRES 4000000000001 -> -CONFLICT*
        RECEIVE a 5 ID m5 LOT L1 AT busan -> -CONFLICT*
        RECEIVE a 5 ID m5 LOT L2 -> 25
        RECEIVE a 5 ID m6 LOT L2 EXPIRES 4000000000000 -> -CONFLICT*
        RECEIVE a 5 ID m6 LOT L2 AT seoul -> -CONFLICT*
        # both need a lot
        RECEIVE a 5 ID m6 EXPIRES 4000000000000 -> -INVALID*
        RECEIVE a 5 ID m6 AT seoul -> -INVALID*
        RECEIVE a 5 ID m6 LOT L3 EXPIRES x -> -INVALID*
        RECEIVE a 5 ID m6 LOT L3 EXPIRES -1 -> -INVALID*
        ITEM a -> on_hand=25 lots=L1:20/0,L2:5/0 lots.1.expires_at=4000000000000 lots.1.location=seoul
        ITEM a -> lots.2.expires_at=null lots.2.location=null
        # a lot belongs to one item
        RECEIVE b 5 ID m1 LOT L1 EXPIRES 4000000000009 AT busan -> 5
        # an emptied lot is remembered, and so is what it was
        ADJUST a -20 REASON sold ID m7 LOT L1 -> 5
        ITEM a -> lots=L2:5/0
        RECEIVE a 1 ID m8 LOT L1 AT busan -> -CONFLICT*
        RECEIVE a 1 ID m8 LOT L1 -> 6
        ITEM a -> lots.1.lot=L1 lots.1.location=seoul lots.1.expires_at=4000000000000
        ",
    );
}

#[test]
fn fefo_takes_the_earliest_expiry_first() {
    script(
        "
        RECEIVE a 2 ID m1 -> 2
        RECEIVE a 2 ID m2 LOT never -> 4
        RECEIVE a 2 ID m3 LOT late EXPIRES $now+900000 -> 6
        RECEIVE a 2 ID m4 LOT soon EXPIRES $now+100000 -> 8
        RECEIVE a 2 ID m5 LOT never2 -> 10
        RECEIVE a 2 ID m6 LOT tie EXPIRES 4000000000000 -> 12
        RECEIVE a 2 ID m7 LOT atie EXPIRES 4000000000000 -> 14
        # lots without expiry come after those with, ties by first receipt, units without lot last
        RESERVE r 10000 1 a 14 -> held
        RESERVATION r -> taken=soon:2+late:2+tie:2+atie:2+never:2+never2:2+null:2
        ITEM a -> lots=soon:2/2,late:2/2,tie:2/2,atie:2/2,never:2/2,never2:2/2,null:2/2
        RELEASE r -> released
        RESERVE r1 10000 1 a 3 -> held
        RESERVATION r1 -> taken=soon:2+late:1
        RESERVE r2 10000 1 a 2 -> held
        RESERVATION r2 -> taken=late:1+tie:1
        ",
    );
}

#[test]
fn fifo_takes_the_earliest_received_first() {
    script(
        "
        CONFIGURE a ALLOCATION fifo -> 0
        RECEIVE a 2 ID m1 -> 2
        RECEIVE a 2 ID m2 LOT first EXPIRES $now+900000 -> 4
        RECEIVE a 2 ID m3 LOT second EXPIRES $now+100000 -> 6
        RECEIVE a 2 ID m4 LOT third -> 8
        # by its first receipt
        RECEIVE a 2 ID m5 LOT first -> 10
        RESERVE r 10000 1 a 10 -> held
        RESERVATION r -> taken=first:4+second:2+third:2+null:2
        RELEASE r -> released
        # the setting binds new reservations only
        RESERVE r1 10000 1 a 1 -> held
        CONFIGURE a ALLOCATION fefo -> 9
        RESERVE r2 10000 1 a 1 -> held
        RESERVATION r1 -> taken=first:1
        RESERVATION r2 -> taken=second:1
        ",
    );
}

#[test]
fn a_line_may_name_a_lot_or_a_location() {
    script(
        "
        RECEIVE a 5 ID m1 LOT L1 EXPIRES $now+100000 AT seoul -> 5
        RECEIVE a 5 ID m2 LOT L2 EXPIRES $now+200000 AT busan -> 10
        RECEIVE a 5 ID m3 LOT L3 EXPIRES $now+300000 AT busan -> 15
        RECEIVE a 5 ID m4 -> 20
        RESERVE lot 10000 1 a 2 LOT 1 L3 -> held
        RESERVATION lot -> taken=L3:2 lines.1.lot=L3
        RESERVE at 10000 1 a 7 AT 1 busan -> held
        RESERVATION at -> taken=L2:5+L3:2 lines.1.location=busan
        RESERVE more 10000 1 a 2 AT 1 busan -> -INSUFFICIENT a wanted 2 available 1
        RESERVE more 10000 1 a 2 LOT 1 L3 -> -INSUFFICIENT a wanted 2 available 1
        # an unknown lot has 0, and so has an unknown place
        RESERVE more 10000 1 a 1 LOT 1 L9 -> -INSUFFICIENT a wanted 1 available 0
        RESERVE more 10000 1 a 1 AT 1 jeju -> -INSUFFICIENT a wanted 1 available 0
        # both: the lot, if it lies there
        RESERVE more 10000 1 a 1 LOT 1 L1 AT 1 busan -> -INSUFFICIENT a wanted 1 available 0
        RESERVE both 10000 1 a 1 LOT 1 L1 AT 1 seoul -> held
        RESERVATION both -> taken=L1:1
        ITEM a -> lots=L1:5/1,L2:5/5,L3:5/4,null:5/0 reserved=10 available=10
        ",
    );
}

#[test]
fn lines_that_name_a_lot_take_first_then_those_that_name_a_place() {
    script(
        "
        RECEIVE a 3 ID m1 LOT L1 EXPIRES $now+100000 AT seoul -> 3
        RECEIVE a 3 ID m2 LOT L2 EXPIRES $now+200000 AT seoul -> 6
        RECEIVE a 3 ID m3 LOT L3 EXPIRES $now+300000 AT busan -> 9
        RESERVE r 10000 4 a 2 a 3 a 2 a 2 AT 2 seoul LOT 3 L1 -> held
        # line 3 takes its lot, line 2 what is left in seoul, then lines 1 and 4
        RESERVATION r -> taken=L2:1+L3:1,L1:1+L2:2,L1:2,L3:2
        RELEASE r -> released
        # available is what the sku's lines could have been given together
        RESERVE q 10000 2 a 3 a 4 LOT 1 L1 LOT 2 L1 -> -INSUFFICIENT a wanted 7 available 3
        RESERVE q 10000 2 a 9 a 1 LOT 2 L9 -> -INSUFFICIENT a wanted 10 available 9
        RESERVE q 10000 2 a 3 a 5 AT 1 busan AT 2 busan -> -INSUFFICIENT a wanted 8 available 3
        RESERVE q 10000 2 a 3 a 6 LOT 1 L1 AT 2 busan -> -INSUFFICIENT a wanted 9 available 6
        # never more than the item has available
        CONFIGURE a SAFETY 7 -> 2
        RESERVE q 10000 1 a 3 LOT 1 L1 -> -INSUFFICIENT a wanted 3 available 2
        RESERVE q 10000 1 a 2 LOT 1 L1 -> held
        ",
    );
}

#[test]
fn a_lot_that_ends_by_needed_until_is_not_taken() {
    script(
        "
        RECEIVE a 5 ID m1 LOT L1 EXPIRES 4000000000000 -> 5
        RECEIVE a 5 ID m2 LOT L2 EXPIRES 4000000000010 -> 10
        RECEIVE a 5 ID m3 -> 15
        RESERVE r1 10000 1 a 1 UNTIL 3999999999999 -> held
        RESERVATION r1 -> taken=L1:1 needed_until=3999999999999
        RESERVE r2 10000 1 a 1 UNTIL 4000000000000 -> held
        RESERVATION r2 -> taken=L2:1
        RESERVE r3 10000 1 a 1 UNTIL 4000000000010 -> held
        RESERVATION r3 -> taken=null:1
        RESERVE r4 10000 1 a 5 UNTIL 4000000000010 -> -INSUFFICIENT a wanted 5 available 4
        # named or not
        RESERVE r4 10000 1 a 1 UNTIL 4000000000000 LOT 1 L1 -> -INSUFFICIENT a wanted 1 available 0
        RESERVE r4 10000 1 a 1 UNTIL 3999999999999 LOT 1 L1 -> held
        ",
    );
}

#[test]
fn a_lot_that_ends_stays_with_its_holder_and_its_rest_on_hand() {
    script(
        "
        RECEIVE a 5 ID m1 LOT L1 EXPIRES $now+80 -> 5
        RECEIVE a 5 ID m2 LOT L2 -> 10
        RESERVE r 10000 1 a 3 -> held
        RESERVATION r -> taken=L1:3
        ITEM a -> version=4 expired=0
        wait 90ms
        # one event, `lot.expired`; what is left of the lot stays on_hand and is not available
        ITEM a -> on_hand=10 reserved=3 available=5 expired=5 version=5
        RESERVE x 10000 1 a 1 LOT 1 L1 -> -INSUFFICIENT a wanted 1 available 0
        RESERVE x 10000 1 a 6 -> -INSUFFICIENT a wanted 6 available 5
        CAPTURE r 1 a 2 ID c1 -> held
        ITEM a -> on_hand=8 reserved=1 available=5 expired=3
        # released into an ended lot: on_hand, not available
        RELEASE r -> partially_captured
        ITEM a -> on_hand=8 reserved=0 available=5 expired=3 lots=L1:3/0,L2:5/0
        RETURN r 1 a 1 ID t1 -> partially_captured
        ITEM a -> on_hand=9 available=5 expired=4
        # until an adjustment removes it; without a lot named, what has ended goes first
        ADJUST a -2 REASON spoiled ID m3 -> 5
        ITEM a -> on_hand=7 available=5 expired=2 lots=L1:2/0,L2:5/0
        ADJUST a -3 REASON spoiled ID m4 -> 4
        ITEM a -> on_hand=4 available=4 expired=0 lots=L2:4/0
        ",
    );
}

#[test]
fn lots_that_end_together_end_in_one_event_and_each_item_for_itself() {
    script(
        "
        RECEIVE a 5 ID m0 LOT L0 EXPIRES $now+150 -> 5
        ITEM a -> lots.1.expires_at:=e
        RECEIVE a 3 ID m1 LOT L1 EXPIRES $e -> 8
        RECEIVE a 2 ID m2 -> 10
        RECEIVE b 4 ID m1 LOT L1 EXPIRES $e -> 4
        RECEIVE b 4 ID m2 LOT L2 EXPIRES $e+600000 -> 8
        RESERVE r 10000 2 a 6 b 1 -> held
        wait 160ms
        # seen by a command that names the item, with nothing else having asked
        RESERVE q 10000 1 a 3 -> -INSUFFICIENT a wanted 3 available 2
        ITEM a -> version=6 expired=8 on_hand=10 reserved=6 available=2
        ITEM b -> version=5 expired=4 on_hand=8 reserved=1 available=4
        CAPTURE r -> captured
        ITEM a -> version=7 expired=2 on_hand=4 available=2
        ",
    );
}

#[test]
fn a_lot_received_after_its_end_is_born_ended() {
    script(
        "
        RECEIVE a 5 ID m1 LOT old EXPIRES 1000 -> 0
        ITEM a -> on_hand=5 available=0 expired=5 version=2 received=5
        RECEIVE a 5 ID m2 LOT new -> 5
        RESERVE r 10000 1 a 6 -> -INSUFFICIENT a wanted 6 available 5
        wait 120ms
        # without an event
        ITEM a -> version=3
        ADJUST a -5 REASON spoiled ID m3 LOT old -> 5
        ITEM a -> on_hand=5 expired=0
        ",
    );
}

#[test]
fn an_adjustment_may_name_its_lot() {
    script(
        "
        RECEIVE a 5 ID m1 LOT L1 EXPIRES $now+100000 -> 5
        RECEIVE a 5 ID m2 LOT L2 EXPIRES $now+200000 -> 10
        RECEIVE a 5 ID m3 -> 15
        ADJUST a -2 REASON lost ID m4 LOT L2 -> 13
        ADJUST a 4 REASON found ID m5 LOT L2 -> 17
        ITEM a -> lots=L1:5/0,L2:7/0,null:5/0
        # without: free units in allocation order
        RESERVE r 10000 1 a 3 LOT 1 L1 -> held
        ADJUST a -4 REASON lost ID m6 -> 10
        ITEM a -> lots=L1:3/3,L2:5/0,null:5/0
        # never below what is reserved of the lot, though the item has more
        ADJUST a -1 REASON lost ID m7 LOT L1 -> -INSUFFICIENT a wanted 1 available 0
        ADJUST a -11 REASON lost ID m7 -> -INSUFFICIENT a wanted 11 available 10
        ADJUST a -6 REASON lost ID m7 LOT L2 -> -INSUFFICIENT a wanted 6 available 5
        ADJUST a 1 REASON found ID m7 -> 11
        ITEM a -> lots=L1:3/3,L2:5/0,null:6/0
        ADJUST a -11 REASON lost ID m8 -> 0
        ITEM a -> lots=L1:3/3 on_hand=3 reserved=3
        ",
    );
}

#[test]
fn units_go_back_to_the_lots_they_came_from() {
    script(
        "
        RECEIVE a 2 ID m1 LOT L1 EXPIRES $now+100000 -> 2
        RECEIVE a 2 ID m2 LOT L2 EXPIRES $now+200000 -> 4
        RESERVE r 10000 1 a 4 -> held
        CAPTURE r -> captured
        # lots without units are not shown, and not forgotten
        ITEM a -> lots.#=0 on_hand=0
        RETURN r 1 a 1 ID t1 -> captured
        ITEM a -> lots=L2:1/0
        RETURN r 1 a 2 ID t2 -> captured
        ITEM a -> lots=L1:1/0,L2:2/0
        RESERVE q 60 1 a 3 -> held
        wait 70ms
        RESERVATION q -> expired
        ITEM a -> lots=L1:1/0,L2:2/0 reserved=0
        ",
    );
}

#[test]
fn an_item_has_1024_lots_with_units_and_a_return_is_never_refused_for_it() {
    let mut server = Server::start();
    let mut client = server.connect();
    for sku in ["a", "b"] {
        let receipts: Vec<_> = (0..1024).map(|n| encoded(&format!("RECEIVE {sku} 1 ID m{n} LOT {n:04}"))).collect();
        for (place, reply) in client.pipeline(&receipts).into_iter().enumerate() {
            assert_eq!(reply, Value::Integer(i64::try_from(place).expect("small") + 1), "lot {place} of {sku}");
        }
    }
    check(
        &mut server,
        "
        RECEIVE a 1 ID more LOT more -> -INVALID*
        ITEM a -> lots.#=1024 on_hand=1024
        # into one that is there, or without lot
        RECEIVE a 1 ID m1024 LOT 0000 -> 1025
        RECEIVE a 1 ID m1025 -> 1026
        RESERVE one 10000 1 a 2 LOT 1 0000 -> held
        CAPTURE one -> captured
        # the place of an emptied lot may be taken
        RECEIVE a 1 ID more LOT more -> 1025
        RETURN one ID t1 -> captured
        ITEM a -> on_hand=1027
        RECEIVE a 1 ID most LOT most -> -INVALID*
        ",
    );
    // Lots taken: 1,024 a reservation, counted over its lines.
    check(
        &mut server,
        "
        RESERVE all 10000 2 a 512 b 512 -> held
        RELEASE all -> released
        RESERVE over 10000 2 b 1024 a 2 -> -INVALID*
        RESERVATION over -> null
        RESERVE b 10000 1 b 1024 -> held
        CAPTURE b -> captured
        RESERVATION b -> captured lines.1.taken.#=1024
        ITEM b -> lots.#=0
        ",
    );
    let long = encode(&["RETURN", "b", "ID", "t1"]);
    client.send_bytes(&long);
    assert_eq!(client.read().field("state"), Some(Value::Bulk(b"captured".to_vec())));
    check(&mut server, "ITEM b -> lots.#=1024 on_hand=1024 available=1024");
}
