//! Answers to bytes, whole, in both protocols. A line of the picture is a line of the wire.

use sumun_server::resp::{Protocol, Verb, Writer, reply};
use sumun_wire::*;

fn wire(protocol: Protocol, verb: Verb, answer: &Answer) -> String {
    let mut out = Vec::new();
    reply::answer(&mut Writer::new(&mut out, protocol), verb, answer);
    String::from_utf8(out).expect("text").replace("\r\n", " ").trim_end().to_owned()
}

fn check(verb: Verb, answer: &Answer, resp2: &str, resp3: &str) {
    assert_eq!(wire(Protocol::Resp2, verb, answer), resp2, "{verb:?}");
    assert_eq!(wire(Protocol::Resp3, verb, answer), resp3, "{verb:?}");
}

fn outcome() -> Outcome {
    Outcome {
        state: State::Held,
        expires_at: Some(Timestamp(9)),
        sequence: Sequence(7),
        replayed: true,
        tombstone: true,
    }
}

#[test]
fn outcomes_have_the_names_of_their_verb_in_order() {
    let answer = Answer::Outcome(outcome());
    let reserve = "$5 state $4 held $10 expires_at :9 $8 sequence :7 $8 replayed :1";
    let capture = "$5 state $4 held $8 sequence :7 $8 replayed :1";
    for verb in [Verb::Reserve, Verb::Extend] {
        check(verb, &answer, &format!("*8 {reserve}"), &format!("%4 {reserve}"));
    }
    for verb in [Verb::Capture, Verb::Return] {
        check(verb, &answer, &format!("*6 {capture}"), &format!("%3 {capture}"));
    }
    let release = format!("{capture} $9 tombstone :1");
    check(Verb::Release, &answer, &format!("*8 {release}"), &format!("%4 {release}"));
    let captured =
        Answer::Outcome(Outcome { state: State::PartiallyCaptured, expires_at: None, replayed: false, ..outcome() });
    let rest = "$5 state $18 partially_captured $10 expires_at";
    check(
        Verb::Reserve,
        &captured,
        &format!("*8 {rest} $-1 $8 sequence :7 $8 replayed :0"),
        &format!("%4 {rest} _ $8 sequence :7 $8 replayed :0"),
    );
}

#[test]
fn quantities_are_integers_and_what_is_not_there_is_null() {
    check(Verb::Receive, &Answer::Available { available: 12, replayed: true }, ":12", ":12");
    check(Verb::Item, &Answer::Item(None), "*-1", "_");
    check(Verb::Reservation, &Answer::Reservation(None), "*-1", "_");
}

#[test]
fn an_item_is_shown_whole() {
    let record = ItemRecord {
        sku: "a".into(),
        kind: Kind::Stock,
        on_hand: -1,
        reserved: 2,
        available: 3,
        received: 4,
        removed: 5,
        returned: 6,
        captured: 7,
        expired: 8,
        settings: Settings {
            safety_stock: 9,
            backorder_limit: 10,
            limit: Some(Limit { quantity: 11, window_ms: None }),
            allocation: Allocation::Fifo,
            metadata: Some("{}".into()),
        },
        lots: vec![
            LotRow {
                lot: Some("L".into()),
                location: Some("P".into()),
                on_hand: 12,
                reserved: 13,
                expires_at: Some(Timestamp(14)),
            },
            LotRow { on_hand: -2, ..LotRow::default() },
        ],
        version: 15,
        sequence: Sequence(16),
    };
    let figures = "$3 sku $1 a $4 kind $5 stock $7 on_hand :-1 $8 reserved :2 $9 available :3 $8 received :4 \
                   $7 removed :5 $8 returned :6 $8 captured :7 $7 expired :8 $12 safety_stock :9 \
                   $15 backorder_limit :10 $5 limit";
    let lot = "$3 lot $1 L $8 location $1 P $7 on_hand :12 $8 reserved :13 $10 expires_at :14";
    let tail = "$7 version :15 $8 sequence :16";
    let resp2 = format!(
        "*36 {figures} *4 $8 quantity :11 $9 window_ms $-1 $10 allocation $4 fifo $8 metadata $2 {{}} $4 lots *2 *10 {lot} \
         *10 $3 lot $-1 $8 location $-1 $7 on_hand :-2 $8 reserved :0 $10 expires_at $-1 {tail}"
    );
    let resp3 = resp2
        .replace("*36", "%18")
        .replace("*4 $8 quantity", "%2 $8 quantity")
        .replace("*10 ", "%5 ")
        .replace("$-1", "_");
    check(Verb::Item, &Answer::Item(Some(Box::new(record))), &resp2, &resp3);
    let bare = wire(Protocol::Resp2, Verb::Item, &Answer::Item(Some(Box::default())));
    assert!(bare.contains("$5 limit *-1 $10 allocation $4 fefo $8 metadata $-1 $4 lots *0 "), "{bare}");
}

#[test]
fn a_reservation_is_shown_whole() {
    let line = ReservationLine {
        sku: "a".into(),
        quantity: 1,
        captured: 2,
        released: 3,
        expired: 4,
        returned: 5,
        lot: Some("L".into()),
        location: None,
        taken: vec![Taken { lot: None, quantity: 6 }, Taken { lot: Some("L".into()), quantity: 7 }],
    };
    let record = ReservationRecord {
        id: "r".into(),
        state: State::Expired,
        ended: Some(Ended::Expired),
        tombstone: false,
        holder: Some("h".into()),
        created_at: Timestamp(8),
        expires_at: Some(Timestamp(9)),
        needed_until: None,
        lines: vec![line],
        version: 10,
        sequence: Sequence(11),
    };
    let resp2 = "*22 $2 id $1 r $5 state $7 expired $5 ended $7 expired $9 tombstone :0 $6 holder $1 h $10 created_at :8 \
                 $10 expires_at :9 $12 needed_until $-1 $5 lines *1 *18 $3 sku $1 a $8 quantity :1 $8 captured :2 \
                 $8 released :3 $7 expired :4 $8 returned :5 $3 lot $1 L $8 location $-1 $5 taken *2 \
                 *4 $3 lot $-1 $8 quantity :6 *4 $3 lot $1 L $8 quantity :7 $7 version :10 $8 sequence :11";
    let resp3 = resp2.replace("*22", "%11").replace("*18", "%9").replace("*4", "%2").replace("$-1", "_");
    check(Verb::Reservation, &Answer::Reservation(Some(Box::new(record))), resp2, &resp3);
}

#[test]
fn refusals_are_errors_that_carry_their_facts() {
    let short = |holder: Option<&str>| {
        let short = Short { sku: "a".into(), wanted: 2, available: 1, reserved: 0, holder: holder.map(Name::from) };
        Facts::Short(std::iter::once(short).collect())
    };
    let cases = [
        (Refusal { code: Code::Insufficient, facts: short(None) }, "-INSUFFICIENT a wanted 2 available 1"),
        (Refusal { code: Code::Limit, facts: short(Some("h")) }, "-LIMIT a h wanted 2 left 1"),
        (Refusal { code: Code::Exceeds, facts: short(None) }, "-EXCEEDS a wanted 2 left 1"),
        (Refusal::missing("a"), "-NOTFOUND a"),
        (Refusal::invalid("ttl_ms", "must be 1 to 30 days"), "-INVALID ttl_ms: must be 1 to 30 days"),
        (Refusal::overloaded(40), "-OVERLOADED retry after 40 ms"),
    ];
    for (refusal, text) in cases {
        check(Verb::Reserve, &Answer::Refused(refusal), text, text);
    }
    let misconf = wire(Protocol::Resp2, Verb::Reserve, &Answer::Refused(Refusal::bare(Code::ReadOnly)));
    assert!(misconf.starts_with("-MISCONF Errors writing to the log: "), "{misconf}");
}

#[test]
fn a_movement_says_whether_it_was_a_replay_when_it_is_asked_to() {
    let told = |protocol, answer: &Answer| {
        let mut out = Vec::new();
        reply::movement(&mut Writer::new(&mut out, protocol), Verb::Receive, answer);
        String::from_utf8(out).expect("text").replace("\r\n", " ").trim_end().to_owned()
    };
    let answer = Answer::Available { available: 5, replayed: true };
    assert_eq!(told(Protocol::Resp2, &answer), "*4 $9 available :5 $8 replayed :1");
    assert_eq!(told(Protocol::Resp3, &answer), "%2 $9 available :5 $8 replayed :1");
    assert_eq!(told(Protocol::Resp3, &Answer::Refused(Refusal::missing("a"))), "-NOTFOUND a");
    check(Verb::Receive, &answer, ":5", ":5");
}
