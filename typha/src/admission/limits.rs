//! How much is sent at once, and how long clients wait.

use std::{num::NonZero, thread::available_parallelism, time::Duration};

/// What one connection has under way at a time: a message of ours, and what the kernel buffers of it.
const SHARE_BYTES: u64 = 1 << 20;

/// So many shares for each core. To seal and to write a message of 128 KiB takes some 100 us, so that a healthy stream
/// whose turn comes last waits for 2 ms; and so many clients keep a core busy while some of them read slowly.
const SHARES_PER_CORE: u64 = 16;

/// How much is sent at once, and how long clients wait.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionLimits {
    /// What the shares of all clients who are being sent a state may come to.
    pub budget_bytes: u64,
    /// The most that one client's share is. Its state may be larger: what is not under way costs nothing yet.
    pub share_bytes: u64,
    /// Who takes less than its share within this gives way to those who wait: it has stopped reading, or its network is
    /// so slow that it does not need more.
    pub window: Duration,
    /// How long a client waits in line. Less than the 20 s after which a client deems a silent server dead.
    pub patience: Duration,
    /// When who is put off may come back, as long as it is not known how fast others are served.
    pub retry: Duration,
    /// How many clients wait at a time. Each takes a few hundred bytes, and 4 KiB where it sent the digests of its ranges;
    /// those of a large cluster fit.
    pub waiting: usize,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, NonZero::get) as u64;
        Self {
            budget_bytes: cores * SHARES_PER_CORE * SHARE_BYTES,
            share_bytes: SHARE_BYTES,
            window: Duration::from_secs(5),
            patience: Duration::from_secs(10),
            retry: Duration::from_secs(5),
            waiting: 5000,
        }
    }
}
