//! NDJSON: one object a line. Blank lines are skipped, a line too long to be a row is one that is refused.

use super::{COLUMNS, Draft, Flaw, Found, Row, unknown};
use crate::caps::ROW_BYTES_MAX;
use crate::failure::Failure;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{BufRead, BufReader};

#[derive(Debug)]
pub(crate) struct Reader {
    name: String,
    file: BufReader<File>,
    bytes: Vec<u8>,
    row: u64,
    line: u64,
}

impl Reader {
    pub(crate) fn new(file: File, name: &str) -> Reader {
        let file = BufReader::with_capacity(64 << 10, file);
        Reader { name: name.to_owned(), file, bytes: Vec::new(), row: 0, line: 0 }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Found>, Failure> {
        loop {
            let Some(whole) = self.read_line()? else { return Ok(None) };
            self.line += 1;
            let bytes = match self.line {
                1 => self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.bytes),
                _ => &self.bytes,
            };
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            self.row += 1;
            let what = if whole { self.read(bytes)? } else { Err(too_long()) };
            return Ok(Some(Found { row: self.row, line: self.line, what }));
        }
    }

    /// Puts the next line into `bytes`; whether it is all there, `None` at the end.
    fn read_line(&mut self) -> Result<Option<bool>, Failure> {
        self.bytes.clear();
        let (mut read, mut whole) = (0_u64, true);
        loop {
            let chunk =
                self.file.fill_buf().map_err(|error| Failure::Usage(format!("cannot read {}: {error}", self.name)))?;
            if chunk.is_empty() {
                return Ok((read > 0).then_some(whole));
            }
            let end = chunk.iter().position(|&byte| byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            whole &= self.bytes.len() + part.len() <= ROW_BYTES_MAX;
            if whole {
                self.bytes.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            read += used as u64;
            self.file.consume(used);
            if end.is_some() {
                return Ok(Some(whole));
            }
        }
    }

    fn read(&self, bytes: &[u8]) -> Result<Result<Row, Flaw>, Failure> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Ok(Err(Flaw { why: "it is not UTF-8".to_owned(), sku: None, id: None, has_settings: true }));
        };
        let mut json = serde_json::Deserializer::from_str(text);
        let draft = serde_path_to_error::deserialize::<_, Draft>(&mut json).map_err(|error| {
            let path = error.path().to_string();
            (path, error.into_inner())
        });
        let draft = draft.and_then(|draft| json.end().map(|()| draft).map_err(|error| (".".to_owned(), error)));
        match draft {
            Ok(draft) => Ok(draft.row()),
            Err((path, error)) => {
                let said = error.to_string();
                let said = said.split(" at line ").next().unwrap_or_default();
                if let Some(rest) = said.strip_prefix("unknown field `") {
                    let name = rest.split('`').next().unwrap_or_default();
                    return Err(Failure::Usage(format!("{}:{}: {}", self.name, self.line, unknown(name))));
                }
                let said = said.replace("duplicate field", "given twice:");
                let about = if path == "." { String::new() } else { format!("`{path}`: ") };
                let why = format!("column {}: {about}{said}", error.column());
                Ok(Err(flaw(text, why)))
            }
        }
    }
}

fn too_long() -> Flaw {
    let why = format!("a line of more than {ROW_BYTES_MAX} bytes");
    Flaw { why, sku: None, id: None, has_settings: true }
}

/// With what can be read of the row all the same.
fn flaw(text: &str, why: String) -> Flaw {
    let Ok(map) = serde_json::from_str::<Map<String, Value>>(text) else {
        return Flaw { why, sku: None, id: None, has_settings: true };
    };
    let said = |name: &str| map.get(name).and_then(Value::as_str).map(str::to_owned);
    let has_settings = COLUMNS.iter().any(|(name, is)| *is && map.get(*name).is_some_and(|value| !value.is_null()));
    Flaw { why, sku: said("sku"), id: said("id"), has_settings }
}
