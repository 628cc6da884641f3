//! A view in words: sections of short lines, for the screen and for plain text alike.

use super::view::{Count, Latency, Named, View};

#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) lines: Vec<String>,
}

/// A line's width: two of them stand side by side on 80 columns.
pub(crate) const WIDTH: usize = 38;
const NAME: usize = 20;

pub(crate) fn head(view: &View) -> String {
    let ready = if view.ready { "ready" } else { "NOT READY" };
    let up = view.uptime_seconds.map_or_else(|| "-".to_owned(), |seconds| time(seconds as u64));
    format!("{ready}, up {up}")
}

/// Commands and refusals, the busiest `most` of each.
pub(crate) fn traffic(view: &View, most: usize) -> Vec<Section> {
    let mut commands = vec![counted("all, HTTP's too", view.requests)];
    commands.extend(view.commands.iter().take(most).map(named));
    let mut refused: Vec<String> = view.refused.iter().take(most).map(named).collect();
    if refused.is_empty() {
        refused.push("none since the start".to_owned());
    }
    vec![
        Section { title: "requests             per s      total", lines: commands },
        Section { title: "refused              per s      total", lines: refused },
    ]
}

pub(crate) fn inside(view: &View) -> Vec<Section> {
    let View { log, store, memory, connections, .. } = view;
    let latency = vec![latency("commit, synced", view.commits), latency("step, CPU", view.steps)];
    let ledger = vec![
        pair("open reservations", number(view.reservations_open)),
        pair("events/s, ends/s", format!("{}, {}", rate(view.events.per_second), rate(view.ends.per_second))),
        pair("ends are late by", view.expiry_lag_seconds.map_or_else(dash, seconds)),
        pair("log", format!("{}, at {}", bytes(log.bytes), number(log.sequence))),
        pair("store behind by", format!("{} events", number(store.lag_events))),
        pair("store wr/s, reads/s", {
            let written = store.written_bytes.per_second.map(|n| n as u64);
            format!("{}, {}", bytes(written), rate(store.reads.per_second))
        }),
    ];
    let part = memory.records_bytes.zip(memory.limit_bytes).filter(|(_, limit)| *limit > 0);
    let part = part.map_or_else(String::new, |(records, limit)| format!(" {} %", records.saturating_mul(100) / limit));
    let memory = vec![
        pair("records, of --memory", format!("{} of {}{part}", bytes(memory.records_bytes), bytes(memory.limit_bytes))),
        pair("connections, bodies", format!("{}, {}", bytes(memory.connections_bytes), bytes(memory.bodies_bytes))),
        pair("process", bytes(memory.process_bytes)),
    ];
    let connections = vec![
        pair("RESP, HTTP", format!("{}, {}", number(connections.resp), number(connections.http))),
        pair("refused", number(connections.refused.total)),
    ];
    vec![
        Section { title: "latency              p50     p99   per s", lines: latency },
        Section { title: "ledger, log, store", lines: ledger },
        Section { title: "memory", lines: memory },
        Section { title: "connections", lines: connections },
    ]
}

pub(crate) fn hot(view: &View, most: usize) -> Section {
    let share = |events: usize| events * 100 / view.hot_of_events.max(1);
    let line = |n: usize| {
        let item = &view.hot[n];
        format!("{:>3} %  {}", share(item.events), plain(&item.sku))
    };
    let mut lines: Vec<String> = (0..view.hot.len().min(most)).map(line).collect();
    if lines.is_empty() {
        lines.push("no events".to_owned());
    }
    Section { title: "items, by their part of the newest events", lines }
}

/// All of it, as plain text.
pub(crate) fn text(view: &View, address: &str) -> String {
    let mut out = format!("sumun {address}: {}\n", head(view));
    view.notes.iter().for_each(|note| out.push_str(&format!("! {}\n", plain(note))));
    let sections = traffic(view, usize::MAX).into_iter().chain(inside(view)).chain([hot(view, usize::MAX)]);
    for Section { title, lines } in sections {
        out.push_str(&format!("\n{title}\n"));
        lines.iter().for_each(|line| out.push_str(&format!("  {}\n", line.trim_end())));
    }
    out.trim_end().to_owned()
}

/// What comes from outside moves no cursor. Names have no control characters; whoever writes here is still not trusted.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn pair(name: &str, value: String) -> String {
    format!("{name:<NAME$} {value}")
}
fn named(named: &Named) -> String {
    counted(&plain(&named.name), named.count)
}
fn counted(name: &str, count: Count) -> String {
    format!("{name:<18}{:>8} {:>10}", rate(count.per_second), short(count.total))
}
fn latency(name: &str, latency: Latency) -> String {
    let below = |value: Option<f64>| value.map_or_else(dash, |value| format!("<{}", seconds(value)));
    let Latency { per_second, p50_below_seconds, p99_below_seconds } = latency;
    format!("{name:<15}{:>9}{:>8}{:>8}", below(p50_below_seconds), below(p99_below_seconds), rate(per_second))
}

fn dash() -> String {
    "-".to_owned()
}
fn number(value: Option<u64>) -> String {
    value.map_or_else(dash, |value| value.to_string())
}

/// At most six characters.
fn rate(value: Option<f64>) -> String {
    match value {
        None => dash(),
        Some(0.0) => "0".to_owned(),
        Some(value) if value < 10.0 => format!("{value:.1}"),
        Some(value) if value < 100_000.0 => format!("{value:.0}"),
        Some(value) => format!("{:.0}k", value / 1e3),
    }
}

fn short(value: Option<u64>) -> String {
    match value {
        Some(value) if value >= 10_000_000_000 => format!("{}M", value / 1_000_000),
        value => number(value),
    }
}

fn bytes(value: Option<u64>) -> String {
    let Some(value) = value else { return dash() };
    let units = [(1_u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(size, _)| value >= *size) {
        Some((size, unit)) => format!("{:.1}{unit}", value as f64 / size as f64),
        None => format!("{value}B"),
    }
}

fn seconds(value: f64) -> String {
    match value {
        value if value <= 0.0 => "0ms".to_owned(),
        value if value < 1e-3 => format!("{:.0}us", value * 1e6),
        value if value < 10e-3 => format!("{:.1}ms", value * 1e3),
        value if value < 1.0 => format!("{:.0}ms", value * 1e3),
        value => format!("{value:.1}s"),
    }
}

fn time(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m {}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}
