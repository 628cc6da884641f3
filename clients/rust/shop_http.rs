//! A shop's checkout over HTTP: shop_http [ADDRESS]. Each line it reads is `ORDER CUSTOMER SKU QUANTITY [TTL_MS]`.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::error::Error;
use std::io::{BufRead, stdin};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// How long one call may take, all its attempts together.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a customer has to pay.
const TTL_MS: &str = "600000";

type Failure = Box<dyn Error>;

struct Sumun {
    address: String,
    /// Kept as long as it works.
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Sumun {
    /// Posts until it is answered, the same body each time: the id in it makes that safe. `Err` inside is a problem
    /// document: the answer is no, and asking again will not change it.
    async fn call(&mut self, path: &str, body: &Value) -> Result<Result<Value, Value>, Failure> {
        let give_up = Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(50);
        loop {
            let (failed, wait) = match timeout(Duration::from_secs(5), self.post(path, body)).await {
                Ok(Ok((true, record))) => return Ok(Ok(record)),
                // True of 503 alone.
                Ok(Ok((false, problem))) if problem["retryable"] == true => {
                    let ms = problem["retry_after_ms"].as_u64().unwrap_or(0);
                    (problem["detail"].to_string().into(), pause.max(Duration::from_millis(ms)))
                }
                Ok(Ok((false, problem))) => return Ok(Err(problem)),
                // No answer: it may or may not have been done. A connection that failed is not used again.
                Ok(Err(lost)) => (lost, pause),
                Err(late) => (late.into(), pause),
            };
            if Instant::now() + wait > give_up {
                return Err(failed);
            }
            sleep(wait.mul_f64(jitter())).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    async fn post(&mut self, path: &str, body: &Value) -> Result<(bool, Value), Failure> {
        let mut connection = match self.connection.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => {
                let stream = TcpStream::connect(&self.address).await?;
                let (connection, driver) = handshake(TokioIo::new(stream)).await?;
                tokio::spawn(driver);
                connection
            }
        };
        connection.ready().await?;
        let request = Request::post(format!("/v1{path}"))
            .header("host", &self.address)
            .header("content-type", "application/json")
            .body(Full::from(body.to_string()))?;
        let answer = connection.send_request(request).await?;
        let is_done = answer.status().is_success();
        let content = answer.into_body().collect().await?.to_bytes();
        self.connection = Some(connection);
        Ok((is_done, serde_json::from_slice(&content)?))
    }
}

/// 1.0 to 1.5, so that those who were refused together do not come back together.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    1.0 + (RandomState::new().hash_one(()) % 500) as f64 / 1_000.0
}

fn read() -> Option<String> {
    stdin().lock().lines().next().and_then(Result::ok)
}

/// Stands for your payment provider, who gets the order's id as its own idempotency key.
fn pay(order: &str) -> bool {
    println!("pay {order}");
    read().as_deref() == Some("paid")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:7080".to_owned());
    let mut sumun = Sumun { address, connection: None };
    while let Some(line) = read() {
        let order: Vec<&str> = line.split(' ').chain([TTL_MS]).collect();
        println!("{} {}", order[0], buy(&mut sumun, &order).await?);
    }
    Ok(())
}

async fn buy(sumun: &mut Sumun, order: &[&str]) -> Result<String, Failure> {
    let [id, customer, sku, quantity, ttl_ms, ..] = order else { return Err("too few words".into()) };
    let line = json!({"sku": sku, "quantity": quantity.parse::<u64>()?});
    let reserve = json!({"id": id, "holder": customer, "ttl_ms": ttl_ms.parse::<u64>()?, "lines": [line]});
    let held = match sumun.call("/reservations", &reserve).await? {
        Ok(held) => held,
        Err(no) => {
            let line = &no["lines"][0];
            return match no["code"].as_str() {
                Some("insufficient_stock") => Ok(format!("sold out, {} left", line["available"])),
                Some("limit_exceeded") => Ok(format!("over the limit, {} left", line["left"])),
                // This order is over; a new attempt is a new order.
                Some("expired" | "already_released") => Ok("ended before".to_owned()),
                _ => Err(no["detail"].to_string().into()),
            };
        }
    };
    // An earlier run of this program came this far.
    if held["state"] == "captured" {
        return Ok("sold".to_owned());
    }
    // An id of letters, digits, `-`, `_` and `.` needs no escaping in a path.
    if !pay(id) {
        let released = sumun.call(&format!("/reservations/{id}/release"), &json!({})).await?;
        return released.map(|_| "cancelled".to_owned()).map_err(|no| no["detail"].to_string().into());
    }
    match sumun.call(&format!("/reservations/{id}/capture"), &json!({})).await? {
        Ok(_) => Ok("sold".to_owned()),
        // Paid too late: the units are somebody else's by now.
        Err(no) if no["code"] == "expired" || no["code"] == "already_released" => Ok("too late, refunded".to_owned()),
        Err(no) => Err(no["detail"].to_string().into()),
    }
}
