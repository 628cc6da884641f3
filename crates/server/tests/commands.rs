//! Requests to commands, as API.md's table has them: each form, each way to get it wrong.
use sumun_server::resp::{Parsed, Parser, Refused, Verb, Word, command, table};
use sumun_wire::{
    Adjust, Allocation, Command, Configure, Extend, Kind, Limit, Line, Part, PartLine, Receive, Reserve, Timestamp,
};

/// Reads one inline request and hands over what came of it.
fn read(line: &str, judge: impl FnOnce(Result<(Command<'_>, bool), String>)) {
    read_bytes(line.as_bytes(), judge);
}

fn read_bytes(line: &[u8], judge: impl FnOnce(Result<(Command<'_>, bool), String>)) {
    let mut input = [line, b"\n"].concat();
    let mut parser = Parser::default();
    assert!(matches!(parser.parse(&mut input), Ok(Parsed::Request { .. })));
    let args = parser.args(&input);
    let Some(Word::Ledger(verb)) = args.get(0).and_then(table::find) else { panic!("{args:?}") };
    match command::read(verb, args) {
        Ok(read) => {
            let fresh = read.wants_fresh_id;
            judge(Ok((read.command, fresh)));
        }
        Err(Refused::TooFew) => judge(Err("too few".into())),
        Err(Refused::Invalid(invalid)) => judge(Err(format!("{}: {}", invalid.field, invalid.why))),
    }
}

fn check(line: &str, expected: &Command<'_>) {
    // Compared as text: a command's lifetime is its own, and cannot be made another's.
    let expected = format!("{expected:?}");
    read(line, |found| {
        let (command, fresh) = found.unwrap_or_else(|refused| panic!("{line}: {refused}"));
        assert_eq!(format!("{command:?}"), expected, "{line}");
        assert!(!fresh);
    });
}

fn refused(line: &str, expected: &str) {
    read(line, |found| assert_eq!(found.expect_err("it is refused"), expected, "{line}"));
}

fn line(sku: &str, quantity: u64) -> Line<'_> {
    Line { sku, quantity, lot: None, location: None }
}

#[test]
fn configure_takes_all_settings_in_any_order() {
    check("CONFIGURE a", &Command::Configure(Configure { sku: "a", ..Configure::default() }));
    let all = Command::Configure(Configure {
        sku: "a",
        kind: Some(Kind::Points),
        safety_stock: 1,
        backorder_limit: 2,
        limit: Some(Limit { quantity: 3, window_ms: Some(4) }),
        allocation: Allocation::Fifo,
        metadata: Some("{\"x\":1}"),
    });
    check(r#"configure a kind points safety 1 backorder 2 limit 3 window 4 allocation fifo metadata '{"x":1}'"#, &all);
    check(r#"CONFIGURE a METADATA '{"x":1}' WINDOW 4 ALLOCATION FIFO LIMIT 3 BACKORDER 2 SAFETY 1 KIND Points"#, &all);
    let limited = Configure { sku: "a", limit: Some(Limit { quantity: 3, window_ms: None }), ..Configure::default() };
    check("CONFIGURE a LIMIT 3", &Command::Configure(limited));
    refused("CONFIGURE", "too few");
    refused("CONFIGURE a KIND", "too few");
    refused("CONFIGURE a KIND shoes", "kind: must be `stock` or `points`");
    refused("CONFIGURE a ALLOCATION lifo", "allocation: must be `fefo` or `fifo`");
    refused("CONFIGURE a SAFETY -1", "safety_stock: must not be negative");
    refused("CONFIGURE a SAFETY 1 SAFETY 1", "safety_stock: is given twice");
    refused("CONFIGURE a WINDOW 4", "window_ms: needs a limit");
    refused("CONFIGURE a METADATA {", "metadata: must be a JSON text");
    refused("CONFIGURE a COLOUR red", "option: is not one of this command");
}

#[test]
fn receive_and_adjust_take_a_movement_id_or_ask_for_a_fresh_one() {
    check("RECEIVE a 5", &Command::Receive(Receive { sku: "a", quantity: 5, ..Receive::default() }));
    check(
        "receive a 5 at shelf expires 99 lot L id m",
        &Command::Receive(Receive {
            sku: "a",
            quantity: 5,
            movement: Some("m"),
            lot: Some("L"),
            expires_at: Some(Timestamp(99)),
            location: Some("shelf"),
        }),
    );
    let adjust = Adjust { sku: "a", delta: -5, reason: "broken", movement: Some("m"), lot: Some("L") };
    check("ADJUST a -5 LOT L ID m REASON broken", &Command::Adjust(adjust));
    for fresh in ["RECEIVE a 5 ID *", "ADJUST a 5 REASON r ID *"] {
        read(fresh, |found| assert!(found.unwrap().1, "{fresh}"));
    }
    for (line, tells) in [
        ("RECEIVE a 5 WITHREPLAYED ID m", true),
        ("ADJUST a 5 REASON r ID m withreplayed", true),
        ("RECEIVE a 5 ID m", false),
    ] {
        let mut input = format!("{line}\n").into_bytes();
        let mut parser = Parser::default();
        assert!(parser.parse(&mut input).is_ok());
        let verb = if line.starts_with('R') { Verb::Receive } else { Verb::Adjust };
        assert_eq!(command::read(verb, parser.args(&input)).unwrap().tells_replay, tells, "{line}");
    }
    refused("RECEIVE a 5 ID m WITHREPLAYED WITHREPLAYED", "option: is given twice");
    refused("RECEIVE a", "too few");
    refused("RECEIVE a x ID m", "quantity: must be a plain integer");
    refused("RECEIVE a 5 ID", "too few");
    refused("RECEIVE a 5 ID m ID m", "id: is given twice");
    refused("ADJUST a", "too few");
    refused("ADJUST a 5 ID m", "reason: is missing");
    refused("ADJUST a -0 REASON r ID m", "delta: must be a plain integer");
    refused("ADJUST a 9223372036854775808 REASON r ID m", "delta: must be at most 9007199254740991");
}

#[test]
fn a_fresh_id_takes_the_place_of_the_star() {
    let mut input = b"RECEIVE a 5 ID *\n".to_vec();
    let mut parser = Parser::default();
    assert!(parser.parse(&mut input).is_ok());
    let read = command::read(Verb::Receive, parser.args(&input)).unwrap();
    let expected = Receive { sku: "a", quantity: 5, movement: Some("fresh"), ..Receive::default() };
    assert_eq!(read.with_fresh_id("fresh"), Command::Receive(expected));
}

#[test]
fn reserve_takes_lines_and_options() {
    let plain = Reserve {
        reservation: "r",
        ttl_ms: Some(1_000),
        lines: [line("a", 1), line("b", 2)].into_iter().collect(),
        ..Reserve::default()
    };
    check("RESERVE r 1000 2 a 1 b 2", &Command::Reserve(plain.clone()));
    let mut full = Reserve { holder: Some("h"), needed_until: Some(Timestamp(77)), capture: true, ..plain };
    full.lines[0].lot = Some("L1");
    full.lines[1].lot = Some("FOR");
    full.lines[1].location = Some("9");
    let full = Command::Reserve(full);
    check("RESERVE r 1000 2 a 1 b 2 FOR h UNTIL 77 LOT 1 L1 2 FOR AT 2 9 CAPTURE", &full);
    check("reserve r 1000 2 a 1 b 2 capture lot 2 FOR at 2 9 lot 1 L1 until 77 for h", &full);
    let zero = Reserve {
        reservation: "r",
        ttl_ms: Some(0),
        lines: [line("a", 0)].into_iter().collect(),
        capture: true,
        ..Reserve::default()
    };
    check("RESERVE r 0 1 a 0 CAPTURE", &Command::Reserve(zero));
}

#[test]
fn reserve_says_what_is_wrong_with_it() {
    for short in [
        "RESERVE",
        "RESERVE r",
        "RESERVE r x",
        "RESERVE r 1 1",
        "RESERVE r 1 1 a",
        "RESERVE r 1 2 a 1",
        "RESERVE r 1 1 a 1 FOR",
        "RESERVE r 1 1 a 1 LOT 1",
    ] {
        refused(short, "too few");
    }
    refused("RESERVE r 1 0", "numitems: must be 1 to 64");
    refused("RESERVE r 1 65 a 1", "numitems: must be 1 to 64");
    refused("RESERVE r 1 x a 1", "numitems: must be a plain integer");
    refused("RESERVE r -1 1 a 1", "ttl_ms: must not be negative");
    refused("RESERVE r 01 1 a 1", "ttl_ms: must be a plain integer");
    refused("RESERVE r 1.0 1 a 1", "ttl_ms: must be a plain integer");
    refused("RESERVE r 1e3 1 a 1", "ttl_ms: must be a plain integer");
    refused("RESERVE r +1 1 a 1", "ttl_ms: must be a plain integer");
    refused("RESERVE r '' 1 a 1", "ttl_ms: must be a plain integer");
    refused("RESERVE r 99999999999999999999 1 a 1", "ttl_ms: must be a plain integer");
    refused("RESERVE * 1 1 a 1", "reservation: must not be `*`");
    refused("RESERVE r 1 1 a 1 LOT 2 L", "line: there is no line of that number, counted from 1");
    refused("RESERVE r 1 1 a 1 AT 0 L", "line: there is no line of that number, counted from 1");
    refused("RESERVE r 1 1 a 1 LOT 1 L 1 M", "lot: is given twice");
    refused("RESERVE r 1 1 a 1 LOT 1 L LOT 1 L", "lot: is given twice");
    refused("RESERVE r 1 1 a 1 CAPTURE CAPTURE", "capture: is given twice");
    refused("RESERVE r 1 1 a 1 FOR h FOR h", "holder: is given twice");
    refused("RESERVE r 1 1 a 1 b 2", "option: is not one of this command");
    read_bytes(b"RESERVE \xff 1 1 a 1", |found| {
        assert_eq!(found.expect_err("it is refused"), "reservation: must be UTF-8")
    });
    read_bytes(b"RESERVE r 1 1 \xff 1", |found| assert_eq!(found.expect_err("it is refused"), "sku: must be UTF-8"));
}

#[test]
fn parts_have_lines_an_id_both_or_none() {
    let whole = Part { reservation: "r", ..Part::default() };
    check("CAPTURE r", &Command::Capture(whole.clone()));
    check("RELEASE r", &Command::Release(whole.clone()));
    check("RETURN r", &Command::Return(whole.clone()));
    check("CAPTURE r ID c", &Command::Capture(Part { id: Some("c"), ..whole.clone() }));
    let lines = [PartLine { sku: "a", quantity: 1 }, PartLine { sku: "ID", quantity: 2 }].into_iter().collect();
    let part = Part { lines: Some(lines), id: Some("c"), ..whole };
    check("release r 2 a 1 ID 2 id c", &Command::Release(part));
    refused("CAPTURE", "too few");
    refused("CAPTURE r ID", "too few");
    refused("CAPTURE r 1", "too few");
    refused("CAPTURE r 1 a", "too few");
    refused("CAPTURE r 0", "numitems: must be 1 to 64");
    refused("CAPTURE r -1", "numitems: must not be negative");
    refused("CAPTURE r ID c ID c", "id: is given twice");
    refused("CAPTURE r ID *", "id: must not be `*`");
    refused("CAPTURE r x", "option: is not one of this command");
}

#[test]
fn the_rest_take_what_they_say() {
    check("EXTEND r 5", &Command::Extend(Extend { reservation: "r", ttl_ms: 5 }));
    check("RESERVATION run:x", &Command::Reservation { id: "run:x" });
    check("ITEM a", &Command::Item { sku: "a" });
    refused("EXTEND r", "too few");
    refused("RESERVATION", "too few");
    refused("ITEM", "too few");
    for long in ["EXTEND r 5 x", "RESERVATION r x", "ITEM a x"] {
        refused(long, "arguments: there are words behind the last one");
    }
}
