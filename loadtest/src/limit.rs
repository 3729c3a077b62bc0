//! What the machine must allow for so many clients: file descriptors and ports; and what to raise where it does not.

use std::{fs, thread::available_parallelism};

use anyhow::{Result, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::scenario::Scenario;

/// Descriptors that a run needs besides one for each client, and those that the threads of each core need.
const BESIDES_CLIENTS: u64 = 100;
const PER_CORE: u64 = 10;

/// Raises what we may raise and fails where that is not enough. `targets` is how many addresses clients connect to.
pub(crate) fn check(scenario: &Scenario, targets: u32) -> Result<()> {
    raise_descriptors(scenario.clients)?;
    let addresses = if targets == 0 { scenario.replicas } else { targets };
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    check_ports(scenario.clients, addresses, &range)
}

/// Children inherit the limit, so that typha too can hold all clients.
fn raise_descriptors(clients: u32) -> Result<()> {
    let cores = available_parallelism().map_or(1, usize::from) as u64;
    let needed = u64::from(clients) + BESIDES_CLIENTS + PER_CORE * cores;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= needed || setrlimit(Resource::RLIMIT_NOFILE, needed, hard.max(needed)).is_ok() {
        return Ok(());
    }
    bail!(
        "{clients} clients need {needed} file descriptors here, and as many in typha; the limit is {soft}, at most \
         {hard}. Raise it: `ulimit -n {needed}` as root (LimitNOFILE={needed} for a systemd unit, \
         --ulimit nofile={needed} for a container), or run several processes with --share"
    )
}

/// A connection to one address needs a local port of its own.
fn check_ports(clients: u32, addresses: u32, range: &str) -> Result<()> {
    let mut bounds = range.split_whitespace().filter_map(|bound| bound.parse::<u32>().ok());
    let (Some(first), Some(last)) = (bounds.next(), bounds.next()) else { return Ok(()) };
    let ports = last.saturating_sub(first) + 1;
    if clients <= ports.saturating_mul(addresses) {
        return Ok(());
    }
    bail!(
        "{clients} clients of {addresses} addresses need as many local ports, and there are {ports} for each address; \
         raise it: sysctl -w net.ipv4.ip_local_port_range='1024 65535'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_counted_for_each_address() {
        let refused = |clients, addresses| check_ports(clients, addresses, "32768\t60999\n").is_err();
        assert!(!refused(28_232, 1) && refused(28_233, 1) && !refused(28_233, 2));
        assert!(check_ports(1_000_000, 1, "").is_ok(), "what cannot be read does not stop a run");
    }

    #[test]
    fn what_no_limit_allows_is_refused_with_what_to_raise() {
        let error = raise_descriptors(u32::MAX).unwrap_err().to_string();
        assert!(error.contains("ulimit -n 4294967") && error.contains("LimitNOFILE="), "{error}");
    }
}
