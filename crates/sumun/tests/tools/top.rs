//! `sumun top` in a real terminal: what stands on the screen, keys, sizes, a server that goes and comes back, and the
//! terminal as it was when all is over.

use super::support::{Scratch, Server};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use serde_json::Value;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A command in a terminal of its own.
struct Terminal {
    master: File,
    /// Held, so that the terminal is still there when the command has ended.
    slave: File,
    /// As they were before the command.
    modes: LocalModes,
    child: Child,
    seen: Arc<(Mutex<vt100::Parser>, Condvar)>,
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("more than none")
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

impl Terminal {
    fn open(scratch: &Scratch, words: &[&str], variables: &[(&str, &str)]) -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&master).expect("granted");
        unlockpt(&master).expect("unlocked");
        let name = ptsname(&master, Vec::new()).expect("it has a name").into_string().expect("UTF-8");
        let master = File::from(master);
        tcsetwinsize(&master, size(24, 80)).expect("sized");
        let slave = File::options().read(true).write(true).open(name).expect("opened");
        let modes = tcgetattr(&slave).expect("its modes").local_modes;
        let end = || slave.try_clone().expect("cloned");
        let mut command = scratch.command(words);
        command.env("TERM", "xterm-256color").envs(variables.iter().copied());
        command.stdin(end()).stdout(end()).stderr(end());
        // SAFETY: between fork and exec only setsid and ioctl are called, which may be called there.
        unsafe {
            command.pre_exec(|| {
                if libc::setsid() < 0 || libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = command.spawn().expect("the binary runs");
        let seen = Arc::new((Mutex::new(vt100::Parser::new(cells(24), cells(80), 0)), Condvar::new()));
        let (mut reader, shared) = (master.try_clone().expect("cloned"), Arc::clone(&seen));
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(length @ 1..) = reader.read(&mut bytes) {
                shared.0.lock().expect("not poisoned").process(&bytes[..length]);
                shared.1.notify_all();
            }
        });
        Terminal { master, slave, modes, child, seen }
    }

    /// Waits until the screen is as wanted; gives its text.
    fn until(&self, what: &str, is: impl Fn(&vt100::Screen) -> bool) -> String {
        let (parser, changed) = &*self.seen;
        let parser = parser.lock().expect("not poisoned");
        let (parser, timed) =
            changed.wait_timeout_while(parser, PATIENCE, |parser| !is(parser.screen())).expect("not poisoned");
        let text = parser.screen().contents();
        assert!(!timed.timed_out(), "never {what}:\n{text}");
        text
    }
    fn shows(&self, text: &str) -> String {
        self.until(text, |screen| screen.contents().contains(text))
    }
    fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("written");
    }
    fn resize(&self, rows: u16, columns: u16) {
        self.seen.0.lock().expect("not poisoned").screen_mut().set_size(cells(rows), cells(columns));
        tcsetwinsize(&self.master, size(rows, columns)).expect("sized");
    }
    fn ended(&mut self) -> ExitStatus {
        self.child.wait().expect("it ends")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn busy() -> Server {
    let server = Server::start();
    server.ask("receive shoe 10 --id m1").ends_with(0);
    server.ask("receive milk 10 --id m1").ends_with(0);
    server.ask("reserve r1 shoe=2 --ttl 1h").ends_with(0);
    server.ask("reserve r2 shoe=20 --ttl 1h").ends_with(1);
    server
}

#[test]
fn the_screen_shows_what_goes_on_and_leaves_the_terminal_as_it_was() {
    let server = busy();
    let scratch = Scratch::new();
    let mut top = Terminal::open(&scratch, &["top", "--http", &server.http, "--every", "200ms"], &[]);
    let text = top.until("whole", |screen| {
        screen.contents().contains("insufficient_stock") && screen.contents().contains(" ready, up ")
    });
    assert!(top.seen.0.lock().expect("not poisoned").screen().alternate_screen());
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let head = format!("sumun {}  ready, up ", server.http);
    assert!(text.starts_with(&head), "{text}");
    for part in [
        "open reservations    1",
        "commit, synced",
        "step, CPU",
        "records, of --memory",
        "RESP, HTTP",
        "store behind by",
        "ends are late by",
        "reserve ",
        " %  shoe",
        " %  milk",
        "q quit  p pause",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // What happens is seen.
    server.ask("reserve r3 shoe=1 --ttl 1h").ends_with(0);
    top.shows("open reservations    2");
    // The other pages, and back.
    top.press("\t");
    top.shows("[commands]");
    top.press("\x1b[C");
    let first = top.shows("sumun_commands_total{verb=\"adjust\"}");
    top.press("\x1b[B\x1b[B");
    top.until("scrolled", |screen| screen.contents().lines().nth(1) == first.lines().nth(3));
    top.press("\t");
    top.shows("[overview]");
    // Paused it stands still, whatever happens.
    top.press("p");
    top.shows("PAUSED");
    server.ask("release r3").ends_with(0);
    let (before, after) = (server.sequence(), server.sequence());
    assert_eq!(before, after);
    assert!(top.shows("PAUSED").contains("open reservations    2"));
    top.press("p");
    top.shows("open reservations    1");
    // Other sizes.
    top.resize(50, 120);
    top.until("redrawn", |screen| screen.contents().lines().nth(49).is_some_and(|line| line.contains("q quit")));
    top.resize(8, 30);
    top.until("redrawn", |screen| screen.contents().lines().nth(7).is_some_and(|line| line.contains("q quit")));
    top.resize(24, 80);
    top.until("redrawn", |screen| screen.contents().lines().nth(23).is_some_and(|line| line.contains("q quit")));
    top.press("q");
    assert_eq!(top.ended().code(), Some(0));
    top.until("restored", |screen| !screen.alternate_screen() && !screen.hide_cursor());
    assert_eq!(tcgetattr(&top.slave).expect("its modes").local_modes, top.modes, "the terminal is as it was");
}

#[test]
fn a_server_that_goes_is_waited_for() {
    let mut server = busy();
    let scratch = Scratch::new();
    let mut top = Terminal::open(&scratch, &["top", "--http", &server.http, "--every", "200ms"], &[]);
    top.shows("open reservations    1");
    server.kill();
    top.shows("cannot be reached, trying again: no answer from");
    server.start_again();
    top.until("back", |screen| {
        let text = screen.contents();
        !text.contains("cannot be reached") && text.contains("open reservations    1")
    });
    // SIGTERM leaves the terminal as it was, too.
    let sent = std::process::Command::new("kill").args(["-TERM", &top.child.id().to_string()]).status();
    assert!(sent.expect("`kill` is on every Linux").success());
    assert_eq!(top.ended().code(), Some(0));
    top.until("restored", |screen| !screen.alternate_screen() && !screen.hide_cursor());
}

#[test]
fn no_color_means_none() {
    let server = busy();
    let scratch = Scratch::new();
    let words = ["top", "--http", &server.http, "--every", "200ms"];
    let coloured = |screen: &vt100::Screen| {
        let cells = (0..24).flat_map(|row| (0..80).filter_map(move |column| screen.cell(row, column)));
        cells.filter(|cell| cell.fgcolor() != vt100::Color::Default || cell.bgcolor() != vt100::Color::Default).count()
    };
    let plain = Terminal::open(&scratch, &words, &[("NO_COLOR", "1")]);
    plain.shows("open reservations    1");
    assert_eq!(coloured(plain.seen.0.lock().expect("not poisoned").screen()), 0);
    let usual = Terminal::open(&scratch, &words, &[]);
    usual.shows("open reservations    1");
    assert!(coloured(usual.seen.0.lock().expect("not poisoned").screen()) > 0);
}

#[test]
fn once_and_json_print_the_same_without_a_terminal() {
    let server = busy();
    let scratch = Scratch::new();
    let top = |words: &[&str]| scratch.run(&[&["top", "--http", &server.http, "--every", "100ms"], words].concat());
    let text = top(&["--once"]).ends_with(0).out;
    for part in ["ready, up", "open reservations    1", "insufficient_stock", "reserve ", "shoe"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('\x1b'), "plain text");
    let view: Value = serde_json::from_str(&top(&["--json"]).ends_with(0).out).expect("JSON");
    assert_eq!((view["ready"].as_bool(), view["reservations_open"].as_u64()), (Some(true), Some(1)));
    let named = |list: &str, name: &str| {
        let rows = view[list].as_array().expect("rows");
        rows.iter().find(|row| row["name"] == name).and_then(|row| row["total"].as_u64())
    };
    assert_eq!(named("commands", "reserve"), Some(2));
    assert_eq!(named("commands", "receive"), Some(2));
    assert_eq!(named("refused", "insufficient_stock"), Some(1));
    assert_eq!(view["hot"][0]["sku"], "shoe");
    let (records, limit) = (&view["memory"]["records_bytes"], &view["memory"]["limit_bytes"]);
    assert!(records.as_u64() > Some(0) && limit.as_u64() > records.as_u64(), "{view}");
    // Without a terminal there is no screen, without a server nothing, and what is no server of ours is told so.
    assert!(top(&[]).ends_with(2).err.contains("--once"));
    let nobody = scratch.run(&["top", "--once", "--http", "127.0.0.1:1"]).ends_with(3);
    assert!(nobody.err.contains("no answer from 127.0.0.1:1") && nobody.err.contains("--http"), "{}", nobody.err);
    scratch.run(&["top", "--once", "--every", "1ms"]).ends_with(2);
}
