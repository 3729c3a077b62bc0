//! Why the kernel does not take a route, in words that name the other node and the way out.

use ipnet::IpNet;
use model::intent::RouteIntent;
use nix::libc;

use super::table::METRIC;
use crate::netlink::Refusal;

/// The kernel's own words say neither which gateway it means nor whose it is.
pub(super) fn explain(net: IpNet, route: Option<&RouteIntent>, refusal: &Refusal) -> String {
    let reason = refusal.reason();
    match route {
        Some(_) if refusal.errno == libc::EEXIST => format!(
            "{reason}: somebody else's route to the same prefix has our metric {METRIC}; `ip route show {net}` shows it, remove it"
        ),
        Some(RouteIntent::RemoteNode { node, next_hop }) if is_about_gateway(refusal.errno) => format!(
            "{reason}: nothing here leads to {next_hop}, the address of node {node}, or it is our own; is it right in spec.bgp of \
             that Node, and what does `ip route get {next_hop}` say here?"
        ),
        Some(RouteIntent::RemoteNode { node, next_hop }) => {
            format!("{reason} (by way of {next_hop}, the address of node {node})")
        }
        _ => reason,
    }
}

/// What Linux answers where it cannot reach a gateway, or takes it for an address of its own.
pub(super) fn is_about_gateway(errno: i32) -> bool {
    matches!(errno, libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EINVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_its_node_and_the_way_out_are_named() {
        let net = "10.77.0.0/26".parse().expect("a prefix");
        let remote = RouteIntent::RemoteNode { node: "n2".into(), next_hop: "192.0.2.7".parse().expect("an address") };
        let refusal =
            |errno, message: Option<&str>| Refusal { sequence: 1, errno, message: message.map(str::to_owned) };
        let told = |route, errno, message| explain(net, route, &refusal(errno, message));
        let line = told(Some(&remote), libc::EINVAL, Some("Nexthop has invalid gateway"));
        for part in
            ["Nexthop has invalid gateway", "192.0.2.7, the address of node n2", "spec.bgp", "`ip route get 192.0.2.7`"]
        {
            assert!(line.contains(part), "no {part:?} in {line:?}");
        }
        assert!(told(Some(&RouteIntent::Blackhole), libc::EEXIST, None).contains("`ip route show 10.77.0.0/26`"));
        assert!(told(Some(&remote), libc::ENOMEM, None).contains("by way of 192.0.2.7, the address of node n2"));
        assert_eq!(told(None, libc::EPERM, Some("no")), "no (Operation not permitted (os error 1))");
    }
}
