//! What a run does: a declarative file with comments, and what the command line overrides.

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// The scenarios that come with the program: name and file.
const SCENARIOS: &[(&str, &str)] = &[("fanout", include_str!("../scenarios/fanout.yaml"))];

/// What a run does. Field names are those of the files and of the report.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// Clients, each with a stream of its own.
    pub(crate) clients: u32,
    /// Keys that exist before the clients connect.
    pub(crate) keys: u32,
    /// Datastore transactions a second.
    pub(crate) rate: f64,
    /// Keys written by each transaction.
    pub(crate) transaction: u32,
    /// How long writes go on.
    pub(crate) seconds: f64,
}

/// What the command line says instead of the file.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Overrides {
    /// Clients, each with a stream of its own
    #[arg(long, value_name = "N")]
    clients: Option<u32>,
    /// Keys that exist before the clients connect
    #[arg(long, value_name = "K")]
    keys: Option<u32>,
    /// Datastore transactions a second
    #[arg(long, value_name = "R")]
    rate: Option<f64>,
    /// Keys written by each transaction
    #[arg(long, value_name = "B")]
    transaction: Option<u32>,
    /// How long writes go on
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
}

/// Writes go round robin over this many keys at most, so that each client's account of them stays small.
const WRITTEN_KEYS_MAX: u32 = 1000;
/// The most keys that one transaction may write: etcd's default limit of operations.
const TRANSACTION_MAX: u32 = 128;

impl Scenario {
    /// The scenario of this name, with overrides.
    pub(crate) fn named(name: &str, overrides: &Overrides) -> Result<Self> {
        let Some((_, text)) = SCENARIOS.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = SCENARIOS.iter().map(|(name, _)| *name).collect();
            bail!("there is no scenario {name:?}; there is: {}", known.join(", "));
        };
        let file: Self = serde_saphyr::from_str(text).with_context(|| format!("scenario {name}"))?;
        let scenario = Self {
            clients: overrides.clients.unwrap_or(file.clients),
            keys: overrides.keys.unwrap_or(file.keys),
            rate: overrides.rate.unwrap_or(file.rate),
            transaction: overrides.transaction.unwrap_or(file.transaction),
            seconds: overrides.seconds.unwrap_or(file.seconds),
        };
        scenario.check()?;
        Ok(scenario)
    }

    fn check(&self) -> Result<()> {
        if self.clients == 0 || self.keys == 0 {
            bail!("--clients and --keys must be at least 1");
        }
        if self.transaction == 0 || self.transaction > TRANSACTION_MAX || self.transaction > self.keys {
            bail!("--transaction must be from 1 to {TRANSACTION_MAX} and not above --keys ({})", self.keys);
        }
        if !(self.rate.is_finite() && self.rate > 0.0 && self.seconds.is_finite() && self.seconds > 0.0) {
            bail!("--rate and --seconds must be above 0");
        }
        Ok(())
    }

    /// How many of the keys are written.
    pub(crate) fn written_keys(&self) -> u32 {
        self.keys.min(WRITTEN_KEYS_MAX)
    }

    /// Keys written by the whole run.
    pub(crate) fn writes(&self) -> u64 {
        self.transactions() * u64::from(self.transaction)
    }

    /// Transactions of the whole run; at least one.
    pub(crate) fn transactions(&self) -> u64 {
        ((self.rate * self.seconds).round() as u64).max(1)
    }
}

/// Name and first comment of every scenario.
pub(crate) fn list() -> impl Iterator<Item = (&'static str, &'static str)> {
    SCENARIOS.iter().map(|(name, text)| (*name, text.lines().next().unwrap_or_default().trim_start_matches("# ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_reads_and_says_what_it_is() {
        for (name, about) in list() {
            assert!(!about.is_empty(), "{name}");
            Scenario::named(name, &Overrides::default()).unwrap();
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let refused = |overrides| Scenario::named("fanout", &overrides).is_err();
        assert!(refused(Overrides { clients: Some(0), ..Overrides::default() }));
        assert!(refused(Overrides { transaction: Some(129), ..Overrides::default() }));
        assert!(refused(Overrides { rate: Some(f64::NAN), ..Overrides::default() }));
        assert!(Scenario::named("fan-out", &Overrides::default()).is_err());
    }
}
