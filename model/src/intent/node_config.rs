//! Settings of one node's dataplane, as FelixConfiguration gives them. Names and defaults are Calico's.

use std::time::Duration;

use ipnet::IpNet;

use super::Protocol;

/// What can be set about how a node enforces its intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeConfig {
    /// `interfacePrefix`: interfaces whose names begin with one of these are workloads'. At least one; none is empty.
    pub interface_prefixes: Vec<String>,
    /// `defaultEndpointToHostAction`.
    pub endpoint_to_host_action: EndpointToHostAction,
    /// `logPrefix`: begins the kernel's log lines for Log rules; a colon and a space follow it.
    pub log_prefix: String,
    /// `failsafeInboundHostPorts`: reaches the host whatever policy says, so that nobody locks himself out.
    pub failsafe_inbound: Vec<FailsafePort>,
    /// `failsafeOutboundHostPorts`: leaves the host whatever policy says.
    pub failsafe_outbound: Vec<FailsafePort>,
    /// `nftablesMarkMask`: bits of the packet mark that are ours to use; at least two.
    pub mark_mask: u32,
    /// `nftablesRefreshInterval`: how often the kernel is read back to undo what others changed; `None` is never.
    pub refresh_interval: Option<Duration>,
}

/// What becomes of packets from a workload to its own host, once the workload's egress policy let them pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EndpointToHostAction {
    /// They are dropped.
    #[default]
    Drop,
    /// They pass.
    Accept,
    /// Rules of other tables decide; ours lets them go on.
    Return,
}

/// A port that host endpoints' policy does not close.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FailsafePort {
    /// A protocol that has ports.
    pub protocol: Protocol,
    /// The destination's port.
    pub port: u16,
    /// Where the other end must be; anywhere where not given.
    pub net: Option<IpNet>,
}

/// Calico's for nftables is 180 s, and for sets and routes, which are read along with the rules here, 90 s.
const REFRESH_INTERVAL: Duration = Duration::from_secs(90);

/// BGP, etcd's ports, Typha, the Kubernetes API and, for old clusters, 6666 and 6667.
const FAILSAFE_TCP: [u16; 7] = [179, 2379, 2380, 5473, 6443, 6666, 6667];

impl Default for NodeConfig {
    fn default() -> Self {
        let port = |protocol| move |port| FailsafePort { protocol, port, net: None };
        let (tcp, udp) = (port(Protocol::TCP), port(Protocol::UDP));
        Self {
            interface_prefixes: vec!["cali".to_owned()],
            endpoint_to_host_action: EndpointToHostAction::default(),
            log_prefix: "calico-packet".to_owned(),
            failsafe_inbound: [tcp(22), udp(68)].into_iter().chain(FAILSAFE_TCP.map(tcp)).collect(),
            failsafe_outbound: [udp(53), udp(67)].into_iter().chain(FAILSAFE_TCP.map(tcp)).collect(),
            mark_mask: 0xffff_0000,
            refresh_interval: Some(REFRESH_INTERVAL),
        }
    }
}
