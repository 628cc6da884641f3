//! A power cut, made of a kill: of all that no sync had made durable, each sector, each length and each name stays or
//! goes, at random. Sectors that a failed sync lost always go.

use super::shim::Shim;
use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use sumun_auditor::generate::Random;

const SECTOR: u64 = 512;
/// Before the states of its sectors stands a page with the length that the device has.
const HEAD_BYTES: u64 = 4_096;

const DIRTY: u8 = 1;
const LOST: u8 = 2;
const CUT: u8 = 3;

/// What a cut took, and what it left of what it might have taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    pub sectors_undone: u64,
    pub sectors_left: u64,
    pub lengths_undone: u64,
    pub names_undone: u64,
    pub names_left: u64,
}

impl Cut {
    pub fn add(&mut self, other: Cut) {
        self.sectors_undone += other.sectors_undone;
        self.sectors_left += other.sectors_left;
        self.lengths_undone += other.lengths_undone;
        self.names_undone += other.names_undone;
        self.names_left += other.names_left;
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} sectors of {}, {} lengths, {} names of {} undone",
            self.sectors_undone,
            self.sectors_undone + self.sectors_left,
            self.lengths_undone,
            self.names_undone,
            self.names_undone + self.names_left
        )
    }
}

/// Cuts the power of a server that is dead. What is left on the disk is then all there is.
pub fn cut(shim: &Shim, random: &mut Random) -> io::Result<Cut> {
    // Sometimes all of it goes, or nothing: a device that wrote nothing by itself, and one that wrote all in time.
    let percent = *random.pick(&[0, 10, 50, 50, 90, 100]);
    cut_percent(shim, random, percent)
}

/// As `cut`, with so many of a hundred chances that something goes.
pub fn cut_percent(shim: &Shim, random: &mut Random, percent: u64) -> io::Result<Cut> {
    let mut cutting = Cutting { random, percent, cut: Cut::default() };
    let mut paths = HashMap::new();
    inodes(&shim.disk, &mut paths)?;
    inodes(&shim.notes.join("kept"), &mut paths)?;
    for entry in fs::read_dir(shim.notes.join("device"))? {
        let state = entry?.path();
        let inode = state.file_stem().and_then(|name| name.to_str()?.parse::<u64>().ok());
        if state.extension().is_some_and(|extension| extension == "state")
            && let Some(path) = inode.and_then(|inode| paths.get(&inode))
        {
            cutting.content(path, &state)?;
        }
    }
    cutting.names(shim)?;
    let cut = cutting.cut;
    // For whoever looks into what a cut has left.
    fs::copy(shim.notes.join("names"), shim.notes.join("names.cut"))?;
    shim.forget()?;
    Ok(cut)
}

fn inodes(folder: &Path, paths: &mut HashMap<u64, PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            inodes(&entry.path(), paths)?;
        } else if kind.is_file() {
            paths.insert(entry.metadata()?.ino(), entry.path());
        }
    }
    Ok(())
}

struct Cutting<'a> {
    random: &'a mut Random,
    percent: u64,
    cut: Cut,
}

impl Cutting<'_> {
    fn goes(&mut self) -> bool {
        self.random.chance(self.percent)
    }

    fn content(&mut self, path: &Path, state: &Path) -> io::Result<()> {
        let file = File::options().read(true).write(true).open(path)?;
        let (states, image) = (File::open(state)?, File::open(state.with_extension("image"))?);
        let mut head = [0; 16];
        read_there(&states, &mut head, 0)?;
        let number = |from: usize| u64::from_ne_bytes(head[from..from + 8].try_into().expect("eight bytes"));
        let mut length = file.metadata()?.len();
        let longest = length.max(number(0));
        let length_undone = number(8) != 0 && number(0) != length && self.goes();
        if length_undone {
            self.cut.lengths_undone += 1;
            length = number(0);
            file.set_len(length)?;
        }
        let mut bytes = vec![0; usize::try_from(longest.div_ceil(SECTOR)).expect("a file fits into memory")];
        read_there(&states, &mut bytes, HEAD_BYTES)?;
        for (sector, state) in bytes.iter().enumerate() {
            let at = sector as u64 * SECTOR;
            let undone = match *state {
                DIRTY => self.goes(),
                LOST => true,
                CUT => length_undone,
                _ => continue,
            };
            if !undone {
                self.cut.sectors_left += 1;
            } else if at < length {
                self.cut.sectors_undone += 1;
                let mut old = [0; SECTOR as usize];
                let old = &mut old[..usize::try_from(SECTOR.min(length - at)).expect("at most a sector")];
                read_there(&image, old, at)?;
                file.write_all_at(old, at)?;
            }
        }
        Ok(())
    }

    /// Names go newest first, as what was built upon another.
    fn names(&mut self, shim: &Shim) -> io::Result<()> {
        let text = fs::read_to_string(shim.notes.join("names"))?;
        let lines: Vec<&str> = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).collect();
        let numbers =
            |line: &str| -> Vec<u64> { line.split(['\t', ' ']).skip(1).map_while(|word| word.parse().ok()).collect() };
        let mut synced: HashMap<u64, u64> = HashMap::new();
        for line in lines.iter().filter(|line| line.starts_with("sync ")) {
            if let [folder, upto] = numbers(line)[..] {
                let known = synced.entry(folder).or_default();
                *known = upto.max(*known);
            }
        }
        for (place, line) in lines.iter().enumerate().rev().filter(|(_, line)| !line.starts_with("sync ")) {
            let [folder, inode, kept] = numbers(line)[..] else { return Err(odd(line)) };
            if synced.get(&folder).is_some_and(|upto| (place as u64) < *upto) {
                continue;
            }
            if !self.goes() {
                self.cut.names_left += 1;
                continue;
            }
            self.cut.names_undone += 1;
            let words: Vec<&str> = line.split('\t').collect();
            let [what, from, to] = words[..] else { return Err(odd(line)) };
            let kept = (kept > 0).then(|| shim.notes.join("kept").join(kept.to_string()));
            undo(what.split(' ').next().unwrap_or_default(), inode, Path::new(from), Path::new(to), kept.as_deref())
                .map_err(|error| io::Error::new(error.kind(), format!("cannot undo {line:?}: {error}")))?;
        }
        Ok(())
    }
}

fn odd(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the shim wrote {line:?}"))
}

/// Undoes one change of a name, as far as it is still there.
fn undo(what: &str, inode: u64, from: &Path, to: &Path, kept: Option<&Path>) -> io::Result<()> {
    let is_at = |path: &Path| fs::symlink_metadata(path).is_ok_and(|seen| seen.ino() == inode);
    match what {
        "create" if is_at(from) => fs::remove_file(from),
        "mkdir" if is_at(from) => fs::remove_dir_all(from),
        "rename" if is_at(to) => {
            fs::rename(to, from)?;
            kept.map_or(Ok(()), |kept| fs::hard_link(kept, to))
        }
        "remove" if !from.exists() && from.parent().is_some_and(Path::exists) => {
            fs::hard_link(kept.ok_or_else(|| odd(what))?, from)
        }
        "rmdir" if !from.exists() && from.parent().is_some_and(Path::exists) => fs::create_dir(from),
        "create" | "mkdir" | "rename" | "remove" | "rmdir" => Ok(()),
        _ => Err(odd(what)),
    }
}

/// Reads as far as the file goes; behind it, zeros: a kill may have come before the shim had noted more, and then
/// nothing more was done.
fn read_there(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.read_at(&mut bytes[done..], at + done as u64)? {
            0 => break,
            read => done += read,
        }
    }
    bytes[done..].fill(0);
    Ok(())
}
