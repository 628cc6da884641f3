//! The store beside its log, on the real binary: compared, lost and made again, and every kind of record changed behind
//! the server's back.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use sumun_codec::{decode_record, encode_record};
use sumun_core::Record;
use sumun_store::{Chunk, FjallStore, Options, Store, StoreError, Table};
use sumun_wire::State;

const BINARY: &str = env!("CARGO_BIN_EXE_sumun");

/// A data directory, with a server on it or not.
struct Shop {
    path: PathBuf,
    server: Option<(Child, String)>,
}

impl Shop {
    fn new() -> Shop {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("store-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("created");
        Shop { path, server: None }
    }

    /// One that has seen every kind of record, and has been closed.
    fn busy() -> Shop {
        let mut shop = Shop::new();
        shop.start();
        for line in [
            "configure a --limit 5 --window 7d --metadata {\"x\":1}",
            "receive a 100 --id m1",
            "receive b 10 --id m2 --lot l1 --expires 2100-01-01T00:00:00Z",
            "receive b 3 --id m3 --lot l2",
            "reserve r1 a=2 --ttl 15m --for h",
            "reserve r2 a=1 b=3 --ttl 15m --for h",
            "capture r2 --id c1",
            "reserve r3 b=8 --ttl 15m",
            "capture r3 b=8 --id c1",
            "return r2 a=1 --id t1",
            "reserve r4 a=1 --ttl 15m --for i",
            "release r4",
            "release nosuch",
            "receive b 2 --id m4 --lot l3 --expires 2100-01-02T00:00:00Z",
        ] {
            shop.ask(line);
        }
        shop.until_saved();
        shop.stop("-TERM");
        shop
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(BINARY);
        command.env_clear().env("TMPDIR", &self.path).current_dir(&self.path).stdin(Stdio::null());
        command.args(line.split(' '));
        command
    }

    /// Runs, checks the exit code, and gives what it printed and what it complained of.
    fn run(&self, line: &str, code: i32) -> (String, String) {
        let output = self.command(line).output().expect("the binary runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{line}\n{out}\n{err}");
        (out, err)
    }

    fn start(&mut self) {
        self.start_with("");
    }

    fn start_with(&mut self, more: &str) {
        let mut serve = self.command(&format!("serve --data data --resp 127.0.0.1:0 --http -{more}"));
        let mut child = serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary runs");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("it is piped")).read_line(&mut line).expect("a ready line");
        let address = line.split(' ').find_map(|word| word.strip_prefix("resp=")).expect("an address").to_owned();
        self.server = Some((child, address));
    }

    fn ask(&self, line: &str) -> String {
        let (_, address) = self.server.as_ref().expect("a server runs");
        self.run(&format!("{line} --server {address}"), 0).0
    }

    /// What a server answers of everything.
    fn answers(&self) -> Vec<String> {
        let items = ["a", "b"].map(|sku| self.ask(&format!("item {sku} --json")));
        let reservations = ["r1", "r2", "r3", "r4", "nosuch"].map(|id| self.ask(&format!("reservation {id} --json")));
        // Asked again, they say what they said.
        let again = ["receive a 100 --id m1", "return r2 a=1 --id t1", "receive b 3 --id m3 --lot l2"];
        items.into_iter().chain(reservations).chain(again.map(|line| self.ask(line))).collect()
    }

    fn stop(&mut self, signal: &str) {
        let (mut child, _) = self.server.take().expect("a server runs");
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(sent.expect("`kill` is on every Linux").success());
        child.wait().expect("it ends");
    }

    /// Waits until the store has what the log has, as the server says.
    fn until_saved(&mut self) {
        let (_, address) = self.server.as_ref().expect("a server runs");
        let mut socket = TcpStream::connect(address).expect("it listens");
        for _ in 0..1_000 {
            socket.write_all(b"INFO everything\r\n").expect("sent");
            let mut bytes = [0; 16_384];
            let read = socket.read(&mut bytes).expect("answered");
            if String::from_utf8_lossy(&bytes[..read]).contains("store_lag:0\r\n") {
                return;
            }
            wait_ms(20);
        }
        panic!("the store stays behind");
    }

    fn verified(&self) -> serde_json::Value {
        serde_json::from_str(&self.run("verify --data data --json", 0).0).expect("it is JSON")
    }

    /// What `verify` complains of.
    fn complaint(&self) -> String {
        let (out, err) = self.run("verify --data data", 1);
        assert!(!out.contains("clean"), "{out}");
        err
    }

    fn shard(&self) -> PathBuf {
        self.path.join("data/0")
    }

    /// All rows of the store, as they lie there.
    fn rows(&self) -> Vec<(Table, Vec<u8>, Vec<u8>)> {
        let store = self.store();
        let (mut reader, mut rows) = (store.reader(), Vec::new());
        for table in store.tables().expect("it is read") {
            let scanned = reader.scan(table, &[], None, &mut |key, value| {
                rows.push((table, key.to_vec(), value.to_vec()));
                std::ops::ControlFlow::Continue(())
            });
            scanned.expect("it is read");
        }
        rows
    }

    fn store(&self) -> FjallStore {
        let options = Options { cache_bytes: 1 << 20, write_buffer_bytes: 8 << 20 };
        // A process that another test begins in this moment holds the lock of the last one until it is begun.
        let opened = (0..100).find_map(|_| {
            let opened = FjallStore::open(&self.shard().join("store"), options);
            if matches!(opened, Err(StoreError::Locked { .. })) {
                wait_ms(20)
            } else {
                return Some(opened);
            }
            None
        });
        opened.expect("it is not locked").expect("it opens")
    }

    fn write(&self, change: impl FnOnce(&mut Chunk)) {
        let (mut store, mut chunk) = (self.store(), Chunk::new());
        change(&mut chunk);
        store.write(&chunk).and_then(|()| store.sync()).expect("written");
    }

    /// Changes the first record that `change` wants to change, in its place.
    fn forge(&self, change: &dyn Fn(&mut Record<'_>) -> bool) {
        for (table, key, value) in self.rows() {
            // Some rows are no records.
            let Ok(mut record) = decode_record(&value) else { continue };
            if table.number() == 0 || table.number() == 5 || !change(&mut record) {
                continue;
            }
            let mut bytes = Vec::new();
            encode_record(&record, &mut bytes);
            assert_ne!(bytes, value);
            return self.write(|chunk| chunk.put(table, &[&key], &bytes));
        }
        panic!("the store has no such record");
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.server {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// What a server does by itself, and when, is a length of time.
#[expect(clippy::disallowed_methods, reason = "the server's store and its log's retention are behind by a pause")]
fn wait_ms(ms: u64) {
    std::thread::sleep(std::time::Duration::from_millis(ms));
}

#[test]
fn a_store_is_proven_record_by_record_and_looking_changes_nothing() {
    let shop = Shop::busy();
    let before = shop.rows();
    let found = shop.verified();
    let store = &found["store"];
    assert_eq!(store["proven"], store["records"], "{found}");
    // 2 items, 2 lots, 5 reservations, 3 movements, and what 2 holders had of `a`; copies of earlier days come on top.
    assert!(store["records"].as_u64() >= Some(14), "{found}");
    assert_eq!((&store["partly"], &store["no_event_kept"]), (&0.into(), &0.into()), "{found}");
    assert_eq!(shop.rows(), before);
    let (out, _) = shop.run("verify --data data", 0);
    assert!(out.contains("are what the log makes of them"), "{out}");
    let names: Vec<_> =
        fs::read_dir(shop.shard()).expect("it is there").map(|e| e.expect("read").file_name()).collect();
    assert_eq!(names.len(), 2, "log and store: {names:?}");
}

#[test]
fn a_running_servers_store_is_compared_and_copied_while_it_is_written_to() {
    let mut shop = Shop::busy();
    shop.start();
    let (_, address) = shop.server.as_ref().expect("a server runs");
    let load = format!("bench full-life -d 6s --warm-up 0s -c 8 -p 16 --items 50 --server {address}");
    let mut load = shop.command(&load).stdout(Stdio::null()).spawn().expect("the binary runs");
    let mut last = 0;
    for at in 0..5 {
        wait_ms(300);
        let found = shop.verified();
        assert_eq!(
            (&found["running"], &found["store"]["proven"]),
            (&true.into(), &found["store"]["records"]),
            "{found}"
        );
        let newest = found["store"]["newest"].as_u64().expect("a number");
        assert!(newest >= last, "{found}");
        last = newest;
        let (out, _) = shop.run(&format!("snapshot --data data {at}.snapshot --json"), 0);
        let told: serde_json::Value = serde_json::from_str(&out).expect("it is JSON");
        assert!(told["restores_from"].as_u64() >= Some(newest), "{told}");
    }
    load.wait().expect("it ends");
    shop.stop("-KILL");
    for at in [0, 4] {
        shop.run(&format!("store rebuild --data data --snapshot {at}.snapshot"), 0);
        let found = shop.verified();
        assert_eq!(found["store"]["proven"], found["store"]["records"], "{found}");
    }
}

#[test]
fn one_changed_figure_is_found_in_every_kind_of_record() {
    let shop = Shop::busy();
    let good: Vec<_> = shop.rows();
    for name in [
        "item a received",
        "item a safety_stock",
        "item b lots_touched_at",
        "lot b touched_at",
        "lot b on_hand",
        "reservation r1 quantity",
        "reservation r1 expires_at",
        "reservation r2 returned",
        "reservation r3 touched_at",
        "movement answer",
        "movement digest",
        "usage a h bucket",
        "usage a h held",
        "usage a i captured",
    ] {
        shop.forge(&|record| forged(name, record));
        let complaint = shop.complaint();
        let words: Vec<&str> = name.split(' ').collect();
        let kind = words[0].chars().next().expect("a word").to_uppercase().to_string() + &words[0][1..];
        assert!(complaint.contains(&format!("{kind}(\"")), "{name}: {complaint}");
        assert!(complaint.contains("is not what event"), "{name}: {complaint}");
        restore(&shop, &good);
    }
    shop.verified();
}

/// Changes one figure, if the record is the one that is meant.
fn forged(name: &str, record: &mut Record<'_>) -> bool {
    match (name, record) {
        ("item a received", Record::Item(r)) if r.sku == "a" => r.figures.received += 1,
        ("item a safety_stock", Record::Item(r)) if r.sku == "a" => r.safety_stock += 1,
        ("item b lots_touched_at", Record::Item(r)) if r.sku == "b" => r.lots_touched_at += 1,
        ("lot b touched_at", Record::Lot(r)) => r.touched_at += 1,
        ("lot b on_hand", Record::Lot(r)) if r.on_hand > 0 => r.on_hand += 1,
        ("reservation r1 quantity", Record::Reservation(r)) if r.id == "r1" => {
            (r.lines[0].quantity, r.takes[0].quantity) = (3, 3);
        }
        ("reservation r1 expires_at", Record::Reservation(r)) if r.id == "r1" => {
            r.expires_at = r.expires_at.map(|at| at + 1);
        }
        ("reservation r2 returned", Record::Reservation(r)) if r.id == "r2" => r.takes[0].returned = 0,
        ("reservation r3 touched_at", Record::Reservation(r)) if r.id == "r3" => r.touched_at += 1,
        ("movement answer", Record::Movement(r)) => r.answer += 1,
        ("movement digest", Record::Movement(r)) => r.digest ^= 1,
        ("usage a h bucket", Record::Usage(r)) if r.holder == "h" => r.buckets[0].to += 1,
        ("usage a h held", Record::Usage(r)) if r.holder == "h" => r.held += 1,
        ("usage a i captured", Record::Usage(r)) if r.holder == "i" => r.captured += 1,
        _ => return false,
    }
    true
}

fn restore(shop: &Shop, rows: &[(Table, Vec<u8>, Vec<u8>)]) {
    let now = shop.rows();
    shop.write(|chunk| {
        now.iter().for_each(|(table, key, _)| chunk.remove(*table, &[key]));
        rows.iter().for_each(|(table, key, value)| chunk.put(*table, &[key], value));
    });
}

#[test]
fn what_is_missing_misplaced_or_made_up_is_found() {
    let shop = Shop::busy();
    let good = shop.rows();
    let is = |value: &[u8], wanted: &dyn Fn(&Record<'_>) -> bool| decode_record(value).is_ok_and(|r| wanted(&r));
    let row = |wanted: &dyn Fn(&Record<'_>) -> bool| {
        let found = good.iter().find(|(table, _, value)| ![0, 5].contains(&table.number()) && is(value, wanted));
        found.expect("there is one").clone()
    };
    let item = row(&|r| matches!(r, Record::Item(_)));
    let open = row(&|r| matches!(r, Record::Reservation(r) if r.state == State::Held));
    let ended = row(&|r| matches!(r, Record::Reservation(r) if r.id == "r3"));
    // Missing, each kind of place.
    for (table, key, _) in [&item, &open, &ended] {
        shop.write(|chunk| chunk.remove(*table, &[key]));
        assert!(shop.complaint().contains("is missing; event"), "{key:?}");
        restore(&shop, &good);
    }
    // Under another's name, and where it does not belong.
    shop.write(|chunk| chunk.put(item.0, &[b"other"], &item.2));
    assert!(shop.complaint().contains("a record of another name"));
    restore(&shop, &good);
    shop.write(|chunk| chunk.put(open.0, &[b"r3"], &ended.2));
    assert!(shop.complaint().contains("does not belong"));
    restore(&shop, &good);
    // The log knows nothing of it.
    let mut made_up = Vec::new();
    let Ok(Record::Item(mut forged)) = decode_record(&item.2) else { panic!("it is an item") };
    forged.sku = "zzz";
    encode_record(&Record::Item(forged), &mut made_up);
    shop.write(|chunk| chunk.put(item.0, &[b"zzz"], &made_up));
    assert!(shop.complaint().contains("Item(\"zzz\")"));
    restore(&shop, &good);
    // A filter would say that they have never been.
    // All rows of a table at once: what a start staged again has its hash in two of them, and one is enough.
    let is_hashes = |(table, key, _): &&(Table, Vec<u8>, Vec<u8>)| table.number() == 5 || key.starts_with(b"#");
    let hashes: Vec<_> = good.iter().filter(is_hashes).collect();
    let tables: BTreeSet<Table> = hashes.iter().map(|(table, ..)| *table).collect();
    assert!(tables.len() > 1);
    for table in tables {
        let rows = hashes.iter().filter(|row| row.0 == table);
        shop.write(|chunk| rows.for_each(|(_, key, _)| chunk.remove(table, &[key])));
        assert!(shop.complaint().contains("its hash is missing"));
        restore(&shop, &good);
    }
    // A lot would end late; or what has no end would be looked for.
    let (ends, end, _) = good.iter().find(|(table, ..)| table.number() == 6).expect("a lot will end");
    shop.write(|chunk| chunk.remove(*ends, &[end]));
    assert!(shop.complaint().contains("its end is missing"));
    restore(&shop, &good);
    shop.write(|chunk| chunk.put(*ends, &[end, b"x"], &[]));
    assert!(shop.complaint().contains("no such lot ends then"));
    restore(&shop, &good);
    shop.verified();
}

#[test]
fn a_lost_store_is_rebuilt_from_the_log_and_answers_the_same() {
    let mut shop = Shop::busy();
    shop.start();
    let answers = shop.answers();
    shop.stop("-TERM");
    fs::remove_dir_all(shop.shard().join("store")).expect("removed");
    let (out, _) = shop.run("verify --data data", 0);
    assert!(out.contains("there is none yet"), "{out}");
    shop.run("store rebuild --data data", 0);
    let found = shop.verified();
    assert_eq!(found["store"]["saved"], found["last_sequence"], "{found}");
    assert_eq!(found["store"]["proven"], found["store"]["records"], "{found}");
    shop.start();
    assert_eq!(shop.answers(), answers);
    let (_, err) = shop.run("store rebuild --data data", 4);
    assert!(err.contains("stop it first"), "{err}");
}

#[test]
fn a_damaged_store_is_rebuilt_from_a_snapshot_and_the_log_and_is_kept_aside() {
    let mut shop = Shop::busy();
    let (out, _) = shop.run("snapshot --data data one.snapshot --json", 0);
    let told: serde_json::Value = serde_json::from_str(&out).expect("it is JSON");
    assert_eq!((&told["open_reservations"], &told["usages"]), (&1.into(), &2.into()), "{told}");
    shop.run("snapshot --data data one.snapshot", 2);
    // Life goes on behind it.
    shop.start();
    for line in [
        "capture r1 a=1 --id c1",
        "return r3 b=1 --id t1",
        "reserve r5 a=1 --ttl 15m --for i",
        "receive b 1 --id m9 --lot l1",
    ] {
        shop.ask(line);
    }
    let answers = shop.answers();
    shop.run("snapshot --data data beside.snapshot", 0);
    shop.stop("-KILL");
    let version = shop.shard().join("store/db/version");
    fs::remove_file(version).expect("removed");
    assert!(shop.complaint().contains("damaged"));
    for from in ["one", "beside"] {
        shop.run(&format!("store rebuild --data data --snapshot {from}.snapshot"), 0);
        let found = shop.verified();
        assert_eq!(found["store"]["proven"], found["store"]["records"], "{from}: {found}");
        shop.start();
        assert_eq!(shop.answers(), answers, "{from}");
        shop.stop("-KILL");
        shop.verified();
    }
    let aside = fs::read_dir(shop.shard()).expect("it is there").filter(|entry| {
        let name = entry.as_ref().expect("read").file_name();
        name.to_string_lossy().starts_with("store-replaced-")
    });
    assert_eq!(aside.count(), 2);
}

#[test]
fn a_snapshot_that_does_not_fit_is_refused_with_what_to_do_and_changes_nothing() {
    let mut shop = Shop::busy();
    shop.run("snapshot --data data one.snapshot", 0);
    let other = Shop::busy();
    let good = fs::read(shop.path.join("one.snapshot")).expect("read");
    fs::write(other.path.join("one.snapshot"), &good).expect("written");
    let (_, err) = other.run("store rebuild --data data --snapshot one.snapshot", 1);
    assert!(err.contains("belongs to log"), "{err}");
    let bad = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        fs::write(shop.path.join("bad.snapshot"), bytes).expect("written");
        shop.run("store rebuild --data data --snapshot bad.snapshot", 1).1
    };
    assert!(bad(&|bytes| bytes[8] = 9).contains("format 9, newer than 1"));
    let middle = good.len() / 2;
    assert!(bad(&|bytes| bytes[middle] ^= 1).contains("damaged at offset"));
    assert!(bad(&|bytes| bytes.truncate(middle)).contains("it ends within"));
    assert!(!shop.shard().join("store-replaced").exists());
    let found = shop.verified();
    assert_eq!(found["store"]["proven"], found["store"]["records"], "the old one is still in its place: {found}");
    shop.start();
    shop.stop("-TERM");
}

#[test]
fn beside_a_log_that_has_been_trimmed_the_store_is_proven_as_far_as_the_log_tells() {
    let mut shop = Shop::busy();
    shop.start_with(" --segment 4MiB --log-retention 1s");
    shop.ask("bench full-life -n 70000 --warm-up 0s -c 8 -p 16 --items 3");
    // Of `r1` and `h` the begin will have left, of `b` all.
    shop.ask("capture r1 a=1 --id c1");
    for line in ["receive a 1 --id m8", "reserve r9 a=1 --ttl 15m --for h"] {
        shop.ask(line);
    }
    let begins = |shop: &Shop| -> u64 {
        let (out, err) = shop.run("log dump --data data --json", 0);
        let event: serde_json::Value = serde_json::from_str(out.lines().next().expect("events")).expect("it is JSON");
        let first = event["sequence"].as_u64().expect("a number");
        assert_eq!(err.contains(&format!("the log begins at {first}:")), first > 1, "{err}");
        first
    };
    assert!(
        (0..100).any(|_| {
            wait_ms(200);
            begins(&shop) > 10_000
        }),
        "segments leave"
    );
    let answers = shop.answers();
    shop.run("snapshot --data data beside.snapshot", 0);
    shop.stop("-TERM");
    let found = shop.verified();
    let store = &found["store"];
    let [records, proven, partly, unkept] =
        ["records", "proven", "partly", "no_event_kept"].map(|name| store[name].as_u64().expect("a number"));
    assert!(proven + partly + unkept == records && proven > 1_000 && partly >= 2 && unkept > 1_000, "{found}");
    let good = shop.rows();
    for (name, change) in [
        ("Item(\"a\")", "item a received"),
        ("Reservation(\"r1\")", "reservation r1 expires_at"),
        ("Usage(\"a\", \"h\")", "usage a h held"),
    ] {
        shop.forge(&|record| forged(change, record));
        let complaint = shop.complaint();
        assert!(complaint.contains(name), "{change}: {complaint}");
        restore(&shop, &good);
    }
    shop.run("snapshot --data data one.snapshot", 0);
    fs::remove_dir_all(shop.shard().join("store")).expect("removed");
    assert!(shop.complaint().contains("there is no store, and the log begins at"));
    let (_, err) = shop.run("store rebuild --data data", 1);
    assert!(err.contains("name a snapshot"), "{err}");
    for from in ["one", "beside"] {
        shop.run(&format!("store rebuild --data data --snapshot {from}.snapshot"), 0);
        shop.verified();
    }
    shop.start();
    assert_eq!(shop.answers(), answers);
}

#[test]
fn a_record_that_is_older_than_the_store_says_and_a_store_of_another_log_are_found() {
    let mut shop = Shop::busy();
    let old = shop.rows();
    shop.start();
    shop.ask("receive a 1 --id m20");
    shop.ask("capture r1 a=1 --id c1");
    shop.until_saved();
    shop.stop("-TERM");
    let good = shop.rows();
    let is_of = |value: &[u8], name: &str| match decode_record(value) {
        Ok(Record::Item(item)) => item.sku == name,
        Ok(Record::Reservation(r)) => r.id == name && r.state == State::Held,
        Ok(Record::Lot(_) | Record::Movement(_) | Record::Usage(_)) | Err(_) => false,
    };
    for name in ["a", "r1"] {
        let (table, key, value) =
            old.iter().find(|(table, _, value)| table.number() != 0 && is_of(value, name)).expect("it was there");
        shop.write(|chunk| chunk.put(*table, &[key], value));
        let complaint = shop.complaint();
        assert!(complaint.contains("stands as of event") && complaint.contains(&format!("{name:?}")), "{complaint}");
        restore(&shop, &good);
    }
    shop.verified();
    let other = Shop::busy();
    let (mine, theirs) = (shop.shard().join("store"), other.shard().join("store"));
    fs::rename(&mine, shop.shard().join("mine")).and_then(|()| fs::rename(theirs, mine)).expect("renamed");
    assert!(shop.complaint().contains("the store belongs to log"));
}
