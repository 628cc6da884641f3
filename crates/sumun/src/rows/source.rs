//! A file that is read twice: first checked, then sent. What cannot be read twice (a pipe) goes to a nameless file first.

use super::{Format, Rows};
use crate::failure::Failure;
use crate::scratch;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::Path;

#[derive(Debug)]
pub(crate) struct Source {
    file: File,
    name: String,
    format: Format,
}

impl Source {
    /// `-` is standard input.
    pub(crate) fn open(path: &Path, format: Option<Format>) -> Result<Source, Failure> {
        let is_input = path == Path::new("-");
        let name = if is_input { "standard input".to_owned() } else { path.display().to_string() };
        let format = match format.or_else(|| by_extension(path)) {
            Some(format) => format,
            None => return Err(Failure::Usage(format!("{name}: is it CSV or NDJSON? Say so with --format"))),
        };
        let failed = |error: io::Error| Failure::Usage(format!("cannot read {name}: {error}"));
        let file = if is_input {
            kept(&mut io::stdin().lock()).map_err(failed)?
        } else {
            let mut file = File::open(path).map_err(failed)?;
            let metadata = file.metadata().map_err(failed)?;
            if metadata.is_dir() {
                return Err(Failure::Usage(format!("{name} is a directory")));
            }
            if metadata.is_file() { file } else { kept(&mut file).map_err(failed)? }
        };
        Ok(Source { file, name, format })
    }

    /// From its beginning.
    pub(crate) fn rows(&self) -> Result<Rows, Failure> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        Rows::open(file, &self.name, self.format)
    }

    pub(crate) fn is(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        let place = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let (ours, other) = (self.file.metadata().map(place), std::fs::metadata(path).map(place));
        matches!((ours, other), (Ok(ours), Ok(other)) if ours == other)
    }
}

fn kept(from: &mut impl io::Read) -> io::Result<File> {
    let mut file = scratch::nameless()?;
    io::copy(from, &mut file)?;
    Ok(file)
}

fn by_extension(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Some(Format::Csv),
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        _ => None,
    }
}
