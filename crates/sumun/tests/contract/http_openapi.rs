//! The description of the interface: valid OpenAPI 3.1, every route of the contract in it, every error documented.

use super::clients::{installed, output};
use super::support::{Http, Server};
use serde_json::Value;
use std::process::Command;

/// Each operation, with the statuses of its success and of its refusals.
const OPERATIONS: [(&str, &str, &[u16]); 20] = [
    ("put", "/v1/items/{}", &[400, 403, 409, 413, 415, 503]),
    ("delete", "/v1/items/{}", &[204, 400, 403, 404, 409, 503]),
    ("get", "/v1/items/{}", &[200, 400, 403, 404, 503]),
    ("get", "/v1/items", &[200, 400, 403, 503]),
    ("get", "/v1/items/{}/holders/{}", &[200, 400, 403, 404, 503]),
    ("post", "/v1/items/{}/receipts", &[200, 201, 400, 403, 409, 413, 415, 503]),
    ("post", "/v1/items/{}/adjustments", &[200, 201, 400, 403, 404, 409, 413, 415, 503]),
    ("get", "/v1/items/{}/history", &[200, 400, 403, 404, 410, 503]),
    ("post", "/v1/reservations", &[200, 201, 400, 403, 404, 409, 413, 415, 503]),
    ("get", "/v1/reservations/{}", &[200, 400, 403, 404, 503]),
    ("post", "/v1/reservations/{}/capture", &[200, 400, 403, 404, 409, 413, 415, 503]),
    ("post", "/v1/reservations/{}/release", &[200, 400, 403, 404, 409, 413, 415, 503]),
    ("post", "/v1/reservations/{}/extend", &[200, 400, 403, 404, 409, 413, 415, 503]),
    ("post", "/v1/reservations/{}/return", &[200, 400, 403, 404, 409, 413, 415, 503]),
    ("get", "/v1/reservations", &[200, 400, 403, 503]),
    ("get", "/v1/events", &[200, 400, 403, 410, 503]),
    ("get", "/livez", &[200]),
    ("get", "/readyz", &[200, 503]),
    ("get", "/metrics", &[200]),
    ("get", "/openapi.json", &[200]),
];

const CODES: [&str; 17] = [
    "invalid",
    "forbidden",
    "not_found",
    "insufficient_stock",
    "limit_exceeded",
    "exceeds",
    "id_conflict",
    "conflict",
    "expired",
    "already_captured",
    "already_released",
    "trimmed",
    "too_large",
    "unsupported_media_type",
    "overloaded",
    "loading",
    "read_only",
];

fn description() -> Value {
    let server = Server::start();
    let answer = Http::connect(&server).get("/openapi.json");
    assert_eq!((answer.status, answer.media_type().as_str()), (200, "application/json"), "{answer}");
    answer.json()
}

/// A path with its names left out: `/v1/items/{sku}` and `/v1/items/{id}` are one.
fn shape(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect::<Vec<_>>().join("/")
}

/// What a `$ref` stands for, as often as it takes.
fn resolve<'a>(whole: &'a Value, mut value: &'a Value) -> &'a Value {
    for _hop in 0..20 {
        let Some(target) = value["$ref"].as_str() else { return value };
        let pointer = target.strip_prefix('#').unwrap_or_else(|| panic!("a reference within the document: {target}"));
        value = whole.pointer(pointer).unwrap_or_else(|| panic!("{target} leads nowhere"));
    }
    panic!("a reference in a circle: {value}")
}

fn operations(whole: &Value) -> Vec<(String, String, &Value)> {
    let mut found = Vec::new();
    for (path, item) in whole["paths"].as_object().expect("`paths`") {
        for (method, operation) in item.as_object().expect("an object") {
            if ["get", "put", "post", "delete", "head", "options", "patch", "trace"].contains(&method.as_str()) {
                found.push((method.clone(), shape(path), operation));
            }
        }
    }
    found
}

#[test]
fn the_description_has_every_route_and_its_statuses() {
    let whole = description();
    assert!(whole["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")), "{}", whole["openapi"]);
    let found = operations(&whole);
    let mut missing = Vec::new();
    for (method, path, statuses) in OPERATIONS {
        let Some((_, _, operation)) = found.iter().find(|(m, p, _)| m == method && p == path) else {
            missing.push(format!("{method} {path}"));
            continue;
        };
        let responses = operation["responses"].as_object().expect("responses");
        for status in statuses {
            // `4XX` and `default` are no documentation of an error.
            if !responses.contains_key(&status.to_string()) {
                missing.push(format!("{method} {path}: {status}"));
            }
        }
    }
    assert!(missing.is_empty(), "not described:\n  {}", missing.join("\n  "));
}

#[test]
fn every_error_is_described_as_a_problem_and_every_answer_has_a_schema() {
    let whole = description();
    let mut flaws = Vec::new();
    for (method, path, operation) in operations(&whole) {
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let response = resolve(&whole, response);
            if response["description"].as_str().is_none_or(str::is_empty) {
                flaws.push(format!("{method} {path} {status}: no description"));
            }
            let content = response["content"].as_object();
            if status.starts_with(['4', '5']) && path.starts_with("/v1/") {
                let problem = content.and_then(|content| content.get("application/problem+json"));
                let named = problem.is_some_and(|problem| {
                    let schema = resolve(&whole, &problem["schema"]).to_string();
                    ["code", "detail", "retryable", "status", "title", "type"].iter().all(|name| schema.contains(name))
                });
                if !named {
                    flaws.push(format!("{method} {path} {status}: no problem"));
                }
            }
            if status.starts_with('2') && status != "204" && content.is_none_or(serde_json::Map::is_empty) {
                flaws.push(format!("{method} {path} {status}: no content"));
            }
        }
        if operation["operationId"].as_str().is_none_or(str::is_empty) {
            flaws.push(format!("{method} {path}: no operationId"));
        }
    }
    assert!(flaws.is_empty(), "{} of them:\n  {}", flaws.len(), flaws.join("\n  "));
    let text = whole.to_string();
    let unsaid: Vec<_> = CODES.iter().filter(|code| !text.contains(&format!("\"{code}\""))).collect();
    assert!(unsaid.is_empty(), "codes that are nowhere: {unsaid:?}");
    for header in ["Idempotency-Key", "Idempotency-Replayed", "Retry-After", "Last-Event-ID"] {
        assert!(text.to_lowercase().contains(&header.to_lowercase()), "{header} is nowhere");
    }
    assert!(text.contains("9007199254740991"), "integers have their greatest value");
    assert!(!text.contains("\"format\":\"double\"") && !text.contains("\"format\":\"float\""), "nothing is a float");
}

#[test]
fn requests_that_write_have_examples_and_refuse_what_they_do_not_know() {
    let whole = description();
    for (method, path, operation) in operations(&whole) {
        let Some(body) = operation.get("requestBody") else { continue };
        let json = &resolve(&whole, body)["content"]["application/json"];
        let schema = resolve(&whole, &json["schema"]);
        let text = json.to_string() + &schema.to_string();
        assert!(text.contains("\"example"), "{method} {path} has no example");
        let closed = ["additionalProperties", "unevaluatedProperties"].iter().any(|name| schema[name] == false);
        assert!(closed, "{method} {path}: unknown fields are refused, and the schema must say so: {schema}");
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_its_own_id() {
    let whole = description();
    let mut stack = vec![&whole];
    while let Some(value) = stack.pop() {
        match value {
            Value::Object(members) => {
                if members.get("$ref").is_some_and(Value::is_string) {
                    resolve(&whole, value);
                }
                stack.extend(members.values());
            }
            Value::Array(rows) => stack.extend(rows),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut ids: Vec<_> =
        operations(&whole).iter().filter_map(|(_, _, o)| o["operationId"].as_str().map(str::to_owned)).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "operation ids are unique");
}

#[test]
fn the_description_is_valid_by_the_specification_s_own_schema() {
    let validator = installed("openapi/bin/openapi-spec-validator");
    let server = Server::start();
    let file = server.data().with_file_name("openapi.json");
    std::fs::write(&file, Http::connect(&server).get("/openapi.json").body).expect("written");
    output(Command::new(validator).args(["--schema", "3.1"]).arg(&file), "openapi-spec-validator");
}
