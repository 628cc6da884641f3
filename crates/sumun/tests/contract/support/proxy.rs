//! A TCP proxy that loses a connection at the worst moment: after the request went to the server and before the answer
//! came back. What a client library does then by itself is what the tests want to know.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The first request that holds one of these is forwarded, its answer swallowed and its connection cut. Later ones with
/// the same mark go through.
pub(crate) const CUT_ONE: usize = 0;
pub(crate) const CUT_ALL: usize = 1;
const MARKS: [&[u8]; 2] = [b"cut-one", b"cut-all"];

/// How often each mark was seen.
type Seen = [AtomicU32; MARKS.len()];

#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
}

impl Proxy {
    /// Serves until the test's process ends.
    pub(crate) fn before(server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let seen = Arc::new(Seen::default());
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = TcpStream::connect(server) else { continue };
                let seen = Arc::clone(&shared);
                std::thread::spawn(move || forward(client, upstream, &seen));
            }
        });
        Proxy { address, seen }
    }

    /// How often a marked request went through: 1 when the client did not send it again.
    pub(crate) fn marked(&self, mark: usize) -> u32 {
        self.seen[mark].load(Ordering::SeqCst)
    }
}

fn forward(mut client: TcpStream, mut upstream: TcpStream, seen: &Seen) {
    let (Ok(mut answers), Ok(mut back)) = (upstream.try_clone(), client.try_clone()) else { return };
    let silent = Arc::new(AtomicBool::new(false));
    let muted = Arc::clone(&silent);
    // Answers come back on a thread of their own, until they are swallowed.
    let returning = std::thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        loop {
            match answers.read(&mut bytes) {
                Ok(0) | Err(_) => break,
                // The server has answered, so the request was done: now the client's connection may go.
                Ok(_) if muted.load(Ordering::SeqCst) => break,
                Ok(count) => {
                    if back.write_all(&bytes[..count]).is_err() {
                        break;
                    }
                }
            }
        }
        let _gone_already = back.shutdown(Shutdown::Both);
    });
    let mut bytes = [0; 16 * 1024];
    loop {
        let count = match client.read(&mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        // A marked request is small and was written in one piece, so it is read in one.
        for (mark, seen) in MARKS.iter().zip(seen) {
            if bytes[..count].windows(mark.len()).any(|window| window == *mark)
                && seen.fetch_add(1, Ordering::SeqCst) == 0
            {
                silent.store(true, Ordering::SeqCst);
            }
        }
        if upstream.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _gone_already = upstream.shutdown(Shutdown::Write);
    let _ended = returning.join();
}
