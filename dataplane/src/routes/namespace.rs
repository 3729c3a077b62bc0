//! The network namespace that a dataplane belongs to, whichever thread it is used from.
//!
//! Sockets stay in the namespace they were opened in; files below `/proc/sys/net` do not, they are those of whoever
//! opens them.

use std::{fs::File, io, os::unix::fs::MetadataExt, thread};

use nix::sched::{CloneFlags, setns};

/// The calling thread's namespace, as a file.
const CURRENT: &str = "/proc/thread-self/ns/net";

/// A network namespace.
pub(super) struct Namespace(File);

impl Namespace {
    /// That of the calling thread.
    pub(super) fn current() -> io::Result<Self> {
        File::open(CURRENT).map(Self)
    }

    /// Does something there: in this thread if it is there already, else in one made for it.
    pub(super) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        if self.0.metadata()?.ino() == std::fs::metadata(CURRENT)?.ino() {
            return Ok(work());
        }
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET)?;
                Ok(work())
            });
            worker.join().unwrap_or_else(|_| Err(io::Error::other("the thread in the network namespace panicked")))
        })
    }
}
