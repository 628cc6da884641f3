//! What the store costs: a million records of 200 bytes under random ids, in chunks of a thousand with a sync each
//! twenty; then reads of some that are there and some that never were. `rates DIR [records]` makes and leaves `DIR`.
//! Never here: judgement.

#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;
use sumun_store::{Chunk, FjallOpener, Opener, Options, Table};

const CHUNK_RECORDS: u64 = 1_000;
const CHUNKS_PER_SYNC: u64 = 20;
const READS: u64 = 200_000;
const TABLE: Table = Table::new(1);
const HEAD: Table = Table::new(2);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().ok_or("which directory?")?;
    let records = arguments.next().map_or(Ok(1_000_000), |records| records.parse::<u64>())?;
    let options = Options { cache_bytes: 32 << 20, write_buffer_bytes: 16 << 20 };
    let opener = FjallOpener { dir: dir.into(), options };
    let mut store = opener.open()?;
    let (cpu, written) = (cpu_ms()?, io("write_bytes")?);
    let began = Instant::now();
    let (mut chunk, mut worst_chunk, mut worst_sync) = (Chunk::new(), 0, 0);
    let mut logical = 0;
    for number in 0..records / CHUNK_RECORDS {
        chunk.clear();
        for record in number * CHUNK_RECORDS..(number + 1) * CHUNK_RECORDS {
            let seed = mix(record);
            chunk.put_with(TABLE, &[id(record).as_bytes(), &[0]], |bytes| {
                (0..25).for_each(|word| bytes.extend(if word % 2 == 0 { 0 } else { mix(seed + word) }.to_be_bytes()));
            });
        }
        chunk.put(HEAD, &[], &number.to_be_bytes());
        logical += chunk.bytes() as u64;
        let before = Instant::now();
        store.write(&chunk)?;
        worst_chunk = worst_chunk.max(before.elapsed().as_micros());
        if number % CHUNKS_PER_SYNC == CHUNKS_PER_SYNC - 1 {
            let before = Instant::now();
            store.sync()?;
            worst_sync = worst_sync.max(before.elapsed().as_micros());
        }
    }
    store.sync()?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu = cpu_ms()? - cpu;
    let written = io("write_bytes")? - written;
    println!(
        "{records} records: {:.0}/s, {:.2} µs CPU each",
        records as f64 / seconds,
        cpu as f64 * 1e3 / records as f64
    );
    println!("worst chunk {worst_chunk} µs, worst sync {worst_sync} µs, {:?}", store.stats());
    println!("written ×{:.2} of {logical} bytes; RSS {} MiB", written as f64 / logical as f64, status("VmRSS")? >> 10);
    let mut reader = store.reader();
    let mut value = Vec::new();
    for (what, from) in [("there", 0), ("never there", records)] {
        let began = Instant::now();
        let mut found = 0;
        for read in 0..READS {
            let id = id(from + mix(read) % records);
            found += u64::from(reader.get(TABLE, &[id.as_bytes(), &[0]].concat(), &mut value)?);
        }
        let rate = READS as f64 / began.elapsed().as_secs_f64();
        println!("reads of what was {what}: {rate:.0}/s, {found} of {READS} found");
    }
    let (began, mut count) = (Instant::now(), 0_u64);
    reader.scan(TABLE, b"", None, &mut |_, _| {
        count += 1;
        ControlFlow::Continue(())
    })?;
    println!("scan: {:.0}/s, {count} found", count as f64 / began.elapsed().as_secs_f64());
    drop(store);
    let began = Instant::now();
    let store = opener.open()?;
    println!(
        "opened again in {} ms; {} bytes on disk, {:?}",
        began.elapsed().as_millis(),
        usage(&opener.dir)?,
        store.stats()
    );
    println!("RSS {} MiB, at most {} MiB", status("VmRSS")? >> 10, status("VmHWM")? >> 10);
    Ok(())
}

fn id(record: u64) -> String {
    format!("{:020}", mix(record ^ 0x5eed))
}

// SplitMix64.
fn mix(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) >> 1
}

// User and system time of all threads, in ticks of 10 ms.
fn cpu_ms() -> Result<u64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().ok_or("no fields")?.split_whitespace().collect();
    Ok((fields[11].parse::<u64>()? + fields[12].parse::<u64>()?) * 10)
}

fn io(name: &str) -> Result<u64, Box<dyn Error>> {
    field("/proc/self/io", name)
}

fn status(name: &str) -> Result<u64, Box<dyn Error>> {
    field("/proc/self/status", name)
}

fn field(file: &str, name: &str) -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string(file)?;
    let line =
        text.lines().find(|line| line.starts_with(name) && !line.starts_with("cancelled")).ok_or("no such field")?;
    Ok(line.split_whitespace().nth(1).ok_or("no value")?.parse()?)
}

fn usage(dir: &Path) -> Result<u64, Box<dyn Error>> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { usage(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}
