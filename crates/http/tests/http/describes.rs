//! `/openapi.json`: whole, and about what is served.

use crate::support::start;
use serde_json::Value;
use std::collections::HashSet;

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(elements) => elements.iter().for_each(|element| references(element, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_document_has_every_path_refers_to_nothing_that_is_not_there_and_names_each_operation_once() {
    let server = start();
    let reply = server.ask("GET", "/openapi.json", "");
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    let document = reply.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 50);
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("within the document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let mut ids = HashSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            assert!(ids.insert(operation["operationId"].as_str().expect("an id").to_owned()), "{method} {path}");
            let wanted = path.matches('{').count();
            let parameters = operation["parameters"].as_array().expect("parameters");
            assert_eq!(parameters.iter().filter(|one| one["in"] == "path").count(), wanted, "{method} {path}");
            assert!(operation["responses"].as_object().is_some_and(|all| all.len() > 1), "{method} {path}");
        }
    }
    assert_eq!(ids.len(), 20);
    let item = &document["components"]["schemas"]["Item"];
    let shown = server.ask("PUT", "/v1/items/a", "{}").json();
    let described: HashSet<&String> = item["properties"].as_object().expect("properties").keys().collect();
    assert_eq!(described, shown.as_object().expect("an item").keys().collect());
    assert_eq!(item["required"].as_array().map(Vec::len), Some(described.len()));
}

/// What a request body's example says must pass: whoever copies it gets what it promises.
#[test]
fn the_examples_are_taken() {
    let server = start();
    let document = server.ask("GET", "/openapi.json", "").json();
    let example = |path: &str, method: &str| {
        let body = &document["paths"][path][method]["requestBody"]["content"]["application/json"]["example"];
        assert!(body.is_object(), "{method} {path}");
        body.to_string()
    };
    for (path, method, real, status) in [
        ("/v1/items/{sku}", "put", "/v1/items/shoe", 200),
        ("/v1/items/{sku}/receipts", "post", "/v1/items/shoe/receipts", 201),
        ("/v1/items/{sku}/adjustments", "post", "/v1/items/shoe/adjustments", 201),
    ] {
        assert_eq!(server.ask(&method.to_uppercase(), real, &example(path, method)).status, status, "{path}");
    }
    server.ask("PUT", "/v1/items/shoe", "{}");
    assert_eq!(server.ask("POST", "/v1/reservations", &example("/v1/reservations", "post")).status, 201);
    for verb in ["extend", "capture", "return", "release"] {
        let body = example(&format!("/v1/reservations/{{id}}/{verb}"), "post");
        assert_eq!(server.ask("POST", &format!("/v1/reservations/order-1/{verb}"), &body).status, 200, "{verb}");
    }
}
