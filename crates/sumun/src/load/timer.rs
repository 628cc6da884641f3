//! A timer that wakes a poll at an exact time: epoll's own time-out counts whole milliseconds, which would stand in every
//! latency of an open loop.

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

#[derive(Debug)]
pub(super) struct Timer(OwnedFd);

impl Timer {
    pub(super) fn register(registry: &Registry, token: Token) -> io::Result<Timer> {
        // SAFETY: no pointers are passed, and the descriptor that comes back is nobody else's.
        let timer = unsafe {
            let fd = libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            Timer(OwnedFd::from_raw_fd(fd))
        };
        registry.register(&mut SourceFd(&timer.0.as_raw_fd()), token, Interest::READABLE)?;
        Ok(timer)
    }

    /// Wakes the poll so many nanoseconds from now; a time set before is forgotten.
    pub(super) fn set(&self, nanos: u64) -> io::Result<()> {
        let nanos = nanos.clamp(1, 3_600_000_000_000);
        let value = libc::timespec {
            tv_sec: libc::time_t::try_from(nanos / 1_000_000_000).expect("an hour at most"),
            tv_nsec: libc::c_long::try_from(nanos % 1_000_000_000).expect("less than a second"),
        };
        let once = libc::itimerspec { it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        // SAFETY: the descriptor is open, `once` lives through the call, and no old value is asked for.
        match unsafe { libc::timerfd_settime(self.0.as_raw_fd(), 0, &raw const once, std::ptr::null_mut()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
