//! Items: settings, kinds, receipts, adjustments, their ids, the figures that come of them, and what may stand in a
//! name and in a quantity.

use super::support::{Server, Value, check};

fn script(text: &str) {
    check(&mut Server::start(), text);
}

#[test]
fn configure_sets_all_settings_at_once() {
    script(
        "
        CONFIGURE a -> 0
        ITEM a -> kind=stock safety_stock=0 backorder_limit=0 limit=null allocation=fefo metadata=null version=1
        RECEIVE a 10 ID m1 -> 10
        CONFIGURE a SAFETY 3 BACKORDER 4 LIMIT 2 WINDOW 1000 ALLOCATION fifo METADATA '{}' -> 11
        ITEM a -> safety_stock=3 backorder_limit=4 limit.quantity=2 limit.window_ms=1000 allocation=fifo metadata={}
        # what is absent takes its default
        CONFIGURE a LIMIT 2 -> 10
        ITEM a -> safety_stock=0 backorder_limit=0 limit.quantity=2 limit.window_ms=null allocation=fefo metadata=null
        configure a allocation FIFO safety 1 kind STOCK -> 9
        ITEM a -> allocation=fifo safety_stock=1 kind=stock limit=null version=5 sequence:=s
        # settings put again unchanged leave no event
        CONFIGURE a ALLOCATION fifo SAFETY 1 -> 9
        CONFIGURE a ALLOCATION fifo SAFETY 1 KIND stock -> 9
        ITEM a -> version=5 sequence=$s
        CONFIGURE a WINDOW 1000 -> -INVALID*|-ERR*
        CONFIGURE a ALLOCATION lifo -> -INVALID*
        CONFIGURE a KIND seats -> -INVALID*
        CONFIGURE a COLOUR red -> -INVALID*|-ERR*
        CONFIGURE a SAFETY -> -INVALID*|-ERR*
        ITEM a -> version=5
        ",
    );
}

#[test]
fn kinds_never_change() {
    script(
        "
        CONFIGURE p KIND points -> 0
        RECEIVE p 100 ID m1 -> 100
        CONFIGURE p KIND stock -> -CONFLICT*
        # left out of settings, it stays
        CONFIGURE p LIMIT 5 -> 100
        ITEM p -> kind=points limit.quantity=5
        CONFIGURE p KIND points LIMIT 5 -> 100
        # one balance: no lots, no safety stock, no backorder
        CONFIGURE p SAFETY 1 -> -CONFLICT*
        CONFIGURE p BACKORDER 1 -> -CONFLICT*
        CONFIGURE p2 KIND points SAFETY 1 -> -CONFLICT*
        CONFIGURE p2 KIND points BACKORDER 1 -> -CONFLICT*
        ITEM p2 -> null
        RECEIVE p 1 ID m2 LOT L1 -> -CONFLICT*
        RESERVE r 10000 1 p 3 FOR kim -> held
        CAPTURE r -> captured
        RETURN r 1 p 1 ID x -> captured
        ADJUST p -8 REASON gone ID m3 -> 90
        ITEM p -> on_hand=90 lots.#=0
        CONFIGURE s -> 0
        CONFIGURE s KIND points -> -CONFLICT*
        ",
    );
}

#[test]
fn a_receipt_for_an_unknown_sku_creates_it() {
    script(
        "
        RECEIVE a 10 ID m1 -> 10
        # `item.configured` first, then `item.received`
        ITEM a -> kind=stock on_hand=10 received=10 available=10 version=2
        ADJUST nosuch 5 REASON found ID m1 -> -NOTFOUND*
        ADJUST nosuch -5 REASON lost ID m1 -> -NOTFOUND*
        ITEM nosuch -> null
        # a refused receipt creates nothing
        RECEIVE b 0 ID m1 -> -INVALID*
        RECEIVE b 1 ID m1 EXPIRES 5 -> -INVALID*
        ITEM b -> null
        ",
    );
}

#[test]
fn movements_are_idempotent_by_their_content() {
    script(
        "
        RECEIVE a 10 ID m1 -> 10
        RECEIVE a 5 ID m2 LOT L1 EXPIRES $now+600000 AT seoul -> 15
        # a replay gives the first answer's integer
        RECEIVE a 10 ID m1 -> 10
        ITEM a -> on_hand=15 version=3
        RECEIVE a 11 ID m1 -> -CONFLICT*
        RECEIVE a 10 ID m1 LOT L1 -> -CONFLICT*
        ADJUST a 10 REASON count ID m1 -> -CONFLICT*
        RECEIVE a 5 ID m2 LOT L1 -> -CONFLICT*
        RECEIVE a 5 ID m2 LOT L1 AT seoul -> -CONFLICT*
        RECEIVE a 5 ID m2 LOT L2 AT seoul -> -CONFLICT*
        ADJUST a -3 REASON broken ID m3 -> 12
        RECEIVE a 100 ID m4 -> 112
        ADJUST a -3 REASON broken ID m3 -> 12
        ADJUST a -2 REASON broken ID m3 -> -CONFLICT*
        ADJUST a 3 REASON broken ID m3 -> -CONFLICT*
        ADJUST a -3 REASON lost ID m3 -> -CONFLICT*
        ADJUST a -3 REASON broken ID m3 LOT L1 -> -CONFLICT*
        RECEIVE a 3 ID m3 -> -CONFLICT*
        ITEM a -> on_hand=112 version=5
        # one space per sku
        RECEIVE b 10 ID m1 -> 10
        # the id of a refused attempt is free
        ADJUST a -1000 REASON lost ID m5 -> -INSUFFICIENT a wanted 1000 available 112
        ADJUST a -1 REASON lost ID m5 -> 111
        ",
    );
}

#[test]
fn a_movement_needs_an_id_and_a_star_makes_a_fresh_one() {
    script(
        "
        RECEIVE a 10 -> -INVALID*
        ADJUST a 5 REASON found -> -INVALID*|-NOTFOUND*
        RECEIVE a 10 ID * -> 10
        RECEIVE a 10 ID * -> 20
        ADJUST a 5 REASON found ID * -> 25
        ADJUST a 5 REASON found ID * -> 30
        ADJUST a 5 REASON found -> -INVALID*
        ADJUST a 5 ID m1 -> -INVALID*|-ERR*
        ADJUST a 5 LOT L1 ID m1 -> -INVALID*|-ERR*
        ITEM a -> on_hand=30 version=5
        # anywhere else `*` is no id
        RESERVE * 1000 1 a 1 -> -INVALID*
        RELEASE * -> -INVALID*
        CAPTURE * -> -INVALID*
        EXTEND * 1000 -> -INVALID*
        RESERVE r 1000 1 a 1 -> held
        CAPTURE r ID * -> -INVALID*
        CAPTURE r -> captured
        RETURN r ID * -> -INVALID*
        ",
    );
}

#[test]
fn adjustments_go_up_and_down_and_never_below_what_is_reserved() {
    script(
        "
        RECEIVE a 10 ID m1 -> 10
        ADJUST a 5 REASON found ID m2 -> 15
        ADJUST a -3 REASON lost ID m3 -> 12
        # upwards is received, downwards removed
        ITEM a -> on_hand=12 received=15 removed=3 available=12 version=4
        ADJUST a 0 REASON nothing ID m4 -> -INVALID*
        RESERVE r 10000 1 a 8 -> held
        ADJUST a -5 REASON lost ID m4 -> -INSUFFICIENT a wanted 5 available 4
        ADJUST a -4 REASON lost ID m4 -> 0
        ITEM a -> on_hand=8 reserved=8 available=0
        CAPTURE r -> captured
        # it may eat into safety stock
        RECEIVE a 10 ID m5 -> 10
        CONFIGURE a SAFETY 9 -> 1
        ADJUST a -5 REASON lost ID m6 -> 0
        ITEM a -> on_hand=5 available=0 safety_stock=9
        ADJUST a -6 REASON lost ID m7 -> -INSUFFICIENT a wanted 6 available 5
        ADJUST a -5 REASON lost ID m7 -> 0
        ITEM a -> on_hand=0
        ADJUST a 1 REASON found ID m8 LOT nosuch -> -NOTFOUND*
        ADJUST a -1 REASON lost ID m8 LOT nosuch -> -NOTFOUND*
        # a backorder is nothing that could be taken away
        CONFIGURE b BACKORDER 5 -> 5
        ADJUST b -1 REASON lost ID m1 -> -INSUFFICIENT b wanted 1 available 0
        ",
    );
}

#[test]
fn available_is_on_hand_less_reserved_less_safety_plus_backorder() {
    script(
        "
        CONFIGURE a SAFETY 2 BACKORDER 5 -> 3
        RECEIVE a 4 ID m1 -> 7
        RESERVE r1 10000 1 a 6 -> held
        ITEM a -> on_hand=4 reserved=6 available=1
        RESERVE r2 10000 1 a 2 -> -INSUFFICIENT a wanted 2 available 1
        # on_hand is negative only by captured backorders
        CAPTURE r1 -> captured
        ITEM a -> on_hand=-2 reserved=0 available=1 captured=6 received=4
        RESERVE r2 10000 1 a 1 -> held
        ITEM a -> available=0
        # settings bind new reservations only, and nothing is shown below 0
        CONFIGURE a SAFETY 50 -> 0
        ITEM a -> available=0 on_hand=-2 reserved=1
        RESERVE r3 10000 1 a 1 -> -INSUFFICIENT a wanted 1 available 0
        CAPTURE r2 -> captured
        ITEM a -> on_hand=-3 captured=7
        RECEIVE a 3 ID m2 -> 0
        RETURN r2 ID x -> captured
        ITEM a -> on_hand=1 received=7 removed=0 returned=1 captured=7
        CONFIGURE a -> 1
        ",
    );
}

#[test]
fn a_raised_safety_stock_takes_nothing_from_those_who_hold() {
    script(
        "
        RECEIVE a 10 ID m1 -> 10
        RESERVE r 10000 1 a 8 -> held
        CONFIGURE a SAFETY 10 -> 0
        RESERVATION r -> held lines=a:8/0/0/0/0
        CAPTURE r 1 a 3 ID c1 -> held
        RELEASE r 1 a 1 ID x1 -> held
        CAPTURE r -> captured
        ITEM a -> on_hand=3 reserved=0 available=0
        CONFIGURE a SAFETY 1 -> 2
        ",
    );
}

#[test]
fn an_item_with_lots_has_no_backorder_nor_the_reverse() {
    script(
        "
        RECEIVE a 1 ID m1 LOT L1 -> 1
        CONFIGURE a BACKORDER 5 -> -CONFLICT*
        CONFIGURE b BACKORDER 5 -> 5
        RECEIVE b 1 ID m1 LOT L1 -> -CONFLICT*
        # the limit gone, but units without lot below 0
        RESERVE r 0 1 b 2 CAPTURE -> captured
        CONFIGURE b -> 0
        ITEM b -> on_hand=-2
        RECEIVE b 1 ID m1 LOT L1 -> -CONFLICT*
        RECEIVE b 2 ID m2 -> 0
        RECEIVE b 1 ID m1 LOT L1 -> 1
        CONFIGURE b BACKORDER 1 -> -CONFLICT*
        ",
    );
}

#[test]
fn figures_stay_within_2_to_the_53() {
    script(
        "
        RECEIVE a 9007199254740991 ID m1 -> 9007199254740991
        ITEM a -> on_hand=9007199254740991 received=9007199254740991
        RECEIVE a 1 ID m2 -> -INVALID*
        ADJUST a 1 REASON found ID m2 -> -INVALID*
        RECEIVE b 9007199254740992 ID m1 -> -INVALID*
        RECEIVE b 18446744073709551616 ID m1 -> -INVALID*
        RECEIVE b 99999999999999999999999 ID m1 -> -INVALID*
        CONFIGURE b SAFETY 9007199254740992 -> -INVALID*
        CONFIGURE b BACKORDER 9007199254740992 -> -INVALID*
        CONFIGURE b LIMIT 9007199254740992 -> -INVALID*
        ITEM b -> null
        ADJUST a -9007199254740992 REASON lost ID m2 -> -INVALID*
        RESERVE r 10000 1 a 9007199254740992 -> -INVALID*
        RESERVE r 10000 1 a 9007199254740991 -> held
        # sums over the item's life count too: what was received once stays received
        CAPTURE r -> captured
        RECEIVE a 1 ID m3 -> -INVALID*
        ITEM a -> on_hand=0 captured=9007199254740991
        # a return is never refused for it
        RETURN r ID x -> captured
        ITEM a -> on_hand=9007199254740991 returned=9007199254740991
        RESERVE r2 10000 1 a 1 -> -INVALID*
        # available with a backorder limit is a figure too
        RECEIVE c 9007199254740991 ID m1 -> 9007199254740991
        CONFIGURE c BACKORDER 1 -> -INVALID*
        CONFIGURE d BACKORDER 9007199254740991 -> 9007199254740991
        RECEIVE d 1 ID m1 -> -INVALID*
        ",
    );
}

#[test]
fn integers_are_plain() {
    let mut server = Server::start();
    check(&mut server, "RECEIVE a 100 ID m0 -> 100");
    let mut client = server.connect();
    for bad in
        ["0", "-1", "+1", "01", "00", "1.0", "1.5", "1e2", "0x1", "", " 1", "1 ", "-", "-0", "one", "\u{661}", "1_0"]
    {
        let commands: [&[&str]; 8] = [
            &["RECEIVE", "a", bad, "ID", "m"],
            &["RESERVE", "r", "1000", "1", "a", bad],
            &["RESERVE", "r", bad, "1", "a", "1"],
            &["RESERVE", "r", "1000", bad, "a", "1"],
            &["EXTEND", "r", bad],
            &["CAPTURE", "r", "1", "a", bad, "ID", "c"],
            &["RELEASE", "r", "1", "a", bad, "ID", "c"],
            &["RETURN", "r", "1", "a", bad, "ID", "c"],
        ];
        for command in commands {
            let reply = client.call(command);
            assert!(matches!(&reply, Value::Error(e) if e.starts_with("INVALID")), "{command:?}: {reply}");
        }
    }
    for bad in ["0", "+1", "-01", "--1", "1.0", "-", "", "-0", "1e1"] {
        let reply = client.call(&["ADJUST", "a", bad, "REASON", "x", "ID", "m"]);
        assert!(matches!(&reply, Value::Error(e) if e.starts_with("INVALID")), "ADJUST {bad:?}: {reply}");
    }
    check(&mut server, "ITEM a -> on_hand=100 version=2");
}

#[test]
fn a_name_has_128_printable_bytes() {
    let mut server = Server::start();
    let mut client = server.connect();
    let longest = "x".repeat(128);
    let long = "x".repeat(129);
    let wide = "수".repeat(42);
    let too_wide = "수".repeat(43);
    client.say("RECEIVE a 1000 ID m0");
    let good =
        ["a.b", "...", "수문", &longest, &wide, "{tag}x", "\u{1F600}", "é", "e\u{301}", "-1", "1", "'\"\\", "a:b/c"];
    for name in good {
        assert_eq!(
            client.call(&["RECEIVE", name, "5", "ID", name, "LOT", name, "AT", name]),
            Value::Integer(5),
            "{name}"
        );
        let held =
            client.call(&["RESERVE", name, "10000", "1", name, "1", "FOR", name, "LOT", "1", name, "AT", "1", name]);
        assert_eq!(held.field("state"), Some(Value::Bulk(b"held".to_vec())), "{name}: {held}");
        let record = client.call(&["RESERVATION", name]);
        for path in ["id", "holder", "lines.1.sku", "lines.1.lot", "lines.1.location", "lines.1.taken.1.lot"] {
            assert_eq!(record.field(path), Some(Value::Bulk(name.as_bytes().to_vec())), "{path} of {name}");
        }
        assert_eq!(client.call(&["ADJUST", name, "1", "REASON", name, "ID", "m"]), Value::Integer(5));
    }
    let bad: [&[u8]; 16] = [
        b"",
        b".",
        b"..",
        b"a b",
        b" ",
        b"\t",
        b"a\n",
        b"a\r\n",
        b"\0",
        b"\x7f",
        b"\xff\xfe",
        b"\xc3",
        long.as_bytes(),
        too_wide.as_bytes(),
        "a\u{a0}b".as_bytes(),
        "a\u{200b}".as_bytes(),
    ];
    for name in bad {
        let commands: [&[&[u8]]; 14] = [
            &[b"RECEIVE", name, b"1", b"ID", b"m"],
            &[b"RECEIVE", b"a", b"1", b"ID", name],
            &[b"RECEIVE", b"a", b"1", b"ID", b"m", b"LOT", name],
            &[b"RECEIVE", b"a", b"1", b"ID", b"m", b"LOT", b"L", b"AT", name],
            &[b"CONFIGURE", name],
            &[b"ADJUST", b"a", b"1", b"REASON", name, b"ID", b"m"],
            &[b"RESERVE", name, b"1000", b"1", b"a", b"1"],
            &[b"RESERVE", b"r", b"1000", b"1", name, b"1"],
            &[b"RESERVE", b"r", b"1000", b"1", b"a", b"1", b"FOR", name],
            &[b"RESERVE", b"r", b"1000", b"1", b"a", b"1", b"LOT", b"1", name],
            &[b"RESERVE", b"r", b"1000", b"1", b"a", b"1", b"AT", b"1", name],
            &[b"CAPTURE", name],
            &[b"RELEASE", name],
            &[b"RELEASE", b"nosuch", b"1", b"a", b"1", b"ID", name],
        ];
        for command in commands {
            let reply = client.call(command);
            let shown: Vec<_> = command.iter().map(|word| String::from_utf8_lossy(word)).collect();
            assert!(matches!(&reply, Value::Error(e) if e.starts_with("INVALID")), "{shown:?}: {reply}");
        }
    }
    // Refused, and nothing else: no record, no tombstone.
    check(&mut server, "ITEM a -> on_hand=1000 reserved=0 version=2 lots.#=0");
}

#[test]
fn metadata_is_json_of_16_kib() {
    let server = Server::start();
    let mut client = server.connect();
    let text = |bytes: usize| format!("{{\"text\":\"{}\"}}", "x".repeat(bytes - 11));
    for good in
        ["{}", "[]", "null", "\"x\"", "{\"a\": [1, 2.5, true, null, \"\\u00e9\"]}", "{\"수\":\"문\"}", &text(16 * 1024)]
    {
        assert_eq!(client.call(&["CONFIGURE", "a", "METADATA", good]), Value::Integer(0), "{good:.40}");
        let shown = client.call(&["ITEM", "a"]).field("metadata").expect("an item has metadata");
        // JSON's null may be shown as what is absent.
        if good != "null" {
            assert_eq!(shown, Value::Bulk(good.as_bytes().to_vec()), "metadata is its JSON text");
        }
    }
    let deep = format!("{}{}", "[".repeat(33), "]".repeat(33));
    for bad in ["", "{", "{a:1}", "{} {}", "'x'", "{\"a\":1,}", "nul", &text(16 * 1024 + 1), &deep] {
        let reply = client.call(&["CONFIGURE", "a", "METADATA", bad]);
        assert!(matches!(&reply, Value::Error(e) if e.starts_with("INVALID")), "{bad:.40}: {reply}");
    }
}

#[test]
fn versions_have_no_gap_and_sequences_grow() {
    script(
        "
        CONFIGURE a -> 0
        ITEM a -> version=1 sequence:=s
        RECEIVE a 10 ID m1 -> 10
        ITEM a -> version=2 sequence=$s+1
        RESERVE r 10000 1 a 3 -> held sequence=$s+2
        CAPTURE r 1 a 1 ID c1 -> held sequence=$s+3
        RELEASE r 1 a 1 ID x1 -> held sequence=$s+4
        EXTEND r 20000 -> held sequence=$s+5
        CAPTURE r -> captured sequence=$s+6
        RETURN r ID t1 -> captured sequence=$s+7
        RESERVATION r -> version=6 sequence=$s+7
        # all but the extend touched the item
        ITEM a -> version=7 sequence=$s+7
        # replays, refusals and reads leave no event
        RESERVE r 10000 1 a 3 -> captured replayed sequence=$s+7
        CAPTURE r -> captured replayed sequence=$s+7
        RESERVE r 10000 1 a 4 -> -CONFLICT*
        RESERVE n 10000 1 a 400 -> -INSUFFICIENT*
        RECEIVE a 10 ID m1 -> 10
        RELEASE other -> released tombstone sequence=$s+8
        # one event an item and reservation that a command touches; the new item's comes before
        RECEIVE b 1 ID m1 -> 1
        ITEM b -> version=2 sequence=$s+10
        ",
    );
}
