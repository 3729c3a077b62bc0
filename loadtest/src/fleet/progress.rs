//! Tells whoever watches how many clients have everything, while they are waited for.

use std::time::Duration;

use tokio::time::Instant;

/// Between two lines. A wait that is shorter has none.
const EVERY: Duration = Duration::from_secs(2);

/// A wait for clients.
pub(super) struct Progress {
    clients: u32,
    started: Instant,
    next_line: Instant,
}

impl Progress {
    /// A wait for so many clients begins.
    pub(super) fn new(clients: u32) -> Self {
        let now = Instant::now();
        Self { clients, started: now, next_line: now + EVERY }
    }

    /// How long it has lasted.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Says how many have everything, if it is time to, and whenever a wait of some length is over. Where not one has,
    /// there is nothing to wait for, most likely, and `trouble` says why.
    pub(super) fn show(&mut self, ready: usize, trouble: impl FnOnce() -> Option<String>) {
        let is_over = ready == self.clients as usize && self.elapsed() > EVERY;
        if is_over || Instant::now() >= self.next_line {
            self.next_line += EVERY;
            let why = trouble().filter(|_| ready == 0).map(|why| format!("; {why}")).unwrap_or_default();
            let elapsed_s = self.elapsed().as_secs_f64();
            eprintln!("  {elapsed_s:6.1} s  {ready} of {} clients have everything{why}", self.clients);
        }
    }
}
