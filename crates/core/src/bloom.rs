//! A Bloom filter in blocks of a cache line: a key sets a bit in each of the eight words of one block. It takes some more
//! bits than one whose bits lie anywhere, for one cache miss instead of eight.
//!
//! Cost: one cache line to insert or to look. Memory is taken zeroed from the system, so that a new filter of any size
//! costs nothing before it is used.

use alloc::vec;
use alloc::vec::Vec;

const WORDS: usize = 8;
/// One for each word: odd, and with nothing in common (the digits of pi).
const SALTS: [u64; WORDS] = [
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7345,
    0xa409_3822_299f_31d1,
    0x082e_fa98_ec4e_6c89,
    0x4528_21e6_38d0_1377,
    0xbe54_66cf_34e9_0c6d,
    0xc0ac_29b7_c97c_50dd,
    0x3f84_d5b5_b547_0917,
];

pub(crate) struct Bloom {
    words: Vec<u64>,
    /// The first word of a cache line.
    begin: usize,
    blocks: usize,
}

impl Bloom {
    pub(crate) fn new(bits: usize) -> Bloom {
        let blocks = bits.div_ceil(64 * WORDS).max(1);
        let words = vec![0u64; blocks * WORDS + WORDS - 1];
        let begin = words.as_ptr().align_offset(64).min(WORDS - 1);
        Bloom { words, begin, blocks }
    }
    /// Whether the key is new to the filter.
    pub(crate) fn insert(&mut self, hash: u64) -> bool {
        let at = self.at(hash);
        let block = &mut self.words[at..at + WORDS];
        let mut is_new = false;
        for (word, salt) in block.iter_mut().zip(SALTS) {
            let bit = bit(hash, salt);
            is_new |= *word & bit == 0;
            *word |= bit;
        }
        is_new
    }
    pub(crate) fn maybe(&self, hash: u64) -> bool {
        let at = self.at(hash);
        self.words[at..at + WORDS].iter().zip(SALTS).all(|(word, salt)| word & bit(hash, salt) != 0)
    }
    pub(crate) fn bytes(&self) -> usize {
        self.words.len() * 8
    }
    /// The block is of the hash's high bits, the bits in it of the low ones.
    fn at(&self, hash: u64) -> usize {
        let block = (u128::from(hash) * self.blocks as u128) >> 64;
        self.begin + block as usize * WORDS
    }
}

const fn bit(hash: u64, salt: u64) -> u64 {
    1 << ((hash & 0xffff_ffff).wrapping_mul(salt) >> 58)
}

#[cfg(test)]
mod tests {
    use super::Bloom;
    use crate::caps::FILTER_BITS;

    const fn mix(number: u64) -> u64 {
        let a = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let b = (a ^ a >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let c = (b ^ b >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        c ^ c >> 31
    }

    #[test]
    fn what_was_inserted_is_found_and_little_else() {
        for keys in [1u64, 100, 16_384, 1_000_000] {
            let mut bloom = Bloom::new(keys as usize * FILTER_BITS);
            let fresh = (0..keys).filter(|key| bloom.insert(mix(*key))).count() as u64;
            assert!(fresh + keys / 50 >= keys, "{fresh} of {keys} were new");
            assert!((0..keys).all(|key| bloom.maybe(mix(key)) && !bloom.insert(mix(key))));
            let others = (1 << 40..(1 << 40) + 150_000).filter(|key| bloom.maybe(mix(*key))).count();
            assert!(others < 75, "{others} of 150,000 that {keys} keys do not have");
        }
    }
}
