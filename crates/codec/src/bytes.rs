//! Varints, names and figures, written and read. Reading never panics and never allocates by a length it was told.

use crate::DecodeError;
use sumun_core::{Figures, LotSums};

pub(crate) fn put(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(value as u8);
    } else {
        put_all(out, [value]);
    }
}

const VARINT_BYTES_MAX: usize = 10;

/// Numbers, one after the other: the buffer has to grow once at most.
pub(crate) fn put_all<const N: usize>(out: &mut Vec<u8>, values: [u64; N]) {
    out.reserve(N * VARINT_BYTES_MAX);
    for mut value in values {
        let mut bytes = [0u8; VARINT_BYTES_MAX];
        let mut len = 0;
        while value >= 0x80 {
            bytes[len] = value as u8 | 0x80;
            value >>= 7;
            len += 1;
        }
        bytes[len] = value as u8;
        out.extend_from_slice(&bytes[..=len]);
    }
}

/// As a number without a sign: small ones of either sign stay short.
const fn unsigned(value: i64) -> u64 {
    (value as u64) << 1 ^ (value >> 63) as u64
}

pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, unsigned(value));
}

/// One more than the value, 0 for none. Values are below 2^63.
pub(crate) fn put_optional(out: &mut Vec<u8>, value: Option<u64>) {
    put(out, value.map_or(0, |value| value + 1));
}

pub(crate) fn put_name(out: &mut Vec<u8>, name: &str) {
    put(out, name.len() as u64);
    out.extend_from_slice(name.as_bytes());
}

/// What an item holds and what it has come to, without the version and the event before.
pub(crate) fn put_totals(out: &mut Vec<u8>, f: &Figures) {
    let on_hand = unsigned(f.on_hand);
    put_all(out, [on_hand, f.reserved, f.available, f.received, f.removed, f.returned, f.captured]);
}

pub(crate) fn put_sums(out: &mut Vec<u8>, lots: &LotSums) {
    put_all(out, [lots.on_hand, lots.reserved, lots.ended_on_hand, lots.ended_reserved]);
}

#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }
    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.rest.split_first().ok_or(DecodeError::Short)?;
        self.rest = rest;
        Ok(*first)
    }
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::Short)?;
        self.rest = rest;
        Ok(taken)
    }
    pub(crate) fn number(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let low = u64::from(byte & 0x7f);
            if shift == 63 && low > 1 {
                return Err(DecodeError::Malformed("a number beyond 64 bits"));
            }
            value |= low << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Malformed("a number beyond 64 bits"))
    }
    pub(crate) fn signed(&mut self) -> Result<i64, DecodeError> {
        let value = self.number()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }
    pub(crate) fn optional(&mut self) -> Result<Option<u64>, DecodeError> {
        Ok(self.number()?.checked_sub(1))
    }
    pub(crate) fn small(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.number()?).map_err(|_| DecodeError::Malformed("a count beyond 32 bits"))
    }
    /// What `put_totals` wrote.
    pub(crate) fn totals(&mut self, figures: &mut Figures) -> Result<(), DecodeError> {
        figures.on_hand = self.signed()?;
        figures.reserved = self.number()?;
        figures.available = self.number()?;
        figures.received = self.number()?;
        figures.removed = self.number()?;
        figures.returned = self.number()?;
        figures.captured = self.number()?;
        Ok(())
    }
    /// What `put_sums` wrote.
    pub(crate) fn sums(&mut self) -> Result<LotSums, DecodeError> {
        Ok(LotSums {
            on_hand: self.number()?,
            reserved: self.number()?,
            ended_on_hand: self.number()?,
            ended_reserved: self.number()?,
        })
    }
    pub(crate) fn text(&mut self) -> Result<&'a str, DecodeError> {
        let len = self.small()? as usize;
        core::str::from_utf8(self.take(len)?).map_err(|_| DecodeError::Malformed("a name that is not UTF-8"))
    }
}
