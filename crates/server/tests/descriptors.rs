//! File descriptors used up, and ten thousand idle connections. In a process of its own: the limits are the process's.

#[path = "reactor/server.rs"]
#[expect(dead_code, reason = "it serves the other tests, too")]
mod server;

use server::{Peer, start};
use socket2::{Domain, Socket, Type};
use std::fs::File;
use std::net::TcpStream;
use std::os::unix::fs::FileExt;

fn limit(soft: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointers are to a limit of our own.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        limit.rlim_cur = soft.min(limit.rlim_max);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
    limit.rlim_cur
}

fn open_descriptors() -> u64 {
    std::fs::read_dir("/proc/self/fd").expect("Linux").count() as u64 - 1
}

/// Processor time of this process so far, in clock ticks of 10 ms.
fn ticks(times: &File) -> u64 {
    let mut stat = [0; 1_024];
    let read = times.read_at(&mut stat, 0).expect("Linux");
    let stat = String::from_utf8_lossy(&stat[..read]);
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields[11..13].iter().map(|field| field.parse::<u64>().expect("a number")).sum()
}

#[test]
fn descriptors_used_up_pause_accepting_without_a_spin_and_idle_connections_cost_little() {
    let server = start();
    let most = limit(u64::MAX);
    let mut first = server.connect();
    assert_eq!(first.ask("PING"), "+PONG");

    // The sockets are there, and then no descriptor more: whoever connects stands in the kernel's queue.
    let times = File::open("/proc/self/stat").expect("Linux");
    let clients: Vec<Socket> =
        (0..30).map(|_| Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket")).collect();
    limit(open_descriptors());
    for client in &clients {
        client.connect(&server.address.into()).expect("the queue takes it");
    }
    let before = ticks(&times);
    std::thread::park_timeout(std::time::Duration::from_millis(1_000));
    let spent = ticks(&times) - before;
    assert!(spent <= 20, "{spent} ticks of a second went into waiting");
    assert_eq!(first.ask("PING"), "+PONG", "who is there is served");
    let pauses: u64 = first
        .ask("INFO sumun")
        .split('|')
        .find_map(|line| line.strip_prefix("accept_pauses:"))
        .and_then(|pauses| pauses.parse().ok())
        .expect("a figure");
    assert!((2..=50).contains(&pauses), "{pauses} pauses");
    drop(clients);
    server.wait_for("room", |_| first_reply(&server));

    // Both ends stand in this process.
    limit(u64::MAX);
    let count = ((most.saturating_sub(open_descriptors() + 200)) / 2).min(9_000) as usize;
    let before = memory();
    let idle: Vec<TcpStream> = (0..count).map(|_| TcpStream::connect(server.address).expect("it listens")).collect();
    server.wait_for("all of them", |server| server.figure("connected_clients") as usize > idle.len());
    let each = memory().saturating_sub(before) / count as u64;
    assert!(each <= 1_024, "{each} bytes each, of {count}");
    assert!(server.figure("mem_clients_normal") < 4_096, "idle ones keep no buffers");
}

fn first_reply(server: &server::Server) -> bool {
    let mut peer: Peer = server.connect();
    peer.send("PING\n");
    peer.try_reply().as_deref() == Some("+PONG")
}

/// Resident, in bytes.
fn memory() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4_096
}
