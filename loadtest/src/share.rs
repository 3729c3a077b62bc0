//! A run that several processes share: which clients are this one's, and how the processes agree.

mod meeting;
mod word;

use std::{fmt, str::FromStr};

use anyhow::{Context as _, Result, bail};
use datastore_adapters::EtcdStore;
use serde::{Deserialize, Serialize};

pub(crate) use self::meeting::Meeting;
use crate::{clock::Clock, scenario::Scenario};

/// One process's part of a run, as `2/3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Share {
    /// From 1 on.
    part: u32,
    of: u32,
}

impl Share {
    /// Whether this process writes, and says when things begin.
    pub(crate) fn leads(self) -> bool {
        self.part == 1
    }

    /// The number of this process's first client and how many it has, of all clients of the run.
    pub(crate) fn clients(self, all: u32) -> (u32, u32) {
        let until = |part: u32| (u64::from(all) * u64::from(part) / u64::from(self.of)) as u32;
        (until(self.part - 1), until(self.part) - until(self.part - 1))
    }

    /// The other processes' shares.
    pub(crate) fn others(self) -> impl Iterator<Item = Self> {
        (1..=self.of).map(move |part| Self { part, of: self.of }).filter(move |other| *other != self)
    }

    /// The share of the process that writes.
    pub(crate) fn leader(self) -> Self {
        Self { part: 1, of: self.of }
    }
}

/// A run that is shared, before it began.
pub(crate) struct Shared {
    share: Share,
    /// What the whole run does.
    whole: Scenario,
}

impl Shared {
    /// Takes a share of a run.
    pub(crate) fn new(share: Share, whole: Scenario) -> Result<Self> {
        if share.of > whole.clients {
            bail!("{} clients cannot be shared by {} processes", whole.clients, share.of);
        }
        Ok(Self { share, whole })
    }

    /// The number of this process's first client.
    pub(crate) fn first_client(&self) -> u32 {
        self.share.clients(self.whole.clients).0
    }

    /// What this process does of the run.
    pub(crate) fn part(&self) -> Scenario {
        Scenario { clients: self.share.clients(self.whole.clients).1, ..self.whole.clone() }
    }

    /// Where it meets the others.
    pub(crate) fn meeting(&self, store: EtcdStore, clock: Clock) -> Meeting {
        Meeting::new(self.share, store, self.whole.clone(), clock)
    }
}

/// What a report says of the run that it is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Which part.
    pub(crate) share: Share,
    /// When all began, microseconds since the Unix epoch; the same in all parts.
    pub(crate) start_unix_us: u64,
}

impl From<&Meeting> for Part {
    fn from(meeting: &Meeting) -> Self {
        Self { share: meeting.share(), start_unix_us: meeting.start_unix_us() }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}

impl FromStr for Share {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let hint = || format!("{text:?} is no share; write for example 2/3");
        let (part, of) = text.split_once('/').with_context(hint)?;
        let (part, of) = (part.parse().with_context(hint)?, of.parse().with_context(hint)?);
        if part == 0 || part > of {
            bail!("{}: shares are from 1/{of} to {of}/{of}", hint());
        }
        Ok(Self { part, of })
    }
}

impl TryFrom<String> for Share {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_is_in_one_share() {
        let shares: Vec<Share> = ["1/3", "2/3", "3/3"].map(|text| text.parse().unwrap()).into();
        let clients: Vec<(u32, u32)> = shares.iter().map(|share| share.clients(1000)).collect();
        assert_eq!(clients, [(0, 333), (333, 333), (666, 334)]);
        assert_eq!(shares[1].others().collect::<Vec<_>>(), [shares[0], shares[2]]);
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for text in ["0/3", "4/3", "1", "a/b", "-1/2"] {
            assert!(text.parse::<Share>().unwrap_err().to_string().contains(text), "{text}");
        }
    }
}
