//! What a shard tells its operator while it runs: when something goes wrong, and when it is right again. Each is said
//! once, not for as long as it lasts.

use crate::caps::NOTICES_MAX;
use std::collections::VecDeque;
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// What would write is refused as MISCONF until there is room.
    NoRoom {
        why: String,
    },
    Room,
    /// A batch could be made durable nowhere: whoever waits for it gets no answer, and the state is built anew.
    LogFailed {
        why: String,
    },
    LogClosed {
        why: String,
    },
    LogReopened {
        after_ms: u64,
    },
    StoreFailed {
        why: String,
    },
    StoreMended,
    ClockAhead {
        since_log_ms: u64,
    },
    ClockDrift {
        ahead_ms: i64,
    },
    ClockRight,
}

impl Notice {
    /// What it is called, for whoever looks for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Notice::NoRoom { .. } => "log_no_room",
            Notice::Room => "log_room",
            Notice::LogFailed { .. } => "log_failed",
            Notice::LogClosed { .. } => "log_closed",
            Notice::LogReopened { .. } => "log_reopened",
            Notice::StoreFailed { .. } => "store_failed",
            Notice::StoreMended => "store_mended",
            Notice::ClockAhead { .. } => "clock_ahead",
            Notice::ClockDrift { .. } => "clock_drift",
            Notice::ClockRight => "clock_right",
        }
    }

    /// Whether something is wrong, rather than right again.
    pub const fn is_warning(&self) -> bool {
        match self {
            Notice::NoRoom { .. }
            | Notice::LogFailed { .. }
            | Notice::LogClosed { .. }
            | Notice::StoreFailed { .. }
            | Notice::ClockAhead { .. }
            | Notice::ClockDrift { .. } => true,
            Notice::Room | Notice::LogReopened { .. } | Notice::StoreMended | Notice::ClockRight => false,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::NoRoom { why } => {
                write!(f, "the log has no room, writes are refused until there is (free some space): {why}")
            }
            Notice::Room => f.write_str("the log has room again, writes are taken"),
            Notice::LogFailed { why } => write!(
                f,
                "the log could not be written; connections that waited for it are closed without an answer, and it is \
                 opened again: {why}"
            ),
            Notice::LogClosed { why } => write!(f, "the log cannot be opened, it is tried again twice a second: {why}"),
            Notice::LogReopened { after_ms } => write!(f, "the log was opened again after {after_ms} ms"),
            Notice::StoreFailed { why } => {
                write!(f, "the store does not work, it is opened again while the log goes on: {why}")
            }
            Notice::StoreMended => f.write_str("the store works again"),
            Notice::ClockAhead { since_log_ms } => write!(
                f,
                "the clock stands {since_log_ms} ms after the last time in the log; if nobody was away so long, it is \
                 wrong, and what ends by time has ended too early"
            ),
            Notice::ClockDrift { ahead_ms } => write!(
                f,
                "the wall clock is {ahead_ms} ms ahead of the shard's time, which does not follow it; a restart does"
            ),
            Notice::ClockRight => f.write_str("the wall clock and the shard's time agree again"),
        }
    }
}

/// In order; past the cap new ones are lost, for whoever does not listen.
#[derive(Debug, Default)]
pub(crate) struct Notices(VecDeque<Notice>);

impl Notices {
    pub(crate) fn push(&mut self, notice: Notice) {
        if self.0.len() < NOTICES_MAX {
            self.0.push_back(notice);
        }
    }
    pub(crate) fn take(&mut self) -> Option<Notice> {
        self.0.pop_front()
    }
}
