//! What was measured on.

use std::fs;

use serde::{Deserialize, Serialize};

/// A machine, as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// Cores that we may use.
    pub(crate) cores: u32,
    /// The processor's model.
    pub(crate) cpu: String,
    /// The kernel's release.
    pub(crate) kernel: String,
    /// Whether the programs are optimised; figures of a debug build are worth nothing.
    pub(crate) is_release_build: bool,
}

impl Machine {
    /// The one we run on. What it does not tell is empty.
    pub(crate) fn this() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from) as u32,
            cpu: model.map(|(_, model)| model.trim().to_owned()).unwrap_or_default(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            is_release_build: !cfg!(debug_assertions),
        }
    }
}
