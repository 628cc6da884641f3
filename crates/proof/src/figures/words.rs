//! Commands as bytes, and the names in them: skus of 9 bytes in the order of items, ids of 20 that lie far apart.

use super::spread::scatter;

pub(super) const ID_BYTES: usize = 20;

/// `s00000042`.
pub(super) fn sku(item: u64) -> [u8; 9] {
    let mut name = *b"s00000000";
    digits(&mut name[1..], item, 10);
    name
}

/// `r07-` and sixteen digits that no other `n` of this series has.
pub(super) fn id(series: u8, n: u64) -> [u8; ID_BYTES] {
    let mut name = *b"r00-0000000000000000";
    digits(&mut name[1..3], u64::from(series), 10);
    digits(&mut name[4..], scatter(n), 16);
    name
}

fn digits(places: &mut [u8], mut n: u64, base: u64) {
    for place in places.iter_mut().rev() {
        *place = b"0123456789abcdef"[(n % base) as usize];
        n /= base;
    }
}

/// A number as its digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal {
    digits: [u8; 20],
    from: usize,
}

impl Decimal {
    pub(super) fn new(n: u64) -> Decimal {
        let length = n.checked_ilog10().map_or(1, |log| log as usize + 1);
        let mut decimal = Decimal { digits: [0; 20], from: 20 - length };
        digits(&mut decimal.digits[20 - length..], n, 10);
        decimal
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.digits[self.from..]
    }
}

/// Appends a command.
pub(super) fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.push(b'*');
    number(out, words.len());
    for word in words {
        out.push(b'$');
        number(out, word.len());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn number(out: &mut Vec<u8>, n: usize) {
    out.extend_from_slice(Decimal::new(n as u64).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// `RECEIVE`, its movement named after the item.
pub(super) fn receive(out: &mut Vec<u8>, item: u64, quantity: u64, movement: &[u8]) {
    command(out, &[b"RECEIVE", &sku(item), Decimal::new(quantity).as_bytes(), b"ID", movement]);
}

/// `RESERVE` of one unit.
pub(super) fn reserve(out: &mut Vec<u8>, id: &[u8], ttl_ms: u64, item: u64) {
    command(out, &[b"RESERVE", id, Decimal::new(ttl_ms).as_bytes(), b"1", &sku(item), b"1"]);
}

/// As `reserve`, for somebody.
pub(super) fn reserve_for(out: &mut Vec<u8>, id: &[u8], ttl_ms: u64, item: u64, holder: &[u8]) {
    command(out, &[b"RESERVE", id, Decimal::new(ttl_ms).as_bytes(), b"1", &sku(item), b"1", b"FOR", holder]);
}

pub(super) fn capture(out: &mut Vec<u8>, id: &[u8]) {
    command(out, &[b"CAPTURE", id]);
}

/// A name as text, for those who ask one by one.
pub(super) fn text(name: &[u8]) -> &str {
    std::str::from_utf8(name).expect("names are ASCII")
}

/// How long the reply at the beginning of these bytes is; `None` while more of it has to come.
pub(super) fn reply_length(bytes: &[u8]) -> Result<Option<usize>, String> {
    let (mut at, mut wanted) = (0, 1u64);
    while wanted > 0 {
        let rest = &bytes[at..];
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else { return Ok(None) };
        let line = &rest[..end.saturating_sub(1)];
        let flaw = || format!("no reply of the contract: {:?}", String::from_utf8_lossy(line));
        let count = || text_number(&line[1..]).ok_or_else(flaw);
        at += end + 1;
        wanted -= 1;
        match line.first() {
            Some(b'+' | b'-' | b':' | b'_') => {}
            Some(b'$' | b'*') if line.ends_with(b"-1") => {}
            Some(b'$') => {
                let length = usize::try_from(count()?).map_err(|_| flaw())?;
                at += length + 2;
                if at > bytes.len() {
                    return Ok(None);
                }
            }
            Some(b'*') => wanted += count()?,
            Some(b'%') => wanted += 2 * count()?,
            Some(_) | None => return Err(flaw()),
        }
    }
    Ok(Some(at))
}

fn text_number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_lengths_and_are_each_others_only() {
        assert_eq!(text(&sku(42)), "s00000042");
        assert_eq!(text(&id(7, 0)), "r07-0000000000000000");
        let ids: std::collections::HashSet<_> = (0..10_000).map(|n| id(1, n)).collect();
        assert_eq!(ids.len(), 10_000);
    }

    #[test]
    fn a_command_is_what_the_protocol_says() {
        let mut out = Vec::new();
        receive(&mut out, 7, 1_000, b"m7");
        assert_eq!(text(&out), "*5\r\n$7\r\nRECEIVE\r\n$9\r\ns00000007\r\n$4\r\n1000\r\n$2\r\nID\r\n$2\r\nm7\r\n");
    }

    #[test]
    fn a_reply_is_measured_when_it_is_whole() {
        for reply in [
            "+OK\r\n",
            ":12\r\n",
            "$-1\r\n",
            "*0\r\n",
            "*2\r\n$1\r\na\r\n*2\r\n:1\r\n_\r\n",
            "%1\r\n+a\r\n$2\r\n\r\n\r\n",
        ] {
            let more = format!("{reply}:1\r\n");
            assert_eq!(reply_length(more.as_bytes()), Ok(Some(reply.len())), "{reply:?}");
            for cut in 0..reply.len() {
                assert_eq!(reply_length(&reply.as_bytes()[..cut]), Ok(None), "{reply:?} cut at {cut}");
            }
        }
        assert!(reply_length(b"what\r\n").is_err());
    }
}
