//! Names of our chains, sets and maps: a prefix that says the kind, and a digest of the identity.
//!
//! Identities are longer than the 31 characters that all tools show and may be nft's reserved words; a prefix with a
//! dash and hexadecimal digits are neither.

use std::fmt::Write as _;

use model::intent::{Attachment, EndpointId, EndpointIntent, PolicyId, ProfileId, SetId};
use sha2::{Digest, Sha256};

use super::Direction;
use crate::ruleset::{Family, Name, Schema};

/// 96 bits: beyond anybody's power to make two names meet.
const DIGEST_BYTES: usize = 12;

pub(super) const FROM_WORKLOAD: &str = "from-workload";
pub(super) const TO_WORKLOAD: &str = "to-workload";
pub(super) const WORKLOAD_TO_HOST: &str = "workload-to-host";
pub(super) const LINK_MESSAGES: &str = "ipv6-link-messages";
pub(super) const HOST_INGRESS: &str = "host-ingress";
pub(super) const HOST_EGRESS: &str = "host-egress";

/// The map that leads from interfaces to endpoints' chains.
pub(super) fn workload_map(direction: Direction) -> Name {
    match direction {
        Direction::Ingress => "d-to-workload".into(),
        Direction::Egress => "d-from-workload".into(),
    }
}

pub(super) fn host_map(direction: Direction) -> Name {
    match direction {
        Direction::Ingress => "d-host-ingress".into(),
        Direction::Egress => "d-host-egress".into(),
    }
}

/// The set of workloads' interfaces with the source addresses that they may use.
pub(super) fn source_set(family: Family) -> Name {
    match family {
        Family::V4 => "i4-workload-sources".into(),
        Family::V6 => "i6-workload-sources".into(),
    }
}

/// A policy's chains: for ingress, for egress.
pub(super) fn policy_chains(id: &PolicyId) -> [Name; 2] {
    [digest("pi-", &id.0), digest("po-", &id.0)]
}

/// A profile's chains: for ingress, for egress.
pub(super) fn profile_chains(id: &ProfileId) -> [Name; 2] {
    [digest("pri-", &id.0), digest("pro-", &id.0)]
}

pub(super) fn endpoint_chain(id: &EndpointId, endpoint: &EndpointIntent, direction: Direction) -> Name {
    let prefix = match (&endpoint.attachment, direction) {
        (Attachment::Workload { .. }, Direction::Ingress) => "tw-",
        (Attachment::Workload { .. }, Direction::Egress) => "fw-",
        (Attachment::Host { .. }, Direction::Ingress) => "th-",
        (Attachment::Host { .. }, Direction::Egress) => "fh-",
    };
    digest(prefix, &id.0)
}

pub(super) fn address_set(id: &SetId, family: Family) -> Name {
    match family {
        Family::V4 => digest("s4-", &id.0),
        Family::V6 => digest("s6-", &id.0),
    }
}

pub(super) fn address_port_set(id: &SetId, family: Family) -> Name {
    match family {
        Family::V4 => digest("n4-", &id.0),
        Family::V6 => digest("n6-", &id.0),
    }
}

/// An interned set: its content is its identity.
pub(super) fn literal(schema: Schema, content: &str) -> Name {
    let prefix = match schema {
        Schema::Addresses(Family::V4) => "l4-",
        Schema::Addresses(Family::V6) => "l6-",
        Schema::Ports => "lp-",
        _ => "lt-",
    };
    digest(prefix, content)
}

/// What a set or map with one of our names holds; `None` where the name is not ours.
pub(crate) fn schema_of(name: &str) -> Option<Schema> {
    Some(match name.split_once('-')?.0 {
        "s4" | "l4" => Schema::Addresses(Family::V4),
        "s6" | "l6" => Schema::Addresses(Family::V6),
        "n4" => Schema::AddressPorts(Family::V4),
        "n6" => Schema::AddressPorts(Family::V6),
        "i4" => Schema::InterfaceAddresses(Family::V4),
        "i6" => Schema::InterfaceAddresses(Family::V6),
        "lp" => Schema::Ports,
        "lt" => Schema::Protocols,
        "d" => Schema::Dispatch,
        _ => return None,
    })
}

fn digest(prefix: &str, identity: &str) -> Name {
    let mut name = prefix.to_owned();
    for byte in Sha256::digest(identity.as_bytes()).iter().take(DIGEST_BYTES) {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name.into()
}
