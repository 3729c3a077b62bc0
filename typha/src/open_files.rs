//! How many files this process may have open. Every agent's connection is one; shells, systemd and containers begin with
//! 1,024, and let a process raise that by itself.

use std::{io, num::NonZero, thread::available_parallelism};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// What is open besides agents' connections: those to the admin port and to the datastore, those that are about to be
/// closed, logs, and the certificates while they are read.
const BESIDES_AGENTS: u64 = 300;
/// What the runtime of each core has open.
const PER_CORE: u64 = 10;

/// What the process may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenFiles {
    /// At present, and at the most without a privilege.
    limit: u64,
    /// What is taken by other things than agents.
    taken: u64,
}

impl OpenFiles {
    /// Raises the limit, as far as it may be raised, to what so many connections need.
    pub(crate) fn for_connections(connections: usize) -> io::Result<Self> {
        let cores = available_parallelism().map_or(1, NonZero::get);
        let taken = BESIDES_AGENTS + PER_CORE * cores as u64;
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        let limit = hard.min(connections as u64 + taken).max(soft);
        if limit > soft {
            setrlimit(Resource::RLIMIT_NOFILE, limit, hard)?;
        }
        Ok(Self { limit, taken })
    }

    /// For how many connections there is room; for one at least, or nobody would be told what is wrong.
    pub(crate) fn room(self) -> usize {
        usize::try_from(self.limit.saturating_sub(self.taken)).unwrap_or(usize::MAX).max(1)
    }

    /// What to do where that is not enough.
    pub(crate) fn advice(self, connections: usize) -> String {
        let Self { limit, taken } = self;
        let (room, needed) = (self.room(), connections as u64 + taken);
        format!(
            "this process may have {limit} files open, which is room for the connections of {room} agents; more are turned \
             away. Raise it for more: LimitNOFILE={needed} for a systemd unit, --ulimit nofile={needed} for a container"
        )
    }
}
