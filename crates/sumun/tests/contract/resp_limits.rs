//! Limits a holder, and the caps of a request: lines, ttl, times.

use super::support::resp::encode;
use super::support::{Server, Value, check};

fn script(text: &str) {
    check(&mut Server::start(), text);
}

#[test]
fn an_item_with_a_limit_takes_reservations_only_with_a_holder() {
    script(
        "
        CONFIGURE a LIMIT 3 -> 0
        RECEIVE a 100 ID m1 -> 100
        RESERVE r 10000 1 a 1 -> -INVALID*
        RESERVE r 0 1 a 1 CAPTURE -> -INVALID*
        RESERVE r 10000 1 a 2 FOR kim -> held
        RESERVE q 10000 1 a 2 FOR kim -> -LIMIT a kim wanted 2 left 1
        # several lines of one sku are counted together
        RESERVE q 10000 2 a 1 a 1 FOR kim -> -LIMIT a kim wanted 2 left 1
        RESERVE q 10000 1 a 4 FOR lee -> -LIMIT a lee wanted 4 left 3
        RESERVE q 10000 1 a 3 FOR lee -> held
        RESERVE k 10000 1 a 1 FOR kim -> held
        RESERVE l 0 1 a 1 FOR kim CAPTURE -> -LIMIT a kim wanted 1 left 0
        # a replay is no new reservation
        RESERVE k 10000 1 a 1 FOR kim -> held replayed
        # an item without limit takes a holder too, and does not need one
        RECEIVE b 5 ID m1 -> 5
        RESERVE b1 10000 1 b 1 FOR kim -> held
        RESERVE b2 10000 1 b 1 -> held
        ",
    );
}

#[test]
fn held_counts_and_captured_counts_and_what_went_back_does_not() {
    script(
        "
        CONFIGURE a LIMIT 3 -> 0
        RECEIVE a 100 ID m1 -> 100
        RESERVE r1 10000 1 a 3 FOR kim -> held
        RELEASE r1 1 a 1 ID x1 -> held
        RESERVE r2 10000 1 a 2 FOR kim -> -LIMIT a kim wanted 2 left 1
        RELEASE r1 -> released
        RESERVE r2 30 1 a 3 FOR kim -> held
        wait 40ms
        RESERVATION r2 -> expired
        RESERVE r3 10000 1 a 3 FOR kim -> held
        CAPTURE r3 1 a 2 ID c1 -> held
        RESERVE r4 10000 1 a 1 FOR kim -> -LIMIT a kim wanted 1 left 0
        RELEASE r3 -> partially_captured
        RESERVE r4 10000 1 a 2 FOR kim -> -LIMIT a kim wanted 2 left 1
        # a return gives the limit back, too
        RETURN r3 1 a 1 ID t1 -> partially_captured
        RESERVE r4 10000 1 a 2 FOR kim -> held
        RESERVE r5 10000 1 a 1 FOR kim -> -LIMIT a kim wanted 1 left 0
        CAPTURE r4 -> captured
        RETURN r4 ID t1 -> captured
        RETURN r3 ID t2 -> partially_captured
        RESERVE r5 0 1 a 3 FOR kim CAPTURE -> captured
        RESERVE r6 0 1 a 1 FOR kim CAPTURE -> -LIMIT a kim wanted 1 left 0
        ",
    );
}

#[test]
fn a_window_forgets_the_captured_and_never_the_held() {
    script(
        "
        CONFIGURE a LIMIT 2 WINDOW 400 -> 0
        RECEIVE a 100 ID m1 -> 100
        RESERVE c 0 1 a 1 FOR kim CAPTURE -> captured
        RESERVE h 10000 1 a 1 FOR kim -> held
        RESERVE x 10000 1 a 1 FOR kim -> -LIMIT a kim wanted 1 left 0
        wait 420ms
        # the captured one began before the window; the held one counts for as long as it is held
        RESERVE y 10000 1 a 2 FOR kim -> -LIMIT a kim wanted 2 left 1
        RESERVE y 10000 1 a 1 FOR kim -> held
        # it is the begin of the reservation that counts, not the moment of the capture
        CAPTURE h -> captured
        RESERVE z 10000 1 a 1 FOR kim -> held
        RESERVE w 10000 1 a 1 FOR kim -> -LIMIT a kim wanted 1 left 0
        # without a window: for ever
        CONFIGURE b LIMIT 1 -> 0
        RECEIVE b 100 ID m1 -> 100
        RESERVE b1 0 1 b 1 FOR kim CAPTURE -> captured
        wait 450ms
        RESERVE b2 0 1 b 1 FOR kim CAPTURE -> -LIMIT b kim wanted 1 left 0
        # a window changed later counts what there was
        CONFIGURE b LIMIT 1 WINDOW 100 -> 99
        RESERVE b2 0 1 b 1 FOR kim CAPTURE -> captured
        CONFIGURE b LIMIT 2 WINDOW 60000 -> 98
        RESERVE b3 0 1 b 1 FOR kim CAPTURE -> -LIMIT b kim wanted 1 left 0
        ",
    );
}

/// A window may be counted in thousandths of its length, but it never ends early.
#[test]
fn a_window_never_ends_early() {
    let mut server = Server::start();
    check(&mut server, "CONFIGURE a LIMIT 1 WINDOW 300 -> 0\n RECEIVE a 100 ID m1 -> 100");
    let mut client = server.connect();
    let mut begun = None;
    for attempt in 0..2_000 {
        let reply = client.say(&format!("RESERVE r{attempt} 0 1 a 1 FOR kim CAPTURE"));
        if matches!(&reply, Value::Error(error) if error.starts_with("LIMIT")) {
            super::support::world::sleep_ms(1);
            continue;
        }
        let record = client.say(&format!("RESERVATION r{attempt}"));
        let at = record.field("created_at").expect("a record says when it began").integer();
        if let Some(before) = begun {
            assert!(at - before >= 300, "a window of 300 ms ended after {} ms", at - before);
            assert!(at - before < 1_000, "a window of 300 ms took {} ms", at - before);
            return;
        }
        begun = Some(at);
    }
    panic!("a window of 300 ms did not end within two seconds");
}

#[test]
fn counting_begins_with_the_first_limit_and_goes_on_without_it() {
    script(
        "
        RECEIVE a 100 ID m1 -> 100
        RESERVE before 10000 1 a 5 FOR kim -> held
        RESERVE nobody 10000 1 a 5 -> held
        CONFIGURE a LIMIT 3 -> 90
        # what was held before does not count, captured later or not
        RESERVE r1 10000 1 a 3 FOR kim -> held
        CAPTURE before -> captured
        RESERVE x 10000 1 a 1 FOR kim -> -LIMIT a kim wanted 1 left 0
        # nor is it given back
        RETURN before ID t1 -> captured
        RESERVE x 10000 1 a 1 FOR kim -> -LIMIT a kim wanted 1 left 0
        CAPTURE nobody -> captured
        # counted while the limit is gone or another
        CONFIGURE a -> 92
        RESERVE r2 0 1 a 4 FOR kim CAPTURE -> captured
        CONFIGURE a LIMIT 8 -> 88
        RESERVE x 10000 1 a 2 FOR kim -> -LIMIT a kim wanted 2 left 1
        # a limit below what is held takes nothing and leaves nothing
        CONFIGURE a LIMIT 2 -> 88
        RESERVE x 10000 1 a 1 FOR kim -> -LIMIT a kim wanted 1 left 0
        RESERVATION r1 -> held
        CAPTURE r1 -> captured
        ",
    );
}

#[test]
fn points_have_limits_too() {
    script(
        "
        CONFIGURE p KIND points LIMIT 10 WINDOW 60000 -> 0
        RECEIVE p 1000 ID m1 -> 1000
        RESERVE r 10000 1 p 7 FOR kim -> held
        RESERVE q 10000 1 p 4 FOR kim -> -LIMIT p kim wanted 4 left 3
        RESERVE q 10000 1 p 3 FOR kim -> held
        ",
    );
}

#[test]
fn a_reservation_has_64_lines() {
    let mut server = Server::start();
    let mut client = server.connect();
    for n in 0..65 {
        client.say(&format!("RECEIVE s{n} 10 ID m1"));
    }
    let reserve = |id: &str, count: usize| {
        let lines: String = (0..count).map(|n| format!(" s{n} 1")).collect();
        format!("RESERVE {id} 10000 {count}{lines}")
    };
    let held = client.say(&reserve("r", 64));
    assert_eq!(held.field("state"), Some(Value::Bulk(b"held".to_vec())), "{held}");
    let refused = client.say(&reserve("q", 65));
    assert!(matches!(&refused, Value::Error(error) if error.starts_with("INVALID")), "{refused}");
    check(
        &mut server,
        "
        RESERVATION q -> null
        RESERVATION r -> held lines.#=64
        RESERVE n 10000 0 -> -INVALID*|-ERR wrong*
        RESERVE n 10000 0 FOR kim UNTIL 5 -> -INVALID*
        # fewer or more than the number said
        RESERVE n 10000 2 s1 1 -> -INVALID*|-ERR wrong*
        RESERVE n 10000 2 s1 1 s2 -> -INVALID*|-ERR wrong*
        RESERVE n 10000 1 s1 1 s2 1 -> -INVALID*|-ERR*
        RESERVE n 10000 1 s1 1 FOR -> -INVALID*|-ERR*
        RESERVE n 10000 1 s1 1 LOT 1 -> -INVALID*|-ERR*
        RESERVE n 10000 1 s1 1 BOGUS x -> -INVALID*|-ERR*
        # lines are counted from 1
        RESERVE n 10000 1 s1 1 LOT 0 x -> -INVALID*
        RESERVE n 10000 1 s1 1 LOT 2 x -> -INVALID*
        RESERVE n 10000 1 s1 1 AT 2 x -> -INVALID*
        RESERVE n 10000 1 s1 1 UNTIL x -> -INVALID*
        RESERVE n 10000 1 s1 1 UNTIL -5 -> -INVALID*
        RESERVATION n -> null
        CAPTURE r 0 ID c -> -INVALID*
        RELEASE r 0 ID c -> -INVALID*
        CAPTURE r 2 s1 1 ID c -> -INVALID*|-ERR wrong*
        CAPTURE r BOGUS -> -INVALID*|-ERR*
        RELEASE r ID -> -INVALID*|-ERR*
        RESERVATION r -> held version=1
        ",
    );
    // A part names as many lines as a reservation has, at most.
    let lines: Vec<String> = (0..65).map(|n| format!("s{n}")).collect();
    let mut words = vec!["CAPTURE", "r", "65"];
    words.extend(lines.iter().flat_map(|sku| [sku.as_str(), "1"]));
    words.extend(["ID", "c"]);
    client.send_bytes(&encode(&words));
    let reply = client.read();
    assert!(
        matches!(&reply, Value::Error(error) if error.starts_with("INVALID") || error.starts_with("EXCEEDS")),
        "{reply}"
    );
}

#[test]
fn a_ttl_is_1_ms_to_30_days() {
    script(
        "
        RECEIVE a 100 ID m1 -> 100
        RESERVE r0 0 1 a 1 -> -INVALID*
        RESERVE r1 1 1 a 1 -> held
        RESERVE r2 2592000000 1 a 1 -> held expires_at=now+2592000000
        RESERVE r3 2592000001 1 a 1 -> -INVALID*
        RESERVE r3 9007199254740993 1 a 1 -> -INVALID*
        RESERVE r3 18446744073709551617 1 a 1 -> -INVALID*
        wait 5ms
        RESERVATION r1 -> expired
        ",
    );
}
