//! Captures, releases and returns of a part: their ids, their order over lines and lots, what exceeds, what is replayed.

use super::support::{Client, Server, Value, check};

fn script(text: &str) {
    check(&mut Server::start(), text);
}

#[test]
fn a_capture_of_a_part_leaves_the_rest_held() {
    script(
        "
        RECEIVE a 20 ID m1 -> 20
        RECEIVE b 20 ID m1 -> 20
        RESERVE r 10000 3 a 3 b 2 a 4 -> held
        CAPTURE r 1 a 5 ID c1 -> held sequence:=s
        # lines in order: the first is full before the next begins
        RESERVATION r -> held lines=a:3/3/0/0/0,b:2/0/0/0/0,a:4/2/0/0/0 version=2 ended=null
        ITEM a -> on_hand=15 reserved=2 available=13 captured=5
        CAPTURE r 1 a 5 ID c1 -> held replayed sequence=$s
        CAPTURE r 1 a 4 ID c1 -> -CONFLICT*
        CAPTURE r 1 b 5 ID c1 -> -CONFLICT*
        CAPTURE r ID c1 -> -CONFLICT*
        CAPTURE r 1 a 3 ID c2 -> -EXCEEDS a wanted 3 left 2
        CAPTURE r 2 a 1 a 2 ID c2 -> -EXCEEDS a wanted 3 left 2
        CAPTURE r 2 b 1 a 3 ID c2 -> -EXCEEDS a wanted 3 left 2
        ITEM b -> captured=0 reserved=2
        RECEIVE z 1 ID m1 -> 1
        CAPTURE r 1 z 1 ID c2 -> -EXCEEDS z wanted 1 left 0
        # the id of a refused attempt is free here too
        CAPTURE r 2 b 1 a 1 ID c2 -> held
        # content of a part is the multiset as sent
        CAPTURE r 2 a 1 b 1 ID c2 -> held replayed
        CAPTURE r 3 a 1 b 1 b 1 ID c2 -> -CONFLICT*
        # the last rest makes the state
        CAPTURE r 2 a 1 b 1 ID c3 -> captured
        RESERVATION r -> captured ended=captured lines=a:3/3/0/0/0,b:2/2/0/0/0,a:4/4/0/0/0
        # the same id answers whatever the state, another gets the state's error
        CAPTURE r 1 a 5 ID c1 -> captured replayed
        CAPTURE r 1 a 5 ID c9 -> -CAPTURED*
        CAPTURE r 1 a 4 ID c1 -> -CONFLICT*
        ",
    );
}

#[test]
fn a_part_needs_an_id_and_a_reservation() {
    script(
        "
        RECEIVE a 20 ID m1 -> 20
        RESERVE r 10000 1 a 3 -> held
        CAPTURE r 1 a 1 -> -INVALID*
        RELEASE r 1 a 1 -> -INVALID*
        RETURN r 1 a 1 -> -INVALID*
        CAPTURE r 1 a 1 ID * -> -INVALID*
        RELEASE r ID * -> -INVALID*
        # a part of an unknown id leaves no tombstone
        CAPTURE u 1 a 1 ID c -> -NOTFOUND*
        RELEASE u 1 a 1 ID c -> -NOTFOUND*
        RETURN u 1 a 1 ID c -> -NOTFOUND*
        RESERVATION u -> null
        RESERVE u 10000 1 a 1 -> held
        RESERVATION r -> held version=1
        ",
    );
}

#[test]
fn a_release_of_a_part_goes_from_the_last_to_the_first() {
    script(
        "
        RECEIVE a 20 ID m1 -> 20
        RECEIVE b 20 ID m1 -> 20
        RESERVE r 10000 3 a 3 b 2 a 4 -> held
        RELEASE r 1 a 5 ID x1 -> held tombstone=0 sequence:=s
        RESERVATION r -> held lines=a:3/0/1/0/0,b:2/0/0/0/0,a:4/0/4/0/0
        ITEM a -> on_hand=20 reserved=2 available=18
        RELEASE r 1 a 5 ID x1 -> held replayed sequence=$s
        RELEASE r 1 a 4 ID x1 -> -CONFLICT*
        RELEASE r ID x1 -> -CONFLICT*
        RELEASE r 1 a 3 ID x2 -> -EXCEEDS a wanted 3 left 2
        RELEASE r 2 a 2 b 2 ID x2 -> released
        RESERVATION r -> released ended=released lines=a:3/0/3/0/0,b:2/0/2/0/0,a:4/0/4/0/0
        RELEASE r 1 a 5 ID x1 -> released replayed
        RELEASE r 1 a 5 ID x9 -> -RELEASED*
        # the rest after a capture: partially captured
        RESERVE p 10000 1 a 5 -> held
        CAPTURE p 1 a 2 ID c1 -> held
        RELEASE p 1 a 3 ID x1 -> partially_captured
        RESERVATION p -> partially_captured ended=released lines=a:5/2/3/0/0
        CAPTURE p 1 a 1 ID c2 -> -RELEASED*
        CAPTURE p 1 a 2 ID c1 -> partially_captured replayed
        RELEASE p 1 a 1 ID x2 -> -RELEASED*
        # the rest after a release: captured
        RESERVE q 10000 1 a 5 -> held
        RELEASE q 1 a 3 ID x1 -> held
        CAPTURE q 1 a 2 ID c1 -> captured
        RELEASE q 1 a 1 ID x2 -> -CAPTURED*
        RELEASE q 1 a 3 ID x1 -> captured replayed
        # captured is not left to release
        RESERVE c 10000 1 a 5 -> held
        CAPTURE c 1 a 3 ID c1 -> held
        RELEASE c 1 a 3 ID x1 -> -EXCEEDS a wanted 3 left 2
        ",
    );
}

#[test]
fn a_part_of_what_has_expired_gets_its_error() {
    script(
        "
        RECEIVE a 20 ID m1 -> 20
        RESERVE r 30 1 a 3 -> held
        CAPTURE r 1 a 1 ID c1 -> held
        RELEASE r 1 a 1 ID x1 -> held
        wait 40ms
        CAPTURE r 1 a 1 ID c2 -> -EXPIRED*
        RELEASE r 1 a 1 ID x2 -> -EXPIRED*
        CAPTURE r 1 a 1 ID c1 -> partially_captured replayed
        RELEASE r 1 a 1 ID x1 -> partially_captured replayed
        RESERVATION r -> partially_captured ended=expired lines=a:3/1/1/1/0
        ITEM a -> on_hand=19 reserved=0 available=19
        RESERVE e 20 1 a 3 -> held
        wait 30ms
        CAPTURE e 1 a 1 ID c1 -> -EXPIRED*
        RELEASE e 1 a 1 ID x1 -> -EXPIRED*
        RESERVATION e -> expired ended=expired lines=a:3/0/0/3/0
        ",
    );
}

#[test]
fn an_id_with_the_whole_is_kept_and_no_lines_is_a_content() {
    script(
        "
        RECEIVE a 20 ID m1 -> 20
        RESERVE r 10000 1 a 3 -> held
        CAPTURE r ID c1 -> captured sequence:=s
        CAPTURE r ID c1 -> captured replayed sequence=$s
        CAPTURE r -> captured replayed
        CAPTURE r 1 a 3 ID c1 -> -CONFLICT*
        # an id is kept by the event that it made: this one is replayed and not kept
        CAPTURE r ID c2 -> captured replayed
        CAPTURE r 1 a 3 ID c2 -> -CAPTURED*
        RESERVE q 10000 1 a 3 -> held
        RELEASE q ID x1 -> released
        RELEASE q ID x1 -> released replayed
        RELEASE q ID x2 -> released replayed
        RELEASE q 1 a 3 ID x1 -> -CONFLICT*
        RELEASE q 1 a 3 ID x2 -> -RELEASED*
        # kept in one reservation, unknown to another, and apart from those of the other verbs
        RESERVE s 10000 1 a 3 -> held
        CAPTURE s 1 a 1 ID c1 -> held
        RELEASE s 1 a 1 ID c1 -> held
        ",
    );
}

#[test]
fn a_return_of_a_part_takes_the_last_captured_first() {
    script(
        "
        RECEIVE a 20 ID m1 -> 20
        RESERVE r 10000 2 a 3 a 4 -> held
        CAPTURE r 1 a 5 ID c1 -> held
        RESERVATION r -> held lines=a:3/3/0/0/0,a:4/2/0/0/0
        RETURN r 1 a 3 ID x1 -> held
        RESERVATION r -> held lines=a:3/3/0/0/1,a:4/2/0/0/2
        RETURN r 2 a 1 a 1 ID x2 -> held
        RETURN r 1 a 2 ID x2 -> -CONFLICT*
        RETURN r 2 a 1 a 1 ID x2 -> held replayed
        RESERVATION r -> held lines=a:3/3/0/0/3,a:4/2/0/0/2
        # what was returned does not become held again
        CAPTURE r 1 a 3 ID c2 -> -EXCEEDS a wanted 3 left 2
        CAPTURE r -> captured
        RETURN r 1 a 2 ID x3 -> captured
        RETURN r 1 a 1 ID x4 -> -EXCEEDS a wanted 1 left 0
        ITEM a -> on_hand=20 captured=7 returned=7 reserved=0 available=20
        ",
    );
}

#[test]
fn parts_go_by_lines_and_their_lots_in_order_and_back_in_reverse() {
    script(
        "
        RECEIVE a 3 ID m1 LOT L1 EXPIRES $now+100000 -> 3
        RECEIVE a 3 ID m2 LOT L2 EXPIRES $now+200000 -> 6
        RECEIVE a 3 ID m3 LOT L3 EXPIRES $now+300000 -> 9
        RESERVE r 10000 2 a 4 a 5 -> held
        RESERVATION r -> taken=L1:3+L2:1,L2:2+L3:3
        CAPTURE r 1 a 2 ID c1 -> held
        ITEM a -> lots=L1:1/1,L2:3/3,L3:3/3
        RELEASE r 1 a 4 ID x1 -> held
        # last taken lots first: all of L3, then one of the second line's L2
        ITEM a -> lots=L1:1/1,L2:3/2,L3:3/0
        RESERVATION r -> held lines=a:4/2/0/0/0,a:5/0/4/0/0
        CAPTURE r -> captured
        ITEM a -> lots=L2:1/0,L3:3/0
        # back to the lots they came from, last captured first
        RETURN r 1 a 1 ID t1 -> captured
        ITEM a -> lots=L2:2/0,L3:3/0
        RETURN r 1 a 2 ID t2 -> captured
        ITEM a -> lots=L1:1/0,L2:3/0,L3:3/0
        RETURN r ID t3 -> captured
        ITEM a -> lots=L1:3/0,L2:3/0,L3:3/0 on_hand=9 available=9
        ",
    );
}

/// 1,024 captures, releases and returns a reservation each; the whole passes whatever the number of parts.
#[test]
fn a_reservation_has_1024_parts_of_each_kind_and_the_whole_always_passes() {
    let mut server = Server::start();
    let mut client = server.connect();
    client.say("RECEIVE a 100000 ID m1");
    let state = |reply: &Value| reply.field("state").unwrap_or_else(|| reply.clone()).to_string();
    let parts = |client: &mut Client, verb: &str| {
        let commands: Vec<_> =
            (1..=1024).map(|n| super::support::resp::encoded(&format!("{verb} r 1 a 1 ID p{n}"))).collect();
        for (place, reply) in client.pipeline(&commands).iter().enumerate() {
            assert_eq!(state(reply), "held", "{verb} {} of 1024", place + 1);
        }
    };
    client.say("RESERVE r 600000 1 a 5000");
    parts(&mut client, "CAPTURE");
    parts(&mut client, "RELEASE");
    parts(&mut client, "RETURN");
    check(
        &mut server,
        "
        RESERVATION r -> held lines=a:5000/1024/1024/0/1024 version=3073
        CAPTURE r 1 a 1 ID p1025 -> -INVALID*
        RELEASE r 1 a 1 ID p1025 -> -INVALID*
        # the cap is checked last: first whether there is so much to take
        CAPTURE r 1 a 5000 ID p1025 -> -EXCEEDS a wanted 5000 left 2952
        CAPTURE r 1 a 1 ID p1024 -> held replayed
        CAPTURE r -> captured
        RESERVATION r -> captured lines=a:5000/3976/1024/0/1024
        RETURN r ID all -> captured
        ITEM a -> on_hand=100000 available=100000
        ",
    );
}
