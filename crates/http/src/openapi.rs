//! `/openapi.json`: written from the router's own table and the types that read and write bodies, so that neither can
//! say something else than what is served.

use crate::metrics::Ready;
use crate::problem::{Document, Problem, ProblemCode};
use crate::records::{HolderView, ItemPage, ItemView, ReservationPage, ReservationView};
use crate::requests::{Adjustment, Extension, ItemSettings, NewReservation, PartOf, Receipt};
use crate::route::{Operation, PLACES};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use sumun_wire::limits::QUANTITY_MAX;

/// The document, as JSON text.
pub fn document() -> Vec<u8> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = Schemas {
        taken: settings.clone().for_deserialize().into_generator(),
        given: settings.for_serialize().into_generator(),
    };
    let mut paths = Map::new();
    for place in &PLACES {
        let mut methods = Map::new();
        for (method, operation) in place.operations {
            methods.insert(method.as_str().to_ascii_lowercase(), describe(*operation, place.path, &mut schemas));
        }
        paths.insert(place.path.to_owned(), Value::Object(methods));
    }
    schemas.given::<Document>();
    let mut all = schemas.given.take_definitions(true);
    all.extend(schemas.taken.take_definitions(true));
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Sumun",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Reserves, captures and releases limited quantities, durably and exactly once.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": { "schemas": all },
    });
    serde_json::to_vec(&document).expect("a document")
}

struct Schemas {
    taken: SchemaGenerator,
    given: SchemaGenerator,
}

impl Schemas {
    fn given<T: JsonSchema>(&mut self) -> Value {
        self.given.subschema_for::<T>().to_value()
    }
    fn taken<T: JsonSchema>(&mut self) -> Value {
        self.taken.subschema_for::<T>().to_value()
    }
}

/// The response of one status: the codes that it may have, with an example of each.
fn problem(codes: &[ProblemCode]) -> Value {
    let meanings: Vec<String> = codes.iter().map(|code| format!("`{}`: {}", code.word(), code.title())).collect();
    let mut examples = Map::new();
    for code in codes {
        let example = serde_json::to_value(Problem::new(*code, code.title()).document()).expect("a document");
        examples.insert(code.word().to_owned(), json!({ "value": example }));
    }
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    let mut response = json!({
        "description": meanings.join("; "),
        "content": { "application/problem+json": { "schema": schema, "examples": examples } },
    });
    if codes.iter().any(|code| code.status().as_u16() == 503) {
        let seconds = json!({ "schema": { "type": "integer" }, "description": "Seconds until it may pass" });
        response["headers"] = json!({ "Retry-After": seconds });
    }
    response
}

/// A page of events. The feed writes it; this says what it is.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it is written as text, by the feed")]
struct EventPage {
    events: Vec<CloudEvent>,
    /// A sequence; null on the last page.
    next: Option<u64>,
}

/// An event, as CloudEvents has them.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it is written as text, by the feed")]
struct CloudEvent {
    specversion: String,
    /// Shard and sequence.
    id: String,
    /// Names the log.
    source: String,
    r#type: String,
    /// The sku or reservation that it is about.
    #[schemars(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    time: String,
    sequence: u64,
    datacontenttype: String,
    /// Of the request that made it, where that had one.
    #[schemars(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    data: Map<String, Value>,
}

/// What an operation says of itself.
struct Says {
    id: &'static str,
    summary: &'static str,
    body: Option<(Value, Value)>,
    /// Status, what it means, its document.
    good: Vec<(u16, &'static str, Option<Value>)>,
    bad: &'static [ProblemCode],
}

fn describe(operation: Operation, path: &str, schemas: &mut Schemas) -> Value {
    let says = says(operation, schemas);
    let mut responses = Map::new();
    for (status, meaning, schema) in says.good {
        let mut response = json!({ "description": meaning });
        if let Some(schema) = schema {
            response["content"] = match operation {
                Operation::Metrics => json!({ "application/openmetrics-text": { "schema": schema } }),
                Operation::Events => json!({
                    "application/json": { "schema": schema },
                    "text/event-stream": { "schema": { "type": "string" } },
                }),
                Operation::ListItems
                | Operation::PutItem
                | Operation::GetItem
                | Operation::DeleteItem
                | Operation::GetHolder
                | Operation::Receive
                | Operation::Adjust
                | Operation::History
                | Operation::Reserve
                | Operation::ListReservations
                | Operation::GetReservation
                | Operation::Capture
                | Operation::Release
                | Operation::Extend
                | Operation::Return
                | Operation::Livez
                | Operation::Readyz
                | Operation::OpenApi => json!({ "application/json": { "schema": schema } }),
            };
        }
        let links = links(operation);
        if !links.is_empty() {
            response["links"] = Value::Object(links);
        }
        if operation.takes_body() && status == 200 {
            let replayed =
                json!({ "schema": { "const": "true" }, "description": "It was done before; nothing changed" });
            response["headers"] = json!({ "Idempotency-Replayed": replayed });
        }
        responses.insert(status.to_string(), response);
    }
    let with_body: &[ProblemCode] = if operation.takes_body() {
        &[ProblemCode::RequestTimeout, ProblemCode::TooLarge, ProblemCode::UnsupportedMediaType]
    } else {
        &[]
    };
    let mut by_status: BTreeMap<String, Vec<ProblemCode>> = BTreeMap::new();
    for code in [ProblemCode::Invalid, ProblemCode::Forbidden].iter().chain(with_body).chain(says.bad) {
        by_status.entry(code.status().as_str().to_owned()).or_default().push(*code);
    }
    responses.extend(by_status.into_iter().map(|(status, codes)| (status, problem(&codes))));
    let mut described = json!({
        "operationId": says.id,
        "summary": says.summary,
        "parameters": parameters(operation, path),
        "responses": responses,
    });
    if let Some((schema, example)) = says.body {
        let optional = matches!(operation, Operation::Capture | Operation::Release | Operation::Return);
        described["requestBody"] = json!({
            "required": !optional,
            "content": { "application/json": { "schema": schema, "example": example } },
        });
    }
    described
}

/// What may be asked next, with the names that this request or its answer had.
fn links(operation: Operation) -> Map<String, Value> {
    let (name, from, next): (&str, &str, &[&str]) = match operation {
        Operation::Reserve => {
            ("id", "$response.body#/id", &["getReservation", "capture", "release", "extend", "return"])
        }
        Operation::Capture | Operation::Release | Operation::Extend | Operation::Return => {
            ("id", "$request.path.id", &["getReservation", "return", "release"])
        }
        Operation::PutItem | Operation::Receive | Operation::Adjust => {
            ("sku", "$request.path.sku", &["getItem", "receive", "adjust", "deleteItem", "getHistory"])
        }
        Operation::ListItems
        | Operation::GetItem
        | Operation::DeleteItem
        | Operation::GetHolder
        | Operation::History
        | Operation::ListReservations
        | Operation::GetReservation
        | Operation::Events
        | Operation::Livez
        | Operation::Readyz
        | Operation::Metrics
        | Operation::OpenApi => return Map::new(),
    };
    next.iter().map(|id| ((*id).to_owned(), json!({ "operationId": id, "parameters": { name: from } }))).collect()
}

fn parameters(operation: Operation, path: &str) -> Value {
    let text = || crate::json::text_schema().to_value();
    let parameter = |place: &str, name: &str, schema: Value, meaning: &str| json!({ "in": place, "name": name, "required": place == "path", "schema": schema, "description": meaning });
    let mut all: Vec<Value> = Vec::new();
    for name in path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')) {
        all.push(parameter("path", name, text(), "Percent-encoded; `%2F` is part of the name"));
    }
    // One is as good as a list of one.
    let some = |one: Value| json!({ "anyOf": [{ "type": "array", "items": one.clone() }, one] });
    let limit = || json!({ "type": "integer", "minimum": 1, "maximum": 1_000, "default": 100 });
    let cursor = || json!({ "type": "string" });
    let sequence = |least: u64| json!({ "type": "integer", "minimum": least, "maximum": QUANTITY_MAX });
    match operation {
        Operation::ListItems => {
            all.push(parameter("query", "prefix", cursor(), "Of the sku"));
            let mut skus = parameter("query", "sku", some(text()), "These alone");
            skus["explode"] = json!(true);
            all.push(skus);
            all.push(parameter("query", "after", cursor(), "A page's `next`"));
            all.push(parameter("query", "limit", limit(), "At most so many; a page may be shorter"));
        }
        Operation::ListReservations => {
            all.push(parameter("query", "state", json!({ "const": "held" }), "Open ones are listed, no others"));
            all.push(parameter("query", "holder", text(), "This holder's"));
            all.push(parameter("query", "sku", text(), "With this item"));
            all.push(parameter("query", "after", cursor(), "A page's `next`"));
            all.push(parameter("query", "limit", limit(), "At most so many; a page may be shorter"));
        }
        Operation::Receive
        | Operation::Adjust
        | Operation::Reserve
        | Operation::Capture
        | Operation::Release
        | Operation::Return => {
            all.push(parameter("header", "Idempotency-Key", text(), "Stands in for the body's `id`"));
        }
        Operation::Events => {
            let kinds = some(json!({ "type": "string", "minLength": 1, "maxLength": 128 }));
            all.push(parameter("query", "after", sequence(0), "Behind this sequence"));
            let mut kind = parameter("query", "type", kinds, "Of these types");
            kind["explode"] = json!(true);
            all.push(kind);
            all.push(parameter("query", "subject", text(), "About this sku or reservation"));
            let shard = json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX });
            all.push(parameter("query", "shard", shard, "Of this shard"));
            all.push(parameter("query", "limit", limit(), "At most so many; of a page"));
            let seen = json!({ "type": "string", "pattern": "^((0|[1-9][0-9]{0,9})/(0|[1-9][0-9]{0,15}))?$" });
            all.push(parameter("header", "Last-Event-ID", seen, "The last event that a stream's client has seen"));
        }
        Operation::History => {
            all.push(parameter("query", "before", sequence(1), "Older than this sequence"));
            all.push(parameter("query", "limit", limit(), "At most so many; a page may be shorter"));
        }
        Operation::PutItem
        | Operation::GetItem
        | Operation::DeleteItem
        | Operation::GetHolder
        | Operation::GetReservation
        | Operation::Extend
        | Operation::Livez
        | Operation::Readyz
        | Operation::Metrics
        | Operation::OpenApi => {}
    }
    Value::Array(all)
}

use ProblemCode::{
    AlreadyCaptured, AlreadyReleased, Conflict, Exceeds, Expired, IdConflict, InsufficientStock, LimitExceeded,
    Loading, NotFound, Overloaded, ReadOnly, Trimmed,
};
const READ: &[ProblemCode] = &[NotFound, Overloaded, Loading];
const LIST: &[ProblemCode] = &[Overloaded, Loading];
const FEED: &[ProblemCode] = &[NotFound, Trimmed, Overloaded, Loading, ReadOnly];
const SETTINGS: &[ProblemCode] = &[NotFound, Conflict, Overloaded, Loading, ReadOnly];
const MOVEMENT: &[ProblemCode] = &[NotFound, InsufficientStock, IdConflict, Conflict, Overloaded, Loading, ReadOnly];
const RESERVE: &[ProblemCode] =
    &[NotFound, InsufficientStock, LimitExceeded, IdConflict, Expired, AlreadyReleased, Overloaded, Loading, ReadOnly];
const END: &[ProblemCode] =
    &[NotFound, Exceeds, IdConflict, Expired, AlreadyCaptured, AlreadyReleased, Overloaded, Loading, ReadOnly];

fn says(operation: Operation, schemas: &mut Schemas) -> Says {
    let item = schemas.given::<ItemView<'_>>();
    let reservation = schemas.given::<ReservationView<'_>>();
    let read =
        |id, summary, schema| Says { id, summary, body: None, good: vec![(200, summary, Some(schema))], bad: READ };
    let ends = |id, summary, body| Says {
        id,
        summary,
        body: Some(body),
        good: vec![(200, "The reservation as it stands now", Some(reservation.clone()))],
        bad: END,
    };
    let part = json!({ "id": "part-1", "lines": [{ "sku": "shoe", "quantity": 1 }] });
    match operation {
        Operation::ListItems => {
            let page = schemas.given::<ItemPage<'_>>();
            Says { bad: LIST, ..read("listItems", "Items, by sku", page) }
        }
        Operation::GetItem => read("getItem", "An item: quantities, lots, settings", item),
        Operation::PutItem => Says {
            id: "putItem",
            summary: "Sets all settings of an item; creates it",
            body: Some((schemas.taken::<ItemSettings>(), json!({ "limit": { "quantity": 2 }, "safety_stock": 0 }))),
            good: vec![(200, "The item", Some(item))],
            bad: SETTINGS,
        },
        Operation::DeleteItem => Says {
            id: "deleteItem",
            summary: "Hides an item that holds nothing",
            body: None,
            good: vec![(204, "It is hidden", None)],
            bad: SETTINGS,
        },
        Operation::GetHolder => {
            let holder = schemas.given::<HolderView>();
            read("getHolder", "What a holder may still have of an item", holder)
        }
        Operation::Receive => Says {
            id: "receive",
            summary: "A receipt: on_hand grows",
            body: Some((schemas.taken::<Receipt>(), json!({ "id": "delivery-1", "quantity": 10 }))),
            good: vec![(201, "The item", Some(item.clone())), (200, "A replay: the item as it stands now", Some(item))],
            bad: MOVEMENT,
        },
        Operation::Adjust => Says {
            id: "adjust",
            summary: "An adjustment: on_hand changes",
            body: Some((schemas.taken::<Adjustment>(), json!({ "id": "count-1", "delta": -1, "reason": "lost" }))),
            good: vec![(201, "The item", Some(item.clone())), (200, "A replay: the item as it stands now", Some(item))],
            bad: MOVEMENT,
        },
        Operation::Reserve => Says {
            id: "reserve",
            summary: "Claims quantities, all lines or none",
            body: Some((
                schemas.taken::<NewReservation>(),
                json!({ "id": "order-1", "ttl_ms": 60_000, "lines": [{ "sku": "shoe", "quantity": 2 }] }),
            )),
            good: vec![
                (201, "It is held, or captured", Some(reservation.clone())),
                (200, "A replay: the reservation as it stands now", Some(reservation)),
            ],
            bad: RESERVE,
        },
        Operation::ListReservations => {
            let page = schemas.given::<ReservationPage<'_>>();
            Says { bad: LIST, ..read("listReservations", "Open reservations: who holds what, until when", page) }
        }
        Operation::GetReservation => read("getReservation", "A reservation", reservation),
        Operation::Capture => {
            ends("capture", "Captures all that is left, or a part", (schemas.taken::<PartOf>(), part))
        }
        Operation::Release => {
            ends("release", "Gives back all that is left, or a part", (schemas.taken::<PartOf>(), part))
        }
        Operation::Return => ends("return", "Takes back what was captured", (schemas.taken::<PartOf>(), part)),
        Operation::Extend => {
            ends("extend", "Puts its expiry off", (schemas.taken::<Extension>(), json!({ "ttl_ms": 60_000 })))
        }
        Operation::History => {
            let page = schemas.given::<EventPage>();
            Says { bad: FEED, ..read("getHistory", "The events of an item, newest first", page) }
        }
        Operation::Events => {
            let page = schemas.given::<EventPage>();
            Says { bad: FEED, ..read("getEvents", "Events: a page, or a stream", page) }
        }
        Operation::Livez => {
            let alive = json!({ "type": "object", "properties": { "status": { "const": "alive" } } });
            Says { bad: &[], ..read("livez", "The process lives", alive) }
        }
        Operation::Readyz => {
            let ready = schemas.given::<Ready>();
            Says { bad: &[Loading, ReadOnly], ..read("readyz", "The log is replayed and can be written", ready) }
        }
        Operation::Metrics => {
            Says { bad: &[], ..read("metrics", "Metrics, for Prometheus", json!({ "type": "string" })) }
        }
        Operation::OpenApi => Says { bad: &[], ..read("openapi", "This document", json!({ "type": "object" })) },
    }
}
