//! CPU time and memory of processes together, restarts included.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use crate::process::Usage;

/// Reads /proc of the processes that it was told of.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    pids: Vec<u32>,
    /// CPU time of processes that have ended, as last read.
    ended_cpu_us: u64,
    /// The same of those that are about to end.
    ending: Option<(u32, u64)>,
}

impl Meter {
    /// Of one process to begin with.
    pub(super) fn of(pid: u32) -> Self {
        Self { state: Mutex::new(State { pids: vec![pid], ..State::default() }) }
    }

    /// A process has started.
    pub(crate) fn started(&self, pid: u32) {
        self.locked().pids.push(pid);
    }

    /// Notes the CPU time of a process that is about to end; to be called until it has.
    pub(crate) fn ending(&self, pid: u32) {
        // Gone between two looks: what was read last counts.
        if let Ok(usage) = Usage::of(pid) {
            self.locked().ending = Some((pid, usage.cpu_us));
        }
    }

    /// A process has ended.
    pub(crate) fn ended(&self, pid: u32) {
        let mut state = self.locked();
        state.pids.retain(|other| *other != pid);
        if let Some((_, cpu_us)) = state.ending.take_if(|(ending, _)| *ending == pid) {
            state.ended_cpu_us += cpu_us;
        }
    }

    /// CPU time of all processes since they started, and the memory of those that live.
    pub(crate) fn usage(&self) -> Result<Usage> {
        let state = self.locked();
        let mut total = Usage { cpu_us: state.ended_cpu_us, rss_kb: 0 };
        for pid in &state.pids {
            match (Usage::of(*pid), state.ending) {
                (Ok(usage), _) => {
                    total.cpu_us += usage.cpu_us;
                    total.rss_kb += usage.rss_kb;
                }
                (Err(_), Some((ending, cpu_us))) if ending == *pid => total.cpu_us += cpu_us,
                (Err(error), _) => return Err(error),
            }
        }
        Ok(total)
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
