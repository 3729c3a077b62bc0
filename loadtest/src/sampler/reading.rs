//! CPU time and memory at one moment, and what was spent by whom between two.

use std::time::Duration;

use crate::process::{MachineTime, Usage};

/// What gauges showed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    pub(crate) server: Option<Usage>,
    pub(crate) datastore: Option<Usage>,
    pub(crate) own: Usage,
    pub(crate) machine: Option<MachineTime>,
}

/// CPU time between two readings; `None` where it is not seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) server: Option<Duration>,
    pub(crate) datastore: Option<Duration>,
    pub(crate) own: Duration,
    /// By processes that are none of the run's.
    pub(crate) others: Option<Duration>,
    /// Withheld by the host of a virtual machine.
    pub(crate) steal: Option<Duration>,
}

impl Reading {
    /// What was spent since an earlier reading.
    pub(crate) fn since(&self, earlier: &Self) -> Spent {
        let of = |now: Usage, before: Usage| Duration::from_micros(now.cpu_us_since(&before));
        let between = |now: Option<Usage>, before: Option<Usage>| Some(of(now?, before?));
        let server = between(self.server, earlier.server);
        let datastore = between(self.datastore, earlier.datastore);
        let own = of(self.own, earlier.own);
        let run = own + server.unwrap_or_default() + datastore.unwrap_or_default();
        let machine = self.machine.zip(earlier.machine);
        let more = |now: u64, before: u64| Duration::from_micros(now.saturating_sub(before));
        Spent {
            server,
            datastore,
            own,
            // The kernel counts the machine's time by sampling and a process's exactly: a little may be missing.
            others: machine.map(|(now, before)| more(now.busy_us, before.busy_us).saturating_sub(run)),
            steal: machine.map(|(now, before)| more(now.steal_us, before.steal_us)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(server: u64, datastore: u64, own: u64, busy_us: u64) -> Reading {
        let usage = |cpu_us| Usage { cpu_us, rss_kb: 0 };
        Reading {
            server: Some(usage(server)),
            datastore: Some(usage(datastore)),
            own: usage(own),
            machine: Some(MachineTime { busy_us, steal_us: busy_us / 100 }),
        }
    }

    #[test]
    fn what_the_run_did_not_spend_others_did() {
        let spent = reading(70, 11, 300, 1400).since(&reading(20, 1, 100, 1000));
        let us = Duration::from_micros;
        assert_eq!((spent.server, spent.datastore, spent.own), (Some(us(50)), Some(us(10)), us(200)));
        assert_eq!((spent.others, spent.steal), (Some(us(140)), Some(us(4))));
    }

    #[test]
    fn a_machine_that_counted_less_than_the_run_spent_has_no_others() {
        let spent = reading(70, 11, 300, 1100).since(&reading(20, 1, 100, 1000));
        assert_eq!(spent.others, Some(Duration::ZERO));
        let blind = Reading { machine: None, datastore: None, ..reading(70, 0, 300, 0) };
        let spent = blind.since(&reading(20, 1, 100, 1000));
        assert_eq!((spent.others, spent.datastore), (None, None));
    }
}
