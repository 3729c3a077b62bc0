//! The right to make network namespaces: root has it, others get it in a user namespace of their own.

use std::fs;

use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
    unistd::{Uid, getegid, geteuid},
};

use super::LabError;

/// How the right to make network namespaces was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// The process runs as root.
    Root,
    /// The process is root of a user namespace of its own.
    UserNamespace,
}

/// Makes sure that this process may make network namespaces. Call it first thing in `main`: the kernel lets only a
/// process with a single thread change its user namespace.
pub fn acquire() -> Result<Privilege, LabError> {
    let (uid, gid) = (geteuid(), getegid());
    if uid.is_root() {
        return Ok(Privilege::Root);
    }
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|errno| LabError::privilege("unshare", errno))?;
    // Without privilege, the kernel maps groups only for those who give up setgroups first.
    write("/proc/self/setgroups", "deny")?;
    write("/proc/self/uid_map", &format!("0 {uid} 1"))?;
    write("/proc/self/gid_map", &format!("0 {gid} 1"))?;
    debug_assert_eq!(geteuid(), Uid::from_raw(0));
    Ok(Privilege::UserNamespace)
}

fn write(path: &str, text: &str) -> Result<(), LabError> {
    fs::write(path, text)
        .map_err(|error| LabError::privilege(path, Errno::from_raw(error.raw_os_error().unwrap_or_default())))
}
