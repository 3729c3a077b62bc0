//! A network namespace that lives as long as the descriptor that holds it.

use std::{
    fs::{self, File},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    path::{Path, PathBuf},
    thread,
};

use nix::sched::{CloneFlags, setns, unshare};

use super::{LabError, iproute};

/// Where the kernel shows the calling thread's network namespace.
const OWN_NAMESPACE: &str = "/proc/thread-self/ns/net";

/// An anonymous network namespace.
#[derive(Debug)]
pub struct Netns {
    /// Keeps the namespace alive; opened once.
    file: File,
}

impl Netns {
    /// Makes an empty one with its loopback up and ping sockets allowed.
    pub fn new() -> Result<Self, LabError> {
        let file = on_new_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| LabError::privilege("unshare", errno))?;
            File::open(OWN_NAMESPACE).map_err(LabError::system(format!("opening {OWN_NAMESPACE}")))
        })?;
        let netns = Self { file };
        netns.ip("link set lo up")?;
        // Probes ping through unprivileged ICMP sockets, which a new namespace allows to nobody.
        netns.sysctl("ipv4/ping_group_range", "0 0")?;
        Ok(netns)
    }

    /// Runs a closure inside, on a thread of its own; sockets that it opens stay inside for ever.
    pub fn run<T: Send>(&self, body: impl FnOnce() -> Result<T, LabError> + Send) -> Result<T, LabError> {
        on_new_thread(|| {
            self.enter()?;
            body()
        })
    }

    /// Moves the calling thread inside; threads and processes that it starts from then on start there.
    pub fn enter(&self) -> Result<(), LabError> {
        setns(self, CloneFlags::CLONE_NEWNET).map_err(LabError::system("entering a network namespace"))
    }

    /// A path that `ip … netns PATH` and `nsenter --net=PATH` understand while this process lives.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()))
    }

    /// Runs `ip` commands inside, one a line, all or an error.
    pub fn ip(&self, commands: &str) -> Result<(), LabError> {
        self.run(|| iproute::batch(commands))
    }

    /// Sets a network sysctl inside, by its path below `/proc/sys/net`.
    pub fn sysctl(&self, name: &str, value: &str) -> Result<(), LabError> {
        let path = Path::new("/proc/sys/net").join(name);
        self.run(|| {
            fs::write(&path, value).map_err(LabError::system(format!("writing {value:?} to {}", path.display())))
        })
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A thread whose namespace can be changed without a trace, since it ends with the closure.
fn on_new_thread<T: Send>(body: impl FnOnce() -> Result<T, LabError> + Send) -> Result<T, LabError> {
    thread::scope(|scope| match scope.spawn(body).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
