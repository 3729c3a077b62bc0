//! Our routes in the kernel, and the messages that make them what they are to be.

use std::{collections::BTreeMap, io, net::IpAddr};

use ipnet::IpNet;
use nix::libc;

use super::{
    ROUTE_PROTOCOL,
    message::{
        AF_INET, AF_INET6, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, RT_SCOPE_LINK,
        RT_SCOPE_UNIVERSE, RT_TABLE_MAIN, RTA_DST, RTA_GATEWAY, RTA_OIF, RTA_PRIORITY, RTA_VIA, RTM_DELROUTE,
        RTM_GETROUTE, RTM_NEWROUTE, RTMSG_LEN, RTN_BLACKHOLE, RTN_UNICAST, RTNH_F_ONLINK, RouteHeader, dump,
    },
    refused::is_about_gateway,
};
use crate::netlink::{Message, MessageWriter, Refusal, Socket, octets, parse_address};

/// Routes of others to the same prefix usually have metric 0 and stay beside ours; Calico's own metric.
pub(super) const METRIC: u32 = 1024;
/// How many requests go in one datagram: their answers fit the receive buffer many times over.
const REQUESTS_PER_DATAGRAM: usize = 512;

/// Where packets to a prefix go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Out of an interface, behind which the prefix is.
    Link { index: u32 },
    /// To a gateway.
    Via { next_hop: IpAddr },
    /// Nowhere.
    Blackhole,
}

/// Our routes in the kernel.
#[derive(Debug, Default)]
pub(super) struct Actual(BTreeMap<IpNet, Route>);

/// One request.
#[derive(Clone, Copy)]
struct Change {
    net: IpNet,
    /// What is there now.
    old: Option<Route>,
    /// What is to be there.
    new: Option<Route>,
    /// The interface of a gateway that the kernel does not believe to be a neighbour.
    onlink: Option<u32>,
}

impl Actual {
    pub(super) fn read(socket: &mut Socket) -> io::Result<Self> {
        let header = RouteHeader { table: RT_TABLE_MAIN, protocol: ROUTE_PROTOCOL, ..RouteHeader::default() };
        let routes = socket.dump(|writer| dump(writer, RTM_GETROUTE, &header.to_bytes()), read_route)?;
        Ok(Self(routes.into_iter().collect()))
    }

    /// Writes the difference and returns how many routes that changed. What is refused goes into `failures`.
    pub(super) fn become_desired(
        &mut self,
        socket: &mut Socket,
        desired: &BTreeMap<IpNet, Route>,
        failures: &mut BTreeMap<IpNet, Refusal>,
    ) -> io::Result<usize> {
        let changes = self.changes(desired);
        let mut done = 0;
        for chunk in changes.chunks(REQUESTS_PER_DATAGRAM) {
            let mut refused = request(socket, chunk)?;
            let mut again = Vec::new();
            for (index, change) in chunk.iter().enumerate() {
                match refused.remove(&index) {
                    None => done += self.note(change),
                    Some(refusal) => match second_try(socket, change, refusal.errno) {
                        Some(change) => again.push(change),
                        None if is_gone_already(change, refusal.errno) => done += self.note(change),
                        None => {
                            failures.insert(change.net, refusal);
                        }
                    },
                }
            }
            let mut refused = request(socket, &again)?;
            for (index, change) in again.iter().enumerate() {
                match refused.remove(&index) {
                    None => done += self.note(change),
                    Some(refusal) => {
                        failures.insert(change.net, refusal);
                    }
                }
            }
        }
        Ok(done)
    }

    fn changes(&self, desired: &BTreeMap<IpNet, Route>) -> Vec<Change> {
        let change = |net, old, new| Change { net, old, new, onlink: None };
        let gone = self.0.iter().filter(|(net, _)| !desired.contains_key(net));
        let gone = gone.map(|(net, route)| change(*net, Some(*route), None));
        let wanted = desired.iter().map(|(net, route)| change(*net, self.0.get(net).copied(), Some(*route)));
        gone.chain(wanted.filter(|change| change.old != change.new)).collect()
    }

    fn note(&mut self, change: &Change) -> usize {
        match change.new {
            Some(route) => self.0.insert(change.net, route),
            None => self.0.remove(&change.net),
        };
        1
    }
}

/// Sends requests and returns what was refused, by its place.
fn request(socket: &mut Socket, changes: &[Change]) -> io::Result<BTreeMap<usize, Refusal>> {
    if changes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut writer = socket.writer();
    for change in changes {
        change.write(&mut writer);
    }
    let refusals = socket.exchange(&writer, writer.count())?;
    Ok(refusals.into_iter().map(|refusal| (writer.index_of(refusal.sequence), refusal)).collect())
}

/// A gateway beyond the subnets that the kernel knows is reached through the interface that leads to it.
fn second_try(socket: &mut Socket, change: &Change, errno: i32) -> Option<Change> {
    let Some(Route::Via { next_hop }) = change.new else { return None };
    if !is_about_gateway(errno) {
        return None;
    }
    let header = RouteHeader { family: family(next_hop), prefix_len: bits(next_hop), ..RouteHeader::default() };
    let found = socket.get(
        |writer| {
            writer.message(RTM_GETROUTE, NLM_F_REQUEST, &header.to_bytes(), |writer| {
                writer.bytes(RTA_DST, &octets(next_hop));
            });
        },
        |message| message.attributes(RTMSG_LEN).ne32(RTA_OIF),
    );
    // Where that question fails too, the first refusal says all there is to say.
    found.ok().flatten().map(|interface| Change { onlink: Some(interface), ..*change })
}

/// A route that left with its interface is as good as removed.
fn is_gone_already(change: &Change, errno: i32) -> bool {
    change.new.is_none() && matches!(errno, libc::ESRCH | libc::ENODEV)
}

impl Change {
    fn write(&self, writer: &mut MessageWriter) {
        let (kind, flags) = match (self.old, self.new) {
            (_, None) => (RTM_DELROUTE, 0),
            // Never over a route of somebody else: it is refused if there is one.
            (None, Some(_)) => (RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL),
            (Some(_), Some(_)) => (RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE),
        };
        let Some(route) = self.new.or(self.old) else { return };
        writer.message(kind, NLM_F_REQUEST | NLM_F_ACK | flags, &self.header(route).to_bytes(), |writer| {
            writer.bytes(RTA_DST, &octets(self.net.addr()));
            writer.ne32(RTA_PRIORITY, METRIC);
            match route {
                Route::Link { index } => writer.ne32(RTA_OIF, index),
                Route::Via { next_hop } => write_gateway(writer, self.net, next_hop),
                Route::Blackhole => {}
            }
            if let Some(interface) = self.onlink {
                writer.ne32(RTA_OIF, interface);
            }
        });
    }

    fn header(&self, route: Route) -> RouteHeader {
        RouteHeader {
            family: family(self.net.addr()),
            prefix_len: self.net.prefix_len(),
            table: RT_TABLE_MAIN,
            protocol: ROUTE_PROTOCOL,
            scope: if matches!(route, Route::Link { .. }) { RT_SCOPE_LINK } else { RT_SCOPE_UNIVERSE },
            kind: if route == Route::Blackhole { RTN_BLACKHOLE } else { RTN_UNICAST },
            flags: if self.onlink.is_some() { RTNH_F_ONLINK } else { 0 },
        }
    }
}

fn write_gateway(writer: &mut MessageWriter, net: IpNet, next_hop: IpAddr) {
    if net.addr().is_ipv4() == next_hop.is_ipv4() {
        writer.bytes(RTA_GATEWAY, &octets(next_hop));
    } else {
        // `struct rtvia`: the gateway's family, then its address.
        let mut via = u16::from(family(next_hop)).to_ne_bytes().to_vec();
        via.extend(octets(next_hop));
        writer.bytes(RTA_VIA, &via);
    }
}

pub(super) fn read_route(message: &Message<'_>) -> Option<(IpNet, Route)> {
    let header = RouteHeader::parse(message.payload)?;
    let fields = message.attributes(RTMSG_LEN);
    // Kernels that do not filter by protocol list everything.
    let is_ours = header.protocol == ROUTE_PROTOCOL && header.table == RT_TABLE_MAIN;
    if !is_ours || fields.ne32(RTA_PRIORITY) != Some(METRIC) {
        return None;
    }
    let unspecified = if header.family == AF_INET { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
    let destination = fields.find(RTA_DST).and_then(parse_address).unwrap_or(unspecified);
    let via = fields.find(RTA_VIA).and_then(|via| parse_address(via.get(2..)?));
    let route = match fields.find(RTA_GATEWAY).and_then(parse_address).or(via) {
        _ if header.kind == RTN_BLACKHOLE => Route::Blackhole,
        Some(next_hop) => Route::Via { next_hop },
        None => Route::Link { index: fields.ne32(RTA_OIF)? },
    };
    Some((IpNet::new(destination, header.prefix_len).ok()?, route))
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { AF_INET } else { AF_INET6 }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}
