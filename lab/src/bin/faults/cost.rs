//! What a fault cost.

use std::{fmt, time::Duration};

use serde::Serialize;

use crate::account::Window;

/// One fault's cost, over all clients.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Cost {
    /// What broke.
    pub(crate) fault: String,
    /// From the fault until all clients had everything again.
    pub(crate) seconds: f64,
    /// Writes meanwhile.
    pub(crate) writes: u64,
    /// Clients whose stream was cut at least once.
    pub(crate) clients_cut: usize,
    /// Clients that went to another replica.
    pub(crate) clients_moved: usize,
    pub(crate) resumes: u64,
    pub(crate) snapshots: u64,
    /// Times that a client's digest told that something was missing; it was sent then.
    pub(crate) repairs: u64,
    /// Bytes of messages received by all clients.
    pub(crate) received_bytes: u64,
    /// The longest time without a change, of the client that had the longest, and of half of them.
    pub(crate) longest_gap_ms: u64,
    pub(crate) median_gap_ms: u64,
    /// The oldest write when it came to a client.
    pub(crate) oldest_write_ms: u64,
    /// How old a replica said that its view was.
    pub(crate) upstream_age_ms: u64,
    /// CPU time of all typhas.
    pub(crate) typha_cpu_seconds: f64,
}

impl Cost {
    /// The clients' part of it.
    pub(crate) fn of(fault: String, windows: &[Window]) -> Self {
        let mut gaps: Vec<Duration> = windows.iter().map(|window| window.gap).collect();
        gaps.sort_unstable();
        let most = |of: fn(&Window) -> Duration| millis(windows.iter().map(of).max());
        Self {
            fault,
            clients_cut: windows.iter().filter(|window| window.cut > 0).count(),
            clients_moved: windows.iter().filter(|window| window.moves > 0).count(),
            resumes: windows.iter().map(|window| window.resumes).sum(),
            snapshots: windows.iter().map(|window| window.snapshots).sum(),
            repairs: windows.iter().map(|window| window.repairs).sum(),
            longest_gap_ms: millis(gaps.last().copied()),
            median_gap_ms: millis(gaps.get(gaps.len() / 2).copied()),
            oldest_write_ms: most(|window| window.oldest),
            upstream_age_ms: most(|window| window.upstream_age),
            ..Self::default()
        }
    }
}

fn millis(duration: Option<Duration>) -> u64 {
    duration.unwrap_or_default().as_millis() as u64
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seconds, clients_cut, clients_moved, resumes, snapshots, repairs, longest_gap_ms, .. } = self;
        write!(
            f,
            "{seconds:.1} s; {clients_cut} clients cut, {clients_moved} moved; {resumes} resumes, {snapshots} \
             snapshots, {repairs} repairs; longest gap {longest_gap_ms} ms; nothing lost"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_client_counts() {
        let window = |gap_ms, cut, moves| Window {
            gap: Duration::from_millis(gap_ms),
            cut,
            moves,
            resumes: cut,
            ..Window::default()
        };
        let cost = Cost::of("x".into(), &[window(10, 0, 0), window(500, 2, 1), window(20, 1, 0)]);
        assert_eq!((cost.clients_cut, cost.clients_moved, cost.resumes), (2, 1, 3));
        assert_eq!((cost.longest_gap_ms, cost.median_gap_ms), (500, 20));
    }
}
