//! The settings as this room uses them. What they mean and what they are by default is said by
//! [`model::intent::NodeConfig`].

use std::time::Duration;

use model::intent::{EndpointToHostAction, FailsafePort, NodeConfig, Protocol};

/// Settings of one dataplane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Interfaces whose names begin with one of these are workloads'; those that no endpoint claims drop.
    pub workload_interface_prefixes: Vec<String>,
    /// What becomes of packets from a workload to its own host, once the workload's egress policy let them pass.
    pub endpoint_to_host_action: EndpointToHostAction,
    /// What the kernel's log shows in front of packets that a rule logs.
    pub log_prefix: String,
    /// Bit of the packet mark that says "allowed by egress policy" while a packet is evaluated.
    pub accept_mark: u32,
    /// Bit of the packet mark that says "passed to the next tier" while a packet is evaluated.
    pub pass_mark: u32,
    /// Reaches the host whatever policy says, so that nobody locks himself out.
    pub failsafe_inbound: Vec<FailsafePort>,
    /// Leaves the host whatever policy says.
    pub failsafe_outbound: Vec<FailsafePort>,
    /// How often the kernel is read back to find and undo what others changed; `None` is never.
    pub resync_interval: Option<Duration>,
}

/// UDP 4789 from a workload would be taken for another node's encapsulated traffic.
pub(crate) const VXLAN_PORT: u16 = 4789;
/// IP in IP, by its protocol number, for the same reason.
pub(crate) const IP_IN_IP: Protocol = Protocol(4);

/// What the kernel takes: NF_LOG_PREFIXLEN, without the final zero.
const MAX_LOG_PREFIX_BYTES: usize = 127;

/// Stands between the prefix and the packet.
const LOG_SEPARATOR: &str = ": ";

impl From<&NodeConfig> for Config {
    /// The lowest bits of the mask are taken first, as Felix does.
    fn from(node: &NodeConfig) -> Self {
        let accept_mark = lowest_bit(node.mark_mask);
        Self {
            workload_interface_prefixes: disjoint(&node.interface_prefixes),
            endpoint_to_host_action: node.endpoint_to_host_action,
            log_prefix: log_prefix(&node.log_prefix),
            accept_mark,
            pass_mark: lowest_bit(node.mark_mask & !accept_mark),
            failsafe_inbound: node.failsafe_inbound.clone(),
            failsafe_outbound: node.failsafe_outbound.clone(),
            resync_interval: node.refresh_interval,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::from(&NodeConfig::default())
    }
}

/// Without those that another one covers: each interface is to be led to its endpoint once.
fn disjoint(prefixes: &[String]) -> Vec<String> {
    let mut prefixes = prefixes.to_vec();
    prefixes.sort();
    prefixes.dedup_by(|later, earlier| later.starts_with(earlier.as_str()));
    prefixes
}

fn lowest_bit(mask: u32) -> u32 {
    mask & mask.wrapping_neg()
}

/// Whoever asks for more than the kernel takes gets its beginning.
fn log_prefix(prefix: &str) -> String {
    let mut prefix = prefix.to_owned();
    let end = prefix.floor_char_boundary(MAX_LOG_PREFIX_BYTES - LOG_SEPARATOR.len());
    prefix.truncate(end);
    prefix + LOG_SEPARATOR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_mask_gives_its_lowest_bits() {
        let marks = |mark_mask| {
            let config = Config::from(&NodeConfig { mark_mask, ..NodeConfig::default() });
            (config.accept_mark, config.pass_mark)
        };
        assert_eq!(marks(0xffff_0000), (0x1_0000, 0x2_0000));
        assert_eq!(marks(0x8000_0010), (0x10, 0x8000_0000));
    }

    #[test]
    fn a_prefix_that_another_covers_is_left_out() {
        let prefixes = ["tap", "cali", "cali-x", "cal1", "cali"].map(str::to_owned);
        assert_eq!(disjoint(&prefixes), ["cal1", "cali", "tap"]);
    }

    #[test]
    fn a_log_prefix_is_no_longer_than_the_kernel_takes() {
        assert_eq!(log_prefix("calico-packet"), "calico-packet: ");
        let long = log_prefix(&"\u{e9}".repeat(100));
        assert_eq!((long.len(), long.ends_with("\u{e9}: ")), (126, true));
    }
}
