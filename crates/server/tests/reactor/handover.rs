//! Questions from beside the sockets: order, durability, fairness, bounds, ends, as at the sockets.

use crate::server::{PATIENCE, Peer, Server, Start, options, start, start_with};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;
use sumun_log::faulty::Call;
use sumun_server::caps::{HANDED_BYTES_MAX, HANDED_MAX};
use sumun_server::{Ended, Handover, Options, Question, Refused, Reply, Shows, Wants};
use sumun_wire::{Answer, Command, Line, Receive, Reserve};

#[derive(Clone, Debug)]
enum Ask {
    Receive(&'static str, String),
    Reserve(String, &'static str),
    Item(&'static str),
    Items { prefix: &'static str, after: Option<String>, limit: usize },
    Open { after: Option<String>, limit: usize },
    Report,
}

struct Put {
    ask: Ask,
    bytes: usize,
    to: Sender<Reply>,
}

impl Question for Put {
    fn wants(&self) -> Wants<'_> {
        match &self.ask {
            Ask::Receive(sku, id) => Wants::Decide {
                command: Command::Receive(Receive { sku, quantity: 1, movement: Some(id), ..Receive::default() }),
                shows: Shows::Item,
            },
            Ask::Reserve(id, sku) => Wants::Decide {
                command: Command::Reserve(Reserve {
                    reservation: id,
                    ttl_ms: Some(60_000),
                    lines: [Line { sku, quantity: 1, ..Line::default() }].into_iter().collect(),
                    ..Reserve::default()
                }),
                shows: Shows::Reservation,
            },
            Ask::Item(sku) => Wants::Decide { command: Command::Item { sku }, shows: Shows::Nothing },
            Ask::Items { prefix, after, limit } => Wants::Items { prefix, after: after.as_deref(), limit: *limit },
            Ask::Open { after, limit } => {
                Wants::Reservations { sku: None, holder: None, after: after.as_deref(), limit: *limit }
            }
            Ask::Report => Wants::Report,
        }
    }
    fn bytes(&self) -> usize {
        self.bytes
    }
    fn answer(self: Box<Self>, reply: Reply) {
        // Some tests do not wait for their answers.
        let _ = self.to.send(reply);
    }
}

fn put(server: &Server, ask: Ask) -> Receiver<Reply> {
    put_into(&server.handover, ask)
}

fn put_into(handover: &Handover, ask: Ask) -> Receiver<Reply> {
    let (to, answer) = channel();
    handover.ask(Box::new(Put { ask, bytes: 100, to })).expect("there is room");
    answer
}

fn ask(server: &Server, ask: Ask) -> Reply {
    put(server, ask).recv_timeout(PATIENCE).expect("an answer")
}

fn on_hand(reply: &Reply) -> i64 {
    let (Reply::Answer(_, Some(Answer::Item(Some(item)))) | Reply::Answer(Answer::Item(Some(item)), None)) = reply
    else {
        panic!("{reply:?}")
    };
    item.on_hand
}

fn receive(sku: &'static str, id: &str) -> Ask {
    Ask::Receive(sku, id.to_owned())
}

#[test]
fn a_question_is_answered_with_the_record_as_it_stands_after_it() {
    let server = start();
    assert_eq!(on_hand(&ask(&server, receive("a", "m"))), 1);
    assert_eq!(server.connect().ask("RECEIVE a 1 ID n"), ":2");
    let again = ask(&server, receive("a", "m"));
    assert!(matches!(again, Reply::Answer(Answer::Available { available: 1, replayed: true }, _)), "{again:?}");
    assert_eq!(on_hand(&again), 2);
    let refused = ask(&server, Ask::Reserve("r".into(), "b"));
    assert!(matches!(refused, Reply::Answer(Answer::Refused(_), None)), "{refused:?}");
    assert_eq!(server.figure("refused_notfound"), 1);
    let Reply::Report(report) = ask(&server, Ask::Report) else { panic!("no report") };
    assert!(report.figures.is_writable && report.resp.requests >= 5, "{report:?}");
}

#[test]
fn nothing_is_answered_before_it_is_durable_reads_included() {
    let server = start();
    assert_eq!(on_hand(&ask(&server, receive("a", "m"))), 1);
    server.disk.hold_syncs();
    let write = put(&server, receive("a", "n"));
    let read = put(&server, Ask::Item("a"));
    let page = put(&server, Ask::Open { after: None, limit: 10 });
    for waits in [&write, &read] {
        assert_eq!(waits.recv_timeout(Duration::from_millis(150)).err(), Some(RecvTimeoutError::Timeout));
    }
    assert!(page.try_recv().is_err());
    server.disk.release_syncs();
    assert_eq!(on_hand(&write.recv_timeout(PATIENCE).expect("it is durable")), 2);
    assert_eq!(on_hand(&read.recv_timeout(PATIENCE).expect("it is durable")), 2);
    assert!(matches!(page.recv_timeout(PATIENCE), Ok(Reply::Reservations(_))));
}

#[test]
fn what_could_not_be_made_durable_is_dropped_without_an_answer() {
    let server = start();
    assert_eq!(on_hand(&ask(&server, receive("a", "m"))), 1);
    for call in [Call::Sync, Call::Write, Call::Create, Call::Open] {
        server.disk.fail_always(call, libc::EIO);
    }
    let lost = put(&server, receive("a", "n"));
    assert_eq!(lost.recv_timeout(PATIENCE).err(), Some(RecvTimeoutError::Disconnected));
    // The log is opened again when the disk lets it.
    assert!(matches!(ask(&server, Ask::Item("a")), Reply::Loading { .. }));
    server.disk.heal();
    server.wait_for("readiness", |server| !matches!(ask(server, Ask::Item("a")), Reply::Loading { .. }));
    assert_eq!(on_hand(&ask(&server, receive("a", "n"))), 2);
    assert_eq!(server.figure("unproven_closed"), 1);
    assert_eq!(server.handover.in_hand(), 0);
}

#[test]
fn while_it_is_not_ready_every_question_but_a_report_hears_so() {
    let server = start_with(Start { ready: false, ..Start::default() });
    assert!(matches!(ask(&server, Ask::Item("a")), Reply::Loading { done_permille: 5 }));
    assert!(matches!(ask(&server, Ask::Items { prefix: "", after: None, limit: 1 }), Reply::Loading { .. }));
    assert!(matches!(ask(&server, Ask::Report), Reply::Report(_)));
    server.ready.store(true, Ordering::Release);
    server
        .wait_for("readiness", |server| matches!(ask(server, Ask::Item("a")), Reply::Answer(Answer::Item(None), None)));
}

#[test]
fn questions_in_hand_are_bounded_in_count_and_bytes_and_room_comes_back() {
    let server = start();
    assert_eq!(on_hand(&ask(&server, receive("a", "m"))), 1);
    // An answer is heard just before its room is free.
    server.wait_for("room", |server| server.handover.in_hand() == 0);
    server.disk.hold_syncs();
    let first = put(&server, receive("a", "held"));
    server.wait_for("the sync", |_| first.try_recv().is_err());
    let (to, answers) = channel();
    let ask_one = |bytes| server.handover.ask(Box::new(Put { ask: Ask::Item("a"), bytes, to: to.clone() }));
    assert!(matches!(ask_one(HANDED_BYTES_MAX), Err(Refused::Overloaded { .. })));
    let mut taken = 0;
    while ask_one(10).is_ok() {
        taken += 1;
    }
    assert_eq!(taken, HANDED_MAX - 1);
    server.disk.release_syncs();
    (0..taken).for_each(|_| assert_eq!(on_hand(&answers.recv_timeout(PATIENCE).expect("an answer")), 2));
    server.wait_for("room", |server| server.handover.in_hand() == 0);
    assert_eq!(on_hand(&ask(&server, receive("a", "n"))), 3);
}

#[test]
fn neither_a_flood_of_questions_nor_one_of_requests_starves_the_other() {
    let server = start();
    server.connect().ask("RECEIVE a 1000000 ID m");
    let answered = Arc::new(AtomicUsize::new(0));
    let floods: Vec<_> = (0..2)
        .map(|flood| {
            let (handover, answered) = (server.handover.clone(), Arc::clone(&answered));
            std::thread::spawn(move || {
                for round in 0..40 {
                    let questions =
                        (0..500).map(|n| put_into(&handover, Ask::Reserve(format!("q{flood}-{round}-{n}"), "a")));
                    for answer in questions.collect::<Vec<_>>() {
                        let reply = answer.recv_timeout(PATIENCE).expect("an answer");
                        assert!(matches!(reply, Reply::Answer(Answer::Outcome(_), Some(_))), "{reply:?}");
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    let mut peer = server.connect();
    let mut without = 0;
    for round in 0..40 {
        // A pipeline as long as a turn of the questions.
        peer.send(&(0..1_000).map(|n| format!("RESERVE p{round}-{n} 60000 1 a 1\n")).collect::<String>());
        let before = answered.load(Ordering::Relaxed);
        (0..1_000).for_each(|_| assert!(peer.reply().starts_with("state held")));
        let now = answered.load(Ordering::Relaxed);
        without += u32::from(now == before && now < 40_000);
    }
    // Whoever floods may have lost its core in some.
    assert!(without < 20, "questions were starved in {without} rounds of 40");
    floods.into_iter().for_each(|flood| flood.join().expect("it ends well"));
}

#[test]
fn a_page_of_items_shows_all_that_was_written_before_it_was_asked_for() {
    let server = start();
    let mut peer = server.connect();
    for sku in ["b/2", "a", "b/1", "c", "b/3", "b"] {
        assert_eq!(peer.ask(&format!("RECEIVE {sku} 1 ID m")), ":1");
    }
    let page = |prefix, after, limit| {
        let Reply::Items(page) = ask(&server, Ask::Items { prefix, after, limit }) else { panic!("no page") };
        (page.records.iter().map(|item| item.sku.to_string()).collect::<Vec<_>>(), page.next)
    };
    assert_eq!(page("", None, 100), (["a", "b", "b/1", "b/2", "b/3", "c"].map(String::from).into(), None));
    let (first, next) = page("b", None, 2);
    assert_eq!((first, next.as_deref()), (vec!["b".to_owned(), "b/1".to_owned()], Some("b/1")));
    assert_eq!(page("b", next, 2), (vec!["b/2".to_owned(), "b/3".to_owned()], None));
    for round in 0..30 {
        let sku = format!("new{round:02}");
        assert_eq!(peer.ask(&format!("RECEIVE {sku} 1 ID m")), ":1");
        let (names, _) = page("new", None, 1_000);
        assert_eq!((names.len(), names.last()), (round + 1, Some(&sku)));
    }
}

#[test]
fn a_long_page_takes_many_steps_and_tells_each_open_reservation_once() {
    let server = start();
    let mut peer = server.connect();
    assert_eq!(peer.ask("RECEIVE a 1000000 ID m"), ":1000000");
    peer.send(&(0..20_000).map(|n| format!("RESERVE r{n} 60000 1 a 1\n")).collect::<String>());
    (0..20_000).for_each(|_| assert!(peer.reply().starts_with("state held")));
    let (mut seen, mut after) = (std::collections::HashSet::new(), None);
    loop {
        let Reply::Reservations(page) = ask(&server, Ask::Open { after, limit: 1_000 }) else { panic!("no page") };
        page.records.iter().for_each(|record| assert!(seen.insert(record.id.clone()), "{} twice", record.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 20_000);
}

#[test]
fn an_end_answers_what_was_put_in_and_takes_nothing_more() {
    let server = start_with(Start { options: Options { grace_ms: 20_000, ..options() }, ..Start::default() });
    let (told, hears) = channel();
    server.handover.on_end(move || told.send(()).expect("the test waits"));
    assert_eq!(on_hand(&ask(&server, receive("a", "m"))), 1);
    server.disk.hold_syncs();
    let waits = put(&server, receive("a", "n"));
    assert_eq!(waits.recv_timeout(Duration::from_millis(100)).err(), Some(RecvTimeoutError::Timeout));
    server.stopper().stop().expect("the loop is there");
    server.disk.release_syncs();
    assert_eq!(hears.recv_timeout(PATIENCE), Ok(()));
    assert_eq!(on_hand(&waits.recv_timeout(PATIENCE).expect("it was put in before")), 2);
    // Requests that were read before the end may still ask.
    assert_eq!(on_hand(&ask(&server, receive("a", "o"))), 3);
    let handover = server.handover.clone();
    handover.close();
    assert_eq!(server.end(), Ended::Clean);
    let (to, _) = channel();
    assert_eq!(handover.ask(Box::new(Put { ask: Ask::Item("a"), bytes: 1, to })), Err(Refused::Gone));
}

#[test]
fn the_grace_of_an_end_is_over_for_who_never_closes() {
    let server = start_with(Start { options: Options { grace_ms: 100, ..options() }, ..Start::default() });
    server.handover.on_end(|| {});
    let _peer: Peer = server.connect();
    assert!(matches!(server.end(), Ended::GraceOver { .. }));
}
