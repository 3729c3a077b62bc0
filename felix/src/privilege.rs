//! Whether this process may program the kernel, asked before anything else, because the kernel's own answer comes late
//! and says little.

use std::fs;

use anyhow::{Context as _, bail};

/// CAP_NET_ADMIN's bit in capability sets (linux/capability.h).
const CAP_NET_ADMIN: u32 = 12;

/// Refuses to start without CAP_NET_ADMIN, and says how to get it.
pub(crate) fn check() -> anyhow::Result<()> {
    let status = fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    if may_program(&status) {
        return Ok(());
    }
    bail!(
        "felix may not program this kernel: it lacks CAP_NET_ADMIN. Run it as root (sudo felix …), or to try it out \
         without root, in a namespace of its own (unshare --user --map-root-user --net felix …)"
    )
}

fn may_program(status: &str) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).is_some_and(|set| set >> CAP_NET_ADMIN & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_capability_is_read_from_the_effective_set() {
        assert!(may_program("Name:\tfelix\nCapPrm:\t0000000000000000\nCapEff:\t000001ffffffffff\n"));
        assert!(may_program("CapEff:\t0000000000001000\n"));
        assert!(!may_program("CapPrm:\t000001ffffffffff\nCapEff:\t0000000000000000\n"));
        assert!(!may_program(""));
    }
}
