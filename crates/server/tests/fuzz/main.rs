//! The fuzz target `resp` without a fuzzer: requests out of a grammar, then mutated, from fixed seeds. What the
//! coverage-guided one (`fuzz/`) finds goes into `FOUND`.

mod judge;

use judge::judge;

const FOUND: &[&[u8]] = &[
    // The beginning of a count: not yet a request, nor an inline one.
    b"\0*1",
    b"\x01*1\r\n$4\r\nPING\r\n",
];

const WORDS: &[&str] = &[
    "PING",
    "ECHO",
    "MULTI",
    "EXEC",
    "DISCARD",
    "HELLO",
    "2",
    "3",
    "4",
    "AUTH",
    "default",
    "SETNAME",
    "CLIENT",
    "LIST",
    "ID",
    "*",
    "COMMAND",
    "INFO",
    "DOCS",
    "GETKEYS",
    "CONFIG",
    "GET",
    "s*",
    "RESET",
    "SELECT",
    "0",
    "CONFIGURE",
    "KIND",
    "stock",
    "SAFETY",
    "LIMIT",
    "WINDOW",
    "METADATA",
    "{\"a\":1}",
    "RECEIVE",
    "ADJUST",
    "REASON",
    "LOT",
    "EXPIRES",
    "AT",
    "RESERVE",
    "1",
    "FOR",
    "UNTIL",
    "CAPTURE",
    "RELEASE",
    "EXTEND",
    "RETURN",
    "RESERVATION",
    "ITEM",
    "-1",
    "01",
    "18446744073709551616",
    "a",
    "é",
    "",
    "nosuch",
    "SETINFO",
    "lib-name",
    "QUIT",
    "a\r\nb",
];

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn draw(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % below as u64) as usize
    }

    fn stream(&mut self) -> Vec<u8> {
        let mut stream = vec![self.draw(256) as u8];
        for _ in 0..self.draw(8) {
            let words: Vec<&str> = (0..1 + self.draw(9)).map(|_| WORDS[self.draw(WORDS.len())]).collect();
            if self.draw(3) == 0 {
                stream.extend(words.join(" ").bytes());
                stream.extend(b"\r\n");
                continue;
            }
            stream.extend(format!("*{}\r\n", words.len()).bytes());
            words.iter().for_each(|word| stream.extend(format!("${}\r\n{word}\r\n", word.len()).bytes()));
        }
        for _ in 0..self.draw(4) {
            let at = self.draw(stream.len());
            match self.draw(4) {
                0 => stream[at] = self.draw(256) as u8,
                1 => drop(stream.remove(at)),
                2 => stream.insert(at, b"\r\n*$\"'\\-0"[self.draw(9)]),
                _ => stream.truncate(at),
            }
            if stream.is_empty() {
                break;
            }
        }
        stream
    }
}

#[test]
fn any_bytes_are_answered_the_same_however_they_are_split() {
    FOUND.iter().for_each(|found| judge(found));
    for seed in 0..30_000 {
        let stream = Dice(seed).stream();
        judge(&stream);
    }
}
