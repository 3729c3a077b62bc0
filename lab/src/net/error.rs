//! What can go wrong in a laboratory, in words that name the way out.

use std::io;

use nix::errno::Errno;
use thiserror::Error;

/// Why a laboratory, or a part of it, could not be made.
#[derive(Debug, Error)]
pub enum LabError {
    /// The kernel refuses network namespaces to this user.
    #[error(
        "network namespaces need root, or a kernel that gives them to users ({reason}): run it with sudo, or {way_out}"
    )]
    Privilege {
        /// What the kernel said.
        reason: String,
        /// What else the user can do.
        way_out: &'static str,
    },
    /// A program that the laboratory calls is not installed.
    #[error("{program} is not installed: apt-get install {package}")]
    MissingProgram {
        /// The program.
        program: &'static str,
        /// The Debian package that brings it.
        package: &'static str,
    },
    /// `ip` refused a batch of commands.
    #[error("`ip` refused {commands:?}: {stderr}")]
    IpRoute {
        /// The batch.
        commands: String,
        /// What `ip` said.
        stderr: String,
    },
    /// A node that is not there was named.
    #[error("there is no node {0:?} in this laboratory; add it before its pods")]
    UnknownNode(String),
    /// A name was used twice.
    #[error("{0:?} exists already in this laboratory")]
    Duplicate(String),
    /// The kernel refused something else.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
}

impl LabError {
    /// For refusals of namespaces: which of the kernel's several locks this one is.
    pub(crate) fn privilege(what: &str, errno: Errno) -> Self {
        let way_out = match errno {
            Errno::ENOSPC => "raise the limit with `sudo sysctl user.max_user_namespaces=10000`",
            Errno::EINVAL => "start it from a process with one thread, such as a shell under `unshare --map-root-user`",
            _ => {
                "run it under `unshare --map-root-user`; where that is refused too, allow it with \
                 `sudo sysctl kernel.unprivileged_userns_clone=1` (Debian) or \
                 `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0` (Ubuntu)"
            }
        };
        Self::Privilege { reason: format!("{what}: {}", errno.desc()), way_out }
    }

    /// For `map_err`: says what was tried.
    pub(crate) fn system<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |error| Self::System { what, source: error.into() }
    }
}
