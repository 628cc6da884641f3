//! The comparison with Redis, in little: real servers, real generators, whether all that is said of a round is there.
//! How fast anything is, is no matter of a test.

use std::process::Command;
use sumun_proof::figures::versus::{Options, Row, run};

#[test]
fn a_quick_comparison_runs_every_peer_and_judges_none() {
    let redis = Command::new("redis-benchmark").arg("--version").output();
    assert!(redis.is_ok_and(|output| output.status.success()), "redis is missing: scripts/setup test installs it");
    let only = vec![Row::Callers64, Row::SlowDisk];
    let options = Options { rounds: 1, only, long: false, scale: 1.0, quick: true };
    let (report, results) = run(&options).expect("it runs");
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    assert!(report.figures.is_empty(), "nothing is a figure: {:?}", report.figures);
    assert_eq!(results.rows.keys().collect::<Vec<_>>(), ["callers-64", "slow-disk"]);
    for (row, lanes) in [("callers-64", 6), ("slow-disk", 4)] {
        let measured = &results.rows[row];
        assert!(measured.quick && measured.rounds.len() == 1);
        let round = &measured.rounds[0];
        assert_eq!(round.lanes.len(), lanes, "{:?}", round.void);
        for lane in &round.lanes {
            assert!(lane.rate > 0.0 && lane.done > 0 && lane.refused == 0, "{lane:?}");
            assert!(0.0 < lane.p50_us && lane.p50_us <= lane.p99_us && lane.p99_us <= lane.max_us, "{lane:?}");
            assert!(lane.reserved > 0 && lane.ended <= lane.reserved, "{lane:?}");
            assert!((0.0..=1.0).contains(&lane.others), "{lane:?}");
            let by_redis = lane.name.contains("redis-benchmark");
            assert_eq!(lane.generator, if by_redis { "redis-benchmark" } else { "sumun bench" });
        }
    }
    for lane in &results.rows["slow-disk"].rounds[0].lanes {
        assert!(lane.p50_us >= 1_000.0, "every answer waits for a sync of a millisecond: {lane:?}");
    }
}
