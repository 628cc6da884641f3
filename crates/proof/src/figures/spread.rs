//! Which item a command names: all alike, or few of them most of the time. A function of the command's number, so that
//! nothing has to be kept to say it again.

use sumun_auditor::generate::Random;

/// How the commands of a load are spread over items.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spread {
    /// All items from the first on alike.
    Uniform { first: u64, items: u64 },
    /// Item of rank k as often as k^-exponent says; the ranks lie scattered.
    Zipf(Zipf),
}

impl Spread {
    /// The item of command `n` of a load.
    pub(super) fn item(&self, seed: u64, n: u64) -> u64 {
        let mut random = Random::new(scatter(seed ^ n));
        match self {
            Spread::Uniform { first, items } => first + random.below(*items),
            Spread::Zipf(zipf) => {
                let rank = zipf.rank(&mut random) - 1;
                // A step without a common factor meets every item once.
                (rank * u128::from(STEP) % u128::from(zipf.items)) as u64
            }
        }
    }
}

/// A prime larger than any number of items.
const STEP: u64 = 2_147_483_647;

/// Numbers onto numbers, each from one alone, near ones far apart.
pub(super) const fn scatter(n: u64) -> u64 {
    let z = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Ranks by Zipf's law, by rejection and inversion (Hörmann and Derflinger): exact, and nothing is tabulated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Zipf {
    items: u64,
    exponent: f64,
    begin: f64,
    end: f64,
    squeeze: f64,
}

impl Zipf {
    /// `exponent` is above 0 and not 1.
    pub(super) fn new(items: u64, exponent: f64) -> Zipf {
        let mut zipf = Zipf { items, exponent, begin: 0.0, end: 0.0, squeeze: 0.0 };
        zipf.begin = zipf.area(1.5) - 1.0;
        zipf.end = zipf.area(items as f64 + 0.5);
        zipf.squeeze = 2.0 - zipf.inverse(zipf.area(2.5) - 2f64.powf(-exponent));
        zipf
    }

    /// 1 to the number of items.
    fn rank(&self, random: &mut Random) -> u128 {
        loop {
            let unit = (random.next() >> 11) as f64 / (1u64 << 53) as f64;
            let u = self.end + unit * (self.begin - self.end);
            let x = self.inverse(u);
            let rank = x.round().clamp(1.0, self.items as f64);
            if rank - x <= self.squeeze || u >= self.area(rank + 0.5) - rank.powf(-self.exponent) {
                return rank as u128;
            }
        }
    }

    /// The integral of x^-exponent.
    fn area(&self, x: f64) -> f64 {
        let rest = 1.0 - self.exponent;
        (x.powf(rest) - 1.0) / rest
    }

    fn inverse(&self, area: f64) -> f64 {
        let rest = 1.0 - self.exponent;
        (1.0 + area * rest).powf(1.0 / rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ranks_come_as_often_as_the_law_says() {
        const DRAWS: u64 = 400_000;
        let (items, exponent) = (1_000, 0.99);
        let (zipf, mut random) = (Zipf::new(items, exponent), Random::new(7));
        let mut seen = vec![0u64; 1_001];
        (0..DRAWS).for_each(|_| seen[usize::try_from(zipf.rank(&mut random)).expect("a rank")] += 1);
        let whole: f64 = (1..=items).map(|k| (k as f64).powf(-exponent)).sum();
        for k in [1, 2, 3, 10, 100] {
            let expected = (k as f64).powf(-exponent) / whole * DRAWS as f64;
            let found = seen[k] as f64;
            // Five standard deviations.
            assert!((found - expected).abs() < 5.0 * expected.sqrt(), "rank {k}: {found}, not {expected}");
        }
        assert_eq!(seen[0], 0);
    }

    #[test]
    fn every_rank_has_an_item_of_its_own() {
        for items in [7u64, 1_000, 65_536] {
            let ranks = 0..u128::from(items);
            let places: HashSet<u128> = ranks.map(|rank| rank * u128::from(STEP) % u128::from(items)).collect();
            assert_eq!(places.len() as u64, items);
        }
    }

    #[test]
    fn a_command_names_the_same_item_whenever_it_is_said() {
        for spread in [Spread::Uniform { first: 100, items: 50 }, Spread::Zipf(Zipf::new(150, 0.99))] {
            for n in 0..1_000 {
                let item = spread.item(3, n);
                assert!(item < 150);
                assert_eq!(item, spread.item(3, n));
            }
        }
    }
}
