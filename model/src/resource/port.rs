//! Ports and protocols in the forms that Calico's API accepts.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::intent::{PortRange, Protocol};

/// A port: a number, a range `first:last`, or a name that endpoints declare.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// A number or a range.
    Range(PortRange),
    /// A name.
    Named(String),
}

impl Port {
    /// Reads the text form.
    pub fn parse(text: &str) -> Result<Self, String> {
        let number = |part: &str| {
            part.parse::<u16>().map_err(|_| format!("port {text:?}: {part:?} is not a number from 0 to 65535"))
        };
        if let Some((first, last)) = text.split_once(':') {
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return Err(format!("port range {text:?}: its first port is above its last"));
            }
            return Ok(Self::Range(PortRange { first, last }));
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
            let port = number(text)?;
            return Ok(Self::Range(PortRange { first: port, last: port }));
        }
        let named = !text.is_empty()
            && text.len() <= 128
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        if named {
            Ok(Self::Named(text.to_owned()))
        } else {
            Err(format!("port {text:?}: want a number, a range such as 8000:8080, or a port's name"))
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(range) if range.first == range.last => write!(f, "{}", range.first),
            Self::Range(range) => write!(f, "{}:{}", range.first, range.last),
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl Serialize for Port {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Range(range) if range.first == range.last => serializer.serialize_u16(range.first),
            _ => serializer.collect_str(self),
        }
    }
}

/// JSON's two ways to write a port or a protocol.
#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(i64),
    Text(String),
}

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(number) => Self::parse(&number.to_string()),
            NumberOrText::Text(text) => Self::parse(&text),
        }
        .map_err(D::Error::custom)
    }
}

/// A protocol as users write it: a name (in any case) or a number from 1 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtocolName(pub Protocol);

impl ProtocolName {
    const NAMES: [(&str, Protocol); 6] = [
        ("TCP", Protocol::TCP),
        ("UDP", Protocol::UDP),
        ("ICMP", Protocol::ICMP),
        ("ICMPv6", Protocol::ICMPV6),
        ("SCTP", Protocol::SCTP),
        ("UDPLite", Protocol::UDPLITE),
    ];

    /// Reads the text form.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some((_, protocol)) = Self::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return Ok(Self(*protocol));
        }
        match text.parse::<u8>() {
            Ok(number) if number > 0 => Ok(Self(Protocol(number))),
            _ => {
                Err(format!("protocol {text:?}: want TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite or a number from 1 to 255"))
            }
        }
    }
}

impl Serialize for ProtocolName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match Self::NAMES.iter().find(|(_, protocol)| *protocol == self.0) {
            Some((name, _)) => serializer.serialize_str(name),
            None => serializer.serialize_u8(self.0.0),
        }
    }
}

impl<'de> Deserialize<'de> for ProtocolName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(number) => Self::parse(&number.to_string()),
            NumberOrText::Text(text) => Self::parse(&text),
        }
        .map_err(D::Error::custom)
    }
}
