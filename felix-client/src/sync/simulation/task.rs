//! What is to be run: a thousand seeds in every test run, or what `cargo xtask simulate` asks for by way of the
//! environment; and what is said of it.

use std::{
    env, fmt,
    time::{Duration, Instant},
};

use super::{
    point::Point,
    run,
    seeds::{Failure, Report, Seeds},
};

/// Seeds of every test run, and how many of them are run twice.
const SEEDS: u64 = 1000;
const TWICE: u64 = 100;

/// Of one seed everything is told.
const SEED: &str = "CATTAIL_SEED";
/// How many seeds there are to be, from where, and no more of them after so many minutes. All are run twice.
const COUNT: &str = "CATTAIL_SEEDS";
const FROM: &str = "CATTAIL_SEEDS_FROM";
const MINUTES: &str = "CATTAIL_SEEDS_MINUTES";
/// What is built, for the line that replays a failure.
const COMMIT: &str = "CATTAIL_COMMIT";

/// Does what the environment asks for. The error is for people.
pub(super) fn carry_out() -> Result<(), String> {
    if let Some(seed) = number(SEED)? {
        println!("{:#?}", run(seed, None, true));
        return Ok(());
    }
    let start = Instant::now();
    let until = number(MINUTES)?.map(|minutes| start + Duration::from_mins(minutes));
    let (count, from) = (number(COUNT)?, number(FROM)?.unwrap_or_default());
    let twice = if count.is_some() || until.is_some() { u64::MAX } else { TWICE };
    let count = count.unwrap_or(if until.is_some() { u64::MAX } else { SEEDS });
    let report = Seeds { from, count, until, twice, defect: None }.run().map_err(|failure| failure.to_string())?;
    println!("{report}");
    println!(
        "{} simulated seconds to one of the wall",
        report.total.simulated.as_secs() / start.elapsed().as_secs().max(1)
    );
    let missing = report.total.hits.missing();
    if missing.is_empty() { Ok(()) } else { Err(format!("no seed came to this: {}", missing.join("; "))) }
}

fn number(variable: &str) -> Result<Option<u64>, String> {
    let Ok(value) = env::var(variable) else { return Ok(None) };
    value.parse().map(Some).map_err(|_| format!("{variable} is {value:?} and no number"))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, found } = self;
        writeln!(f, "seed {seed}: {found}")?;
        f.write_str("replay: ")?;
        if let Ok(commit) = env::var(COMMIT) {
            write!(f, "git checkout {commit} && ")?;
        }
        write!(f, "cargo xtask simulate --seed {seed}")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (total, damage) = (&self.total, &self.total.damage);
        for point in Point::ALL {
            writeln!(f, "{:>12}  {}", total.hits.of(*point), point.words())?;
        }
        writeln!(f)?;
        writeln!(f, "{} seeds, {} of them twice with equal traces", self.seeds, self.twice)?;
        writeln!(f, "{} s simulated", total.simulated.as_secs())?;
        let states = total.hits.of(Point::StateHandedOn);
        writeln!(f, "{} entries in {states} states of clients equal the datastore's at that revision", total.compared)?;
        writeln!(f, "after the last fault everybody was in sync within {:?}", total.in_sync_after)?;
        let (lasting, gone) = (damage.lasting(), damage.written_over + damage.ended);
        write!(
            f,
            "{} pieces of damage planted in entries and records: {gone} gone before anybody looked, {} of {lasting} \
             found and repaired, entries within {:?}",
            damage.planted, damage.repaired, damage.slowest
        )
    }
}
