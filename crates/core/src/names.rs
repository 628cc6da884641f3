//! Hashes and digests of names. Hashes are seeded, for tables alone; digests are for ever, they stand in the log.

use core::hash::{BuildHasher, Hasher};
use foldhash::quality::FixedState;
use siphasher::sip128::{Hasher128, SipHasher24};

/// Hashes names for the tables of one run. The seed comes from outside, so that nobody can aim at a bucket.
#[derive(Clone, Debug)]
pub(crate) struct Hashing(FixedState);

impl Hashing {
    pub(crate) fn new(seed: u64) -> Hashing {
        Hashing(FixedState::with_seed(seed))
    }
    pub(crate) fn name(&self, name: &str) -> u64 {
        self.bytes(name.as_bytes())
    }
    /// Of a name that nobody has looked at.
    pub(crate) fn bytes(&self, name: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(name);
        hasher.finish()
    }
    pub(crate) fn lot(&self, item: u64, lot: &str) -> u64 {
        self.pair(item ^ 0x6c6f74, lot)
    }
    pub(crate) fn movement(&self, item: u64, id: &str) -> u64 {
        self.pair(item ^ 0x6d6f76, id)
    }
    pub(crate) fn usage(&self, item: u64, holder: &str) -> u64 {
        self.pair(item ^ 0x757361, holder)
    }
    /// Of a name inside of something else: a lot of an item, a holder's usage of it.
    pub(crate) fn pair(&self, outer: u64, name: &str) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write_u64(outer);
        hasher.write(name.as_bytes());
        hasher.finish()
    }
}

/// The content of a request, to tell a replay from a conflict: 128 bits over fields that are each preceded by their
/// length, by SipHash-2-4 with a zero key. Written to the log: never to change.
#[derive(Debug)]
pub(crate) struct Digest(SipHasher24);

impl Digest {
    pub(crate) fn new(what: u8) -> Digest {
        let mut hasher = SipHasher24::new();
        hasher.write(&[what]);
        Digest(hasher)
    }
    pub(crate) fn text(mut self, text: Option<&str>) -> Digest {
        // Names are never empty, so that an absent one is told by its length.
        let text = text.unwrap_or("");
        self.0.write(&(text.len() as u64).to_le_bytes());
        self.0.write(text.as_bytes());
        self
    }
    pub(crate) fn number(mut self, number: u64) -> Digest {
        self.0.write(&number.to_le_bytes());
        self
    }
    pub(crate) fn finish(self) -> u128 {
        self.0.finish128().as_u128()
    }
}
