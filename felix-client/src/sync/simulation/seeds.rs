//! Many seeds, on all cores.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use super::{Defect, Reached, run};

/// Seeds that are run every time.
const SEEDS: u64 = 1000;

/// Runs a seed; what it found, if anything.
fn verdict(seed: u64, defect: Option<Defect>) -> Result<Reached, String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| run(seed, defect, false)));
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

/// Runs the first seeds on all cores. The first that fails, which does not depend on the cores, with what it found; or
/// what all came to.
fn run_all(seeds: u64, defect: Option<Defect>) -> Result<Reached, (u64, String)> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut reached = Reached::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return Ok(reached);
            }
            match verdict(seed, defect) {
                Ok(by_seed) => reached.add(by_seed),
                Err(found) => {
                    // Nobody need look at later ones.
                    next.store(seeds, Ordering::Relaxed);
                    return Err((seed, found));
                }
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let results: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("panics are caught")).collect()
    });
    if let Some(first) = results.iter().filter_map(|result| result.as_ref().err()).min() {
        return Err(first.clone());
    }
    let mut all = Reached::default();
    results.into_iter().flatten().for_each(|reached| all.add(reached));
    Ok(all)
}

#[test]
fn every_client_sees_only_what_was_and_ends_at_what_is() {
    let chosen = std::env::var("CATTAIL_SEED").ok().map(|seed| seed.parse().expect("CATTAIL_SEED is a number"));
    if let Some(seed) = chosen {
        println!("{:?}", run(seed, None, true));
        return;
    }
    match run_all(SEEDS, None) {
        Ok(reached) => assert!(reached.is_everything(), "the seeds do not come to everything: {reached:?}"),
        Err((seed, found)) => panic!(
            "seed {seed}: {found}\nreplay: CATTAIL_SEED={seed} cargo test -p felix-client --lib simulation -- --nocapture"
        ),
    }
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 0..20 {
        assert_eq!(verdict(seed, None), verdict(seed, None), "seed {seed}");
    }
}

#[test]
fn defects_that_are_built_in_are_found() {
    for defect in [
        Defect::DeletionsAreLost,
        Defect::TransactionsAreSplit,
        Defect::DatastoreIsNotChecked,
        Defect::NobodyAudits,
        Defect::ConsumerForgets,
    ] {
        assert!(run_all(SEEDS, Some(defect)).is_err(), "{defect:?} is not found");
    }
}
