//! Power cuts under the real server: nothing acknowledged is lost, nothing undurable is shown. And the proof's own teeth:
//! the same audit over syncs that do nothing, and the shim by itself.

use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use sumun_auditor::generate::Random;
use sumun_proof::power::cut::cut_percent;
use sumun_proof::power::shim::{EVERY, LOGS, STORE, Shim, Word};
use sumun_proof::power::{bitten, run, store_unkept};
use sumun_proof::support::{Connection, Scratch, Server, Value, clock};

/// How long to look for an answer that must not come. One that does is wrong however late it is.
const SILENCE: Duration = Duration::from_millis(300);
const WAIT_MS_MAX: u64 = 20_000;

#[test]
fn ten_power_cuts_under_load_lose_and_double_nothing() {
    let total = run(10, 1, &mut |line| println!("{line}"));
    let total = total.unwrap_or_else(|why| panic!("{why}"));
    println!("total:     {total}");
    assert!(total.figures.acknowledged > 300, "the load did next to nothing: {total}");
    assert!(total.cut.sectors_undone > 0 && total.failed > 0, "no cut took anything, or no sync failed: {total}");
}

// The proof's teeth.

#[test]
fn a_server_whose_syncs_do_nothing_is_found_out() {
    found_out(&bitten(1, 7));
}

#[test]
fn a_server_whose_folders_are_never_synced_is_found_out() {
    found_out(&bitten(2, 7));
}

/// The log is whole: what the store lost is either found when it is opened, and built again, or never missed.
#[test]
fn a_store_whose_syncs_do_nothing_costs_nothing_acknowledged() {
    let unkept = store_unkept(8, 11).unwrap_or_else(|why| panic!("{why}"));
    println!("{unkept:?}");
    assert!(unkept.refused > 0, "no start found out what the store had lost: {unkept:?}");
    assert!(unkept.figures.acknowledged > 300, "the load did next to nothing: {unkept:?}");
}

/// By whatever the audit met first: something missing, damaged, or standing there in place of something else.
fn found_out(result: &Result<String, String>) {
    let why = result.as_ref().unwrap_or_else(|why| panic!("{why}"));
    println!("{why}");
}

// Held and failed syncs.

struct World {
    scratch: Scratch,
    shim: Shim,
    server: Server,
}

impl World {
    /// A server over the shim, with an item `a` of 10.
    fn new(name: &str) -> World {
        let scratch = Scratch::new(name);
        let shim = Shim::below(scratch.path()).expect("the target directory is writable");
        let server = Server::start(&shim.setup()).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(shim.get(Word::Loaded), Ok(server.pid()), "the server runs over the shim");
        let world = World { scratch, shim, server };
        assert_eq!(world.connect().say("RECEIVE a 10 ID m0").expect("the server answers"), Value::Integer(10));
        world
    }

    fn connect(&self) -> Connection {
        self.server.connect().expect("the server accepts connections")
    }

    fn set(&self, word: Word, value: u32) {
        self.shim.set(word, value).unwrap_or_else(|why| panic!("{why}"));
    }

    fn wait_for(&self, word: Word, least: u32) {
        let reached = || self.shim.get(word).is_ok_and(|value| value >= least).then_some(());
        clock::eventually(WAIT_MS_MAX, reached).unwrap_or_else(|| panic!("the shim never came to {word:?} {least}"));
    }

    /// All that is not durable goes.
    fn cut_all(&mut self) {
        self.server.kill().unwrap_or_else(|why| panic!("{why}"));
        cut_percent(&self.shim, &mut Random::new(1), 100).expect("the power can be cut");
        self.server = Server::start(&self.shim.setup()).unwrap_or_else(|why| panic!("{why}"));
    }

    fn on_hand(&self) -> Option<i64> {
        self.connect().say("ITEM a").expect("the server answers").number("on_hand")
    }

    /// A field of INFO.
    fn info(&self, field: &str) -> String {
        let info = self.connect().say("INFO").expect("the server answers");
        let text = info.text().expect("it is text");
        let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        value.unwrap_or_else(|| panic!("INFO has no {field}: {text}")).to_owned()
    }

    fn segments(&self) -> Vec<PathBuf> {
        let log = self.scratch.path().join("disk/data/0/log");
        let paths = fs::read_dir(log).expect("the log's folder").map(|entry| entry.expect("an entry").path());
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "log")).collect()
    }

    /// Whether these bytes were given to the log's files, durable or not.
    fn is_written(&self, bytes: &[u8]) -> bool {
        let holds = |path: PathBuf| fs::read(path).is_ok_and(|all| all.windows(bytes.len()).any(|part| part == bytes));
        self.segments().into_iter().any(holds)
    }
}

fn is_silent(connection: &mut Connection) {
    connection.set_timeout(SILENCE).expect("it is not zero");
    let answer = connection.read();
    let silent = |error: &io::Error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
    assert!(answer.as_ref().is_err_and(silent), "answered before its sync: {answer:?}");
    connection.set_timeout(Duration::from_secs(30)).expect("it is not zero");
}

#[test]
fn no_reply_comes_while_a_sync_is_held() {
    let mut world = World::new("held");
    let (mut writer, mut reader) = (world.connect(), world.connect());
    world.set(Word::Hold, 1);
    writer.send(b"RECEIVE a 5 ID m1\r\n").expect("the socket takes it");
    world.wait_for(Word::Held, 1);
    is_silent(&mut writer);
    reader.send(b"ITEM a\r\n").expect("the socket takes it");
    reader.set_timeout(SILENCE).expect("it is not zero");
    let shown = reader.read().ok().and_then(|item| item.number("on_hand"));
    assert!(shown.is_none_or(|on_hand| on_hand == 10), "a read shows what is not durable: {shown:?}");
    world.set(Word::Hold, 0);
    assert_eq!(writer.read().expect("an answer after the sync"), Value::Integer(15));

    world.set(Word::Hold, 1);
    writer.send(b"RECEIVE a 7 ID m2\r\n").expect("the socket takes it");
    world.wait_for(Word::Held, 1);
    is_silent(&mut writer);
    world.cut_all();
    assert_eq!(world.on_hand(), Some(15), "what was acknowledged is there, what was held is not");
    assert_eq!(world.connect().say("RECEIVE a 7 ID m2").unwrap(), Value::Integer(22));
    assert_eq!(world.connect().say("RECEIVE a 5 ID m1").unwrap(), Value::Integer(15));
}

/// The page cache outlives `kill -9`: a start finds there what no sync has made durable.
#[test]
fn what_a_start_after_a_kill_shows_stays_when_the_power_goes_then() {
    let mut world = World::new("revived");
    let mut writer = world.connect();
    world.set(Word::Hold, 1);
    writer.send(b"RECEIVE a 5 ID never-synced\r\n").expect("the socket takes it");
    clock::eventually(WAIT_MS_MAX, || world.is_written(b"never-synced").then_some(())).expect("it is written");
    world.server.kill().unwrap_or_else(|why| panic!("{why}"));
    world.set(Word::Hold, 0);
    world.server = Server::start(&world.shim.setup()).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(world.on_hand(), Some(15), "it was written whole, and found");
    world.cut_all();
    assert_eq!(world.on_hand(), Some(15), "it was shown, so it is durable");
}

#[test]
fn what_a_failed_sync_lost_is_written_again_to_a_new_segment_before_its_reply() {
    let mut world = World::new("fails");
    let before = world.segments().len();
    world.set(Word::Aim, LOGS);
    world.set(Word::Fail, 1);
    assert_eq!(world.connect().say("RECEIVE a 5 ID m1").unwrap(), Value::Integer(15));
    assert_eq!(world.shim.get(Word::Failed), Ok(1));
    assert_eq!(world.segments().len(), before + 1);
    world.cut_all();
    assert_eq!(world.on_hand(), Some(15));
    assert_eq!(world.connect().say("RECEIVE a 5 ID m1").unwrap(), Value::Integer(15));
    assert_eq!(world.on_hand(), Some(15));
}

#[test]
fn nothing_is_acknowledged_while_every_sync_fails_and_the_same_id_tells_afterwards() {
    let mut world = World::new("fails-all");
    let mut writer = world.connect();
    world.set(Word::Fail, EVERY);
    let answer = writer.say("RECEIVE a 5 ID m1");
    assert!(answer.is_err(), "a connection whose batch is not proven closes, and this was answered {answer:?}");
    world.wait_for(Word::Failed, 2);
    for _ in 0..5 {
        // Closed, loading, refused, or as it last was durable.
        let shown = world.server.connect().and_then(|mut reader| reader.say("ITEM a"));
        let on_hand = shown.as_ref().ok().and_then(|item| item.number("on_hand"));
        assert!(on_hand.is_none_or(|on_hand| on_hand == 10), "shown while nothing is durable: {shown:?}");
        let again = world.server.connect().and_then(|mut writer| writer.say("RECEIVE a 5 ID m1"));
        assert!(!matches!(again, Ok(Value::Integer(_))), "acknowledged while nothing is durable: {again:?}");
    }
    world.set(Word::Fail, 0);
    let healed = clock::eventually(WAIT_MS_MAX, || {
        let answer = world.server.connect().and_then(|mut writer| writer.say("RECEIVE a 5 ID m1"));
        answer.ok().filter(|answer| answer.error().is_none())
    });
    assert_eq!(healed, Some(Value::Integer(15)), "the server comes back by itself");
    assert_eq!(world.on_hand(), Some(15));
    world.cut_all();
    assert_eq!(world.on_hand(), Some(15));
}

// Held and failed syncs of the store: it stands behind the log, and no reply waits for it.

#[test]
fn replies_go_on_while_the_stores_syncs_are_held() {
    let mut world = World::new("store-held");
    world.set(Word::Aim, STORE);
    world.set(Word::Hold, 1);
    let mut writer = world.connect();
    assert_eq!(writer.say("RECEIVE a 5 ID m1").unwrap(), Value::Integer(15));
    world.wait_for(Word::Held, 1);
    for number in 0..200 {
        let answer = writer.say(&format!("RECEIVE a 1 ID held-{number}")).unwrap();
        assert_eq!(answer, Value::Integer(16 + number));
    }
    assert_eq!(world.on_hand(), Some(215));
    assert!(world.shim.get(Word::Held).unwrap() >= 1, "the store's sync is held to the end");
    world.cut_all();
    assert_eq!(world.on_hand(), Some(215), "the log alone has it");
    assert_eq!(world.connect().say("RECEIVE a 1 ID held-7").unwrap(), Value::Integer(23));
    assert_eq!(world.on_hand(), Some(215));
}

#[test]
fn while_the_stores_syncs_fail_all_is_acknowledged_and_the_store_mends() {
    let mut world = World::new("store-fails");
    world.set(Word::Aim, STORE);
    world.set(Word::Fail, EVERY);
    let mut writer = world.connect();
    assert_eq!(writer.say("RECEIVE a 5 ID m1").unwrap(), Value::Integer(15));
    for number in 0..200 {
        let answer = writer.say(&format!("RECEIVE a 1 ID failing-{number}")).unwrap();
        assert_eq!(answer, Value::Integer(16 + number));
        if number == 100 {
            world.wait_for(Word::Failed, 4);
        }
    }
    assert_ne!(world.info("store_trouble"), "", "it says that the store does not work");
    world.set(Word::Fail, 0);
    let mended = || (world.info("store_trouble").is_empty() && world.info("store_lag") == "0").then_some(());
    clock::eventually(WAIT_MS_MAX, mended).unwrap_or_else(|| panic!("not mended: {}", world.info("store_trouble")));
    world.cut_all();
    assert_eq!(world.on_hand(), Some(215));
    assert_eq!(world.connect().say("RECEIVE a 1 ID failing-7").unwrap(), Value::Integer(23));
    assert_eq!(world.on_hand(), Some(215));
}

// The shim and the cut by themselves.

struct Watched {
    scratch: Scratch,
    shim: Shim,
}

impl Watched {
    fn new(name: &str) -> Watched {
        let scratch = Scratch::new(name);
        let shim = Shim::below(scratch.path()).expect("the target directory is writable");
        Watched { scratch, shim }
    }

    /// Runs a program over the shim, in the watched folder.
    fn run(&self, program: &Path, arguments: &[&str]) -> Output {
        let run = Command::new(program)
            .args(arguments)
            .current_dir(&self.shim.disk)
            .env_clear()
            .envs(self.shim.setup().environment)
            .stdin(Stdio::null())
            .output();
        run.unwrap_or_else(|error| panic!("{}: {error}", program.display()))
    }

    fn dd(&self, of: &str, options: &[&str]) {
        let to = format!("of={of}");
        let mut arguments = vec!["if=new", to.as_str(), "bs=1536", "status=none"];
        arguments.extend(options);
        let done = self.run(Path::new("/bin/dd"), &arguments);
        assert!(done.status.success(), "{done:?}");
    }

    fn put(&self, name: &str, byte: u8) {
        fs::write(self.shim.disk.join(name), [byte; 1536]).expect("the folder is there");
    }

    fn cut(&self, percent: u64) {
        cut_percent(&self.shim, &mut Random::new(1), percent).expect("the power can be cut");
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.shim.disk.join(name)).ok()
    }

    /// A program of a few lines of C.
    fn compile(&self, text: &str) -> PathBuf {
        let (source, program) = (self.scratch.path().join("program.c"), self.scratch.path().join("program"));
        fs::write(&source, text).expect("the folder is there");
        let done = Command::new("cc").arg("-o").args([&program, &source]).status();
        assert!(done.is_ok_and(|status| status.success()), "`cc` compiles {text}");
        program
    }
}

#[test]
fn a_cut_takes_what_was_written_and_not_synced() {
    let watched = Watched::new("cut");
    watched.put("new", 2);
    watched.put("old", 1);
    watched.dd("old", &["conv=notrunc"]);
    assert_eq!(watched.read("old"), Some(vec![2; 1536]), "the cache shows it");
    watched.cut(100);
    assert_eq!(watched.read("old"), Some(vec![1; 1536]), "and the device never had it");
    watched.dd("old", &["conv=notrunc"]);
    watched.cut(0);
    assert_eq!(watched.read("old"), Some(vec![2; 1536]), "it may have had it, too");
}

#[test]
fn a_cut_leaves_what_was_synced_and_takes_a_name_whose_folder_was_not() {
    let watched = Watched::new("synced");
    watched.put("new", 2);
    watched.put("old", 1);
    watched.dd("old", &["conv=notrunc,fsync"]);
    watched.dd("fresh", &["conv=fsync"]);
    watched.cut(100);
    assert_eq!(watched.read("old"), Some(vec![2; 1536]));
    assert_eq!(watched.read("fresh"), None, "a name is durable after a sync of its folder");
}

#[test]
fn a_cut_brings_back_what_was_truncated_removed_and_renamed() {
    let watched = Watched::new("names");
    for (name, byte) in [("new", 2), ("old", 1), ("gone", 3), ("from", 4), ("over", 5)] {
        watched.put(name, byte);
    }
    let calls = r#"
        #include <stdio.h>
        #include <unistd.h>
        int main(void) { return truncate_it() || unlink("gone") || rename("from", "over"); }
    "#;
    let truncate = "#include <fcntl.h>\n#include <unistd.h>\nstatic int truncate_it(void) { return ftruncate(open(\"old\", O_RDWR), 700); }\n";
    let program = watched.compile(&format!("{truncate}{calls}"));
    let done = watched.run(&program, &[]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(watched.read("over"), Some(vec![4; 1536]));
    watched.cut(100);
    for (name, byte) in [("old", 1), ("gone", 3), ("from", 4), ("over", 5)] {
        assert_eq!(watched.read(name), Some(vec![byte; 1536]), "{name}");
    }
}

#[test]
fn after_a_failed_sync_the_cache_shows_what_the_device_lost_and_no_later_sync_brings_it() {
    let watched = Watched::new("lost");
    fs::write(watched.shim.disk.join("old"), vec![1; 256 << 10]).expect("the folder is there");
    let program = watched.compile(
        r#"
        #include <errno.h>
        #include <fcntl.h>
        #include <string.h>
        #include <unistd.h>
        int main(void) {
            static char bytes[256 << 10];
            memset(bytes, 2, sizeof bytes);
            int fd = open("old", O_RDWR);
            if (pwrite(fd, bytes, sizeof bytes, 0) != sizeof bytes) return 1;
            if (fdatasync(fd) == 0 || errno != EIO) return 2;
            return fdatasync(fd) == 0 ? 0 : 3;
        }
        "#,
    );
    watched.shim.set(Word::Fail, 1).expect("the page is there");
    let done = watched.run(&program, &[]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_eq!(watched.read("old"), Some(vec![2; 256 << 10]));
    watched.cut(0);
    let left = watched.read("old").expect("it is there");
    let sectors = |byte: u8| left.chunks(512).filter(|sector| sector.iter().all(|b| *b == byte)).count();
    assert_eq!(sectors(1) + sectors(2), 512, "a sector is written whole or not at all");
    assert!(
        sectors(1) > 100 && sectors(2) > 100,
        "some were lost and some were not: {} and {}",
        sectors(1),
        sectors(2)
    );
}

/// Libraries that make their own system calls: what they rename is a name as any other, and what they ask the page cache
/// to forget is read from the device again.
#[test]
fn renames_and_advice_past_libc_are_seen() {
    let watched = Watched::new("past-libc");
    fs::write(watched.shim.disk.join("old"), vec![1; 256 << 10]).expect("the folder is there");
    watched.put("from", 4);
    watched.put("over", 5);
    let program = watched.compile(
        r#"
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <string.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        int main(void) {
            static char bytes[256 << 10], seen[256 << 10];
            memset(bytes, 2, sizeof bytes);
            int fd = open("old", O_RDWR);
            if (syscall(SYS_renameat, AT_FDCWD, "from", AT_FDCWD, "over") != 0) return 1;
            if (syscall(SYS_renameat, AT_FDCWD, "nowhere", AT_FDCWD, "over") == 0) return 2;
            if (pwrite(fd, bytes, sizeof bytes, 0) != sizeof bytes || fdatasync(fd) == 0) return 3;
            if (pread(fd, seen, sizeof seen, 0) != sizeof seen || memcmp(bytes, seen, sizeof seen) != 0) return 4;
            if (syscall(SYS_fadvise64, fd, 0, 0, POSIX_FADV_DONTNEED) != 0) return 5;
            if (pread(fd, seen, sizeof seen, 0) != sizeof seen) return 6;
            return memcmp(bytes, seen, sizeof seen) == 0 ? 7 : 0;
        }
        "#,
    );
    watched.shim.set(Word::Fail, 1).expect("the page is there");
    let done = watched.run(&program, &[]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_eq!(watched.read("over"), Some(vec![4; 1536]));
    let forgotten = watched.read("old");
    watched.cut(100);
    assert_eq!(watched.read("old"), forgotten, "what was read from the device is what it has");
    assert_eq!(watched.read("from"), Some(vec![4; 1536]));
    assert_eq!(watched.read("over"), Some(vec![5; 1536]));
}

#[test]
fn a_call_that_the_shim_does_not_know_ends_the_process() {
    let watched = Watched::new("unknown");
    watched.put("new", 2);
    let done = watched.run(Path::new("/bin/ln"), &["new", "other"]);
    assert_eq!(done.status.code(), Some(99), "{done:?}");
    assert!(String::from_utf8_lossy(&done.stderr).contains("a hard link was made"), "{done:?}");
    // SIGSYS: past libc, nobody syncs, writes or makes a name.
    for call in ["SYS_fdatasync, 1", "SYS_pwrite64, 1, \"x\", 1, 0", "SYS_openat, -100, \"x\", 0101, 0600"] {
        let text = "#define _GNU_SOURCE\n#include <sys/syscall.h>\n#include <unistd.h>\nint main(void) { return (int)syscall(CALL); }\n";
        let program = watched.compile(&text.replace("CALL", call));
        assert_eq!(watched.run(&program, &[]).status.signal(), Some(31), "{call}");
    }
}
