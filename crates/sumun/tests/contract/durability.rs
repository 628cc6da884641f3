//! What a crash, a kill or a stop leaves: everything that was answered, once, and replays that still know it.

use super::support::resp::encoded;
use super::support::{Server, Value, check, world};

fn script(text: &str) {
    check(&mut Server::start(), text);
}

const LIFE: &str = "
    CONFIGURE a SAFETY 1 LIMIT 50 WINDOW 600000 ALLOCATION fifo METADATA '{\"n\": 1}' -> 0
    RECEIVE a 10 ID m1 LOT L1 EXPIRES 4000000000000 AT seoul -> 9
    RECEIVE a 10 ID m2 LOT L2 -> 19
    ADJUST a -1 REASON broken ID m3 LOT L1 -> 18
    RESERVE r1 600000 2 a 3 a 2 FOR kim LOT 2 L2 -> held sequence:=h
    CAPTURE r1 1 a 2 ID c1 -> held
    RELEASE r1 1 a 1 ID x1 -> held
    RETURN r1 1 a 1 ID t1 -> held
    EXTEND r1 900000 -> held expires_at:=e
    RESERVE r2 0 1 a 2 FOR lee CAPTURE -> captured
    RESERVE r3 600000 1 a 1 FOR lee -> held
    RELEASE r3 -> released
    RELEASE tomb -> released tombstone
    RESERVE r4 30 1 a 1 FOR kim -> held
    RESERVE p 600000 1 a 2 FOR kim -> held
    CAPTURE p 1 a 1 ID c1 -> held
    RELEASE p -> partially_captured
";

/// What must be known after the server was away, however it went.
const AFTER: &str = "
    RESERVATION r1 -> held version=5 lines=a:3/2/0/0/1,a:2/0/1/0/0 expires_at=$e holder=kim ended=null
    RESERVE r1 600000 2 a 2 a 3 FOR kim LOT 1 L2 -> held replayed expires_at=$e
    RESERVE r1 600000 1 a 3 FOR kim -> -CONFLICT*
    CAPTURE r1 1 a 2 ID c1 -> held replayed
    CAPTURE r1 1 a 1 ID c1 -> -CONFLICT*
    RELEASE r1 1 a 1 ID x1 -> held replayed
    RETURN r1 1 a 1 ID t1 -> held replayed
    RETURN r1 ID t1 -> -CONFLICT*
    RESERVE r2 0 1 a 2 FOR lee CAPTURE -> captured replayed
    RESERVE r3 600000 1 a 1 FOR lee -> -RELEASED*
    RESERVE tomb 600000 1 a 1 FOR kim -> -RELEASED*
    RELEASE tomb -> released tombstone replayed
    RESERVE r4 30 1 a 1 FOR kim -> -EXPIRED*
    RESERVATION r4 -> expired ended=expired lines=a:1/0/0/1/0
    RESERVE p 600000 1 a 2 FOR kim -> -RELEASED*
    RESERVATION p -> partially_captured ended=released lines=a:2/1/1/0/0
    # movements answer with their first integer
    RECEIVE a 10 ID m1 LOT L1 EXPIRES 4000000000000 AT seoul -> 9
    ADJUST a -1 REASON broken ID m3 LOT L1 -> 18
    ADJUST a -1 REASON broken ID m3 -> -CONFLICT*
    ITEM a -> on_hand=15 reserved=2 available=12 received=20 removed=1 returned=1 captured=5 allocation=fifo
    ITEM a -> safety_stock=1 limit.quantity=50 limit.window_ms=600000 lots.1.location=seoul lots.1.expires_at=4000000000000
    ITEM a -> sequence:=i
";

#[test]
fn everything_answered_is_there_after_kill_9() {
    script(&format!("{LIFE}\n wait 40ms\n kill\n {AFTER}"));
}

#[test]
fn everything_answered_is_there_after_a_stop() {
    script(&format!("{LIFE}\n wait 40ms\n restart\n {AFTER}\n kill\n {AFTER}\n restart\n {AFTER}"));
}

#[test]
fn limits_and_holders_are_counted_on_after_a_restart() {
    script(
        "
        CONFIGURE a LIMIT 3 WINDOW 600000 -> 0
        RECEIVE a 100 ID m1 -> 100
        RESERVE r1 600000 1 a 1 FOR kim -> held
        RESERVE r2 0 1 a 1 FOR kim CAPTURE -> captured
        kill
        RESERVE r3 600000 1 a 2 FOR kim -> -LIMIT a kim wanted 2 left 1
        RELEASE r1 -> released
        RETURN r2 ID t1 -> captured
        kill
        RESERVE r3 600000 1 a 4 FOR kim -> -LIMIT a kim wanted 4 left 3
        RESERVE r3 600000 1 a 3 FOR kim -> held
        ",
    );
}

#[test]
fn versions_and_sequences_go_on_without_gap() {
    script(
        "
        RECEIVE a 100 ID m1 -> 100
        RESERVE r 600000 1 a 1 -> held sequence:=s
        kill
        RESERVATION r -> version=1 sequence=$s
        ITEM a -> version=3 sequence=$s
        EXTEND r 900000 -> held sequence:=x
        RESERVATION r -> version=2 sequence=$x
        CAPTURE r -> captured sequence=$x+1
        ITEM a -> version=4
        restart
        ITEM a -> version=4 sequence=$x+1
        RECEIVE a 1 ID m2 -> 100
        ITEM a -> version=5
        ",
    );
}

/// Ends that fell due while the server was away are written before it says that it is ready.
#[test]
fn what_fell_due_while_the_server_was_away_has_ended_when_it_is_ready() {
    let mut server = Server::start();
    let mut client = server.connect();
    client.say("RECEIVE a 1000 ID m1");
    client.say(&format!("RECEIVE b 5 ID m1 LOT L1 EXPIRES {}", world::unix_ms() + 150));
    let reserves: Vec<_> = (0..500).map(|n| encoded(&format!("RESERVE r{n} 150 1 a 2"))).collect();
    client.pipeline(&reserves);
    server.kill();
    world::sleep_ms(200);
    server.start_again();
    check(
        &mut server,
        "
        ITEM a -> on_hand=1000 reserved=0 available=1000
        ITEM b -> on_hand=5 available=0 expired=5
        RESERVATION r499 -> expired version=2
        CAPTURE r250 -> -EXPIRED*
        ",
    );
}

/// Half of a hundred ends at the least come free within 100 ms; all of them within a second, however busy the machine.
#[test]
fn ends_that_nobody_names_free_their_units_in_time() {
    let server = Server::start();
    let mut client = server.connect();
    client.say("RECEIVE a 1000 ID m1");
    let mut late = Vec::new();
    for round in 0..10 {
        let held = client.say(&format!("RESERVE r{round} 20 1 a 1000"));
        let end = held.field("expires_at").unwrap_or_else(|| panic!("{held}")).integer();
        let free = world::eventually(1_500, || {
            let available = client.say("ITEM a").field("available").expect("an item").integer();
            (available == 1000).then(world::unix_ms)
        });
        let free = free.expect("the units of an end come free");
        assert!(free >= end, "no end comes early: {} ms", end - free);
        late.push(free - end);
    }
    late.sort_unstable();
    assert!(late[5] <= 100 && late[9] <= 1_000, "ends were late by {late:?} ms");
}

#[test]
fn kills_under_load_lose_and_double_nothing() {
    let mut server = Server::start();
    let mut client = server.connect();
    client.say("RECEIVE a 1000000 ID m1");
    let mut acknowledged = 0_u32;
    for round in 0..5_u32 {
        let mut client = server.connect();
        let address = server.resp;
        let writer = std::thread::spawn(move || {
            let mut done = Vec::new();
            for n in 0..100_000_u32 {
                client.send_bytes(&encoded(&format!("RESERVE k{round}-{n} 600000 1 a 1")));
                match client.try_read() {
                    Ok(reply) if reply.field("state").is_some() => done.push(n),
                    Ok(other) => panic!("round {round}, {address}: {other}"),
                    Err(_killed) => break,
                }
            }
            done
        });
        world::sleep_ms(60 + 17 * u64::from(round));
        server.kill();
        let done = writer.join().expect("the writer ends when the server is gone");
        server.start_again();
        let mut client = server.connect();
        let asked: Vec<_> = done.iter().map(|n| encoded(&format!("RESERVE k{round}-{n} 600000 1 a 1"))).collect();
        for reply in client.pipeline(&asked) {
            assert_eq!(reply.field("replayed"), Some(Value::Integer(1)), "{reply}");
        }
        acknowledged += u32::try_from(done.len()).expect("at most 100,000");
        let reserved = client.say("ITEM a").field("reserved").expect("an item").integer();
        // At most one a round was done without its answer having been read.
        let spare = i64::from(round) + 1;
        assert!((i64::from(acknowledged)..=i64::from(acknowledged) + spare).contains(&reserved), "{reserved}");
    }
    assert!(acknowledged > 0, "the load did nothing");
}

#[test]
fn a_shard_lies_in_a_directory_that_only_its_owner_reads() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start();
    let log = server.data().join("0/log");
    assert!(log.is_dir(), "{}", log.display());
    let mode = std::fs::metadata(server.data().join("0")).expect("the shard's directory").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "one directory a shard, mode 0700");
}
