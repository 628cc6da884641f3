//! How much CPU time a step has used, and when it has used enough: whoever waits for the next step waits no longer.
//! The step's own part of a sync is counted with syncs.
//!
//! Cost: the thread's clock is a system call, 0.4 µs: four a step that syncs, one for every `PACE_COMMANDS` or `PACE_ENDS`
//! beyond.

use crate::caps::{ENDS_CPU_NS, ENDS_REST_NS, PACE_COMMANDS, STEP_CPU_NS, STEP_ENDS};
use crate::env::Env;
use crate::stats::Stats;

#[derive(Debug, Default)]
pub(crate) struct Pace {
    began_ns: u64,
    sync_ns: u64,
    commands: u32,
    is_over: bool,
    /// Ends by time rest until then, in the ticks of `Env::ticks_ns`.
    ends_rest_ns: u64,
}

impl Pace {
    pub(crate) fn begin(&mut self, env: &mut dyn Env) {
        *self = Pace { began_ns: env.cpu_ns(), ends_rest_ns: self.ends_rest_ns, ..Pace::default() };
    }
    fn used_ns(&self, env: &mut dyn Env) -> u64 {
        env.cpu_ns().saturating_sub(self.began_ns)
    }
    /// Whether ends by time have had their share of the step. Then they rest: what they leave to be stored takes as long
    /// again beside the loop, and whoever else is served needs both.
    pub(crate) fn ends_are_over(&mut self, ends: u32, env: &mut dyn Env) -> bool {
        let over = ends >= STEP_ENDS || self.used_ns(env) >= ENDS_CPU_NS;
        if over {
            self.ends_rest_ns = env.ticks_ns() + ENDS_REST_NS;
        }
        over
    }
    /// For how long ends rest still.
    pub(crate) fn ends_rest_ns(&self, env: &mut dyn Env) -> u64 {
        if self.ends_rest_ns == 0 { 0 } else { self.ends_rest_ns.saturating_sub(env.ticks_ns()) }
    }
    /// So many commands were decided.
    pub(crate) fn note(&mut self, commands: u32, env: &mut dyn Env) {
        self.commands += commands;
        if self.commands >= PACE_COMMANDS {
            self.commands = 0;
            self.is_over = self.used_ns(env) >= STEP_CPU_NS;
        }
    }
    /// Whether the step takes no more commands.
    pub(crate) const fn is_over(&self) -> bool {
        self.is_over
    }
    /// What was used since `since_ns` belongs to a sync.
    pub(crate) fn synced(&mut self, since_ns: u64, env: &mut dyn Env) {
        self.sync_ns += env.cpu_ns().saturating_sub(since_ns);
    }
    /// The step is done, its tending included.
    pub(crate) fn end(&mut self, env: &mut dyn Env, stats: &mut Stats) {
        if self.began_ns > 0 {
            stats.step_cpu.note(self.used_ns(env).saturating_sub(self.sync_ns));
            self.began_ns = 0;
        }
    }
}
