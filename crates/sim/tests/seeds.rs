//! A few seeds, for a quick answer; `cargo xtask sim` runs as many as one likes.

use sumun_sim::{Setup, run};

#[test]
fn a_few_seeds_are_clean() {
    let setup = Setup { commands: 2_000, restarts: 6 };
    for seed in 1..=5 {
        if let Err(failure) = run(seed, &setup) {
            panic!("{failure}");
        }
    }
}
