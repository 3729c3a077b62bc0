//! What the kernel says of a process, CPU time and memory from /proc, and what it does for us: ends children with us.

mod machine_time;

use std::{fs, io, os::unix::process::CommandExt as _, process::Command};

use anyhow::{Context as _, Result};
use nix::{
    sys::{prctl::set_pdeathsig, signal::Signal},
    unistd::{SysconfVar, getpid, getppid, sysconf},
};

pub(crate) use self::machine_time::MachineTime;

/// CPU time and memory of a process at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time since the process started, microseconds. The kernel counts in ticks of 10 ms.
    pub(crate) cpu_us: u64,
    /// Resident set size, kilobytes.
    pub(crate) rss_kb: u64,
}

impl Usage {
    /// Reads the usage of a process.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let stat = read(pid, "stat")?;
        let status = read(pid, "status")?;
        Ok(Self { cpu_us: cpu_us(&stat)?, rss_kb: rss_kb(&status)? })
    }

    /// Reads our own usage.
    pub(crate) fn own() -> Result<Self> {
        Self::of(std::process::id())
    }

    /// CPU time since an earlier reading, microseconds.
    pub(crate) fn cpu_us_since(&self, earlier: &Self) -> u64 {
        self.cpu_us.saturating_sub(earlier.cpu_us)
    }
}

/// Has a child process killed when this one is gone, however it went. In a process group of its own, so that Ctrl-C is ours
/// to handle.
pub(crate) fn end_with_us(command: &mut Command) {
    let parent = getpid();
    let before_exec = move || {
        set_pdeathsig(Signal::SIGKILL)?;
        // We may have died before that call; then nobody would tell the child.
        if getppid() == parent { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    };
    command.process_group(0);
    // SAFETY: the closure only makes system calls.
    unsafe {
        command.pre_exec(before_exec);
    }
}

/// Gives memory that was freed back to the kernel. What thousands of clients need for a moment when they connect would
/// otherwise count as theirs for the rest of the run.
pub(crate) fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes no pointer and may be called at any time by any thread.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}

/// The machine's load average over one minute.
pub(crate) fn load_average() -> Result<f64> {
    let text = fs::read_to_string("/proc/loadavg").context("/proc/loadavg")?;
    text.split(' ').next().and_then(|first| first.parse().ok()).context("/proc/loadavg has no number in it")
}

fn read(pid: u32, file: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).with_context(|| format!("cannot read {path}: has the process died?"))
}

fn cpu_us(stat: &str) -> Result<u64> {
    // The command's name stands in parentheses and may hold anything; fields are counted from behind it.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok());
    let ticks = field(11).zip(field(12)).map(|(user, system)| user + system).context("/proc/PID/stat has no times")?;
    Ok(microseconds(ticks))
}

/// Of the kernel's ticks.
fn microseconds(ticks: u64) -> u64 {
    let ticks_per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100) as u64;
    ticks * 1_000_000 / ticks_per_second
}

fn rss_kb(status: &str) -> Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).context("/proc/PID/status has no VmRSS")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_usage_grows_with_work() {
        let before = Usage::own().unwrap();
        let mut sum = 0_u64;
        while Usage::own().unwrap().cpu_us_since(&before) < 20_000 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(before.rss_kb > 0);
    }

    #[test]
    fn names_with_spaces_and_parentheses_do_not_shift_fields() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0 20 0 1 0";
        assert_eq!(cpu_us(stat).unwrap(), 420_000);
    }
}
