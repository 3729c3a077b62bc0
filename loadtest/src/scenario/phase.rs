//! The phases that scenarios are made of, as their files name them. What each does is in `stage::phases`.

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

/// A step of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Clients connect, a hundred at a time, until all have everything.
    Connect,
    /// So many percent of the clients connect, a hundred at a time, until they have everything.
    Gather(f64),
    /// Clients that have not connected yet do so all at once, until all have everything.
    Storm,
    /// What is reported is measured from here on.
    Measure,
    /// Writing begins; the next phases run beside it.
    Write,
    /// Waits until writing has ended and every client that reads has everything.
    Arrive,
    /// Nothing, for so many seconds.
    Pause(f64),
    /// So many percent of the clients stop reading.
    Stall(f64),
    /// So many percent of the clients have one turn to read in the time of a hundred transactions.
    Slow(f64),
    /// Every connection is cut, and the clients stay away.
    Disconnect,
    /// So many keys are made and deleted, more than typha remembers the deletion of.
    Bury(u32),
    /// Clients that stalled, are slow or stay away go on, all at once, until all have everything.
    Release,
    /// Every replica is restarted, one by one, with so many seconds between.
    Restart(f64),
    /// For so many seconds the first replica cannot reach its datastore, and is not told.
    Cut(f64),
}

impl Phase {
    /// Whether only a local deployment can do it.
    pub(crate) fn is_local_only(&self) -> bool {
        matches!(self, Self::Restart(_) | Self::Cut(_))
    }

    /// Whether clients leave, and may miss deletions.
    pub(crate) fn is_leaving(&self) -> bool {
        matches!(self, Self::Disconnect | Self::Bury(_))
    }

    fn is_sensible(&self) -> bool {
        match self {
            Self::Pause(seconds) | Self::Restart(seconds) | Self::Cut(seconds) => {
                seconds.is_finite() && *seconds >= 0.0
            }
            Self::Gather(percent) | Self::Stall(percent) | Self::Slow(percent) => (0.0..=100.0).contains(percent),
            _ => true,
        }
    }
}

/// Refuses an order of phases that measures nothing or says nothing.
pub(super) fn check(phases: &[Phase]) -> Result<()> {
    let place = |wanted: Phase| phases.iter().position(|phase| *phase == wanted);
    if place(Phase::Measure).is_none() {
        bail!("phases: `measure` is missing; it says from where on things are measured");
    }
    if place(Phase::Connect).or(place(Phase::Storm)).is_none() {
        bail!("phases: there must be `connect` or `storm`");
    }
    if let Some(write) = place(Phase::Write) {
        if place(Phase::Measure) > Some(write) || phases.iter().filter(|phase| **phase == Phase::Write).count() > 1 {
            bail!("phases: `write` must come once, after `measure`");
        }
        if !phases[write..].contains(&Phase::Arrive) {
            bail!("phases: `arrive` must follow `write`");
        }
    }
    match phases.iter().find(|phase| !phase.is_sensible()) {
        Some(phase) => bail!("phases: {phase:?} is out of range"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_that_say_nothing_are_refused() {
        assert!(check(&[Phase::Connect, Phase::Measure, Phase::Write, Phase::Arrive]).is_ok());
        assert!(check(&[Phase::Connect, Phase::Write, Phase::Measure, Phase::Arrive]).is_err());
        assert!(check(&[Phase::Connect, Phase::Measure, Phase::Write]).is_err());
        assert!(check(&[Phase::Measure, Phase::Write, Phase::Arrive]).is_err());
        assert!(check(&[Phase::Connect, Phase::Measure, Phase::Stall(101.0)]).is_err());
    }
}
