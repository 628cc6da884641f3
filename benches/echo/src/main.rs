//! A bare axum server: a reservation comes in as JSON, and leaves as the record that Sumun would answer, with the same
//! names and of the same length. All of axum and tokio are as they come by default: routing, extractors, a worker thread
//! a core. Never here: anything kept, checked or decided.

use axum::extract::Json;
use axum::http::StatusCode;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct NewReservation {
    id: String,
    holder: Option<String>,
    #[serde(rename = "ttl_ms")]
    _ttl_ms: u64,
    lines: Vec<NewLine>,
}

#[derive(Deserialize)]
struct NewLine {
    sku: String,
    quantity: u64,
}

#[derive(Serialize)]
struct Reservation {
    id: String,
    state: &'static str,
    ended: Option<&'static str>,
    tombstone: bool,
    holder: Option<String>,
    created_at: &'static str,
    expires_at: &'static str,
    needed_until: Option<&'static str>,
    lines: Vec<Line>,
    version: u64,
    sequence: u64,
}

#[derive(Serialize)]
struct Line {
    sku: String,
    quantity: u64,
    captured: u64,
    released: u64,
    expired: u64,
    returned: u64,
    lot: Option<String>,
    location: Option<String>,
    taken: Vec<Taken>,
}

#[derive(Serialize)]
struct Taken {
    lot: Option<String>,
    quantity: u64,
}

async fn reserve(Json(asked): Json<NewReservation>) -> (StatusCode, Json<Reservation>) {
    const TIME: &str = "2026-01-01T00:00:00.000Z";
    let line = |NewLine { sku, quantity }| {
        let taken = vec![Taken { lot: None, quantity }];
        Line { sku, quantity, captured: 0, released: 0, expired: 0, returned: 0, lot: None, location: None, taken }
    };
    let record = Reservation {
        id: asked.id,
        state: "held",
        ended: None,
        tombstone: false,
        holder: asked.holder,
        created_at: TIME,
        expires_at: TIME,
        needed_until: None,
        lines: asked.lines.into_iter().map(line).collect(),
        version: 1,
        sequence: 100_000,
    };
    (StatusCode::CREATED, Json(record))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    // Items are prepared at any server: here nothing comes of it.
    let router = axum::Router::new().route("/v1/reservations", post(reserve)).fallback(async || StatusCode::OK);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http={}", listener.local_addr()?);
    axum::serve(listener, router).await
}
