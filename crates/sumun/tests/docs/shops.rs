//! The book's programs, one a language and protocol, against the real server: a checkout through a kill -9 between reserve
//! and capture, a sale that is over, a limit, a cancelled order, a late payment, an overload, and an answer that is lost
//! on its way. Each comes through with one effect.

use super::page::free_ports;
use super::root;
use super::support::proxy::{CUT_ONE, Proxy};
use super::support::server::{BINARY, fresh_directory, wait_until_ready};
use super::support::{Client, Value, resp, world};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// What one line may take: some of these programs start slowly, and all of them are patient.
const LINE_MS_MAX: u64 = 40_000;
const DOWN_MS: u64 = 300;
/// So little that a few thousand open reservations are too many. What ends goes to the store soon, so that it leaves
/// memory soon.
const MEMORY: &str = "1MiB";

/// A server that comes back where it was.
struct Server {
    child: Child,
    directory: PathBuf,
    resp: SocketAddr,
    http: SocketAddr,
}

impl Server {
    fn start() -> Server {
        let (resp, http) = free_ports();
        let address = |port| format!("127.0.0.1:{port}").parse().expect("an address");
        let (resp, http, directory) = (address(resp), address(http), fresh_directory());
        Server { child: Server::launch(&directory, resp, http), directory, resp, http }
    }
    fn launch(directory: &Path, resp: SocketAddr, http: SocketAddr) -> Child {
        let mut child = Command::new(BINARY)
            .args([
                "serve",
                "--memory",
                MEMORY,
                "--store-delay",
                "20ms",
                "--resp",
                &resp.to_string(),
                "--http",
                &http.to_string(),
                "--data",
            ])
            .arg(directory.join("data"))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary was built for these tests");
        assert!(wait_until_ready(&mut child).is_some(), "the server is ready");
        child
    }
    fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("our child");
    }
    fn start_again(&mut self) {
        self.child = Server::launch(&self.directory, self.resp, self.http);
    }
    fn field(&self, command: &str, name: &str) -> Option<Value> {
        Client::connect(self.resp).say(command).field(name)
    }
    fn figure(&self, sku: &str, name: &str) -> i64 {
        self.field(&format!("ITEM {sku}"), name).expect("an item").integer()
    }
    /// How many commands were refused as too much.
    fn overloaded(&self) -> u64 {
        let Value::Bulk(info) = Client::connect(self.resp).say("INFO") else { panic!("INFO is text") };
        let info = String::from_utf8(info).expect("text");
        let count = info.lines().find_map(|line| line.strip_prefix("refused_overloaded:")).expect("it is counted");
        count.trim().parse().expect("a number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
        let _left = fs::remove_dir_all(&self.directory);
    }
}

/// One of the programs, spoken to as at a terminal.
struct Shop {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Shop {
    fn open(command: &mut Command) -> Shop {
        let spawned = command.current_dir(root()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|why| panic!("{command:?}: {why}: `scripts/setup test` installs it"));
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Shop { child, input, lines }
    }
    fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().expect("open"), "{line}").expect("the program reads");
    }
    fn hear(&self, expected: &str) {
        let line = self.lines.recv_timeout(Duration::from_millis(LINE_MS_MAX));
        assert_eq!(line.as_deref(), Ok(expected));
    }
    fn asks(&mut self, line: &str, expected: &str) {
        self.say(line);
        self.hear(expected);
    }
    fn close(mut self) {
        drop(self.input.take());
        let status = world::eventually(LINE_MS_MAX, || self.child.try_wait().expect("our child"));
        assert!(status.is_some_and(|status| status.success()), "{status:?}");
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn sells(is_http: bool, command: impl Fn(&str) -> Command) {
    let mut server = Server::start();
    let mut client = Client::connect(server.resp);
    for line in ["CONFIGURE shoe LIMIT 4", "RECEIVE shoe 20 ID d1", "RECEIVE hat 5 ID d1", "RECEIVE bulk 900000 ID d1"]
    {
        assert!(matches!(client.say(line), Value::Integer(_)), "{line}");
    }
    let address = if is_http { server.http } else { server.resp };
    let mut shop = Shop::open(&mut command(&address.to_string()));

    // Held; then the server dies, and is back when the program has tried for a while.
    shop.asks("o1 kim shoe 2", "pay o1");
    server.kill();
    shop.say("paid");
    world::sleep_ms(DOWN_MS);
    server.start_again();
    shop.hear("o1 sold");
    // The whole order once more, as after a crash of the shop itself: neither paid nor sold twice.
    shop.asks("o1 kim shoe 2", "o1 sold");
    assert_eq!((server.figure("shoe", "captured"), server.figure("shoe", "reserved")), (2, 0));

    shop.asks("o2 kim shoe 3", "o2 over the limit, 2 left");
    shop.asks("o3 lee hat 9", "o3 sold out, 5 left");
    shop.asks("o4 ann shoe 1", "pay o4");
    shop.asks("no", "o4 cancelled");
    shop.asks("o4 ann shoe 1", "o4 ended before");

    // Paid when its time is over.
    shop.asks("o5 dan shoe 1 250", "pay o5");
    let expired = || (server.field("RESERVATION o5", "state") == Some(Value::Bulk(b"expired".to_vec()))).then_some(());
    world::eventually(LINE_MS_MAX, expired).expect("it ends");
    shop.asks("paid", "o5 too late, refunded");

    overload(&server, &mut shop);
    shop.close();
    assert_eq!((server.figure("shoe", "captured"), server.figure("shoe", "reserved")), (3, 0));

    // The first answer to this order never arrives.
    let proxy = Proxy::before(address);
    let mut shop = Shop::open(&mut command(&proxy.address.to_string()));
    shop.asks("cut-one joe shoe 1", "pay cut-one");
    shop.asks("paid", "cut-one sold");
    shop.close();
    assert!(proxy.marked(CUT_ONE) >= 3, "reserved twice and captured");
    assert_eq!(server.field("RESERVATION cut-one", "version"), Some(Value::Integer(2)), "held, captured, nothing else");
    assert_eq!((server.figure("shoe", "captured"), server.figure("shoe", "on_hand")), (4, 16));
}

/// Open reservations fill the memory; the program is refused and comes again; when they are released it gets through.
fn overload(server: &Server, shop: &mut Shop) {
    const ROUND: usize = 1_000;
    let mut client = Client::connect(server.resp);
    let mut rounds = 0;
    loop {
        let reserve = |n: usize| resp::encoded(&format!("RESERVE bulk-{rounds}-{n} 600000 1 bulk 1"));
        let commands: Vec<_> = (0..ROUND).map(reserve).collect();
        let full = client.pipeline(&commands).iter().any(|reply| reply.to_string().starts_with("-OVERLOADED"));
        rounds += 1;
        if full {
            break;
        }
        assert!(rounds < 100, "{MEMORY} hold fewer than {} reservations", rounds * ROUND);
    }
    let before = server.overloaded();
    shop.say("o6 eve shoe 1");
    world::eventually(LINE_MS_MAX, || (server.overloaded() > before).then_some(())).expect("it is refused");
    for round in 0..rounds {
        let commands: Vec<_> = (0..ROUND).map(|n| resp::encoded(&format!("RELEASE bulk-{round}-{n}"))).collect();
        client.pipeline(&commands);
    }
    shop.hear("pay o6");
    shop.asks("paid", "o6 sold");
}

fn of(program: &str, arguments: &[&str], address: &str) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg(address);
    command
}

#[test]
fn the_shop_in_python_sells_over_resp() {
    sells(false, |at| of("target/clients/python/bin/python", &["clients/python/shop_redis.py"], at));
}

#[test]
fn the_shop_in_python_sells_over_http() {
    sells(true, |at| of("python3", &["clients/python/shop_http.py"], at));
}

fn node(program: &str, address: &str) -> Command {
    let mut command = of("node", &[program], address);
    command.env("NODE_PATH", root().join("target/clients/node/node_modules"));
    command
}

#[test]
fn the_shop_in_node_sells_over_resp() {
    sells(false, |at| node("clients/node/shop-redis.cjs", at));
}

#[test]
fn the_shop_in_node_sells_over_http() {
    sells(true, |at| node("clients/node/shop-http.cjs", at));
}

#[test]
fn the_shop_in_go_sells_over_resp() {
    sells(false, |at| of("target/clients/go/shop-redis", &[], at));
}

#[test]
fn the_shop_in_go_sells_over_http() {
    sells(true, |at| of("target/clients/go/shop-http", &[], at));
}

fn spring(protocol: &str, address: &str) -> Command {
    let mut command = Command::new("java");
    command.args(["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
    command.args(["target/clients/spring/classes:target/clients/spring/lib/*", "shop.Shop"]);
    command.args([format!("--sumun.protocol={protocol}"), format!("--sumun.{protocol}={address}")]);
    command
}

#[test]
fn the_shop_in_spring_sells_over_resp() {
    sells(false, |at| spring("resp", at));
}

#[test]
fn the_shop_in_spring_sells_over_http() {
    sells(true, |at| spring("http", at));
}

/// Built with these tests.
fn example(name: &str, address: &str) -> Command {
    let path = Path::new(BINARY).with_file_name("examples").join(name);
    of(path.to_str().expect("UTF-8"), &[], address)
}

#[test]
fn the_shop_in_rust_sells_over_resp() {
    sells(false, |at| example("shop_redis", at));
}

#[test]
fn the_shop_in_rust_sells_over_http() {
    sells(true, |at| example("shop_http", at));
}
