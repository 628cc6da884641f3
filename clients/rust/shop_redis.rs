//! A shop's checkout over RESP: shop_redis [ADDRESS]. Each line it reads is `ORDER CUSTOMER SKU QUANTITY [TTL_MS]`.

use redis::aio::ConnectionManager;
use redis::{Client, FromRedisValue, RedisError, Value};
use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, stdin};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long one call may take, all its attempts together.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a customer has to pay.
const TTL_MS: &str = "600000";

type Entries = HashMap<String, Value>;

/// Sends a command until it is answered, the same words each time: the id in them makes that safe.
async fn call(client: &Client, sumun: &mut Option<ConnectionManager>, words: &[&str]) -> Result<Entries, RedisError> {
    let give_up = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(50);
    loop {
        let failed = match ask(client, sumun, words).await {
            Ok(answer) => return Ok(answer),
            Err(failed) => failed,
        };
        let wait = match (failed.code(), failed.detail()) {
            (Some("OVERLOADED"), Some(detail)) => {
                let ms = detail.split(' ').find_map(|word| word.parse().ok()).unwrap_or(0);
                pause.max(Duration::from_millis(ms))
            }
            (Some("LOADING" | "MISCONF"), _) => pause,
            // The answer is no, and asking again will not change it.
            (Some(_), _) => return Err(failed),
            // No answer: it may or may not have been done.
            (None, _) => pause,
        };
        if Instant::now() + wait > give_up {
            return Err(failed);
        }
        sleep(wait.mul_f64(jitter())).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// The manager connects again by itself; it never sends a command twice.
async fn ask(client: &Client, sumun: &mut Option<ConnectionManager>, words: &[&str]) -> Result<Entries, RedisError> {
    let mut connection = match sumun {
        Some(connection) => connection.clone(),
        None => sumun.insert(ConnectionManager::new(client.clone()).await?).clone(),
    };
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]).query_async(&mut connection).await
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

fn left(no: &RedisError) -> &str {
    no.detail().and_then(|detail| detail.rsplit(' ').next()).unwrap_or("?")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:6380".to_owned());
    // RESP3 makes a map a map.
    let client = Client::open(format!("redis://{address}/?protocol=resp3"))?;
    let mut sumun = None;
    while let Some(line) = read() {
        let order: Vec<&str> = line.split(' ').chain([TTL_MS]).collect();
        println!("{} {}", order[0], buy(&client, &mut sumun, &order).await?);
    }
    Ok(())
}

async fn buy(client: &Client, sumun: &mut Option<ConnectionManager>, order: &[&str]) -> Result<String, RedisError> {
    let [id, customer, sku, quantity, ttl_ms, ..] = order else { return Ok("what?".to_owned()) };
    let reserve = ["RESERVE", id, ttl_ms, "1", sku, quantity, "FOR", customer];
    let held = match call(client, sumun, &reserve).await {
        Ok(held) => held,
        Err(no) => {
            return match no.code() {
                Some("INSUFFICIENT") => Ok(format!("sold out, {} left", left(&no))),
                Some("LIMIT") => Ok(format!("over the limit, {} left", left(&no))),
                // This order is over; a new attempt is a new order.
                Some("EXPIRED" | "RELEASED") => Ok("ended before".to_owned()),
                _ => Err(no),
            };
        }
    };
    // An earlier run of this program came this far.
    if String::from_redis_value(held["state"].clone())? == "captured" {
        return Ok("sold".to_owned());
    }
    if !pay(id) {
        call(client, sumun, &["RELEASE", id]).await?;
        return Ok("cancelled".to_owned());
    }
    match call(client, sumun, &["CAPTURE", id]).await {
        // Paid too late: the units are somebody else's by now.
        Err(no) if matches!(no.code(), Some("EXPIRED" | "RELEASED")) => Ok("too late, refunded".to_owned()),
        answer => answer.map(|_| "sold".to_owned()),
    }
}
