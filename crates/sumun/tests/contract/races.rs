//! What two clients do at the same moment: one outcome each, whoever was first.

use super::support::resp::encoded;
use super::support::{Client, Server, Value, check};

const ROUNDS: usize = 200;

fn state(reply: &Value) -> String {
    reply.field("state").unwrap_or_else(|| reply.clone()).to_string()
}

/// Sends one command a round from each of two connections, unanswered until both are out.
fn race(server: &Server, first: impl Fn(usize) -> String, second: impl Fn(usize) -> String) -> Vec<(Value, Value)> {
    let mut clients: [Client; 2] = [server.connect(), server.connect()];
    (0..ROUNDS)
        .map(|round| {
            // Who is first on the wire alternates.
            for place in [round % 2, (round + 1) % 2] {
                let command = if place == 0 { first(round) } else { second(round) };
                clients[place].send_bytes(&encoded(&command));
            }
            (clients[0].read(), clients[1].read())
        })
        .collect()
}

fn stocked(units: usize) -> Server {
    let server = Server::start();
    assert_eq!(server.connect().say(&format!("RECEIVE a {units} ID m1")), Value::Integer(units as i64));
    server
}

fn reserve_all(server: &Server, ttl_ms: u64) {
    let commands: Vec<_> = (0..ROUNDS).map(|n| encoded(&format!("RESERVE r{n} {ttl_ms} 1 a 1"))).collect();
    server.connect().pipeline(&commands);
}

#[test]
fn capture_racing_release_has_one_outcome() {
    let mut server = stocked(1_000);
    reserve_all(&server, 600_000);
    let mut captured = 0;
    for (capture, release) in race(&server, |n| format!("CAPTURE r{n}"), |n| format!("RELEASE r{n}")) {
        match (state(&capture).as_str(), state(&release).split_whitespace().next().unwrap_or_default()) {
            ("captured", "-CAPTURED") => captured += 1,
            (refused, "released") => assert!(refused.starts_with("-RELEASED"), "{refused}"),
            other => panic!("{other:?}"),
        }
    }
    let left = 1_000 - captured;
    check(&mut server, &format!("ITEM a -> on_hand={left} reserved=0 available={left} captured={captured}"));
}

#[test]
fn two_windows_with_one_id_have_one_effect() {
    let mut server = stocked(1_000);
    // The same content: one of them held it, the other sees that it did.
    let same = |n: usize| format!("RESERVE r{n} 600000 1 a 1");
    for (one, other) in race(&server, same, same) {
        let replayed = |reply: &Value| reply.field("replayed").unwrap_or_else(|| panic!("{reply}")).integer();
        assert_eq!((state(&one).as_str(), state(&other).as_str()), ("held", "held"));
        assert_eq!(replayed(&one) + replayed(&other), 1);
        assert_eq!(one.field("sequence"), other.field("sequence"));
    }
    // Other content: one holds, the other conflicts.
    let replies = race(&server, |n| format!("RESERVE q{n} 600000 1 a 1"), |n| format!("RESERVE q{n} 600000 1 a 2"));
    let mut units = 0;
    for (one, two) in replies {
        let conflict = |reply: &Value| matches!(reply, Value::Error(error) if error.starts_with("CONFLICT"));
        assert!(conflict(&one) != conflict(&two), "{one} {two}");
        units += if conflict(&one) { 2 } else { 1 };
    }
    let reserved = ROUNDS + units;
    check(&mut server, &format!("ITEM a -> reserved={reserved} on_hand=1000"));
    // A movement: one receipt.
    for (one, two) in race(&server, |n| format!("RECEIVE b 1 ID m{n}"), |n| format!("RECEIVE b 1 ID m{n}")) {
        assert_eq!(one, two, "both get the first answer's integer");
    }
    check(&mut server, "ITEM b -> on_hand=200 version=201");
}

#[test]
fn capture_racing_expiry_has_one_outcome() {
    let mut server = stocked(1_000);
    let mut client = server.connect();
    let (mut captured, mut expired) = (0, 0);
    for round in 0..ROUNDS {
        // From well before to well after the end.
        let ttl_ms = 1 + round % 4;
        let held = client.say(&format!("RESERVE r{round} {ttl_ms} 1 a 1"));
        let end = held.field("expires_at").unwrap_or_else(|| panic!("{held}")).integer();
        super::support::world::sleep_ms((round % 3) as u64);
        let reply = client.say(&format!("CAPTURE r{round}"));
        let after = client.say(&format!("RESERVATION r{round}"));
        match state(&reply).as_str() {
            "captured" => captured += 1,
            refused if refused.starts_with("-EXPIRED") => expired += 1,
            other => panic!("{other}"),
        }
        let (shown, said) = (state(&after), state(&reply));
        assert!(shown == said || (shown == "expired" && said.starts_with("-EXPIRED")), "{said} and then {shown}");
        // Nothing is captured at or after its end, and no end comes early.
        let now = super::support::world::unix_ms();
        assert!(shown == "captured" || now >= end, "expired {} ms before its end", end - now);
    }
    assert!(captured > 0 && expired > 0, "{captured} captured, {expired} expired: both were to be seen");
    let left = 1_000 - captured;
    check(&mut server, &format!("eventually ITEM a -> on_hand={left} reserved=0 available={left} captured={captured}"));
}

#[test]
fn exactly_as_many_succeed_as_there_are_units() {
    let mut server = stocked(100);
    let sold: usize = std::thread::scope(|scope| {
        let buyers: Vec<_> = (0..16)
            .map(|buyer| {
                let mut client = server.connect();
                scope.spawn(move || {
                    let commands: Vec<_> =
                        (0..63).map(|n| encoded(&format!("RESERVE b{buyer}-{n} 0 1 a 1 CAPTURE"))).collect();
                    let replies = client.pipeline(&commands);
                    for reply in replies.iter().filter(|reply| reply.field("state").is_none()) {
                        assert_eq!(reply.to_string(), "-INSUFFICIENT a wanted 1 available 0");
                    }
                    replies.iter().filter(|reply| reply.field("state").is_some()).count()
                })
            })
            .collect();
        buyers.into_iter().map(|buyer| buyer.join().expect("a buyer")).sum()
    });
    assert_eq!(sold, 100, "1,008 buyers want one unit each of 100");
    check(&mut server, "ITEM a -> on_hand=0 reserved=0 available=0 captured=100");
}
