//! Send times of an open loop: arrival `k` is due at `start + k / rate`, whether or not the server keeps up. Latencies
//! count from there, so that a stall of the server is felt by everybody who would have come in it, not by those alone
//! who were already waiting (coordinated omission).

#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    start: u64,
    /// Arrivals a second.
    rate: u64,
    next: u64,
}

impl Schedule {
    pub(crate) const fn new(start: u64, rate: u64) -> Schedule {
        assert!(rate > 0, "a rate is at least one a second");
        Schedule { start, rate, next: 0 }
    }

    /// When the next arrival is due.
    pub(crate) const fn due(&self) -> u64 {
        self.start + (self.next as u128 * 1_000_000_000 / self.rate as u128) as u64
    }

    /// The due time of the next arrival, if it has come.
    pub(crate) const fn take(&mut self, now: u64) -> Option<u64> {
        let due = self.due();
        if due > now {
            return None;
        }
        self.next += 1;
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;
    use crate::load::Latency;

    const MS: u64 = 1_000_000;

    #[test]
    fn arrivals_keep_their_rate_without_drift() {
        let mut schedule = Schedule::new(5, 3);
        let due: Vec<u64> = (0..7).map(|_| schedule.take(u64::MAX).expect("always due")).collect();
        assert_eq!(due, [5, 333_333_338, 666_666_671, 1_000_000_005, 1_333_333_338, 1_666_666_671, 2_000_000_005]);
        assert_eq!(schedule.take(2_333_333_337), None);
        assert_eq!(schedule.take(2_333_333_338), Some(2_333_333_338));
    }

    /// A server that answers in 1 ms, but stands still from 1.0 s to 1.5 s; one caller a millisecond over two seconds.
    fn answered(sent: u64) -> u64 {
        let stall = 1_000 * MS..1_500 * MS;
        if stall.contains(&sent) { stall.end + MS } else { sent + MS }
    }

    #[test]
    fn a_stall_is_felt_by_all_who_would_have_come_in_it() {
        // The closed loop: one caller, who sends when the last answer has come, and so hardly sends in the stall.
        let mut closed = Latency::new();
        let mut now = 0;
        while now < 2_000 * MS {
            closed.record(answered(now) - now);
            now = answered(now);
        }
        // The open loop: latencies from the time that the request was meant for.
        let mut open = Latency::new();
        let mut schedule = Schedule::new(0, 1_000);
        while schedule.due() < 2_000 * MS {
            let due = schedule.take(u64::MAX).expect("always due");
            open.record(answered(due) - due);
        }
        let (closed, open) = (closed.percentiles(), open.percentiles());
        assert!(closed.p99 < 2 * MS, "{closed:?}");
        // A quarter of all arrivals came in the stall and waited 250 ms on average.
        assert!((480 * MS..=502 * MS).contains(&open.p99), "{open:?}");
        assert!(open.p50 < 2 * MS, "{open:?}");
        assert_eq!(open.count, 2_000);
    }
}
