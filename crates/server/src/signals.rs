//! SIGTERM and SIGINT as something that the reactor waits for like a socket, and a timer finer than a millisecond.
//!
//! Both are file descriptors of Linux. No handler runs: nothing is interrupted.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// The signals that ask for an end, held back from their default action.
#[derive(Debug)]
pub struct Signals(OwnedFd);

impl Signals {
    /// Holds the signals back in this thread and all that it starts from now on: call it first of all.
    pub fn hold() -> io::Result<Signals> {
        // SAFETY: the set is our own, initialised by sigemptyset before anything reads it.
        unsafe {
            let mut set = std::mem::zeroed::<libc::sigset_t>();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGTERM);
            libc::sigaddset(&raw mut set, libc::SIGINT);
            let error = libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
            if error != 0 {
                return Err(io::Error::from_raw_os_error(error));
            }
            owned(libc::signalfd(-1, &raw const set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC)).map(Signals)
        }
    }

    pub(crate) fn descriptor(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// Takes a signal that has come.
    pub(crate) fn take(&self) -> Option<u32> {
        // SAFETY: a signalfd_siginfo is plain numbers.
        let mut info = unsafe { std::mem::zeroed::<libc::signalfd_siginfo>() };
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: the pointer and the size are those of `info`.
        let got = unsafe { libc::read(self.0.as_raw_fd(), (&raw mut info).cast(), size) };
        (got == size as isize).then_some(info.ssi_signo)
    }
}

/// Wakes the reactor after less than epoll's millisecond.
#[derive(Debug)]
pub(crate) struct FineTimer(OwnedFd);

impl FineTimer {
    pub(crate) fn new() -> io::Result<FineTimer> {
        // SAFETY: no pointer is passed.
        let descriptor = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC) };
        owned(descriptor).map(FineTimer)
    }

    pub(crate) fn descriptor(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// Fires once, so long from now. It need not be read: setting it again clears it.
    pub(crate) fn set(&self, after: Duration) {
        let nanos = i64::try_from(after.as_nanos()).unwrap_or(i64::MAX).max(1);
        let mut timer = libc::itimerspec {
            it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: libc::timespec { tv_sec: nanos / 1_000_000_000, tv_nsec: nanos % 1_000_000_000 },
        };
        // SAFETY: the pointer is to a value of our own. It cannot fail with a valid descriptor and a valid time.
        unsafe { libc::timerfd_settime(self.0.as_raw_fd(), 0, &raw mut timer, std::ptr::null_mut()) };
    }
}

fn owned(descriptor: i32) -> io::Result<OwnedFd> {
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given it to us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
