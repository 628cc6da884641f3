//! SIGTERM ends a run, and what was asked before it is answered.

#[path = "reactor/server.rs"]
#[expect(dead_code, reason = "it serves the other tests, too")]
mod server;

use server::options;
use sumun_server::{Ended, Reactor, Shard, Signals};

#[test]
fn a_termination_signal_ends_a_run_cleanly() {
    let signals = Signals::hold().expect("signals can be held");
    let mut reactor = Reactor::bind(options(), Some(signals)).expect("it binds");
    let disk = sumun_log::faulty::FaultyDisk::new(1);
    let mut ledger = Shard::new(server::engine(&disk, &reactor, 1 << 30));
    // SAFETY: no pointer is passed.
    let thread = unsafe { libc::gettid() };
    let mut client = None;
    let ended = reactor.run(&mut ledger, |address| {
        client = Some(std::thread::spawn(move || {
            let mut peer = server::Peer::new(address);
            assert_eq!(peer.ask("RECEIVE a 1 ID m"), ":1");
            // To the loop's thread alone: the test runner's own do not hold the signal, and it would end them.
            // SAFETY: numbers alone are passed.
            let sent = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, libc::SIGTERM) };
            assert_eq!(sent, 0);
            assert!(peer.is_closed());
        }));
    });
    assert_eq!(ended.expect("it runs"), Ended::Clean);
    client.expect("it was ready").join().expect("the client saw what it should");
}
