//! Zipf's law by Walker's alias method: one look into a table a draw, so that choosing costs a generator nothing that
//! would show in what it measures.

use crate::random::below;

/// As in the usual benchmarks of key-value stores.
const EXPONENT: f64 = 0.99;
const ONE: f64 = 4_294_967_296.0;

/// A place a rank: how often its own rank is drawn, of 2^32, and whose it is otherwise.
#[derive(Clone, Debug)]
pub(super) struct Zipf(Vec<(u32, u32)>);

impl Zipf {
    /// Of so many ranks, at most 2^32.
    pub(super) fn new(ranks: u64) -> Zipf {
        let weights: Vec<f64> = (1..=ranks).map(|rank| (rank as f64).powf(-EXPONENT)).collect();
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        let mut shares: Vec<f64> = weights.into_iter().map(|weight| weight / mean).collect();
        let mut places: Vec<(u32, u32)> = (0..shares.len()).map(|rank| (u32::MAX, rank as u32)).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..shares.len()).partition(|&rank| shares[rank] < 1.0);
        while let (Some(poor), Some(&rich)) = (small.pop(), large.last()) {
            places[poor] = ((shares[poor] * ONE) as u32, rich as u32);
            shares[rich] -= 1.0 - shares[poor];
            if shares[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        Zipf(places)
    }

    /// The rank, from 0, that a mixed number draws.
    pub(super) fn rank(&self, mixed: u64) -> u64 {
        let place = below(mixed, self.0.len() as u64) as usize;
        let (own, other) = self.0[place];
        // The low bits decide nothing about the place while there are fewer than 2^32 of them.
        if mixed as u32 <= own { place as u64 } else { u64::from(other) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::mix;

    #[test]
    fn ranks_are_drawn_as_often_as_the_law_says() {
        const DRAWS: u64 = 400_000;
        let (zipf, ranks) = (Zipf::new(1_000), 1_000u64);
        let mut seen = vec![0u64; 1_000];
        (0..DRAWS).for_each(|n| seen[usize::try_from(zipf.rank(mix(n))).expect("a rank")] += 1);
        let whole: f64 = (1..=ranks).map(|rank| (rank as f64).powf(-EXPONENT)).sum();
        for rank in [1u32, 2, 3, 10, 100, 1_000] {
            let expected = f64::from(rank).powf(-EXPONENT) / whole * DRAWS as f64;
            let found = seen[rank as usize - 1] as f64;
            // Five standard deviations.
            assert!((found - expected).abs() < 5.0 * expected.sqrt(), "rank {rank}: {found}, not {expected}");
        }
    }

    #[test]
    fn one_rank_alone_is_always_drawn() {
        let zipf = Zipf::new(1);
        assert!((0..1_000).all(|n| zipf.rank(mix(n)) == 0));
    }
}
