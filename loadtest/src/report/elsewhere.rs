//! Where the machine's CPU time went while the run was measured, other than to the servers and to loadtest.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sampler::Spent;

/// Cores kept busy on average, by whom. What is not seen from here is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "these are the names in the report, which say their unit")]
pub(crate) struct Elsewhere {
    /// By the datastore that the run started or was told the process of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) datastore_cores: Option<f64>,
    /// By processes that are none of the run's. In the field, typha and its datastore are among them where they run here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) others_cores: Option<f64>,
    /// Withheld by the host of a virtual machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) steal_cores: Option<f64>,
}

impl Elsewhere {
    /// What was spent in so many seconds.
    pub(super) fn new(spent: &Spent, seconds: f64) -> Self {
        let cores = |spent: Option<Duration>| spent.map(|spent| spent.as_secs_f64() / seconds);
        Self {
            datastore_cores: cores(spent.datastore),
            others_cores: cores(spent.others),
            steal_cores: cores(spent.steal),
        }
    }

    /// What is known, with whose it is.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let rows = [
            ("datastore CPU", self.datastore_cores),
            ("others' CPU", self.others_cores),
            ("CPU withheld by the host", self.steal_cores),
        ];
        rows.into_iter().filter_map(|(what, cores)| Some((what, cores?)))
    }

    /// All of it, as far as it is known.
    pub(super) fn cores(&self) -> f64 {
        [self.datastore_cores, self.others_cores, self.steal_cores].into_iter().flatten().sum()
    }

    /// Of two processes that share a run, perhaps on two machines: where more went elsewhere. Readings of one machine are
    /// the same twice, and are not to be added.
    pub(super) fn most(self, other: Self) -> Self {
        let most = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::max);
        Self {
            datastore_cores: most(self.datastore_cores, other.datastore_cores),
            others_cores: most(self.others_cores, other.others_cores),
            steal_cores: most(self.steal_cores, other.steal_cores),
        }
    }
}
