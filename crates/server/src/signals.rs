//! SIGTERM and SIGINT as something that the reactor waits for like a socket, and a timer finer than a millisecond.
//!
//! Both are file descriptors of Linux. No handler runs: nothing is interrupted.

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
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
            let descriptor = libc::signalfd(-1, &raw const set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC);
            if descriptor < 0 {
                return Err(io::Error::last_os_error());
            }
            // The kernel has just given it to us, and nobody else knows it.
            Ok(Signals(OwnedFd::from_raw_fd(descriptor)))
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
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        Ok(FineTimer(rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?))
    }

    pub(crate) fn descriptor(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// Fires once, so long from now. It need not be read: setting it again clears it.
    pub(crate) fn set(&self, after: Duration) -> io::Result<()> {
        let it_value = Timespec::try_from(after.max(Duration::from_nanos(1))).map_err(io::Error::other)?;
        let once = Itimerspec { it_interval: Timespec::default(), it_value };
        rustix::time::timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}
