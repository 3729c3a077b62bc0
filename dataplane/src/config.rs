//! What can be chosen about the dataplane. Names and defaults are Calico's.

use std::time::Duration;

use model::intent::Protocol;

/// Settings of one dataplane.
#[derive(Clone, Debug)]
pub struct Config {
    /// Interfaces whose names begin with this are workloads'; those that no endpoint claims drop.
    pub workload_interface_prefix: String,
    /// What becomes of packets from a workload to its own host, once the workload's egress policy let them pass.
    pub endpoint_to_host_action: EndpointToHostAction,
    /// What the kernel's log shows in front of packets that a rule logs.
    pub log_prefix: String,
    /// Bit of the packet mark that says "allowed by egress policy" while a packet is evaluated.
    pub accept_mark: u32,
    /// Bit of the packet mark that says "passed to the next tier" while a packet is evaluated.
    pub pass_mark: u32,
    /// Reaches the host whatever policy says, so that nobody locks himself out.
    pub failsafe_inbound: Vec<(Protocol, u16)>,
    /// Leaves the host whatever policy says.
    pub failsafe_outbound: Vec<(Protocol, u16)>,
    /// How often the kernel is read back to find and undo what others changed.
    pub resync_interval: Duration,
}

/// What becomes of packets from a workload to its own host.
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

/// UDP 4789 from a workload would be taken for another node's encapsulated traffic.
pub(crate) const VXLAN_PORT: u16 = 4789;
/// IP in IP, by its protocol number, for the same reason.
pub(crate) const IP_IN_IP: Protocol = Protocol(4);

/// Often enough that an intruder's change does not stay, seldom enough that it costs nothing; Felix's own interval
/// for sets and routes.
const RESYNC_INTERVAL: Duration = Duration::from_secs(90);

/// BGP, etcd's ports, Typha, the Kubernetes API and, for old clusters, 6666 and 6667.
const FAILSAFE_TCP: [u16; 7] = [179, 2379, 2380, 5473, 6443, 6666, 6667];

impl Default for Config {
    fn default() -> Self {
        let tcp = |port: u16| (Protocol::TCP, port);
        let udp = |port: u16| (Protocol::UDP, port);
        Self {
            workload_interface_prefix: "cali".to_owned(),
            endpoint_to_host_action: EndpointToHostAction::default(),
            log_prefix: "calico-packet: ".to_owned(),
            accept_mark: 0x1_0000,
            pass_mark: 0x2_0000,
            failsafe_inbound: [tcp(22), udp(68)].into_iter().chain(FAILSAFE_TCP.map(tcp)).collect(),
            failsafe_outbound: [udp(53), udp(67)].into_iter().chain(FAILSAFE_TCP.map(tcp)).collect(),
            resync_interval: RESYNC_INTERVAL,
        }
    }
}
