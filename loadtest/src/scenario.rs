//! What a run does: a declarative file with comments, and what the command line overrides.

mod overrides;
mod phase;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

pub(crate) use self::{overrides::Overrides, phase::Phase};
use crate::workload::{Content, SLOTS_MAX};

/// The scenarios that come with the program: name and file.
const SCENARIOS: &[(&str, &str)] = &[
    ("fanout", include_str!("../scenarios/fanout.yaml")),
    ("burst", include_str!("../scenarios/burst.yaml")),
    ("snapshot", include_str!("../scenarios/snapshot.yaml")),
    ("storm", include_str!("../scenarios/storm.yaml")),
    ("reconnect", include_str!("../scenarios/reconnect.yaml")),
    ("beyond", include_str!("../scenarios/beyond.yaml")),
    ("stalled", include_str!("../scenarios/stalled.yaml")),
    ("slow", include_str!("../scenarios/slow.yaml")),
    ("churn", include_str!("../scenarios/churn.yaml")),
    ("rolling", include_str!("../scenarios/rolling.yaml")),
    ("partition", include_str!("../scenarios/partition.yaml")),
    ("idle", include_str!("../scenarios/idle.yaml")),
    ("soak", include_str!("../scenarios/soak.yaml")),
];

/// Takes hours, and is not one of `all`.
const SOAK: &str = "soak";

/// What a run does. Field names are those of the files and of the report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Transactions that are intended for the same moment; the rate stays the same.
    #[serde(default = "one")]
    pub(crate) burst: u32,
    /// How long writes go on.
    pub(crate) seconds: f64,
    /// Typha replicas that are started, where the deployment is a local one.
    #[serde(default = "one")]
    pub(crate) replicas: u32,
    /// What is written.
    #[serde(default)]
    pub(crate) content: Content,
    /// Whether clients that come back resume their TLS sessions, each its own, as felix does.
    #[serde(default)]
    pub(crate) tls_resumption: bool,
    /// Whether clients take what typha sends compressed with zstd, as felix does.
    #[serde(default = "yes")]
    pub(crate) zstd: bool,
    /// What happens, one after the other.
    pub(crate) phases: Vec<Phase>,
}

const fn one() -> u32 {
    1
}

const fn yes() -> bool {
    true
}

/// The most keys that one transaction may write: etcd's default limit of operations.
pub(crate) const TRANSACTION_MAX: u32 = 128;

impl Scenario {
    /// The scenario of this name or in this file (`*.yaml`), with overrides.
    pub(crate) fn named(name: &str, overrides: &Overrides) -> Result<Self> {
        let text = match SCENARIOS.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => (*text).to_owned(),
            None if Path::new(name).extension().is_some_and(|extension| extension == "yaml") => {
                std::fs::read_to_string(name).with_context(|| name.to_owned())?
            }
            None => {
                let known: Vec<&str> = SCENARIOS.iter().map(|(name, _)| *name).collect();
                bail!("there is no scenario {name:?}; there is: {}; or give a file: my.yaml", known.join(", "));
            }
        };
        let mut scenario: Self = serde_saphyr::from_str(&text).with_context(|| format!("scenario {name}"))?;
        overrides.apply(&mut scenario);
        scenario.check()?;
        Ok(scenario)
    }

    fn check(&self) -> Result<()> {
        if self.clients == 0 || self.keys == 0 || self.burst == 0 || self.replicas == 0 {
            bail!("--clients, --keys, burst and replicas must be at least 1");
        }
        let slots = self.keys.min(SLOTS_MAX);
        if self.transaction == 0 || self.transaction > TRANSACTION_MAX || self.transaction > slots {
            bail!("--transaction must be from 1 to {TRANSACTION_MAX} and not above --keys ({})", self.keys);
        }
        if !(self.rate.is_finite() && self.rate > 0.0 && self.seconds.is_finite() && self.seconds > 0.0) {
            bail!("--rate and --seconds must be above 0");
        }
        if self.rate * self.seconds * f64::from(self.transaction) > f64::from(u32::MAX) {
            bail!("more than {} writes cannot be numbered; lower --rate or --seconds", u32::MAX);
        }
        if self.content == Content::Churn && self.phases.iter().any(Phase::is_leaving) {
            bail!(
                "deletions cannot be counted where clients start from a snapshot: use `content: sets` with disconnect"
            );
        }
        phase::check(&self.phases)
    }

    /// Whether the scenario has writes.
    pub(crate) fn is_writing(&self) -> bool {
        self.phases.contains(&Phase::Write)
    }

    /// Keys written by the whole run.
    pub(crate) fn writes(&self) -> u64 {
        self.transactions() * u64::from(self.transaction)
    }

    /// Transactions of the whole run; at least one, where there are any.
    pub(crate) fn transactions(&self) -> u64 {
        if self.is_writing() { ((self.rate * self.seconds).round() as u64).max(1) } else { 0 }
    }
}

/// Name and first comment of every scenario.
pub(crate) fn list() -> impl Iterator<Item = (&'static str, &'static str)> {
    SCENARIOS.iter().map(|(name, text)| (*name, text.lines().next().unwrap_or_default().trim_start_matches("# ")))
}

/// The names that `all` stands for.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    SCENARIOS.iter().map(|(name, _)| *name).filter(|name| *name != SOAK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_reads_and_says_what_it_is() {
        for (name, about) in list() {
            assert!(about.len() > 20 && about.ends_with(['.', '?']), "{name}: {about}");
            Scenario::named(name, &Overrides::default()).unwrap();
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let refused = |overrides| Scenario::named("fanout", &overrides).is_err();
        assert!(refused(Overrides { clients: Some(0), ..Overrides::default() }));
        assert!(refused(Overrides { transaction: Some(129), ..Overrides::default() }));
        assert!(refused(Overrides { rate: Some(f64::NAN), ..Overrides::default() }));
        assert!(refused(Overrides { rate: Some(1e9), ..Overrides::default() }));
        assert!(Scenario::named("fan-out", &Overrides::default()).is_err());
    }
}
