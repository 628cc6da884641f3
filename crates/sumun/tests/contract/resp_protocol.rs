//! The protocol, byte by byte: RESP2 and RESP3, inline commands, pipelines, what libraries say when they connect, and
//! what is answered to what is no RESP at all.

use super::support::resp::{encode, encoded};
use super::support::{Client, Server, Value, check};

fn script(text: &str) {
    check(&mut Server::start(), text);
}

/// What comes back, up to the closing of the connection, which must follow.
fn last_words(server: &Server, bytes: &[u8]) -> String {
    let mut client = server.connect();
    client.send_bytes(bytes);
    String::from_utf8_lossy(&client.read_to_end()).into_owned()
}

#[test]
fn maps_are_flat_arrays_in_resp2_and_maps_in_resp3() {
    let server = Server::start();
    let mut two = server.connect();
    let mut three = server.connect();
    three.say("HELLO 3");
    two.say("RECEIVE a 10 ID m1");
    two.send_bytes(&encoded("RELEASE t"));
    let head = b"*8\r\n$5\r\nstate\r\n$8\r\nreleased\r\n$8\r\nsequence\r\n:";
    assert_eq!(two.read_bytes(head.len()), head);
    let sequence = two.read_bytes(1);
    let tail = b"\r\n$8\r\nreplayed\r\n:0\r\n$9\r\ntombstone\r\n:1\r\n";
    assert_eq!(two.read_bytes(tail.len()), tail);
    assert!(sequence[0].is_ascii_digit());
    three.send_bytes(&encoded("RELEASE t"));
    assert_eq!(three.read_bytes(4), b"%4\r\n");
    assert_eq!(three.read_bytes(head.len() - 4), head[4..]);
    three.read_bytes(1);
    let tail = b"\r\n$8\r\nreplayed\r\n:1\r\n$9\r\ntombstone\r\n:1\r\n";
    assert_eq!(three.read_bytes(tail.len()), tail);
    // Null, integer, error, and a bulk string.
    two.send_bytes(&[encoded("ITEM nosuch"), encoded("RECEIVE a 10 ID m1"), encoded("ECHO x")].concat());
    let bytes = b"$-1\r\n:10\r\n$1\r\nx\r\n";
    let seen = two.read_bytes(bytes.len());
    assert!(seen == bytes || seen.starts_with(b"*-1\r\n"), "{:?}", String::from_utf8_lossy(&seen));
    three.send_bytes(&[encoded("ITEM nosuch"), encoded("RECEIVE a 10 ID m1"), encoded("ECHO x")].concat());
    let bytes = b"_\r\n:10\r\n$1\r\nx\r\n";
    assert_eq!(three.read_bytes(bytes.len()), bytes);
    two.send_bytes(&encoded("RESERVE r 1000 1 a 11"));
    let bytes = b"-INSUFFICIENT a wanted 11 available 10\r\n";
    assert_eq!(two.read_bytes(bytes.len()), bytes);
    // Whole records, maps in arrays in maps: the two protocols say the same.
    two.say("RECEIVE a 5 ID m2 LOT L1 EXPIRES 4000000000000 AT seoul");
    two.say("RESERVE r 60000 2 a 7 a 1 FOR kim");
    for command in ["ITEM a", "RESERVATION r"] {
        let (flat, map) = (two.say(command), three.say(command));
        assert!(matches!(&flat, Value::Array(_)) && matches!(&map, Value::Map(_)), "{flat} {map}");
        assert_eq!(flatten(&map), flat, "{command}");
    }
}

fn flatten(value: &Value) -> Value {
    match value {
        Value::Map(pairs) => {
            Value::Array(pairs.iter().flat_map(|(name, value)| [flatten(name), flatten(value)]).collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(flatten).collect()),
        Value::Simple(_) | Value::Error(_) | Value::Integer(_) | Value::Bulk(_) | Value::Null => value.clone(),
    }
}

#[test]
fn hello_chooses_the_protocol() {
    let server = Server::start();
    let mut client = server.connect();
    let hello = client.say("HELLO");
    assert!(matches!(hello, Value::Array(_)), "RESP2 until asked otherwise: {hello}");
    let hello = client.say("HELLO 3");
    assert!(matches!(hello, Value::Map(_)), "{hello}");
    for name in ["server", "version", "proto", "id", "mode", "role", "modules"] {
        assert!(hello.field(name).is_some(), "HELLO says `{name}`: {hello}");
    }
    assert_eq!(hello.field("proto"), Some(Value::Integer(3)));
    assert_eq!(hello.field("role"), Some(Value::Bulk(b"master".to_vec())));
    assert_eq!(hello.field("mode"), Some(Value::Bulk(b"standalone".to_vec())));
    assert_eq!(hello.field("modules"), Some(Value::Array(Vec::new())));
    assert_eq!(client.say("HELLO 4"), Value::Error("NOPROTO unsupported protocol version".into()));
    assert_eq!(client.say("HELLO 1"), Value::Error("NOPROTO unsupported protocol version".into()));
    assert!(matches!(client.say("HELLO x"), Value::Error(_)));
    assert!(matches!(client.say("HELLO"), Value::Map(_)), "a refused HELLO changes nothing");
    assert!(matches!(client.say("HELLO 3 SETNAME me"), Value::Map(_)));
    assert_eq!(client.say("CLIENT GETNAME"), Value::Bulk(b"me".to_vec()));
    let hello = client.say("HELLO 2");
    assert_eq!(hello.field("proto"), Some(Value::Integer(2)));
    assert!(matches!(hello, Value::Array(_)), "{hello}");
    // RESET goes back to RESP2.
    client.say("HELLO 3");
    assert_eq!(client.say("RESET"), Value::Simple("RESET".into()));
    assert!(matches!(client.say("HELLO"), Value::Array(_)));
}

#[test]
fn what_libraries_say_when_they_connect_is_answered() {
    script(
        "
        PING -> PONG
        PING hello -> hello
        ping -> PONG
        ECHO 'two words' -> two words
        SELECT 0 -> OK
        SELECT 1 -> -ERR*
        CLIENT GETNAME -> null
        CLIENT SETNAME worker-1 -> OK
        CLIENT GETNAME -> worker-1
        client setinfo LIB-NAME mylib -> OK
        CLIENT SETINFO lib-ver 1.0 -> OK
        CLIENT ID -> :=id
        CLIENT LIST -> *id=*
        CONFIG GET save -> [save *]
        CONFIG GET appendonly -> [appendonly *]
        CONFIG GET databases -> [databases 1*]
        CONFIG GET timeout -> [timeout *]
        CONFIG GET nosuch -> []
        COMMAND COUNT -> *
        COMMAND GETKEYS RESERVE r1 1000 1 a 2 -> [r1]
        COMMAND GETKEYS RECEIVE a 5 ID m1 -> [a]
        INFO -> *redis_version:*
        INFO server -> *redis_version:*
        # texts that libraries read
        NOSUCH -> -ERR unknown command 'NOSUCH', with args beginning with: *
        GET a b -> -ERR unknown command 'GET', with args beginning with: 'a' 'b' *
        SET a b -> -ERR unknown command 'SET', with args beginning with: *
        WATCH a -> -ERR unknown command 'WATCH', with args beginning with: *
        CLIENT NOSUCH -> -ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.
        CLIENT TRACKING on -> -ERR unknown subcommand 'TRACKING'. Try CLIENT HELP.
        CONFIG SET save x -> -ERR unknown subcommand 'SET'. Try CONFIG HELP.
        COMMAND NOSUCH -> -ERR unknown subcommand 'NOSUCH'. Try COMMAND HELP.
        AUTH secret -> -ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?
        AUTH someone secret -> -WRONGPASS invalid username-password pair or user is disabled.
        RESERVE -> -ERR wrong number of arguments for 'reserve' command
        RESERVE r 1000 -> -ERR wrong number of arguments for 'reserve' command
        receive a -> -ERR wrong number of arguments for 'receive' command
        RECEIVE -> -ERR wrong number of arguments for 'receive' command
        ADJUST a 1 -> -ERR wrong number of arguments for 'adjust' command|-INVALID*
        CAPTURE -> -ERR wrong number of arguments for 'capture' command
        RELEASE -> -ERR wrong number of arguments for 'release' command
        RETURN -> -ERR wrong number of arguments for 'return' command
        EXTEND r -> -ERR wrong number of arguments for 'extend' command
        EXTEND r 1 2 -> -INVALID*
        CONFIGURE -> -ERR wrong number of arguments for 'configure' command
        ITEM -> -ERR wrong number of arguments for 'item' command
        ITEM a b -> -INVALID*
        RESERVATION -> -ERR wrong number of arguments for 'reservation' command
        ECHO -> -ERR wrong number of arguments for 'echo' command
        PING a b -> -ERR wrong number of arguments for 'ping' command
        MULTI x -> -ERR wrong number of arguments for 'multi' command
        GET -> -ERR unknown command 'GET', with args beginning with: *
        ",
    );
}

#[test]
fn command_and_info_say_enough_for_redis_tools() {
    let server = Server::start();
    let mut client = server.connect();
    let count = client.say("COMMAND COUNT").integer();
    let all = client.say("COMMAND");
    assert_eq!(i64::try_from(all.rows().len()), Ok(count));
    let names: Vec<String> = all.rows().iter().map(|row| row.rows()[0].to_string()).collect();
    for verb in
        ["configure", "receive", "adjust", "reserve", "capture", "release", "extend", "return", "reservation", "item"]
    {
        assert!(names.iter().any(|name| name == verb), "COMMAND lists `{verb}`");
        let info = client.say(&format!("COMMAND INFO {verb}"));
        let row = info.rows()[0].rows();
        // A command's only key is its first argument.
        assert_eq!(row[3..6], [Value::Integer(1), Value::Integer(1), Value::Integer(1)], "{verb}");
    }
    for plain in [
        "multi", "exec", "discard", "ping", "echo", "hello", "auth", "select", "quit", "command", "client", "info",
        "config", "reset",
    ] {
        assert!(names.iter().any(|name| name == plain), "COMMAND lists `{plain}`");
    }
    let info = client.say("COMMAND INFO nosuch");
    assert_eq!(info.rows(), [Value::Null]);
    // redis-cli asks for these; an array in RESP2, and it may be empty.
    assert!(matches!(client.say("COMMAND DOCS"), Value::Array(_)));
    let info = client.say("INFO").to_string();
    for line in ["redis_version:", "arch_bits:", "cluster_enabled:0", "role:master", "loading:0"] {
        assert!(info.lines().any(|l| l.starts_with(line)), "INFO has `{line}`: {info}");
    }
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).expect("it was there");
    assert!(version.split('.').count() >= 2 && version.split('.').all(|n| n.parse::<u32>().is_ok()), "{version}");
}

#[test]
fn quit_answers_and_closes() {
    let server = Server::start();
    assert_eq!(last_words(&server, &encoded("QUIT")), "+OK\r\n");
    let both = [encoded("PING"), encoded("QUIT"), encoded("PING")].concat();
    assert_eq!(last_words(&server, &both), "+PONG\r\n+OK\r\n");
}

#[test]
fn inline_commands_are_read_as_redis_reads_them() {
    let server = Server::start();
    let mut client = server.connect();
    client.send_bytes(b"PING\r\nPING\n\r\n\nRECEIVE a 10 ID m1\r\nECHO \"two words\\x41\\n\"\r\nECHO 'it''\r\n");
    assert_eq!(client.read(), Value::Simple("PONG".into()));
    assert_eq!(client.read(), Value::Simple("PONG".into()));
    assert_eq!(client.read(), Value::Integer(10));
    assert_eq!(client.read(), Value::Bulk(b"two wordsA\n".to_vec()));
    let words = String::from_utf8_lossy(&client.read_to_end()).into_owned();
    assert_eq!(words, "-ERR Protocol error: unbalanced quotes in request\r\n");
    let mut client = server.connect();
    client.send_bytes(b"  RESERVE   r 60000 1 a 4  \r\n*1\r\n$4\r\nPING\r\nITEM nosuch\r\n");
    assert_eq!(client.read().field("state"), Some(Value::Bulk(b"held".to_vec())));
    assert_eq!(client.read(), Value::Simple("PONG".into()));
    assert_eq!(client.read(), Value::Null);
    // A line without an end is not waited for until memory is full.
    let endless = last_words(&server, &vec![b'x'; 70 * 1024]);
    assert!(endless.starts_with("-ERR Protocol error: too big inline request"), "{endless}");
}

#[test]
fn replies_come_in_the_order_of_the_requests() {
    let server = Server::start();
    let mut client = server.connect();
    client.say("RECEIVE a 100000 ID m1");
    let mut commands = Vec::new();
    for n in 0..500 {
        commands.push(encoded(&format!("RESERVE r{n} 60000 1 a 1")));
        commands.push(encoded(&format!("ECHO {n}")));
        commands.push(encoded(&format!("CAPTURE r{n}")));
        commands.push(encoded("NOSUCH"));
        commands.push(encoded(&format!("RESERVATION r{n}")));
    }
    let replies = client.pipeline(&commands);
    for (n, replies) in replies.chunks_exact(5).enumerate() {
        assert_eq!(replies[0].field("state"), Some(Value::Bulk(b"held".to_vec())), "{n}");
        assert_eq!(replies[1], Value::Bulk(n.to_string().into_bytes()));
        assert_eq!(replies[2].field("state"), Some(Value::Bulk(b"captured".to_vec())), "{n}");
        assert!(matches!(&replies[3], Value::Error(error) if error.starts_with("ERR unknown command")));
        assert_eq!(replies[4].field("id"), Some(Value::Bulk(format!("r{n}").into_bytes())), "{n}");
        assert_eq!(replies[4].field("state"), Some(Value::Bulk(b"captured".to_vec())), "{n}");
    }
}

#[test]
fn a_request_may_come_in_any_pieces() {
    let server = Server::start();
    let mut client = server.connect();
    let bytes = [encoded("RECEIVE a 10 ID m1"), encoded("RESERVE r 60000 1 a 4"), b"PING\r\n".to_vec()].concat();
    for byte in &bytes {
        client.send_bytes(std::slice::from_ref(byte));
    }
    assert_eq!(client.read(), Value::Integer(10));
    assert_eq!(client.read().field("state"), Some(Value::Bulk(b"held".to_vec())));
    assert_eq!(client.read(), Value::Simple("PONG".into()));
}

#[test]
fn a_client_that_half_closes_still_gets_its_answers() {
    let server = Server::start();
    let stream = std::net::TcpStream::connect(server.resp).expect("the server listens");
    std::io::Write::write_all(&mut &stream, &[encoded("RECEIVE a 10 ID m1"), encoded("PING")].concat()).expect("sent");
    stream.shutdown(std::net::Shutdown::Write).expect("half closed");
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut &stream, &mut bytes).expect("the server closes the rest");
    assert_eq!(String::from_utf8_lossy(&bytes), ":10\r\n+PONG\r\n");
}

#[test]
fn a_protocol_error_is_answered_then_the_connection_closed() {
    let server = Server::start();
    for (bytes, words) in [
        ("*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
        ("*99999999999\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
        ("*1\r\n:1\r\n", "-ERR Protocol error: expected '$', got ':'\r\n"),
        ("*1\r\n$-5\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        ("*1\r\n$x\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        ("*2\r\n$4\r\nECHO\r\n$65537\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        // What came before it is answered first.
        ("*1\r\n$4\r\nPING\r\n*1\r\n!", "+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n"),
        // No web page is to write to a server on loopback.
        ("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", ""),
        ("Host: localhost\r\n\r\n", ""),
        ("post / HTTP/1.1\r\n\r\n", ""),
    ] {
        assert_eq!(last_words(&server, bytes.as_bytes()), words, "{bytes:?}");
    }
    let mut client = server.connect();
    // An empty request is none, and 64 KiB are not too much.
    client.send_bytes(b"*0\r\n*-1\r\n");
    let long = "x".repeat(64 * 1024);
    assert_eq!(client.call(&["ECHO", &long]), Value::Bulk(long.into_bytes()));
}

#[test]
fn garbage_harms_nobody_else() {
    let server = Server::start();
    let mut steady = server.connect();
    steady.say("RECEIVE a 100000 ID m1");
    for seed in 0_u32..100 {
        let mut bytes = Vec::new();
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        for _ in 0..400 {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            bytes.extend_from_slice(match state % 12 {
                0 => b"*3\r\n",
                1 => b"$7\r\n",
                2 => b"RESERVE",
                3 => b"\r\n",
                4 => b"$-1\r\n",
                5 => b"\0",
                6 => b"MULTI\r\n",
                7 => b"EXEC\r\n",
                8 => b"\"",
                9 => b"*1\r\n$4\r\nPING\r\n",
                10 => b"\xff",
                _ => b"9",
            });
        }
        let mut client: Client = server.connect();
        client.send_bytes(&bytes);
        drop(client);
        let held = steady.say(&format!("RESERVE r{seed} 60000 1 a 1"));
        assert_eq!(held.field("state"), Some(Value::Bulk(b"held".to_vec())), "{held}");
    }
}

#[test]
fn one_client_too_many_is_told_so() {
    let server = Server::start_with(&["--max-clients", "3"]);
    let mut clients: Vec<Client> = (0..3).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.say("PING"), Value::Simple("PONG".into()));
    }
    let told = String::from_utf8_lossy(&server.connect().read_to_end()).into_owned();
    assert_eq!(told, "-ERR max number of clients reached\r\n");
    assert_eq!(clients.remove(0).say("QUIT"), Value::Simple("OK".into()));
    let freed = super::support::world::eventually(2_000, || {
        let mut client = server.connect();
        client.send_bytes(&encoded("PING"));
        matches!(client.try_read(), Ok(Value::Simple(_))).then_some(())
    });
    assert!(freed.is_some(), "a place that was left can be taken");
}

#[test]
fn many_connections_are_served_at_once() {
    let server = Server::start();
    let mut clients: Vec<Client> = (0..200).map(|_| server.connect()).collect();
    clients[0].say("RECEIVE a 100 ID m1");
    for (n, client) in clients.iter_mut().enumerate() {
        client.send_bytes(&encode(&["RESERVE", &format!("r{n}"), "60000", "1", "a", "1"]));
    }
    let held = clients.iter_mut().filter_map(|client| client.read().field("state")).count();
    assert_eq!(held, 100, "200 clients want one unit each of 100");
    let item = clients[7].say("ITEM a");
    assert_eq!((item.field("reserved"), item.field("available")), (Some(Value::Integer(100)), Some(Value::Integer(0))));
}
