//! How busy the whole machine was, from /proc/stat: whoever kept it busy.

use std::fs;

use super::microseconds;

/// CPU time of all processors since boot, microseconds.
///
/// Interrupts are nobody's: where the kernel accounts for their time by itself, processes' times are without it, and so
/// is this; where it does not, it is in the times of whoever was interrupted, and in this. What a kernel thread did for a
/// process, such as ksoftirqd, is in this and in no process of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MachineTime {
    /// Spent for processes and kernel threads.
    pub(crate) busy_us: u64,
    /// Withheld by the host of a virtual machine.
    pub(crate) steal_us: u64,
}

impl MachineTime {
    /// Until now; `None` where the kernel does not tell.
    pub(crate) fn now() -> Option<Self> {
        parse(&fs::read_to_string("/proc/stat").ok()?)
    }
}

fn parse(stat: &str) -> Option<MachineTime> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|field| field.parse().ok()).collect();
    // Guests' time, further right, is in the user's too.
    let [user, nice, system, _idle, _iowait, hard, soft, steal, ..] = ticks[..] else { return None };
    // A kernel that takes the time of interrupts by sampling never meets one that is not within another.
    let interrupts = if hard == 0 { soft } else { 0 };
    let busy_us = microseconds(user + nice + system + interrupts);
    Some(MachineTime { busy_us, steal_us: microseconds(steal) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_not_busy_and_neither_are_interrupts_that_are_accounted_for() {
        let sampled = parse("cpu  100 20 30 5000 600 0 7 4 9 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n").unwrap();
        assert_eq!(sampled, MachineTime { busy_us: microseconds(157), steal_us: microseconds(4) });
        let accounted = parse("cpu  100 20 30 5000 600 3 7 4 9 0\n").unwrap();
        assert_eq!(accounted.busy_us, microseconds(150));
    }

    #[test]
    fn what_is_no_such_file_says_nothing() {
        assert_eq!((parse(""), parse("cpu  1 2 3\n"), parse("cpu0 1 2 3 4 5 6 7 8\n")), (None, None, None));
    }
}
