//! Writes the inputs that fuzzing begins with, `seeds/`: requests out of API.md's table, the golden events, and logs that
//! were written. Run it when a format or a command is new: `cargo run --manifest-path fuzz/Cargo.toml`.
//! It adds and replaces, and leaves alone what else is there: inputs that once found a mistake.

#[path = "log_reader/edit.rs"]
#[expect(dead_code, reason = "seeds are only made from what is edited there")]
mod edit;
#[path = "log_reader/world.rs"]
#[expect(dead_code, reason = "nothing is judged here")]
mod world;

use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    resp()?;
    events()?;
    log_reader()
}

fn write(target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(name.replace(' ', "-")), bytes)
}

/// Each a conversation: a request a line.
const CONVERSATIONS: &[(&str, &[&str])] = &[
    ("handshake", &["HELLO 3 AUTH default x SETNAME me", "CLIENT SETINFO lib-name x", "CLIENT LIST ID 7", "QUIT"]),
    ("housekeeping", &["PING", "ECHO a", "SELECT 0", "INFO server", "CONFIG GET a*", "COMMAND INFO reserve", "RESET"]),
    ("questions", &["COMMAND COUNT", "COMMAND DOCS item", "COMMAND GETKEYS reserve r 1 1 a 1", "CLIENT ID"]),
    (
        "configure",
        &["CONFIGURE a KIND points SAFETY 1 BACKORDER 2 LIMIT 3 WINDOW 4 ALLOCATION fifo METADATA {\"a\":1}"],
    ),
    ("receive", &["RECEIVE a 5 ID m LOT l EXPIRES 1770000000000 AT x", "ADJUST a -2 REASON lost ID * LOT l", "ITEM a"]),
    ("reserve", &["RESERVE r 9000 2 a 1 b 2 FOR h UNTIL 1770000000000 LOT 1 l AT 2 x", "RESERVE s 1 1 a 1 CAPTURE"]),
    ("life", &["CAPTURE r 1 a 1 ID c", "RELEASE r", "EXTEND r 9000", "RETURN r 1 a 1 ID t", "RESERVATION r"]),
    ("transaction", &["MULTI", "PING", "RESERVE r 1 1 a 1", "CAPTURE r y", "EXEC"]),
    ("spoilt transaction", &["MULTI", "nosuch", "EXEC", "MULTI", "DISCARD", "EXEC"]),
    (
        "wrong",
        &["RESERVE r 1 2 a 1", "RECEIVE a -1 ID m", "EXTEND r 18446744073709551616", "HELLO 4", "POST / HTTP/1.1"],
    ),
];

/// Streams that are no tidy arrays. The first byte says how a stream is split.
const STREAMS: &[(&str, &[u8])] = &[
    ("inline", b"\x02PING \"a\\x41\\n\" 'b\\'c'\r\nECHO a\n\r\n*0\r\n*-1\r\nQUIT\r\n"),
    ("partial", b"\x00*2\r\n$4\r\nECHO\r\n$3\r\nab"),
    ("quotes", b"\x03PING \"a\r\n"),
    ("count", b"\x01*1048577\r\n"),
    ("length", b"\x01*1\r\n$65537\r\n"),
    ("no length", b"\x01*1\r\nPING\r\n"),
];

fn resp() -> io::Result<()> {
    for (name, lines) in CONVERSATIONS {
        let mut stream = vec![name.len() as u8];
        for line in *lines {
            let words: Vec<&str> = line.split(' ').collect();
            stream.extend(format!("*{}\r\n", words.len()).bytes());
            words.iter().for_each(|word| stream.extend(format!("${}\r\n{word}\r\n", word.len()).bytes()));
        }
        write("resp", name, &stream)?;
    }
    STREAMS.iter().try_for_each(|(name, stream)| write("resp", name, stream))
}

/// The golden events, one an input, without their lengths; and all together as a batch.
fn events() -> io::Result<()> {
    let mut batch = vec![39];
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/codec/tests/golden/events-1.hex");
    let text = std::fs::read_to_string(golden)?;
    for event in text.split("\n= ").skip(1) {
        let (title, lines) = event.split_once('\n').unwrap_or((event, ""));
        let digits = lines.lines().filter_map(|line| line.split('#').next()).flat_map(str::split_whitespace);
        let bytes: Vec<u8> = digits.filter_map(|digits| u8::from_str_radix(digits, 16).ok()).collect();
        let number = batch.len();
        batch.extend(&bytes);
        let name: String = title.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { ' ' }).take(40).collect();
        if let Some(event) = bytes.get(3..) {
            write("events", &format!("{number} {}", name.trim()), &[&[39], event].concat())?;
        }
    }
    write("events", "batch", &batch)
}

/// What is odd about the last segment of a log that is otherwise sound: where in its header, or in its frames, and what
/// stands there.
const ODD: &[(&str, usize, &[u8])] = &[
    ("number", 32, &[0xff; 8]),
    ("offset-before", 64, &[0xff; 8]),
    ("epoch", 40, &[0xff; 8]),
    ("first", 48, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ("last-before", 72, &[0xff; 8]),
    ("frame-kind", 84 + 4, &[3]),
    ("frame-epoch", 84 + 24, &[0xff; 8]),
    ("frame-first", 84 + 32, &[0xff; 8]),
    ("frame-count", 84 + 40, &[0xff; 4]),
    ("frame-length", 84 + 44, &[0xff; 4]),
];

fn log_reader() -> io::Result<()> {
    for (what, name) in ["killed", "closed"].into_iter().enumerate() {
        let original = edit::Original::of(what as u8);
        // With the checksums that were written, and with all that can be filled in.
        write("log_reader", &format!("{name} as written"), &assembled(original, 0, &|_, _| {}))?;
        write("log_reader", &format!("{name} sealed"), &assembled(original, 15, &|_, _| {}))?;
        for edit in 0..10_u8 {
            let mut input = vec![1 | (what as u8) << 1];
            for (segment, place) in [(2, 512 + 700_u16), (edit % 3, 512 + 64)].into_iter().take(1 + what) {
                input.extend([edit, segment]);
                input.extend(place.to_le_bytes());
                input.extend((77_u16 + u16::from(edit)).to_le_bytes());
            }
            write("log_reader", &format!("{name} edited {edit}"), &input)?;
        }
    }
    let original = edit::Original::of(0);
    for (name, at, bytes) in ODD {
        let odd = assembled(original, 7, &|number, said| {
            if number == 3 {
                said[*at..*at + bytes.len()].copy_from_slice(bytes);
            }
        });
        write("log_reader", &format!("odd {name}"), &odd)?;
    }
    Ok(())
}

/// An original's segments as `assemble` reads them.
fn assembled(original: &edit::Original, seals: u8, change: &dyn Fn(u64, &mut [u8])) -> Vec<u8> {
    let mut input = vec![0];
    for (number, bytes) in &original.files {
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let mut said = [&bytes[..84], bytes.get(4096..end).unwrap_or_default()].concat();
        change(*number, &mut said);
        input.extend([*number as u8, seals]);
        input.extend((said.len() as u16).to_le_bytes());
        input.extend(said);
    }
    input
}
