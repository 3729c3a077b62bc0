//! Numbers and fixed structures of rtnetlink, as far as they are used.

use crate::netlink::MessageWriter;

pub(super) const NLM_F_REQUEST: u16 = 0x1;
pub(super) const NLM_F_ACK: u16 = 0x4;
pub(super) const NLM_F_REPLACE: u16 = 0x100;
pub(super) const NLM_F_EXCL: u16 = 0x200;
pub(super) const NLM_F_DUMP: u16 = 0x300;
pub(super) const NLM_F_CREATE: u16 = 0x400;

pub(super) const RTM_GETLINK: u16 = 18;
pub(super) const RTM_GETADDR: u16 = 22;
pub(super) const RTM_NEWROUTE: u16 = 24;
pub(super) const RTM_DELROUTE: u16 = 25;
pub(super) const RTM_GETROUTE: u16 = 26;

pub(super) const AF_UNSPEC: u8 = 0;
pub(super) const AF_INET: u8 = 2;
pub(super) const AF_INET6: u8 = 10;

/// Length of `struct ifinfomsg`.
pub(super) const IFINFOMSG_LEN: usize = 16;
pub(super) const IFLA_IFNAME: u16 = 3;
pub(super) const IFF_UP: u32 = 1;

/// Length of `struct ifaddrmsg`.
pub(super) const IFADDRMSG_LEN: usize = 8;
pub(super) const IFA_ADDRESS: u16 = 1;
pub(super) const IFA_LOCAL: u16 = 2;

/// Length of `struct rtmsg`.
pub(super) const RTMSG_LEN: usize = 12;
pub(super) const RTA_DST: u16 = 1;
pub(super) const RTA_OIF: u16 = 4;
pub(super) const RTA_GATEWAY: u16 = 5;
pub(super) const RTA_PRIORITY: u16 = 6;
pub(super) const RTA_VIA: u16 = 18;
pub(super) const RT_TABLE_MAIN: u8 = 254;
pub(super) const RT_SCOPE_UNIVERSE: u8 = 0;
pub(super) const RT_SCOPE_LINK: u8 = 253;
pub(super) const RTN_UNICAST: u8 = 1;
pub(super) const RTN_BLACKHOLE: u8 = 6;
pub(super) const RTNH_F_ONLINK: u32 = 4;

/// `struct rtmsg`.
#[derive(Clone, Copy, Default)]
pub(super) struct RouteHeader {
    pub(super) family: u8,
    pub(super) prefix_len: u8,
    pub(super) table: u8,
    pub(super) protocol: u8,
    pub(super) scope: u8,
    pub(super) kind: u8,
    pub(super) flags: u32,
}

impl RouteHeader {
    pub(super) fn to_bytes(self) -> [u8; RTMSG_LEN] {
        let [f0, f1, f2, f3] = self.flags.to_ne_bytes();
        let Self { family, prefix_len, table, protocol, scope, kind, .. } = self;
        [family, prefix_len, 0, 0, table, protocol, scope, kind, f0, f1, f2, f3]
    }

    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let [family, prefix_len, _, _, table, protocol, scope, kind, f0, f1, f2, f3] = *payload.first_chunk()?;
        let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
        Some(Self { family, prefix_len, table, protocol, scope, kind, flags })
    }
}

/// Writes a request for a listing.
pub(super) fn dump(writer: &mut MessageWriter, kind: u16, header: &[u8]) {
    writer.message(kind, NLM_F_REQUEST | NLM_F_DUMP, header, |_| {});
}
