//! Sockets that others come in by, and what the process needs to hold so many of them.

use crate::caps;
use mio::net::{TcpListener, TcpStream, UnixListener};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::fs::{File, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// Listens at `address`; port 0 is one that is free.
pub(crate) fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A server that was killed may come back at once, although its connections linger.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(caps::LISTEN_BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Replies leave at once, and a peer that vanished is noticed.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(caps::KEEPALIVE_S))
        .with_interval(Duration::from_secs(caps::KEEPALIVE_S / 3))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)
}

/// The control socket in the data directory, for its owner alone. Whoever calls this holds the directory's lock, so
/// that a socket found there is a dead server's.
pub(crate) fn control(data: &Path) -> io::Result<UnixListener> {
    const NAME: &str = "control.sock";
    // The kernel takes 107 bytes: through the directory's descriptor, any path is short.
    let directory = File::open(data)?;
    let path = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(NAME);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Raises the limit of open files as far as it goes and says where it is.
pub(crate) fn raise_open_files() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    // None: without a limit.
    (if raised { maximum } else { current }).unwrap_or(u64::MAX)
}

/// How many clients there is room for when `wanted` are.
pub(crate) fn clients_max(wanted: usize, open_files: u64) -> usize {
    let room = open_files.saturating_sub(caps::DESCRIPTORS_RESERVED).max(1);
    wanted.min(usize::try_from(room).unwrap_or(usize::MAX))
}
