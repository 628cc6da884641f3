//! One model, one outcome: random histories of every verb, each command by RESP2, RESP3 or HTTP, judged by the auditor.
//! `cargo xtask ways` runs more of them.

use sumun_proof::ways::{Recipe, Tally, run};

const SEEDS: u64 = 4;
const STEPS: usize = 220;

#[test]
fn histories_are_the_same_whichever_way_they_go() {
    let mut total = Tally::default();
    std::thread::scope(|scope| {
        let histories: Vec<_> =
            (1..=SEEDS).map(|seed| scope.spawn(move || run(&Recipe { seed, steps: STEPS }))).collect();
        for history in histories {
            let tally = history.join().expect("no panic").unwrap_or_else(|why| panic!("{why}"));
            total.add(&tally);
        }
    });
    println!("{total:?}");
    assert_eq!(total.ways.len(), 3, "{total:?}");
    assert!(total.ways.values().all(|count| *count > 400), "every way is gone often: {total:?}");
    assert!(total.execs > 10 && total.replayed > 20 && total.ends > 0 && total.compared > 200, "{total:?}");
    for word in ["held", "captured", "released", "available", "INVALID", "NOTFOUND", "CONFLICT", "INSUFFICIENT"] {
        assert!(total.answers.contains_key(word), "{word} never came: {total:?}");
    }
}
