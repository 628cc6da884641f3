//! What one durable write costs without any server: `pwrite` and `fdatasync` on a file that was filled with zeroes before.

use super::caps::{SYNC_BYTES, SYNC_FILE_BYTES};
use super::results::Lane;
use crate::support::{Scratch, clock};
use hdrhistogram::Histogram;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

/// For so long, one after the other.
pub(super) fn measure(length_ms: u64) -> Result<Lane, String> {
    let scratch = Scratch::new("versus-sync");
    let (histogram, took_ns) = writes(&scratch, length_ms).map_err(|error| format!("the bare sync: {error}"))?;
    let us = |nanos: u64| nanos as f64 / 1_000.0;
    let done = histogram.len();
    Ok(Lane {
        generator: "pwrite and fdatasync".to_owned(),
        rate: done as f64 * 1e9 / took_ns.max(1) as f64,
        p50_us: us(histogram.value_at_quantile(0.5)),
        p99_us: us(histogram.value_at_quantile(0.99)),
        max_us: us(histogram.max()),
        done,
        ..Lane::default()
    })
}

fn writes(scratch: &Scratch, length_ms: u64) -> io::Result<(Histogram<u64>, u64)> {
    const CHUNK: u64 = 1 << 20;
    let mut file = File::create(scratch.path().join("filled"))?;
    let zeroes = vec![0; CHUNK as usize];
    (0..SYNC_FILE_BYTES / CHUNK).try_for_each(|_| file.write_all(&zeroes))?;
    file.sync_all()?;
    let mut histogram = Histogram::new_with_bounds(512, 60_000_000_000, 3).map_err(io::Error::other)?;
    let bytes = [0x5a; SYNC_BYTES];
    let (began, mut at) = (clock::ticks_ns(), 0);
    let mut before = began;
    while before < began + length_ms * 1_000_000 {
        file.write_all_at(&bytes, at)?;
        file.sync_data()?;
        let now = clock::ticks_ns();
        histogram.saturating_record(now - before);
        at = (at + SYNC_BYTES as u64) % SYNC_FILE_BYTES;
        before = now;
    }
    Ok((histogram, before - began))
}
