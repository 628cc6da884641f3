//! Where in somebody's trace a command was given: what W3C Trace Context carries in `traceparent`, in 25 bytes.
//! TRACE-1: neither id is zero, and no flag is set that the specification does not know.

/// A place in a trace: whoever goes on from it names `span` as its parent.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Trace {
    id: [u8; 16],
    span: [u8; 8],
    flags: u8,
}

/// `sampled`, and that the trace's id is random. Others are reserved: whoever passes a trace on sets them to zero.
const FLAGS: u8 = 0b11;
const SAMPLED: u8 = 0b01;

impl Trace {
    /// In bytes: id, span, flags.
    pub const BYTES: usize = 25;
    /// In text: `00-<32 digits>-<16 digits>-<2 digits>`.
    pub const TEXT_BYTES: usize = 55;

    /// `None` when an id is zero. Flags that nobody knows are left out.
    pub fn new(id: [u8; 16], span: [u8; 8], flags: u8) -> Option<Trace> {
        (id != [0; 16] && span != [0; 8]).then_some(Trace { id, span, flags: flags & FLAGS })
    }
    pub const fn id(&self) -> [u8; 16] {
        self.id
    }
    pub const fn span(&self) -> [u8; 8] {
        self.span
    }
    pub const fn flags(&self) -> u8 {
        self.flags
    }
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Reads a `traceparent`. What the specification calls invalid is `None`: it is ignored, it is no error. A version
    /// that is newer than ours is read as far as ours goes.
    pub fn read(header: &[u8]) -> Option<Trace> {
        let (known, rest) = header.split_at_checked(Trace::TEXT_BYTES)?;
        if [known[2], known[35], known[52]] != [b'-'; 3] {
            return None;
        }
        match hex::<1>(&known[..2])?[0] {
            0 if !rest.is_empty() => return None,
            0xff => return None,
            _ if rest.first().is_some_and(|next| *next != b'-') => return None,
            _ => {}
        }
        Trace::new(hex(&known[3..35])?, hex(&known[36..52])?, hex::<1>(&known[53..])?[0])
    }

    /// As it stands in a header, and in an event as it leaves.
    pub fn text(&self) -> [u8; Trace::TEXT_BYTES] {
        let mut text = [b'-'; Trace::TEXT_BYTES];
        digits(&[0], &mut text[..2]);
        digits(&self.id, &mut text[3..35]);
        digits(&self.span, &mut text[36..52]);
        digits(&[self.flags], &mut text[53..]);
        text
    }

    pub fn to_bytes(&self) -> [u8; Trace::BYTES] {
        let mut bytes = [0; Trace::BYTES];
        bytes[..16].copy_from_slice(&self.id);
        bytes[16..24].copy_from_slice(&self.span);
        bytes[24] = self.flags;
        bytes
    }
    /// What `to_bytes` wrote, and nothing else.
    pub fn from_bytes(bytes: &[u8; Trace::BYTES]) -> Option<Trace> {
        let (id, rest) = bytes.split_first_chunk::<16>()?;
        let (span, rest) = rest.split_first_chunk::<8>()?;
        let [flags] = *rest else { return None };
        Trace::new(*id, *span, flags).filter(|trace| trace.flags == flags)
    }
}

impl core::fmt::Display for Trace {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(core::str::from_utf8(&self.text()).map_err(|_| core::fmt::Error)?)
    }
}

impl core::fmt::Debug for Trace {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Trace({self})")
    }
}

/// Lower case alone, as the specification wants.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digits(bytes: &[u8], text: &mut [u8]) {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::{String, ToString};

    const ID: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn read(text: &str) -> Option<Trace> {
        Trace::read(text.as_bytes())
    }

    #[test]
    fn what_is_read_is_written_as_it_was() {
        for flags in ["00", "01", "02", "03"] {
            let text = format!("00-{ID}-{SPAN}-{flags}");
            let trace = read(&text).unwrap();
            assert_eq!(trace.to_string(), text);
            assert_eq!(Trace::from_bytes(&trace.to_bytes()), Some(trace));
            assert_eq!(trace.is_sampled(), flags == "01" || flags == "03");
        }
    }

    #[test]
    fn reserved_flags_are_set_to_zero_and_newer_versions_are_read_as_ours() {
        assert_eq!(read(&format!("00-{ID}-{SPAN}-ff")), read(&format!("00-{ID}-{SPAN}-03")));
        for newer in ["01", "cc", "fe"] {
            for rest in ["", "-", "-what-is-to-come"] {
                let trace = read(&format!("{newer}-{ID}-{SPAN}-01{rest}")).unwrap();
                assert_eq!(trace.to_string(), format!("00-{ID}-{SPAN}-01"));
            }
        }
        let mut bytes = read(&format!("00-{ID}-{SPAN}-01")).unwrap().to_bytes();
        bytes[24] = 0x80;
        assert_eq!(Trace::from_bytes(&bytes), None, "such bytes were never written");
    }

    #[test]
    fn what_the_specification_calls_invalid_is_none() {
        let zeros = "0".repeat(32);
        let bad = [
            String::new(),
            "00".into(),
            format!("00-{ID}-{SPAN}"),
            format!("00-{ID}-{SPAN}-"),
            format!("00-{ID}-{SPAN}-0"),
            format!("00-{ID}-{SPAN}-0x"),
            format!("00-{ID}-{SPAN}-011"),
            format!("00-{ID}-{SPAN}-01-"),
            format!("00-{ID}-{SPAN}-01-more"),
            format!("ff-{ID}-{SPAN}-01"),
            format!("0x-{ID}-{SPAN}-01"),
            format!("0-{ID}-{SPAN}-01"),
            format!("01-{ID}-{SPAN}-01more"),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{ID}-{}-01", &zeros[..16]),
            format!("00-{}-{SPAN}-01", ID.to_uppercase()),
            format!("00-{ID}-{}-01", SPAN.to_uppercase()),
            format!("00-{ID}_{SPAN}-01"),
            format!("00_{ID}-{SPAN}-01"),
            format!("00-{ID}-{SPAN}_01"),
            format!(" 00-{ID}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", &ID[1..]),
            format!("00-{}g-{SPAN}-01", &ID[1..]),
            format!("00-{}é-{SPAN}-01", &ID[2..]),
        ];
        for text in bad {
            assert_eq!(read(&text), None, "{text}");
        }
        assert_eq!(Trace::read(&[0xff; 55]), None);
    }
}
