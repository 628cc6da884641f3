//! Spans as a collector gets them: decoded from the protobuf that was sent, from a tracer as the server starts it.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span as Sent;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime};
use sumun_trace::{Ended, KeyValue, Notice, Setup, Span, Stage, Tracer, caps};
use sumun_wire::Trace;

/// Time as the tests have it: a millisecond a look.
fn clock() -> SystemTime {
    static LOOKS: AtomicU64 = AtomicU64::new(1);
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_770_000_000_000 + LOOKS.fetch_add(1, Ordering::Relaxed))
}

/// A collector that takes everything; what it got.
fn collector() -> (SocketAddr, Receiver<ExportTraceServiceRequest>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Whoever waits for it may be through.
            let _ = send.send(take(stream.expect("a connection")));
        }
    });
    (address, receive)
}

fn take(stream: TcpStream) -> ExportTraceServiceRequest {
    let mut reader = BufReader::new(stream);
    let (mut line, mut head) = (String::new(), Vec::new());
    while reader.read_line(&mut line).expect("a head") > 2 {
        head.push(std::mem::take(&mut line).trim().to_ascii_lowercase());
    }
    assert_eq!(head[0], "post /v1/traces http/1.1");
    assert!(head.contains(&"content-type: application/x-protobuf".to_owned()), "{head:?}");
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let mut body = vec![0; length.parse().expect("a length")];
    reader.read_exact(&mut body).expect("a body");
    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").expect("it waits");
    ExportTraceServiceRequest::decode(body.as_slice()).expect("it is OTLP")
}

fn tracer(address: SocketAddr, ratio: f64) -> (Tracer, Receiver<Notice>) {
    let (tell, told) = channel();
    let tracer = Tracer::start(Setup {
        endpoint: format!("http://{address}").parse().expect("a URL"),
        ratio,
        service: "shop".into(),
        instance: "log/0".into(),
        version: "1.2.3",
        clock,
        hears: Box::new(move |notice| tell.send(notice.clone()).expect("the test listens")),
    });
    (tracer.expect("it starts"), told)
}

fn end(span: Span, name: &'static str) {
    span.end(Ended { name: name.into(), attributes: Vec::new(), is_failure: false, stages: None });
}

fn parent(flags: u8) -> Trace {
    Trace::new([0xab; 16], [0xcd; 8], flags).expect("no id is zero")
}

/// Does not wait longer than a test may take.
fn within(limit: Duration, work: impl FnOnce() + Send + 'static) {
    let (done, is_done) = channel();
    let worker = std::thread::spawn(move || {
        work();
        let _ = done.send(());
    });
    let ended = is_done.recv_timeout(limit);
    assert!(ended.is_ok(), "not done within {limit:?}, or failed: {:?}", worker.is_finished().then(|| worker.join()));
}

#[test]
fn a_request_and_what_it_went_through_are_spans_of_one_trace() {
    let (address, got) = collector();
    let (tracer, _told) = tracer(address, 0.0);
    let span = tracer.begin(Some(&parent(1))).expect("its parent is sampled");
    let own = *span.trace();
    let mut stages = span.stages();
    for stage in [Stage::Asked, Stage::Begun, Stage::Begun, Stage::Decided, Stage::Proven] {
        stages.reach(stage);
    }
    let attributes = vec![KeyValue::new("http.route", "/v1/items"), KeyValue::new("http.response.status_code", 503)];
    span.end(Ended { name: "GET /v1/items".into(), attributes, is_failure: true, stages: Some(stages) });
    // One that nobody ends says so.
    drop(tracer.begin(Some(&parent(1))));
    let figures = tracer.close();
    assert_eq!((figures.exported, figures.dropped, figures.failed, figures.queued), (5, 0, 0, 0));

    let request = got.recv_timeout(Duration::from_secs(10)).unwrap();
    let [resource] = request.resource_spans.as_slice() else { panic!("{request:?}") };
    let about: BTreeMap<_, _> = resource.resource.iter().flat_map(|of| &of.attributes).map(pair).collect();
    let expected = [("service.instance.id", "log/0"), ("service.name", "shop"), ("service.version", "1.2.3")];
    assert_eq!(about, expected.into_iter().map(|(name, value)| (name.into(), value.into())).collect());
    let spans: Vec<&Sent> = resource.scope_spans.iter().flat_map(|scope| &scope.spans).collect();
    assert!(spans.iter().all(|span| span.trace_id == own.id() && span.end_time_unix_nano > span.start_time_unix_nano));
    let of = |name: &str| *spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:?}"));

    let server = of("GET /v1/items");
    assert_eq!((server.span_id.as_slice(), server.parent_span_id.as_slice()), (&own.span()[..], &[0xcd; 8][..]));
    assert_eq!(server.kind(), SpanKind::Server);
    assert_eq!(server.status.as_ref().map(|status| status.code()), Some(StatusCode::Error));
    let attributes: BTreeMap<_, _> = server.attributes.iter().map(pair).collect();
    assert_eq!(attributes["http.route"], "/v1/items");
    assert_eq!(attributes["http.response.status_code"], "503");
    let mut before = server.start_time_unix_nano;
    for name in ["sumun.queue", "sumun.decide", "sumun.commit"] {
        let stage = of(name);
        assert_eq!((stage.parent_span_id.as_slice(), stage.kind()), (&own.span()[..], SpanKind::Internal));
        // One after the other, within the request.
        assert!(before <= stage.start_time_unix_nano && stage.end_time_unix_nano <= server.end_time_unix_nano);
        before = stage.end_time_unix_nano;
    }
    let abandoned: BTreeMap<_, _> = of("HTTP").attributes.iter().map(pair).collect();
    assert_eq!(abandoned["error.type"], "abandoned");
}

fn pair(of: &opentelemetry_proto::tonic::common::v1::KeyValue) -> (String, String) {
    let value = match of.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => text.clone(),
        Some(Any::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    };
    (of.key.clone(), value)
}

#[test]
fn who_asks_decides_and_of_the_others_a_part_is_traced() {
    // Nobody listens: what is decided here is whether there is a span.
    let nobody = "127.0.0.1:9".parse().unwrap();
    for (ratio, least, most) in [(0.0, 0, 0), (1.0, 2_000, 2_000), (0.25, 380, 620)] {
        let (tracer, _told) = tracer(nobody, ratio);
        assert!(tracer.begin(Some(&parent(0))).is_none() && tracer.begin(Some(&parent(2))).is_none());
        for flags in [1, 3] {
            let span = tracer.begin(Some(&parent(flags))).expect("sampled");
            assert_eq!((span.trace().id(), span.trace().flags()), ([0xab; 16], flags));
            assert_ne!(span.trace().span(), [0xcd; 8], "a span of its own");
        }
        let roots: Vec<Trace> = (0..2_000).filter_map(|_| tracer.begin(None).map(|span| *span.trace())).collect();
        assert!((least..=most).contains(&roots.len()), "{} of 2000 at {ratio}", roots.len());
        assert!(roots.iter().all(Trace::is_sampled));
        let ids: std::collections::BTreeSet<_> = roots.iter().map(Trace::id).collect();
        assert_eq!(ids.len(), roots.len());
    }
}

#[test]
fn a_collector_that_is_down_costs_spans_and_is_told_once() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    within(Duration::from_secs(15), move || {
        let (tracer, told) = tracer(gone, 1.0);
        for _ in 0..2 {
            end(tracer.begin(None).unwrap(), "a");
            let before = tracer.figures().failed;
            while tracer.figures().failed == before {
                std::thread::park_timeout(Duration::from_millis(5));
            }
        }
        end(tracer.begin(None).unwrap(), "b");
        let figures = tracer.close();
        assert_eq!((figures.exported, figures.failed, figures.dropped), (0, 3, 0));
        let notices: Vec<Notice> = told.try_iter().collect();
        assert!(matches!(notices.as_slice(), [Notice::CannotSend { .. }]), "{notices:?}");
        // Later ones are dropped.
        end(tracer.begin(None).unwrap(), "late");
        assert_eq!(tracer.figures().dropped, 1);
    });
}

#[test]
fn a_collector_that_stalls_costs_spans_and_neither_time_nor_more_memory() {
    // The kernel takes the connection; nobody ever reads or answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    within(Duration::from_secs(20), move || {
        let (tracer, _told) = tracer(address, 1.0);
        let many = (caps::QUEUE_SPANS_MAX + caps::BATCH_SPANS_MAX) as u64 * 3;
        for _ in 0..many {
            end(tracer.begin(None).unwrap(), "a");
        }
        let figures = tracer.figures();
        assert!(figures.queued <= caps::QUEUE_SPANS_MAX, "{figures:?}");
        assert!(figures.dropped >= many - 2 * caps::QUEUE_SPANS_MAX as u64, "{figures:?}");
        assert_eq!(figures.exported, 0);
        let (done, is_done) = channel();
        std::thread::spawn(move || done.send(tracer.close()));
        // Bounded by the flush, with room for a machine that has other things to do.
        let limit = Duration::from_millis(caps::FLUSH_MS * 3);
        is_done.recv_timeout(limit).expect("a stop waits for the flush at most");
    });
    drop(listener);
}
