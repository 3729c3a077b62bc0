//! Ports of a Kubernetes network policy rule, grouped by protocol.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    intent::{PortRange, Protocol},
    resource::{Port, ProtocolName},
};

/// One entry of a rule's `ports`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct NetworkPolicyPort {
    /// TCP where it is absent.
    protocol: Option<ProtocolName>,
    /// A number or a name; every port of the protocol where it is absent.
    port: Option<Port>,
    /// Makes `port` the first of a range.
    end_port: Option<u16>,
}

/// Ports of each protocol, every port where there are none; no protocol stands for every protocol.
pub(super) type PortsByProtocol = BTreeMap<Option<ProtocolName>, Vec<Port>>;

/// Groups entries; none at all stand for every port of every protocol.
pub(super) fn group(entries: &[NetworkPolicyPort]) -> Result<PortsByProtocol, String> {
    if entries.is_empty() {
        return Ok([(None, Vec::new())].into());
    }
    let mut groups: BTreeMap<Option<ProtocolName>, Option<Vec<Port>>> = BTreeMap::new();
    for entry in entries {
        let group = groups.entry(Some(entry.checked_protocol()?)).or_insert_with(|| Some(Vec::new()));
        match (entry.checked_port()?, group) {
            (Some(port), Some(ports)) => ports.push(port),
            // The whole protocol, beside which single ports say nothing more.
            (None, group) => *group = None,
            (Some(_), None) => {}
        }
    }
    Ok(groups.into_iter().map(|(protocol, ports)| (protocol, simplify(ports.unwrap_or_default()))).collect())
}

impl NetworkPolicyPort {
    fn checked_protocol(&self) -> Result<ProtocolName, String> {
        let protocol = self.protocol.unwrap_or(ProtocolName(Protocol::TCP));
        if [Protocol::TCP, Protocol::UDP, Protocol::SCTP].contains(&protocol.0) {
            Ok(protocol)
        } else {
            Err("ports: the protocol is not one of TCP, UDP, SCTP".to_owned())
        }
    }

    fn checked_port(&self) -> Result<Option<Port>, String> {
        match (&self.port, self.end_port) {
            (None, None) => Ok(None),
            (Some(Port::Named(name)), None) => Ok(Some(Port::Named(name.clone()))),
            (Some(Port::Range(PortRange { first, last })), end) if first == last && *first > 0 => {
                let last = end.unwrap_or(*first);
                if last < *first {
                    return Err(format!("ports: endPort {last} is below port {first}"));
                }
                Ok(Some(Port::Range(PortRange { first: *first, last })))
            }
            (Some(Port::Range(_)), _) => Err("ports: port is not a number from 1 to 65535".to_owned()),
            (None | Some(Port::Named(_)), Some(_)) => Err("ports: endPort needs a numeric port".to_owned()),
        }
    }
}

/// Names first, then numbers in order, overlapping and adjacent ones as one range.
fn simplify(ports: Vec<Port>) -> Vec<Port> {
    let mut names = Vec::new();
    let mut ranges = Vec::new();
    for port in ports {
        match port {
            Port::Named(_) if names.contains(&port) => {}
            Port::Named(_) => names.push(port),
            Port::Range(range) => ranges.push((range.first, range.last)),
        }
    }
    ranges.sort_unstable();
    let mut merged: Vec<(u16, u16)> = Vec::new();
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    names.extend(merged.into_iter().map(|(first, last)| Port::Range(PortRange { first, last })));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grouped(json: &str) -> Result<String, String> {
        let entries: Vec<NetworkPolicyPort> = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let groups = group(&entries)?;
        let shown: Vec<String> = groups
            .iter()
            .map(|(protocol, ports)| {
                let protocol = protocol.map_or_else(|| "any".to_owned(), |protocol| protocol.0.0.to_string());
                let ports: Vec<String> = ports.iter().map(Port::to_string).collect();
                format!("{protocol}[{}]", ports.join(","))
            })
            .collect();
        Ok(shown.join(" "))
    }

    #[test]
    fn entries_are_grouped_and_merged() {
        for (json, expected) in [
            ("[]", "any[]"),
            ("[{}]", "6[]"),
            (r#"[{"port": 80}]"#, "6[80]"),
            (r#"[{"port": 443}, {"port": "http"}, {"port": 80}, {"port": 81}]"#, "6[http,80:81,443]"),
            (r#"[{"port": 8000, "endPort": 8080}, {"port": 8050, "endPort": 9000}]"#, "6[8000:9000]"),
            (r#"[{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]"#, "6[53] 17[53]"),
            (r#"[{"port": 80}, {"protocol": "TCP"}, {"port": 443}]"#, "6[]"),
            (r#"[{"protocol": "SCTP"}]"#, "132[]"),
            (r#"[{"port": 65535}, {"port": 65534}]"#, "6[65534:65535]"),
        ] {
            assert_eq!(grouped(json).as_deref(), Ok(expected), "{json}");
        }
    }

    #[test]
    fn what_the_api_server_refuses_is_refused() {
        for json in [
            r#"[{"port": "http", "endPort": 90}]"#,
            r#"[{"endPort": 90}]"#,
            r#"[{"port": 80, "endPort": 79}]"#,
            r#"[{"port": 0}]"#,
            r#"[{"port": "80:90"}]"#,
            r#"[{"port": 65536}]"#,
            r#"[{"protocol": "ICMP"}]"#,
            r#"[{"protocol": "TPC", "port": 80}]"#,
        ] {
            assert!(grouped(json).is_err(), "{json}");
        }
    }
}
