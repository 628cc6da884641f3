//! redis-rs drives every verb: plain, multiplexed and with its connection manager, in RESP2 and RESP3.

use super::support::Server;
use super::support::proxy::{CUT_ALL, CUT_ONE, Proxy};
use redis::aio::{ConnectionLike, ConnectionManager, MultiplexedConnection};
use redis::{Client, Cmd, FromRedisValue, Value};
use std::collections::HashMap;
use std::net::SocketAddr;

fn command(text: &str) -> Cmd {
    let mut words = text.split(' ');
    let mut command = redis::cmd(words.next().expect("a verb"));
    command.arg(words.collect::<Vec<_>>());
    command
}

fn client(address: SocketAddr, protocol: &str) -> Client {
    Client::open(format!("redis://{address}/?protocol=resp{protocol}")).expect("an address")
}

/// A map, which RESP2 shows as a flat array: the library reads both as a `HashMap`.
type Entries = HashMap<String, Value>;

fn text(entries: &Entries, name: &str) -> String {
    String::from_redis_value(entries[name].clone()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn number(entries: &Entries, name: &str) -> i64 {
    i64::from_redis_value(entries[name].clone()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

async fn say<T: FromRedisValue>(connection: &mut impl ConnectionLike, text: &str) -> T {
    command(text).query_async(connection).await.unwrap_or_else(|error| panic!("{text}: {error}"))
}

async fn verbs(connection: &mut MultiplexedConnection, protocol: &str) {
    let configured: i64 = redis::cmd("CONFIGURE")
        .arg(&["shirt", "LIMIT", "100000", "METADATA", "{\"n\": 1}"])
        .query_async(connection)
        .await
        .expect("configured");
    assert_eq!(configured, 0);
    for _ in 0..2 {
        assert_eq!(say::<i64>(connection, "RECEIVE shirt 100000 ID m1").await, 100_000);
    }
    assert_eq!(say::<i64>(connection, "RECEIVE hat 1 ID m1").await, 1);
    assert_eq!(say::<i64>(connection, "ADJUST shirt -1000 REASON broken ID m2").await, 99_000);
    for replayed in [0, 1] {
        let held: Entries = say(connection, "RESERVE r1 60000 1 shirt 5 FOR kim").await;
        assert_eq!((text(&held, "state").as_str(), number(&held, "replayed")), ("held", replayed));
    }
    for (step, state) in [
        ("EXTEND r1 120000", "held"),
        ("CAPTURE r1 1 shirt 2 ID c1", "held"),
        ("RELEASE r1 1 shirt 1 ID x1", "held"),
        ("RETURN r1 1 shirt 1 ID t1", "held"),
        ("CAPTURE r1", "captured"),
        ("RELEASE gone", "released"),
    ] {
        assert_eq!(text(&say(connection, step).await, "state"), state, "{step}");
    }
    let record: Entries = say(connection, "RESERVATION r1").await;
    let lines = Vec::<Entries>::from_redis_value(record["lines"].clone()).expect("lines are maps");
    assert_eq!((number(&lines[0], "captured"), number(&lines[0], "returned")), (4, 1));
    let item: Value = say(connection, "ITEM shirt").await;
    assert_eq!(matches!(&item, Value::Map(_)), protocol == "3", "a map is `Value::Map` in RESP3: {item:?}");
    let item = Entries::from_redis_value(item).expect("an item is a map");
    assert_eq!((number(&item, "on_hand"), text(&item, "metadata").as_str()), (98_997, "{\"n\": 1}"));
    assert_eq!(say::<Value>(connection, "ITEM nosuch").await, Value::Nil);
    assert_eq!(say::<Option<Entries>>(connection, "ITEM nosuch").await, None);
    let refused = command("RESERVE r2 60000 1 hat 2").query_async::<Value>(connection).await.expect_err("refused");
    assert_eq!(refused.code(), Some("INSUFFICIENT"), "{refused:?}");
    assert_eq!(refused.detail(), Some("hat wanted 2 available 1"));
}

async fn pipelines(connection: &mut MultiplexedConnection) {
    let mut transaction = redis::pipe();
    transaction.atomic().add_command(command("RESERVE t1 60000 1 hat 1")).add_command(command("ITEM hat"));
    let (held, item): (Entries, Entries) = transaction.query_async(connection).await.expect("a transaction");
    assert_eq!((text(&held, "state").as_str(), number(&item, "reserved")), ("held", 1));

    let mut pipeline = redis::pipe();
    for n in 0..1000 {
        pipeline.add_command(command(&format!("RESERVE p{n} 60000 1 shirt 1 FOR kim")));
    }
    let replies: Vec<Entries> = pipeline.query_async(connection).await.expect("a pipeline");
    assert!(replies.iter().all(|reply| text(reply, "state") == "held"));
    assert!(replies.windows(2).all(|two| number(&two[0], "sequence") < number(&two[1], "sequence")));

    // Many tasks on one multiplexed connection: each gets its own answer.
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let mut connection = connection.clone();
            tokio::spawn(async move {
                let record: Entries = say(&mut connection, &format!("RESERVATION p{n}")).await;
                assert_eq!(text(&record, "id"), format!("p{n}"));
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("answered");
    }
}

/// The connection is cut after the request was forwarded. The library does not send again; its connection manager
/// connects again, so that the same command sent once more finds what it did.
async fn cut(connection: &mut MultiplexedConnection, through: Client) {
    let other = through.clone();
    let mut manager = ConnectionManager::new(through).await.expect("connected");
    let reserve = command("RESERVE cut-one 60000 1 shirt 1 FOR kim");
    let lost = reserve.query_async::<Value>(&mut manager).await.expect_err("the connection was cut");
    assert!(lost.is_connection_dropped() || lost.is_io_error(), "{lost:?}");
    let held: Entries = reserve.query_async(&mut manager).await.expect("connected again");
    assert_eq!((text(&held, "state").as_str(), number(&held, "replayed")), ("held", 1));
    let item: Entries = say(connection, "ITEM shirt").await;
    assert_eq!(number(&item, "reserved"), 1001);

    // A connection without the manager stays lost: whoever holds it takes another one.
    let mut plain = other.get_multiplexed_async_connection().await.expect("connected");
    let mut transaction = redis::pipe();
    transaction
        .atomic()
        .add_command(command("RESERVE cut-all 60000 1 shirt 1 FOR kim"))
        .add_command(command("ITEM shirt"));
    transaction.query_async::<Value>(&mut plain).await.expect_err("the connection was cut");
    transaction.query_async::<Value>(&mut plain).await.expect_err("it stays lost");
    let mut plain = other.get_multiplexed_async_connection().await.expect("connected");
    let (held, item): (Entries, Entries) = transaction.query_async(&mut plain).await.expect("a new connection");
    assert_eq!((text(&held, "state").as_str(), number(&item, "reserved")), ("held", 1002));
}

#[test]
fn redis_rs_drives_every_verb() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for protocol in ["2", "3"] {
        let server = Server::start();
        let proxy = Proxy::before(server.resp);
        runtime.block_on(async {
            let direct = client(server.resp, protocol);
            let mut connection = direct.get_multiplexed_async_connection().await.expect("connected");
            verbs(&mut connection, protocol).await;
            pipelines(&mut connection).await;
            cut(&mut connection, client(proxy.address, protocol)).await;
        });
        assert_eq!((proxy.marked(CUT_ONE), proxy.marked(CUT_ALL)), (2, 2));
        // The same library without async.
        let mut blocking = client(server.resp, protocol).get_connection().expect("connected");
        let record: Entries = command("RESERVATION cut-one").query(&mut blocking).expect("a record");
        assert_eq!(text(&record, "state"), "held");
    }
}
