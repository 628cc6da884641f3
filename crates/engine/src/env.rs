//! What a shard needs of the world: the time, randomness, threads. The one file that knows a clock or a thread.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use sumun_log::Crew;

pub trait Env: fmt::Debug + Send {
    /// Shard time, Unix milliseconds. Never goes backwards.
    fn now_ms(&mut self) -> u64;
    /// Monotonic nanoseconds from an arbitrary beginning, for measuring.
    fn ticks_ns(&mut self) -> u64;
    /// CPU time of this thread, nanoseconds: a step is bounded in what it uses, not in how long it was kept waiting.
    fn cpu_ns(&mut self) -> u64;
    /// By how much the wall clock is ahead of shard time, milliseconds.
    fn drift_ms(&mut self) -> i64;
    fn random(&mut self) -> u64;
}

/// The machine's own: shard time follows the boot-time clock from where the wall clock stood at the start.
#[derive(Debug)]
pub struct System {
    start_wall_ms: u64,
    start_boot_ns: u64,
    last_ms: u64,
}

impl System {
    #[expect(clippy::new_without_default, reason = "it reads the clock: a default should not")]
    pub fn new() -> System {
        System { start_wall_ms: wall_ms(), start_boot_ns: boot_ns(), last_ms: 0 }
    }
}

impl Env for System {
    fn now_ms(&mut self) -> u64 {
        let now = self.start_wall_ms + (boot_ns() - self.start_boot_ns) / 1_000_000;
        self.last_ms = self.last_ms.max(now);
        self.last_ms
    }
    fn ticks_ns(&mut self) -> u64 {
        boot_ns()
    }
    fn cpu_ns(&mut self) -> u64 {
        clock_ns(libc::CLOCK_THREAD_CPUTIME_ID)
    }
    fn drift_ms(&mut self) -> i64 {
        let shard = self.now_ms();
        wall_ms() as i64 - shard as i64
    }
    fn random(&mut self) -> u64 {
        random()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the file that may read the wall clock")]
fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}

/// Monotonic, and goes on while the machine sleeps.
fn boot_ns() -> u64 {
    clock_ns(libc::CLOCK_BOOTTIME)
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of our own.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    assert!(result == 0, "Linux has a boot-time clock, and one of each thread");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn random() -> u64 {
    let mut bytes = [0u8; 8];
    // SAFETY: the pointer and the length are those of our own buffer.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if got == bytes.len() as isize {
        return u64::from_le_bytes(bytes);
    }
    // Early in boot there may be none yet: the clock and a counter differ from call to call.
    static CALLS: AtomicU64 = AtomicU64::new(0);
    boot_ns() ^ CALLS.fetch_add(1, Ordering::Relaxed).rotate_left(32)
}

/// A thread that has nothing else to do waits.
#[expect(clippy::disallowed_methods, reason = "this is the file that may stop a thread")]
pub(crate) fn pause(time: std::time::Duration) {
    std::thread::sleep(time);
}

/// Threads of the operating system. Where CPUs are short, those whose work somebody waits for go first: a thread that
/// waits for its turn waits for a tick of the kernel's clock, some milliseconds, and a commit for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Threads;

/// Whoever asks waits for these.
const PROMPT: [&str; 2] = ["log-commit", "sumun-read"];
/// Of all others: a third of a prompt thread's share of a CPU that both want.
const PATIENT_NICE: i32 = 5;
const PATIENT_SLICE_NS: u64 = 4_000_000;
/// Who asks for short turns gets the CPU sooner, and from one that has a longer turn at once.
const PROMPT_SLICE_NS: u64 = 100_000;

/// The calling thread is one that somebody waits for.
pub fn be_prompt() {
    schedule(0, PROMPT_SLICE_NS);
}

/// Of the calling thread alone, and as far as it may: Linux before 6.12 knows no slices. Whoever runs this under another
/// policy has chosen it.
fn schedule(nicer: i32, slice_ns: u64) {
    // SAFETY: it holds numbers alone.
    let mut of: libc::sched_attr = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::sched_attr>();
    // SAFETY: the pointer is to a value of our own, of the size that is told.
    let read = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut of, size, 0) };
    if read == 0 && of.sched_policy == libc::SCHED_OTHER as u32 {
        of.sched_nice += nicer;
        of.sched_runtime = slice_ns;
        // SAFETY: the pointer is to a value of our own, which tells its size.
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const of, 0) };
    }
}

/// Does work on a thread of its own that leaves others the CPU, and so do all threads that it starts.
pub(crate) fn patiently<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let work = || {
        schedule(PATIENT_NICE, PATIENT_SLICE_NS);
        work()
    };
    std::thread::scope(|scope| scope.spawn(work).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

impl Crew for Threads {
    fn start(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) {
        let work = move || {
            if PROMPT.contains(&name) {
                be_prompt();
            } else {
                schedule(PATIENT_NICE, PATIENT_SLICE_NS);
            }
            work();
        };
        let started = std::thread::Builder::new().name(name.into()).spawn(work);
        started.expect("the machine lends a thread: without it the log cannot go on");
    }
}

#[cfg(test)]
mod tests {
    use super::{PATIENT_NICE, Threads, patiently};
    use std::sync::mpsc::channel;
    use sumun_log::Crew;

    fn nice_here() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux has it");
        let (_, behind_name) = stat.rsplit_once(')').expect("the name stands in brackets");
        behind_name.split_whitespace().nth(16).and_then(|nice| nice.parse().ok()).expect("nice is field 19")
    }

    fn nice_of(name: &'static str) -> i32 {
        let (say, said) = channel();
        Threads.start(name, Box::new(move || say.send(nice_here()).expect("it is waited for")));
        said.recv().expect("the thread says it")
    }

    #[test]
    fn threads_that_nobody_waits_for_leave_others_the_cpu() {
        let usual = nice_here();
        let patient = (usual + PATIENT_NICE).min(19);
        assert_eq!(["log-commit", "sumun-read"].map(nice_of), [usual; 2]);
        assert_eq!(["sumun-store", "log-layout", "log-chores"].map(nice_of), [patient; 3]);
        let begun = patiently(|| std::thread::spawn(nice_here).join().expect("it does not panic"));
        assert_eq!((begun, nice_here()), (patient, usual), "what a patient thread starts, and who began it");
    }
}
