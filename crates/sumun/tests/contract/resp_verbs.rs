//! The verb table: what reserve, capture, release, extend and return of the whole do in each state, late and replayed.
//! Parts have a file of their own.

use super::support::{Server, check};

fn script(text: &str) {
    check(&mut Server::start(), text);
}

#[test]
fn a_reserve_without_error_means_you_have_it() {
    script(
        "
        RECEIVE a 10 ID m1 -> 10
        RESERVE r1 10000 1 a 2 -> held expires_at=now+10000 sequence:=s
        ITEM a -> on_hand=10 reserved=2 available=8 sequence=$s
        RESERVE r1 10000 1 a 2 -> held replayed sequence=$s
        ITEM a -> reserved=2 available=8
        CAPTURE r1 -> captured sequence:=c
        RESERVE r1 10000 1 a 2 -> captured replayed sequence=$c
        ITEM a -> on_hand=8 reserved=0 available=8 captured=2
        ",
    );
}

#[test]
fn a_reserve_of_what_has_ended_says_how_it_ended() {
    script(
        "
        RECEIVE a 100 ID m1 -> 100
        RESERVE released 10000 1 a 2 -> held
        RELEASE released -> released
        RESERVE released 10000 1 a 2 -> -RELEASED*
        RESERVE expired 20 1 a 2 -> held
        wait 30ms
        RESERVE expired 20 1 a 2 -> -EXPIRED*
        # of partially captured ones the last rest says it
        RESERVE pr 10000 1 a 2 -> held
        CAPTURE pr 1 a 1 ID c -> held
        RELEASE pr -> partially_captured
        RESERVE pr 10000 1 a 2 -> -RELEASED*
        RESERVE pe 40 1 a 2 -> held
        CAPTURE pe 1 a 1 ID c -> held
        wait 50ms
        RESERVE pe 40 1 a 2 -> -EXPIRED*
        RESERVATION pe -> partially_captured ended=expired
        RESERVATION pr -> partially_captured ended=released
        ITEM a -> available=98 on_hand=98 captured=2
        ",
    );
}

#[test]
fn the_content_of_a_reserve_is_all_but_its_ttl_and_the_order_of_its_lines() {
    script(
        "
        RECEIVE a 100 ID m1 LOT L1 AT seoul -> 100
        RECEIVE a 100 ID m2 LOT L2 AT busan -> 200
        RECEIVE b 100 ID m1 -> 100
        RESERVE r 10000 2 a 2 b 3 FOR kim UNTIL 1000 LOT 1 L1 -> held expires_at:=e
        # the ttl is no content: a retry often carries what remains of it, and the first stands
        RESERVE r 500 2 a 2 b 3 FOR kim UNTIL 1000 LOT 1 L1 -> held replayed expires_at=$e
        # lines are a multiset
        RESERVE r 10000 2 b 3 a 2 FOR kim UNTIL 1000 LOT 2 L1 -> held replayed
        reserve r 10000 2 b 3 a 2 lot 2 L1 until 1000 for kim -> held replayed
        RESERVE r 10000 2 a 1 b 3 FOR kim UNTIL 1000 LOT 1 L1 -> -CONFLICT*
        RESERVE r 10000 1 a 2 FOR kim UNTIL 1000 LOT 1 L1 -> -CONFLICT*
        RESERVE r 10000 3 a 2 b 3 b 3 FOR kim UNTIL 1000 LOT 1 L1 -> -CONFLICT*
        RESERVE r 10000 3 a 2 b 2 b 1 FOR kim UNTIL 1000 LOT 1 L1 -> -CONFLICT*
        RESERVE r 10000 2 a 2 b 3 FOR lee UNTIL 1000 LOT 1 L1 -> -CONFLICT*
        RESERVE r 10000 2 a 2 b 3 UNTIL 1000 LOT 1 L1 -> -CONFLICT*
        RESERVE r 10000 2 a 2 b 3 FOR kim UNTIL 1001 LOT 1 L1 -> -CONFLICT*
        RESERVE r 10000 2 a 2 b 3 FOR kim LOT 1 L1 -> -CONFLICT*
        RESERVE r 10000 2 a 2 b 3 FOR kim UNTIL 1000 LOT 1 L2 -> -CONFLICT*
        RESERVE r 10000 2 a 2 b 3 FOR kim UNTIL 1000 -> -CONFLICT*
        RESERVE r 10000 2 a 2 b 3 FOR kim UNTIL 1000 AT 1 seoul -> -CONFLICT*
        RESERVE r 10000 2 a 2 b 3 FOR kim UNTIL 1000 LOT 1 L1 AT 1 seoul -> -CONFLICT*
        RESERVE r 10000 2 a 2 b 3 FOR kim UNTIL 1000 LOT 1 L1 CAPTURE -> -CONFLICT*
        RESERVATION r -> held version=1 holder=kim needed_until=1000
        # names are compared byte by byte
        RESERVE r 10000 2 a 2 b 3 FOR Kim UNTIL 1000 LOT 1 L1 -> -CONFLICT*
        RESERVE R 10000 2 a 2 b 3 FOR kim UNTIL 1000 LOT 1 L1 -> held
        # other content is a conflict however the reservation stands now
        RELEASE r -> released
        RESERVE r 10000 1 a 1 -> -CONFLICT*
        RESERVE r 10000 2 b 3 a 2 FOR kim UNTIL 1000 LOT 2 L1 -> -RELEASED*
        ",
    );
}

#[test]
fn the_id_of_a_refused_attempt_is_free() {
    script(
        "
        RECEIVE a 1 ID m1 -> 1
        RESERVE r 10000 1 a 2 -> -INSUFFICIENT a wanted 2 available 1
        RESERVATION r -> null
        RESERVE r 10000 1 nosuch 2 -> -NOTFOUND*
        RESERVE r 10000 1 a 1 -> held
        # who gives up after a refusal releases the id, and the tombstone stops late copies
        RESERVE late 10000 1 a 5 -> -INSUFFICIENT a wanted 5 available 0
        RELEASE late -> released tombstone
        RECEIVE a 50 ID m2 -> 50
        RESERVE late 10000 1 a 5 -> -RELEASED*
        ",
    );
}

#[test]
fn a_reserve_with_capture_takes_in_one_step() {
    script(
        "
        RECEIVE a 10 ID m1 -> 10
        RESERVE r 0 1 a 3 CAPTURE -> captured sequence:=s
        ITEM a -> on_hand=7 reserved=0 available=7 captured=3 sequence=$s version=3
        RESERVATION r -> captured ended=captured version=1 lines=a:3/3/0/0/0 taken=null:3
        RESERVE r 0 1 a 3 CAPTURE -> captured replayed
        RESERVE r 5 1 a 3 CAPTURE -> captured replayed
        RESERVE r 2592000000 1 a 3 CAPTURE -> captured replayed
        RESERVE r 2592000001 1 a 3 CAPTURE -> -INVALID*
        RESERVE r 1000 1 a 3 -> -CONFLICT*
        RESERVE r 0 1 a 4 CAPTURE -> -CONFLICT*
        # the ttl is not used
        RESERVE soon 1 1 a 1 CAPTURE -> captured
        wait 10ms
        RESERVATION soon -> captured lines=a:1/1/0/0/0
        # all or none here too
        RESERVE all 0 2 a 1 a 6 CAPTURE -> -INSUFFICIENT a wanted 7 available 6
        RECEIVE b 1 ID m1 -> 1
        RESERVE all 0 2 a 1 b 2 CAPTURE -> -INSUFFICIENT b wanted 2 available 1
        ITEM a -> on_hand=6 available=6
        # 0 is a ttl only with capture
        RESERVE zero 0 1 a 1 -> -INVALID*
        ",
    );
}

#[test]
fn capture_takes_all_that_is_left() {
    script(
        "
        RECEIVE a 20 ID m1 -> 20
        RECEIVE b 20 ID m1 -> 20
        RESERVE r 10000 2 a 2 b 3 -> held
        CAPTURE r -> captured sequence:=s
        ITEM a -> on_hand=18 reserved=0 available=18 captured=2 sequence=$s
        ITEM b -> on_hand=17 reserved=0 available=17 captured=3 sequence=$s
        CAPTURE r -> captured replayed sequence=$s
        ITEM b -> on_hand=17
        RESERVATION r -> captured ended=captured version=2 lines=a:2/2/0/0/0,b:3/3/0/0/0
        # after a part, the rest
        RESERVE p 10000 1 a 5 -> held
        CAPTURE p 1 a 2 ID c1 -> held
        CAPTURE p -> captured
        RESERVATION p -> captured lines=a:5/5/0/0/0
        # after a part was released: captured by the last rest
        RESERVE q 10000 1 a 5 -> held
        RELEASE q 1 a 2 ID x1 -> held
        CAPTURE q -> captured
        RESERVATION q -> captured ended=captured lines=a:5/3/2/0/0
        CAPTURE unknown -> -NOTFOUND*
        RESERVATION unknown -> null
        RESERVE rel 10000 1 a 1 -> held
        RELEASE rel -> released
        CAPTURE rel -> -RELEASED*
        RESERVE exp 20 1 a 1 -> held
        RESERVE pexp 20 1 a 2 -> held
        CAPTURE pexp 1 a 1 ID c1 -> held
        wait 30ms
        CAPTURE exp -> -EXPIRED*
        CAPTURE pexp -> -EXPIRED*
        RESERVE prel 10000 1 a 2 -> held
        CAPTURE prel 1 a 1 ID c1 -> held
        RELEASE prel -> partially_captured
        CAPTURE prel -> -RELEASED*
        RELEASE tomb -> released tombstone
        CAPTURE tomb -> -RELEASED*
        ",
    );
}

#[test]
fn release_gives_all_that_is_left_back() {
    script(
        "
        RECEIVE a 20 ID m1 -> 20
        RESERVE r 10000 1 a 2 -> held
        RELEASE r -> released sequence:=s
        ITEM a -> on_hand=20 reserved=0 available=20 captured=0 returned=0 sequence=$s
        RELEASE r -> released replayed sequence=$s
        RESERVATION r -> released ended=released version=2 lines=a:2/0/2/0/0
        RESERVE p 10000 1 a 5 -> held
        CAPTURE p 1 a 2 ID c1 -> held
        RELEASE p -> partially_captured
        RELEASE p -> partially_captured replayed
        RESERVATION p -> partially_captured ended=released lines=a:5/2/3/0/0
        ITEM a -> on_hand=18 reserved=0 available=18
        RESERVE exp 20 1 a 1 -> held
        RESERVE pexp 20 1 a 2 -> held
        CAPTURE pexp 1 a 1 ID c1 -> held
        wait 30ms
        RELEASE exp -> expired replayed
        RELEASE pexp -> partially_captured replayed
        RESERVE cap 10000 1 a 1 -> held
        CAPTURE cap -> captured
        RELEASE cap -> -CAPTURED*
        # captured after a part was released is still captured
        RESERVE mix 10000 1 a 2 -> held
        RELEASE mix 1 a 1 ID x1 -> held
        CAPTURE mix -> captured
        RELEASE mix -> -CAPTURED*
        ",
    );
}

#[test]
fn a_release_of_the_unknown_leaves_a_tombstone() {
    script(
        "
        RECEIVE a 20 ID m1 -> 20
        RELEASE t -> released tombstone sequence:=s
        RELEASE t -> released tombstone replayed sequence=$s
        RESERVATION t -> released tombstone ended=released version=1 holder=null lines=
        RESERVE t 10000 1 a 1 -> -RELEASED*
        RESERVE t 0 1 a 1 CAPTURE -> -RELEASED*
        CAPTURE t -> -RELEASED*
        EXTEND t 1000 -> -RELEASED*
        RETURN t ID x -> -RELEASED*
        CAPTURE t 1 a 1 ID x -> -RELEASED*
        RELEASE t 1 a 1 ID x -> -RELEASED*
        RETURN t 1 a 1 ID x -> -RELEASED*
        ITEM a -> available=20 version=2
        # an `ID` may be given with the whole
        RELEASE u ID x -> released tombstone
        RELEASE u ID x -> released tombstone replayed
        RELEASE u 1 a 1 ID x -> -CONFLICT*
        # what was reserved has no tombstone
        RESERVE r 10000 1 a 1 -> held
        RELEASE r -> released
        RELEASE r -> released replayed
        RESERVATION r -> released tombstone=0
        ",
    );
}

#[test]
fn extend_moves_the_end_later_and_never_earlier() {
    script(
        "
        RECEIVE a 20 ID m1 -> 20
        RESERVE r 10000 1 a 1 -> held expires_at:=e sequence:=s
        EXTEND r 20000 -> held expires_at=now+20000 replayed=0 expires_at:=f sequence:=x
        RESERVATION r -> held version=2 expires_at=$f sequence=$x
        # `reservation.extended` touches no item
        ITEM a -> version=3 sequence=$s
        # the later of what it was and now + ttl: nothing moves, no event
        EXTEND r 1 -> held expires_at=$f sequence=$x replayed=0
        RESERVATION r -> held version=2 expires_at=$f
        EXTEND r 2592000000 -> held expires_at=now+2592000000
        EXTEND r 2592000001 -> -INVALID*
        EXTEND r 0 -> -INVALID*
        EXTEND r -1 -> -INVALID*
        EXTEND r x -> -INVALID*
        EXTEND unknown 1000 -> -NOTFOUND*
        RESERVATION unknown -> null
        RESERVE short 60 1 a 1 -> held
        EXTEND short 10000 -> held
        wait 80ms
        CAPTURE short -> captured
        EXTEND short 1000 -> -CAPTURED*
        RESERVE rel 10000 1 a 1 -> held
        RELEASE rel -> released
        EXTEND rel 1000 -> -RELEASED*
        RESERVE exp 20 1 a 1 -> held
        RESERVE pexp 20 1 a 2 -> held
        CAPTURE pexp 1 a 1 ID c1 -> held
        wait 30ms
        EXTEND exp 1000 -> -EXPIRED*
        EXTEND pexp 1000 -> -EXPIRED*
        RESERVE prel 10000 1 a 2 -> held
        CAPTURE prel 1 a 1 ID c1 -> held
        RELEASE prel -> partially_captured
        EXTEND prel 1000 -> -RELEASED*
        # a reserve again shows the end as it stands now
        RESERVE again 10000 1 a 1 -> held
        EXTEND again 30000 -> held
        RESERVE again 10000 1 a 1 -> held replayed expires_at=now+30000
        ",
    );
}

#[test]
fn return_brings_back_what_was_captured() {
    script(
        "
        RECEIVE a 20 ID m1 -> 20
        RECEIVE b 20 ID m1 -> 20
        RESERVE r 10000 2 a 5 b 2 -> held
        CAPTURE r -> captured
        RETURN r 1 a 2 ID x1 -> captured sequence:=s
        ITEM a -> on_hand=17 reserved=0 available=17 captured=5 returned=2 received=20 removed=0 sequence=$s
        RESERVATION r -> captured ended=captured lines=a:5/5/0/0/2,b:2/2/0/0/0 version=3
        RETURN r 1 a 2 ID x1 -> captured replayed sequence=$s
        RETURN r 1 a 1 ID x1 -> -CONFLICT*
        RETURN r ID x1 -> -CONFLICT*
        RETURN r 1 a 4 ID x2 -> -EXCEEDS a wanted 4 left 3
        # the whole: all that was captured and not yet returned
        RETURN r ID x3 -> captured
        RETURN r ID x3 -> captured replayed
        RESERVATION r -> captured lines=a:5/5/0/0/5,b:2/2/0/0/2
        RETURN r ID x4 -> -EXCEEDS*
        RETURN r 1 a 1 ID x4 -> -EXCEEDS a wanted 1 left 0
        ITEM a -> on_hand=20 available=20
        ITEM b -> on_hand=20 available=20
        # a return needs an id
        RETURN r -> -INVALID*
        RETURN r 1 a 1 -> -INVALID*
        RETURN unknown ID x -> -NOTFOUND*
        RETURN unknown 1 a 1 ID x -> -NOTFOUND*
        RESERVATION unknown -> null
        ",
    );
}

#[test]
fn a_return_is_taken_whatever_the_state() {
    script(
        "
        RECEIVE a 50 ID m1 -> 50
        RESERVE held 10000 1 a 5 -> held
        RETURN held ID x1 -> -EXCEEDS*
        RETURN held 1 a 1 ID x1 -> -EXCEEDS a wanted 1 left 0
        CAPTURE held 1 a 2 ID c1 -> held
        RETURN held 1 a 3 ID x1 -> -EXCEEDS a wanted 3 left 2
        RETURN held 1 a 1 ID x1 -> held
        RESERVATION held -> held lines=a:5/2/0/0/1
        ITEM a -> on_hand=49 reserved=3 available=46
        RELEASE held -> partially_captured
        RETURN held ID x2 -> partially_captured
        RESERVATION held -> partially_captured ended=released lines=a:5/2/3/0/2
        RETURN held ID x3 -> -EXCEEDS*
        # the id of a return answers for ever, whatever the state
        RETURN held 1 a 1 ID x1 -> partially_captured replayed
        RESERVE rel 10000 1 a 1 -> held
        RELEASE rel -> released
        RETURN rel ID x -> -RELEASED*
        RESERVE exp 20 1 a 1 -> held
        wait 30ms
        RETURN exp ID x -> -EXPIRED*
        RETURN exp 1 a 1 ID x -> -EXPIRED*
        ITEM a -> on_hand=50 reserved=0 available=50
        ",
    );
}

#[test]
fn a_command_sees_the_end_of_what_it_names() {
    script(
        "
        RECEIVE a 3 ID m1 -> 3
        RESERVE r 25 1 a 3 -> held expires_at:=e
        RESERVATION r -> held ended=null
        wait 26ms
        CAPTURE r -> -EXPIRED*
        # what an answer shows as ended has given its units back
        ITEM a -> on_hand=3 reserved=0 available=3
        RESERVATION r -> expired ended=expired expires_at=$e version=2 lines=a:3/0/0/3/0
        RESERVE r2 10000 1 a 3 -> held
        RELEASE r2 -> released
        # the units of ends that nobody names come free by themselves
        RESERVE r3 25 1 a 3 -> held
        wait 26ms
        eventually ITEM a -> reserved=0 available=3
        eventually RESERVE r4 10000 1 a 3 -> *
        ",
    );
}

#[test]
fn all_lines_are_taken_or_none() {
    script(
        "
        RECEIVE a 5 ID m1 -> 5
        RECEIVE b 1 ID m1 -> 1
        RESERVE r 10000 2 a 5 b 2 -> -INSUFFICIENT b wanted 2 available 1
        RESERVE r 10000 2 a 5 nosuch 2 -> -NOTFOUND*
        ITEM a -> reserved=0 available=5 version=2
        # several lines of one sku are counted together
        RESERVE r 10000 3 a 3 b 1 a 3 -> -INSUFFICIENT a wanted 6 available 5
        RESERVE r 10000 3 a 3 b 1 a 2 -> held
        RESERVATION r -> held lines=a:3/0/0/0/0,b:1/0/0/0/0,a:2/0/0/0/0
        ITEM a -> reserved=5 available=0
        # of several that are short the first is named
        RESERVE r2 10000 2 b 7 a 8 -> -INSUFFICIENT b wanted 7 available 0
        RESERVE r2 10000 2 a 8 b 7 -> -INSUFFICIENT a wanted 8 available 0
        # one event, whatever the number of lines: an item's version counts it once
        RESERVE c 10000 1 a 1 -> -INSUFFICIENT a wanted 1 available 0
        ITEM a -> version=3
        ",
    );
}

#[test]
fn what_is_checked_first_is_reported() {
    script(
        "
        RECEIVE a 5 ID m1 -> 5
        CONFIGURE lim LIMIT 1 -> 0
        RECEIVE lim 50 ID m1 -> 50
        RESERVE r 10000 1 a 1 -> held
        RESERVE gone 10000 1 a 1 -> held
        RELEASE gone -> released
        # what the request alone shows, before the id
        RESERVE r 0 1 a 1 -> -INVALID*
        RESERVE gone 10000 1 a 0 -> -INVALID*
        CAPTURE r 1 a 1 -> -INVALID*
        # the id, before a sku that does not exist
        RESERVE r 10000 1 nosuch 1 -> -CONFLICT*
        RESERVE gone 10000 1 a 1 -> -RELEASED*
        CAPTURE r 1 a 1 ID c -> captured
        EXTEND r 1000 -> -CAPTURED*
        # a sku that does not exist, before a missing holder
        RESERVE n 10000 2 lim 1 nosuch 1 -> -NOTFOUND*
        RESERVE n 10000 2 lim 1 nosuch 1 FOR kim -> -NOTFOUND*
        # a missing holder, before the limit and what is available
        RESERVE n 10000 2 a 99 lim 2 -> -INVALID*
        # the limit, before what is available: the first kind, not the first line
        RESERVE n 10000 2 a 99 lim 2 FOR kim -> -LIMIT lim kim wanted 2 left 1
        RESERVE n 10000 2 a 99 lim 1 FOR kim -> -INSUFFICIENT a wanted 99 available 4
        # an error changes nothing
        RESERVATION n -> null
        ITEM lim -> available=50 reserved=0
        ",
    );
}

#[test]
fn ids_that_begin_with_run_belong_to_flows() {
    script(
        "
        RECEIVE a 5 ID m1 -> 5
        RESERVE run:1 1000 1 a 1 -> -INVALID*
        CAPTURE run:1 -> -INVALID*
        CAPTURE run:1 1 a 1 ID c -> -INVALID*
        RELEASE run:1 -> -INVALID*
        EXTEND run:1 1000 -> -INVALID*
        RETURN run:1 ID x -> -INVALID*
        RESERVATION run:1 -> null
        # elsewhere the word is free
        RECEIVE run:1 5 ID run:1 -> 5
        RESERVE r 1000 1 run:1 1 FOR run:1 -> held
        CAPTURE r 1 run:1 1 ID run:1 -> captured
        ",
    );
}

#[test]
fn ids_are_separate_spaces() {
    script(
        "
        # one id as movement of two skus, reservation, capture, release and return
        RECEIVE a 5 ID x -> 5
        RECEIVE b 6 ID x -> 6
        RESERVE x 10000 1 a 4 -> held
        CAPTURE x 1 a 2 ID x -> held
        RELEASE x 1 a 1 ID x -> held
        RETURN x 1 a 1 ID x -> held
        RESERVATION x -> held lines=a:4/2/1/0/1
        RESERVE y 10000 1 a 1 -> held
        CAPTURE y 1 a 1 ID x -> captured
        ",
    );
}

#[test]
fn a_record_says_everything() {
    script(
        "
        CONFIGURE a SAFETY 1 LIMIT 9 WINDOW 60000 ALLOCATION fifo METADATA '{\"colour\": \"red\"}' -> 0
        RECEIVE a 10 ID m1 LOT L1 EXPIRES $now+600000 AT seoul -> 9
        RESERVE r 10000 1 a 2 FOR kim UNTIL 77 LOT 1 L1 AT 1 seoul -> held sequence:=s expires_at:=e
        RESERVATION r -> id=r held ended=null tombstone=0 holder=kim created_at=now expires_at=$e needed_until=77 version=1 sequence=$s
        RESERVATION r -> lines.#=1 lines.1.sku=a lines.1.quantity=2 lines.1.captured=0 lines.1.released=0
        RESERVATION r -> lines.1.expired=0 lines.1.returned=0 lines.1.lot=L1 lines.1.location=seoul
        RESERVATION r -> lines.1.taken.#=1 lines.1.taken.1.lot=L1 lines.1.taken.1.quantity=2
        ITEM a -> sku=a kind=stock on_hand=10 reserved=2 available=7 received=10 removed=0 returned=0 captured=0
        ITEM a -> expired=0 safety_stock=1 backorder_limit=0 limit.quantity=9 limit.window_ms=60000 allocation=fifo
        ITEM a -> lots.#=1 lots.1.lot=L1 lots.1.location=seoul lots.1.on_hand=10 lots.1.reserved=2
        ITEM a -> lots.1.expires_at=now+600000 version=3 sequence=$s
        # what is absent is null
        RECEIVE b 1 ID m1 -> 1
        RESERVE r2 10000 1 b 1 -> held
        RESERVATION r2 -> ended=null holder=null needed_until=null lines.1.lot=null lines.1.location=null taken=null:1
        ITEM b -> limit=null metadata=null allocation=fefo lots.#=0 kind=stock
        RESERVATION nosuch -> null
        ITEM nosuch -> null
        ",
    );
}
