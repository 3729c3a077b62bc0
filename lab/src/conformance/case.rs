//! A case as files of the reachability format hold it: one JSON object a line.

use std::{collections::BTreeMap, fmt, net::IpAddr, str::FromStr};

use model::intent::Protocol;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

/// A cluster that goes through steps, with what must be reachable after each.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Case {
    /// Its number among all cases of its maker.
    pub index: u64,
    /// What it is about.
    #[serde(default)]
    pub description: String,
    /// The features that it exercises.
    #[serde(default, deserialize_with = "null_as_default")]
    pub tags: Vec<String>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// The whole cluster at one moment, and what must be reachable then.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Step {
    /// What led here: kinds of action, each with its detail or with null.
    #[serde(default, deserialize_with = "null_as_default")]
    pub actions: Vec<BTreeMap<String, Value>>,
    /// Labels of each namespace.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// Every pod.
    pub pods: Vec<Pod>,
    /// Every network policy, as Kubernetes' API has it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub policies: Vec<Value>,
    /// What must be reachable.
    pub expected: Vec<Cell>,
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its address.
    #[serde(rename = "IP")]
    pub ip: IpAddr,
    /// Its labels.
    #[serde(default, deserialize_with = "null_as_default")]
    pub labels: BTreeMap<String, String>,
    /// The ports that it serves, and their names.
    #[serde(default, deserialize_with = "null_as_default")]
    pub ports: Vec<PodPort>,
}

impl Pod {
    /// `namespace/name`, as cells refer to it.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// A port that a pod serves: `name/PROTOCOL/number`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodPort {
    /// The name that policies can use.
    pub name: String,
    /// Its protocol.
    pub protocol: CellProtocol,
    /// Its number.
    pub number: u16,
}

impl FromStr for PodPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shape = || format!("port {text:?}: want name/PROTOCOL/number");
        let mut parts = text.split('/');
        let (Some(name), Some(protocol), Some(number), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(shape());
        };
        let protocol = match protocol {
            "TCP" => CellProtocol::Tcp,
            "UDP" => CellProtocol::Udp,
            "SCTP" => CellProtocol::Sctp,
            _ => return Err(format!("port {text:?}: want TCP, UDP or SCTP")),
        };
        Ok(Self { name: name.to_owned(), protocol, number: number.parse().map_err(|_| shape())? })
    }
}

impl<'de> Deserialize<'de> for PodPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// What packets from one pod to a port of another must meet.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Cell {
    /// `namespace/name` of the sender.
    pub from: String,
    /// `namespace/name` of the receiver.
    pub to: String,
    /// The receiver's port.
    pub port: CellPort,
    /// The protocol.
    pub protocol: CellProtocol,
    /// At the receiver.
    pub ingress: Connectivity,
    /// At the sender.
    pub egress: Connectivity,
    /// On the whole way.
    pub combined: Connectivity,
}

/// A port by number, or by the name that the receiver gives it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum CellPort {
    /// By number.
    Number(u16),
    /// By name.
    Name(String),
}

/// A protocol with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CellProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl CellProtocol {
    /// Its number in IP headers.
    pub fn number(self) -> Protocol {
        match self {
            Self::Tcp => Protocol::TCP,
            Self::Udp => Protocol::UDP,
            Self::Sctp => Protocol::SCTP,
        }
    }
}

/// Whether packets arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Connectivity {
    /// They do.
    Allowed,
    /// They do not.
    Blocked,
}

impl Connectivity {
    /// The word for a yes or no.
    pub fn when(allowed: bool) -> Self {
        if allowed { Self::Allowed } else { Self::Blocked }
    }
}

impl fmt::Display for Connectivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allowed => "allowed",
            Self::Blocked => "blocked",
        })
    }
}

/// Go writes empty slices and maps as `null`; read it as absent.
fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
