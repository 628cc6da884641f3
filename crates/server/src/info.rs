//! The text of `INFO`: the sections that Redis's tools and libraries look for, and one of our own.

use crate::ledger::{Figures, Readiness, Store};
use crate::metrics::Metrics;
use crate::resp::admin::REDIS_VERSION;
use std::fmt::{self, Write};

/// What the sections are written from.
#[derive(Debug)]
pub(crate) struct Info<'a> {
    pub(crate) now_ms: u64,
    pub(crate) port: u16,
    pub(crate) clients: usize,
    pub(crate) clients_max: usize,
    pub(crate) readiness: Readiness,
    pub(crate) figures: Figures,
    pub(crate) metrics: &'a Metrics,
}

type Section = fn(&Info<'_>, &mut String) -> fmt::Result;

const SECTIONS: [(&str, Section); 8] = [
    ("Server", |info, out| info.server(out)),
    ("Clients", |info, out| info.clients(out)),
    ("Memory", |info, out| info.memory(out)),
    ("Persistence", |info, out| info.persistence(out)),
    ("Stats", |info, out| info.stats(out)),
    ("Replication", |_, out| out.write_str("role:master\r\nconnected_slaves:0\r\n")),
    ("Cluster", |_, out| out.write_str("cluster_enabled:0\r\n")),
    ("Sumun", |info, out| info.sumun(out)),
];

impl Info<'_> {
    pub(crate) fn write(&self, wants: &dyn Fn(&str) -> bool, out: &mut Vec<u8>) {
        let mut text = String::new();
        for (name, section) in SECTIONS {
            if wants(&name.to_ascii_lowercase()) {
                let gap = if text.is_empty() { "" } else { "\r\n" };
                // Writing into memory cannot fail.
                let _ = write!(text, "{gap}# {name}\r\n");
                let _ = section(self, &mut text);
            }
        }
        out.extend_from_slice(text.as_bytes());
    }

    fn server(&self, out: &mut String) -> fmt::Result {
        let up = self.now_ms.saturating_sub(self.metrics.started_ms) / 1_000;
        write!(out, "redis_version:{REDIS_VERSION}\r\nsumun_version:{}\r\n", env!("CARGO_PKG_VERSION"))?;
        write!(out, "redis_mode:standalone\r\nos:Linux\r\narch_bits:{}\r\nmultiplexing_api:epoll\r\n", usize::BITS)?;
        write!(out, "process_id:{}\r\nrun_id:{}\r\n", std::process::id(), self.figures.log_id)?;
        write!(out, "tcp_port:{}\r\nuptime_in_seconds:{up}\r\nuptime_in_days:{}\r\n", self.port, up / 86_400)
    }

    fn clients(&self, out: &mut String) -> fmt::Result {
        write!(out, "connected_clients:{}\r\nmaxclients:{}\r\nblocked_clients:0\r\n", self.clients, self.clients_max)
    }

    fn memory(&self, out: &mut String) -> fmt::Result {
        let Metrics { kept_bytes, kept_bytes_max, .. } = self.metrics;
        write!(out, "used_memory:{}\r\n", self.figures.memory_bytes + *kept_bytes as u64)?;
        write!(out, "mem_clients_normal:{kept_bytes}\r\nmem_clients_peak:{kept_bytes_max}\r\n")?;
        write!(out, "maxmemory:0\r\nmaxmemory_policy:noeviction\r\n")
    }

    fn persistence(&self, out: &mut String) -> fmt::Result {
        let (loading, percent) = match self.readiness {
            Readiness::Loading { done_permille } => (1, f64::from(done_permille) / 10.0),
            Readiness::Ready => (0, 100.0),
        };
        let status = if self.figures.is_writable { "ok" } else { "err" };
        write!(out, "loading:{loading}\r\nasync_loading:0\r\nloading_loaded_perc:{percent:.2}\r\n")?;
        write!(out, "aof_enabled:1\r\naof_last_write_status:{status}\r\nrdb_bgsave_in_progress:0\r\n")
    }

    fn stats(&self, out: &mut String) -> fmt::Result {
        let Metrics { connections, connections_refused, requests, bytes_in, bytes_out, .. } = self.metrics;
        write!(out, "total_connections_received:{connections}\r\ntotal_commands_processed:{requests}\r\n")?;
        write!(out, "total_net_input_bytes:{bytes_in}\r\ntotal_net_output_bytes:{bytes_out}\r\n")?;
        write!(out, "rejected_connections:{connections_refused}\r\n")
    }

    fn sumun(&self, out: &mut String) -> fmt::Result {
        let Figures { shard, log_id, epoch, sequence, durable, events, ends, batches, .. } = &self.figures;
        let Figures { batch_bytes, batch_commands, commits_beside, commits_held, sync_us, .. } = &self.figures;
        let Figures { sync_us_max, step_cpu_us_max, log_failures, expiry_lag_ms, clock_drift_ms, .. } = &self.figures;
        let Figures { open_reservations, items, .. } = &self.figures;
        let Metrics { steps, step_requests_max, reader_pauses, accept_pauses, waits, .. } = self.metrics;
        let Metrics { protocol_errors, unproven_closed, scarce_closed, transactions_bytes, .. } = self.metrics;
        write!(out, "shard:{shard}\r\nlog_id:{log_id}\r\nepoch:{epoch}\r\nsequence:{sequence}\r\n")?;
        write!(out, "durable_sequence:{}\r\ndurable_segment:{}\r\n", durable.sequence, durable.segment)?;
        write!(out, "durable_offset:{}\r\nevents:{events}\r\nbatches:{batches}\r\n", durable.offset)?;
        write!(out, "ends:{ends}\r\nbatch_bytes:{batch_bytes}\r\nbatch_commands:{batch_commands}\r\n")?;
        write!(out, "commits_beside:{commits_beside}\r\ncommits_held:{commits_held}\r\n")?;
        write!(out, "sync_us:{sync_us}\r\nsync_us_max:{sync_us_max}\r\nlog_failures:{log_failures}\r\n")?;
        write!(out, "step_cpu_us_max:{step_cpu_us_max}\r\n")?;
        write!(out, "expiry_lag_ms:{expiry_lag_ms}\r\nclock_drift_ms:{clock_drift_ms}\r\n")?;
        write!(out, "open_reservations:{open_reservations}\r\nitems:{items}\r\n")?;
        let Figures { log_first, log_bytes, store, .. } = &self.figures;
        let Store {
            saved,
            lag,
            lag_max,
            unsaved,
            chunks,
            records,
            bytes,
            reads,
            reading,
            trouble,
            generations: _,
            oldest_ms: _,
        } = store;
        write!(out, "log_first_sequence:{log_first}\r\nlog_bytes:{log_bytes}\r\n")?;
        write!(
            out,
            "store_sequence:{saved}\r\nstore_lag:{lag}\r\nstore_lag_max:{lag_max}\r\nstore_unsaved:{unsaved}\r\n"
        )?;
        write!(out, "store_chunks:{chunks}\r\nstore_records:{records}\r\nstore_bytes:{bytes}\r\n")?;
        write!(out, "store_reads:{reads}\r\nstore_reading:{reading}\r\n")?;
        write!(out, "store_trouble:{}\r\n", trouble.as_deref().unwrap_or_default().replace(['\r', '\n'], " "))?;
        write!(out, "steps:{steps}\r\nstep_requests_max:{step_requests_max}\r\nwaits:{waits}\r\n")?;
        write!(out, "reader_pauses:{reader_pauses}\r\naccept_pauses:{accept_pauses}\r\n")?;
        write!(out, "protocol_errors:{protocol_errors}\r\nunproven_closed:{unproven_closed}\r\n")?;
        write!(out, "scarce_closed:{scarce_closed}\r\ntransactions_bytes:{transactions_bytes}\r\n")?;
        let mut conflicts = 0;
        for (code, count) in self.metrics.refusals() {
            if code.word() == "CONFLICT" {
                conflicts += count;
            } else {
                write!(out, "refused_{}:{count}\r\n", code.word().to_ascii_lowercase())?;
            }
        }
        write!(out, "refused_conflict:{conflicts}\r\n")
    }
}
