//! The stages of a traced request, told by what really happened: over a disk whose syncs are held and fail.

use crate::collector::{Collector, attributes, hex};
use crate::support::start_with;
use std::time::SystemTime;
use sumun_http::Options;
use sumun_log::faulty::{Call, FaultyDisk};
use sumun_trace::{Setup, Tracer};

const EIO: i32 = 5;

#[expect(clippy::disallowed_methods, reason = "a held sync takes real time, and its span says how long")]
fn wall() -> SystemTime {
    SystemTime::now()
}

fn tracer(collector: &Collector) -> Tracer {
    let setup = Setup {
        endpoint: format!("http://{}", collector.address).parse().expect("a URL"),
        ratio: 0.0,
        service: "sumun".into(),
        instance: "test".into(),
        version: "0",
        clock: wall,
        hears: Box::new(|notice| panic!("{notice}")),
    };
    Tracer::start(setup).expect("it starts")
}

fn traceparent(parent: u32) -> (String, String) {
    let id = format!("{parent:016x}");
    (format!("traceparent: 00-0af7651916cd43dd8448eb211c80319c-{id}-01\r\n"), id)
}

#[test]
fn a_commit_lasts_as_long_as_its_sync_and_what_is_not_proven_says_so() {
    let mut collector = Collector::start();
    let tracer = tracer(&collector);
    let server = start_with(FaultyDisk::new(1), Options { tracer: Some(tracer.clone()), ..Options::default() });
    let receipts = "/v1/items/a/receipts";
    assert_eq!(server.ask("POST", receipts, r#"{"id":"m","quantity":1}"#).status, 201);

    let (header, parent) = traceparent(1);
    let mut held = server.connect();
    server.disk.hold_syncs();
    held.send(held.request("POST", receipts, &header, r#"{"id":"n","quantity":1}"#));
    // Looked at for 150 ms.
    assert!(held.is_silent());
    server.disk.release_syncs();
    assert_eq!(held.reply().expect("it is durable").status, 201);
    let span = collector.child_of(&parent);
    assert_eq!((span.name.as_str(), span.trace_id.len()), ("POST /v1/items/{sku}/receipts", 16));
    let stages = collector.children(&hex(&span.span_id));
    let ms = |name: &str| (stages[name].end_time_unix_nano - stages[name].start_time_unix_nano) / 1_000_000;
    assert_eq!(stages.len(), 3, "{stages:?}");
    assert!(ms("sumun.commit") >= 100, "{} ms", ms("sumun.commit"));
    assert!(ms("sumun.queue") + ms("sumun.decide") < ms("sumun.commit"), "{stages:?}");

    for call in [Call::Sync, Call::Write, Call::Create, Call::Open] {
        server.disk.fail_always(call, EIO);
    }
    let (header, parent) = traceparent(2);
    let mut lost = server.connect();
    lost.send(lost.request("POST", receipts, &header, r#"{"id":"o","quantity":1}"#));
    assert!(lost.reply().is_none(), "no answer, and the connection is closed");
    let span = collector.child_of(&parent);
    let of = attributes(&span);
    assert_eq!(of["error.type"], "not_proven");
    assert!(!of.contains_key("http.response.status_code"));
    server.disk.heal();
    server.wait_for("readiness", |server| server.ask("GET", "/readyz", "").status == 200);
    let figures = tracer.close();
    assert_eq!((figures.dropped, figures.failed, figures.queued), (0, 0, 0));
}
