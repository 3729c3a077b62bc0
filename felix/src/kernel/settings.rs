//! A node's settings as an operator writes them: FelixConfiguration's names and forms.

use std::fmt;

use model::intent::{EndpointToHostAction, FailsafePort, NodeConfig};

/// Prints them in one line.
pub(super) struct Written<'a>(pub(super) &'a NodeConfig);

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.0;
        let action = match config.endpoint_to_host_action {
            EndpointToHostAction::Drop => "Drop",
            EndpointToHostAction::Accept => "Accept",
            EndpointToHostAction::Return => "Return",
        };
        write!(f, "interfacePrefix={}", config.interface_prefixes.join(","))?;
        write!(f, " defaultEndpointToHostAction={action}")?;
        write!(f, " logPrefix={:?}", config.log_prefix)?;
        write!(f, " failsafeInboundHostPorts={}", ports(&config.failsafe_inbound))?;
        write!(f, " failsafeOutboundHostPorts={}", ports(&config.failsafe_outbound))?;
        write!(f, " nftablesMarkMask={:#x}", config.mark_mask)?;
        match config.refresh_interval {
            Some(interval) => write!(f, " nftablesRefreshInterval={interval:?}"),
            None => f.write_str(" nftablesRefreshInterval=0s (never)"),
        }
    }
}

/// Calico's short form, such as `tcp:22` or `tcp:10.0.0.0/8:22`.
fn ports(ports: &[FailsafePort]) -> String {
    let written = ports.iter().map(|FailsafePort { protocol, port, net }| {
        let protocol = protocol.to_string().to_ascii_lowercase();
        match net {
            Some(net) => format!("{protocol}:{net}:{port}"),
            None => format!("{protocol}:{port}"),
        }
    });
    if ports.is_empty() { "none".to_owned() } else { written.collect::<Vec<_>>().join(",") }
}

#[cfg(test)]
mod tests {
    use model::intent::Protocol;

    use super::*;

    #[test]
    fn settings_read_as_they_are_written() {
        let line = Written(&NodeConfig::default()).to_string();
        assert_eq!(
            line,
            "interfacePrefix=cali defaultEndpointToHostAction=Drop logPrefix=\"calico-packet\" \
             failsafeInboundHostPorts=tcp:22,udp:68,tcp:179,tcp:2379,tcp:2380,tcp:5473,tcp:6443,tcp:6666,tcp:6667 \
             failsafeOutboundHostPorts=udp:53,udp:67,tcp:179,tcp:2379,tcp:2380,tcp:5473,tcp:6443,tcp:6666,tcp:6667 \
             nftablesMarkMask=0xffff0000 nftablesRefreshInterval=90s"
        );
        let net = Some("10.0.0.0/8".parse().expect("a prefix"));
        let config = NodeConfig {
            failsafe_inbound: vec![FailsafePort { protocol: Protocol::SCTP, port: 1, net }],
            failsafe_outbound: Vec::new(),
            refresh_interval: None,
            ..NodeConfig::default()
        };
        let line = Written(&config).to_string();
        for part in ["Inbound", "HostPorts=sctp:10.0.0.0/8:1 ", "OutboundHostPorts=none ", "Interval=0s (never)"] {
            assert!(line.contains(part), "no {part:?} in {line:?}");
        }
    }
}
