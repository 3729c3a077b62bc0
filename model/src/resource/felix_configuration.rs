//! FelixConfiguration: the settings that are honoured, as a user writes them. All others survive in the datastore.

use std::{fmt::Display, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{endpoint::parse_net, port::ProtocolName};
use crate::intent::{EndpointToHostAction, FailsafePort, NodeConfig};

/// The kernel's IFNAMSIZ, without the final zero.
const MAX_INTERFACE_BYTES: usize = 15;

/// More often would keep the kernel busy with being read.
const MIN_REFRESH_INTERVAL: Duration = Duration::from_secs(1);

/// FelixConfigurationSpec, as far as it is honoured. What is not given is left to what the settings are laid over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FelixConfigurationSpec {
    /// Names of workload interfaces start with one of these.
    #[serde(deserialize_with = "interface_prefixes")]
    pub interface_prefix: Option<Vec<String>>,
    /// What a workload's traffic to its own host meets after its egress policy.
    #[serde(deserialize_with = "host_action")]
    pub default_endpoint_to_host_action: Option<EndpointToHostAction>,
    /// Prefix of the kernel's log lines for Log rules.
    #[serde(deserialize_with = "some_text")]
    pub log_prefix: Option<String>,
    /// Reaches the host whatever policy says.
    #[serde(deserialize_with = "failsafe_ports")]
    pub failsafe_inbound_host_ports: Option<Vec<FailsafePort>>,
    /// Leaves the host whatever policy says.
    #[serde(deserialize_with = "failsafe_ports")]
    pub failsafe_outbound_host_ports: Option<Vec<FailsafePort>>,
    /// Bits of the packet mark that are ours to use.
    #[serde(deserialize_with = "mark_mask")]
    pub nftables_mark_mask: Option<u32>,
    /// How often the kernel is read back; 0 is never.
    #[serde(deserialize_with = "refresh_interval")]
    pub nftables_refresh_interval: Option<Duration>,
    /// Which nodes it is for, where its name does not tell.
    #[serde(deserialize_with = "some_text")]
    pub node_selector: Option<String>,
}

impl FelixConfigurationSpec {
    /// Lays what is given here over other settings.
    pub fn lay_over(&self, config: &mut NodeConfig) {
        fn lay<T: Clone>(given: Option<&T>, over: &mut T) {
            if let Some(given) = given {
                over.clone_from(given);
            }
        }
        lay(self.interface_prefix.as_ref(), &mut config.interface_prefixes);
        lay(self.default_endpoint_to_host_action.as_ref(), &mut config.endpoint_to_host_action);
        lay(self.log_prefix.as_ref(), &mut config.log_prefix);
        lay(self.failsafe_inbound_host_ports.as_ref(), &mut config.failsafe_inbound);
        lay(self.failsafe_outbound_host_ports.as_ref(), &mut config.failsafe_outbound);
        lay(self.nftables_mark_mask.as_ref(), &mut config.mark_mask);
        if let Some(interval) = self.nftables_refresh_interval {
            config.refresh_interval = (!interval.is_zero()).then_some(interval);
        }
    }
}

/// A failsafe port as it is written.
#[derive(Deserialize)]
struct ProtoPort {
    protocol: ProtocolName,
    port: u16,
    #[serde(default)]
    net: Option<String>,
}

fn interface_prefixes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let Some(text) = some_text(deserializer)? else { return Ok(None) };
    let is_prefix = |prefix: &&str| {
        (1..=MAX_INTERFACE_BYTES).contains(&prefix.len())
            && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    };
    let prefixes: Vec<_> = text.split(',').collect();
    match prefixes.iter().find(|prefix| !is_prefix(prefix)) {
        None => Ok(Some(prefixes.into_iter().map(str::to_owned).collect())),
        Some(wrong) => Err(refusal("interfacePrefix", wrong, "beginnings of interfaces' names, comma-separated")),
    }
}

fn host_action<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<EndpointToHostAction>, D::Error> {
    use EndpointToHostAction::{Accept, Drop, Return};
    let Some(text) = some_text(deserializer)? else { return Ok(None) };
    let known = [("drop", Drop), ("accept", Accept), ("return", Return)];
    match known.into_iter().find(|(word, _)| word.eq_ignore_ascii_case(&text)) {
        Some((_, action)) => Ok(Some(action)),
        None => Err(refusal("defaultEndpointToHostAction", &text, "Drop, Return or Accept")),
    }
}

fn failsafe_ports<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<FailsafePort>>, D::Error> {
    let Some(ports) = Option::<Vec<ProtoPort>>::deserialize(deserializer)? else { return Ok(None) };
    let read = |port: ProtoPort| {
        let protocol = port.protocol.0;
        if !protocol.has_ports() {
            return Err(refusal("failsafe ports", protocol, "a protocol that has ports: TCP, UDP, SCTP or UDPLite"));
        }
        let net = port.net.filter(|net| !net.is_empty());
        let net = net.map(|net| parse_net(&net)).transpose().map_err(D::Error::custom)?;
        Ok(FailsafePort { protocol, port: port.port, net })
    };
    ports.into_iter().map(read).collect::<Result<_, _>>().map(Some)
}

fn mark_mask<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    match Option::<u32>::deserialize(deserializer)? {
        Some(mask) if mask.count_ones() < 2 => {
            Err(refusal("nftablesMarkMask", format_args!("{mask:#x}"), "at least two bits"))
        }
        mask => Ok(mask),
    }
}

fn refresh_interval<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let Some(text) = some_text(deserializer)? else { return Ok(None) };
    match parse_duration(&text) {
        Some(interval) if interval.is_zero() || interval >= MIN_REFRESH_INTERVAL => Ok(Some(interval)),
        _ => Err(refusal("nftablesRefreshInterval", &text, "0s for never, or at least 1s, such as 90s or 1m30s")),
    }
}

/// Go's form of a duration: numbers with units, such as `1m30s`; `0` needs no unit.
fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut seconds = None;
    let mut rest = text;
    while !rest.is_empty() {
        let number_ends = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(number_ends);
        let unit_ends = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_ends);
        let unit = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        seconds = Some(seconds.unwrap_or_default() + number.parse::<f64>().ok()? * unit);
        rest = tail;
    }
    Duration::try_from_secs_f64(seconds?).ok()
}

/// An empty text is how Go writes one that is not given.
fn some_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

fn refusal<E: serde::de::Error>(field: &str, written: impl Display, want: &str) -> E {
    E::custom(format!("{field}: \"{written}\" cannot be honoured; want {want}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "JSON literals read best where they are made")]
    fn read(spec: Value) -> Result<NodeConfig, String> {
        let spec: FelixConfigurationSpec =
            serde_json::from_str(&spec.to_string()).map_err(|error| error.to_string())?;
        let mut config = NodeConfig::default();
        spec.lay_over(&mut config);
        Ok(config)
    }

    #[test]
    fn what_is_not_given_is_left_as_it_is() {
        assert_eq!(read(json!({})), Ok(NodeConfig::default()));
        let nothing = json!({"interfacePrefix": "", "logPrefix": null, "failsafeInboundHostPorts": null,
            "nftablesMarkMask": null, "bpfLogLevel": "", "floatingIPs": "Disabled"});
        assert_eq!(read(nothing), Ok(NodeConfig::default()));
    }

    #[test]
    fn what_is_given_is_laid_over() {
        let spec = json!({"interfacePrefix": "cali,tap", "defaultEndpointToHostAction": "ACCEPT", "logPrefix": "drop",
            "failsafeInboundHostPorts": [{"protocol": "tcp", "port": 22, "net": "10.0.0.0/8"}],
            "failsafeOutboundHostPorts": [], "nftablesMarkMask": 0xff00, "nftablesRefreshInterval": "1m30.5s"});
        let ssh = FailsafePort { protocol: crate::intent::Protocol::TCP, port: 22, net: "10.0.0.0/8".parse().ok() };
        let config = NodeConfig {
            interface_prefixes: vec!["cali".to_owned(), "tap".to_owned()],
            endpoint_to_host_action: EndpointToHostAction::Accept,
            log_prefix: "drop".to_owned(),
            failsafe_inbound: vec![ssh],
            failsafe_outbound: Vec::new(),
            mark_mask: 0xff00,
            refresh_interval: Some(Duration::from_millis(90_500)),
        };
        assert_eq!(read(spec), Ok(config));
        assert_eq!(read(json!({"nftablesRefreshInterval": "0s"})).map(|config| config.refresh_interval), Ok(None));
    }

    #[test]
    fn what_cannot_be_honoured_is_named() {
        for (spec, name) in [
            (json!({"interfacePrefix": "cali,"}), "interfacePrefix"),
            (json!({"interfacePrefix": "an-interfaces-whole-name"}), "interfacePrefix"),
            (json!({"defaultEndpointToHostAction": "Allow"}), "\"Allow\""),
            (json!({"failsafeInboundHostPorts": [{"protocol": "ICMP", "port": 1}]}), "failsafe"),
            (json!({"failsafeInboundHostPorts": [{"protocol": "TCP", "port": 1, "net": "10/8"}]}), "10/8"),
            (json!({"nftablesMarkMask": 4}), "0x4"),
            (json!({"nftablesRefreshInterval": "90"}), "\"90\""),
            (json!({"nftablesRefreshInterval": "5ms"}), "at least 1s"),
        ] {
            let refused = read(spec.clone()).unwrap_err();
            assert!(refused.contains(name), "{spec}: {refused}");
        }
    }
}
