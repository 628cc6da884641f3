//! What is measured: a page that Prometheus' own parser takes, with a row for each queue, part of memory and refusal; and
//! figures that move as they should.

use super::clients::{installed, root};
use super::support::{Http, Server, check, http_check, world};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

/// Name, type and unit of everything that a server shows which serves all and sends traces.
const FAMILIES: &str = "
    sumun_http_requests counter -                   sumun_http_refused counter -
    sumun_commands counter -                        sumun_uptime_seconds gauge seconds
    sumun_memory_limit_bytes gauge bytes            sumun_process_resident_bytes gauge bytes
    sumun_store_lag_max_events gauge -
    sumun_http_connections counter -                sumun_http_connections_refused counter -
    sumun_http_connections_open gauge -             sumun_http_connections_ended counter -
    sumun_http_unproven_closed counter -            sumun_http_questions_in_hand gauge -
    sumun_http_bodies_kept_bytes gauge bytes        sumun_http_bodies_kept_max_bytes gauge bytes
    sumun_handover_questions gauge -                sumun_handover_questions_max gauge -
    sumun_handover_kept_bytes gauge bytes           sumun_handover_kept_max_bytes gauge bytes
    sumun_handover_refused counter -                sumun_shard_answers gauge -
    sumun_ready gauge -                             sumun_events counter -
    sumun_ends counter -                            sumun_expiry_lag_seconds gauge seconds
    sumun_clock_drift_seconds gauge seconds         sumun_reservations_open gauge -
    sumun_items_in_memory gauge -                   sumun_records_memory_bytes gauge bytes
    sumun_records_memory_max_bytes gauge bytes      sumun_retention_seconds gauge seconds
    sumun_step_cpu_seconds histogram seconds        sumun_log_writable gauge -
    sumun_log_sequence gauge -                      sumun_log_durable_sequence gauge -
    sumun_log_first_sequence gauge -                sumun_log_epoch gauge -
    sumun_log_size_bytes gauge bytes                sumun_log_segments gauge -
    sumun_log_retention_seconds gauge seconds       sumun_log_trim_failures counter -
    sumun_log_failures counter -                    sumun_log_reopens counter -
    sumun_commits counter -                         sumun_commit_bytes counter -
    sumun_commits_beside counter -                  sumun_commits_held counter -
    sumun_commit_commands gauge -                   sumun_commit_waiting_bytes gauge bytes
    sumun_sync_smoothed_seconds gauge seconds       sumun_sync_longest_seconds gauge seconds
    sumun_sync_seconds histogram seconds            sumun_steps counter -
    sumun_step_requests_most gauge -                sumun_requests counter -
    sumun_waits counter -                           sumun_refused counter -
    sumun_store_sequence gauge -                    sumun_store_lag_events gauge -
    sumun_store_unsaved_records gauge -             sumun_store_chunks counter -
    sumun_store_records counter -                   sumun_store_bytes counter -
    sumun_store_reads counter -                     sumun_store_reading gauge -
    sumun_store_works gauge -                       sumun_store_generations gauge -
    sumun_resp_clients gauge -                      sumun_resp_connections counter -
    sumun_resp_connections_refused counter -        sumun_resp_protocol_errors counter -
    sumun_resp_received_bytes counter -             sumun_resp_sent_bytes counter -
    sumun_resp_clients_memory_bytes gauge bytes     sumun_resp_transactions_memory_bytes gauge bytes
    sumun_resp_reader_pauses counter -              sumun_resp_accept_pauses counter -
    sumun_resp_scarce_closed counter -              sumun_resp_unproven_closed counter -
    sumun_feed_followers gauge -                    sumun_feed_followers_live gauge -
    sumun_feed_follower_behind_events gauge -       sumun_feed_followers_left_behind counter -
    sumun_feed_followers_refused counter -          sumun_feed_outbox_events gauge -
    sumun_feed_ring_events gauge -                  sumun_feed_ring_bytes gauge bytes
    sumun_feed_pages gauge -                        sumun_feed_pages_waiting gauge -
    sumun_trace_spans_queued gauge -                sumun_trace_spans_sent counter -
    sumun_trace_spans_dropped counter -             sumun_trace_spans_failed counter -
";

/// Those that are there once something is known of them.
const SOMETIMES: [&str; 2] = ["sumun_log_oldest_timestamp_seconds", "sumun_store_oldest_timestamp_seconds"];

fn page(http: &mut Http) -> String {
    let answer = http.get("/metrics");
    assert_eq!(answer.status, 200, "{answer}");
    assert_eq!(answer.header("Content-Type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    answer.text()
}

/// Each sample, by its name with labels.
fn samples(page: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let one = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?}"));
        (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line:?}")))
    };
    lines.map(one).collect()
}

#[test]
fn prometheus_parser_takes_the_page_and_finds_every_family_with_type_unit_and_help() {
    // Nobody listens there: the families are the same.
    let mut server = Server::start_with(&["--otlp", "http://127.0.0.1:9"]);
    http_check(&mut server, r#"POST /v1/items/a/receipts {"id": "m1", "quantity": 9} -> 201"#);
    let page = page(&mut Http::connect(&server));
    let mut parser = Command::new(installed("openapi/bin/python"))
        .arg(root().join("clients/openapi/metrics.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was installed");
    parser.stdin.take().expect("piped").write_all(page.as_bytes()).expect("it reads");
    let told = parser.wait_with_output().expect("it ends");
    assert!(told.status.success(), "{}\n{page}", String::from_utf8_lossy(&told.stderr));
    let told = String::from_utf8(told.stdout).expect("UTF-8");
    let mut found: Vec<String> = Vec::new();
    for line in told.lines() {
        let words: Vec<&str> = line.splitn(5, ' ').collect();
        let [name, kind, unit, samples, help] = words.as_slice() else { panic!("{line:?}") };
        assert!(help.len() > 10 && help.starts_with(|first: char| first.is_uppercase()), "help of {name}: {help:?}");
        assert_ne!(*samples, "0", "{name} has no sample");
        if !SOMETIMES.contains(name) {
            found.push(format!("{name} {kind} {unit}"));
        }
    }
    let words: Vec<&str> = FAMILIES.split_whitespace().collect();
    let mut expected: Vec<String> = words.chunks(3).map(|row| row.join(" ")).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn figures_move_with_what_happens() {
    let mut server = Server::start();
    let mut http = Http::connect(&server);
    let before = samples(&page(&mut http));
    http_check(
        &mut server,
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 9} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 2}]} -> 201
        POST /v1/reservations {"id": "s", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 9}]} -> 409
        GET /v1/items/none -> 404
        GET /nowhere -> 404
        PUT /v1/reservations/r -> 405
        POST /v1/reservations {"id": 7} -> 400
        GET /v1/events?limit=1000 -> 200
        "#,
    );
    check(
        &mut server,
        "
        RESERVE t 60000 1 a 8 -> -INSUFFICIENT*
        RESERVE t 60000 1 a nine -> -INVALID*
        CAPTURE nobody -> -NOTFOUND*
        ",
    );
    let mut follower = Http::connect(&server);
    let request = follower.request("GET", "/v1/events", &[("Accept", "text/event-stream")], None);
    follower.send_bytes(&request);
    follower.head().expect("a stream begins");
    let after = samples(&page(&mut http));
    let moved = |name: &str| {
        let value = |of: &BTreeMap<String, f64>| of.get(name).copied().unwrap_or_default();
        value(&after) - value(&before)
    };
    let expected = [
        ("sumun_events_total", 3.0),
        ("sumun_reservations_open", 1.0),
        ("sumun_items_in_memory", 1.0),
        ("sumun_log_sequence", 3.0),
        ("sumun_log_durable_sequence", 3.0),
        // Of both interfaces; what is no command comes to no shard.
        (r#"sumun_refused_total{code="insufficient_stock"}"#, 2.0),
        (r#"sumun_refused_total{code="invalid"}"#, 1.0),
        (r#"sumun_refused_total{code="not_found"}"#, 1.0),
        (r#"sumun_http_refused_total{code="insufficient_stock"}"#, 1.0),
        (r#"sumun_http_refused_total{code="not_found"}"#, 2.0),
        (r#"sumun_http_refused_total{code="method_not_allowed"}"#, 1.0),
        (r#"sumun_http_refused_total{code="invalid"}"#, 1.0),
        (r#"sumun_http_requests_total{method="POST",route="/v1/reservations",status="409"}"#, 1.0),
        ("sumun_feed_followers", 1.0),
        ("sumun_feed_followers_live", 1.0),
        ("sumun_feed_follower_behind_events", 0.0),
        ("sumun_handover_refused_total", 0.0),
        ("sumun_log_failures_total", 0.0),
    ];
    for (name, by) in expected {
        assert_eq!(moved(name), by, "{name}: {:?} and then {:?}", before.get(name), after.get(name));
    }
    // The scrape itself is the one that is in hand.
    assert_eq!((after["sumun_handover_questions"], after["sumun_handover_questions_max"]), (0.0, 16_384.0));
    assert!(moved("sumun_commits_total") >= 2.0 && moved("sumun_sync_seconds_count") >= 2.0);
    assert!(moved("sumun_commit_bytes_total") > 100.0 && moved("sumun_resp_received_bytes_total") > 50.0);
    assert!(moved("sumun_step_cpu_seconds_sum") > 0.0 && after["sumun_records_memory_bytes"] > 0.0);
    assert_eq!((after["sumun_retention_seconds"], after["sumun_log_segments"]), (2_592_000.0, 1.0));
    // Without a collector nothing is said of spans.
    assert!(!after.keys().any(|name| name.starts_with("sumun_trace_")));
    drop(follower);
    let mut n = 0;
    let gone = world::eventually(10_000, || {
        // It is found by what it is sent.
        n += 1;
        let receipt = format!(r#"{{"id": "late{n}", "quantity": 1}}"#);
        assert_eq!(http.call("POST", "/v1/items/a/receipts", &[], Some(&receipt)).status, 201);
        (samples(&page(&mut http))["sumun_feed_followers"] == 0.0).then_some(())
    });
    assert!(gone.is_some(), "a follower that has gone is one no more");
}
