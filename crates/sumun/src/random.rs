//! Seeded numbers for loads. Good enough to spread ids and choices; no secret may rest on them.

/// SplitMix64's finisher: every bit of `n` moves every bit of the result, and no two `n` give the same.
pub(crate) const fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// A number below `bound` from a mixed one.
pub(crate) const fn below(mixed: u64, bound: u64) -> u64 {
    ((mixed as u128 * bound as u128) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::{below, mix};

    #[test]
    fn choices_stay_below_their_bound_and_reach_every_value() {
        let mut seen = [0_u32; 10];
        for n in 0..10_000 {
            seen[usize::try_from(below(mix(n), 10)).expect("below 10")] += 1;
        }
        assert!(seen.iter().all(|&count| (800..1_200).contains(&count)), "{seen:?}");
    }
}
