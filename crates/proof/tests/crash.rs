//! `kill -9` under load, again and again: nothing acknowledged is lost, nothing is done twice. And the proof's own teeth.

#[test]
fn twenty_kills_under_load_lose_and_double_nothing() {
    let total = sumun_proof::crash::run(20, 1, &mut |line| println!("{line}"));
    let total = total.unwrap_or_else(|why| panic!("{why}"));
    println!("total:    {total}");
    assert!(total.acknowledged > 500 && total.execs > 20, "the load did next to nothing: {total}");
    assert!(total.asked > total.answered && total.again > 0, "every kill came when nothing was under way: {total}");
}

#[test]
fn a_log_that_lost_its_last_frames_is_found_out() {
    let why = sumun_proof::crash::bitten(3).unwrap_or_else(|why| panic!("{why}"));
    println!("{why}");
    assert!(why.contains("NOT IN THE LOG"), "{why}");
}
