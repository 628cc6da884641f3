//! A mirror built from `/v1/events` alone, and the server it follows, both killed again and again: no gap, and at the end
//! the same figures. `cargo xtask mirror` runs more rounds.

use sumun_proof::mirror::{Figures, round};

fn check(seed: u64, short: bool) -> Figures {
    let mut figures = Figures::default();
    round(seed, short, &mut figures).unwrap_or_else(|why| panic!("{why}"));
    println!("{figures}");
    assert!(figures.server_kills > 0 && figures.mirror_kills > 0 && figures.both_at_once > 0, "{figures}");
    assert!(figures.events > 100 && figures.items >= 8 && figures.reservations > 30, "{figures}");
    figures
}

#[test]
fn a_mirror_is_the_server_s_records_through_kills_of_both() {
    check(1, false);
}

#[test]
fn a_mirror_whose_place_the_log_has_lost_is_told_and_reads_all_anew() {
    assert_eq!(check(2, true).read_whole, 1);
}
