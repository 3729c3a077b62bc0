//! Checks of single texts: names, labels, addresses, ports, selectors.

use std::net::IpAddr;

use ipnet::IpNet;
use selector::Selector;

use crate::resource::{Port, ProtocolName, parse_net};

/// Longest selector that Calico's API accepts.
const MAX_SELECTOR_CHARS: usize = 1024;
const MAX_LABEL_CHARS: usize = 63;
const MAX_SUBDOMAIN_CHARS: usize = 253;
/// The kernel's IFNAMSIZ, without the final zero.
const MAX_INTERFACE_CHARS: usize = 15;

/// Any text.
#[expect(clippy::unnecessary_wraps, reason = "has the signature of its siblings")]
pub(super) fn any(_: &str) -> Result<(), String> {
    Ok(())
}

/// RFC 1123 label: what names of namespaces and tiers are.
pub(super) fn dns_label(text: &str) -> Result<(), String> {
    if text.len() <= MAX_LABEL_CHARS && is_dns_label(text) {
        return Ok(());
    }
    Err(format!(
        "{text:?} is not a valid name; want at most {MAX_LABEL_CHARS} lower-case letters, digits and \"-\", with a \
         letter or digit at both ends, such as web-1"
    ))
}

/// RFC 1123 subdomain: what most names are.
pub(super) fn dns_subdomain(text: &str) -> Result<(), String> {
    if text.len() <= MAX_SUBDOMAIN_CHARS && text.split('.').all(is_dns_label) {
        return Ok(());
    }
    Err(format!(
        "{text:?} is not a valid name; want at most {MAX_SUBDOMAIN_CHARS} lower-case letters, digits, \"-\" and \
         \".\", with a letter or digit at both ends of each part, such as web-1.shop"
    ))
}

fn is_dns_label(text: &str) -> bool {
    let inner = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    inner && !text.is_empty() && !text.starts_with('-') && !text.ends_with('-')
}

/// The name of a label: `name` or `prefix/name`.
pub(super) fn label_name(text: &str) -> Result<(), String> {
    let (prefix, name) = text.rsplit_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    if prefix.is_none_or(|prefix| dns_subdomain(prefix).is_ok()) && !name.is_empty() && is_label_text(name) {
        return Ok(());
    }
    Err(format!(
        "{text:?} is not a valid label name; want at most {MAX_LABEL_CHARS} letters, digits, \"-\", \"_\" and \".\", \
         optionally after a domain and \"/\", such as example.com/role"
    ))
}

/// The value of a label; may be empty.
pub(super) fn label_value(text: &str) -> Result<(), String> {
    if is_label_text(text) {
        return Ok(());
    }
    Err(format!(
        "{text:?} is not a valid label value; want at most {MAX_LABEL_CHARS} letters, digits, \"-\", \"_\" and \".\", \
         with a letter or digit at both ends"
    ))
}

fn is_label_text(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    text.len() <= MAX_LABEL_CHARS
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && ends(text.chars().next())
        && ends(text.chars().next_back())
}

/// An address or a prefix, as rules and network sets take them.
pub(super) fn net(text: &str) -> Result<(), String> {
    parse_net(text).map(drop)
}

/// A prefix that is excluded: one that excludes everything is surely not meant.
pub(super) fn excluded_net(text: &str) -> Result<(), String> {
    match parse_net(text)? {
        net if net.prefix_len() == 0 => Err(format!("{text:?} excludes every address, so the rule would never match")),
        _ => Ok(()),
    }
}

/// A prefix, with its length.
pub(super) fn cidr(text: &str) -> Result<(), String> {
    text.parse::<IpNet>().map(drop).map_err(|_| {
        format!("{text:?} is not a CIDR; want an address with a prefix length, such as 10.0.0.0/24 or fd00::/64")
    })
}

/// An address.
pub(super) fn address(text: &str) -> Result<(), String> {
    text.parse::<IpAddr>()
        .map(drop)
        .map_err(|_| format!("{text:?} is not an address; want one such as 10.0.0.1 or fd00::1"))
}

/// The prefix of exactly one address, or the address.
pub(super) fn host_net(text: &str) -> Result<(), String> {
    let net = parse_net(text)?;
    if net.prefix_len() == net.max_prefix_len() {
        return Ok(());
    }
    Err(format!("{text:?} is more than one address; want a /{}", net.max_prefix_len()))
}

/// A port of a rule: a number, a range, or a name.
pub(super) fn port(text: &str) -> Result<(), String> {
    match Port::parse(text)? {
        Port::Range(range) if range.first == 0 => Err(format!("port {text:?}: want numbers from 1 to 65535")),
        _ => Ok(()),
    }
}

/// A protocol of a rule.
pub(super) fn protocol(text: &str) -> Result<(), String> {
    ProtocolName::parse(text).map(drop)
}

/// A selector anywhere but in a rule's namespaceSelector.
pub(super) fn selector(text: &str) -> Result<(), String> {
    if text.contains("global(") {
        return Err("global() is only for the namespaceSelector of a rule's source or destination".to_owned());
    }
    selector_syntax(text)
}

/// The namespaceSelector of a rule's source or destination, where `global()` stands for "in no namespace".
pub(super) fn entity_namespace_selector(text: &str) -> Result<(), String> {
    if text.contains("global(") && text.trim().trim_end_matches(')').trim_end() != "global(" {
        return Err("global() cannot be combined with anything else".to_owned());
    }
    selector_syntax(text)
}

fn selector_syntax(text: &str) -> Result<(), String> {
    let length = text.chars().count();
    if length > MAX_SELECTOR_CHARS {
        return Err(format!("selector of {length} characters; at most {MAX_SELECTOR_CHARS} are allowed"));
    }
    Selector::parse(text)
        .map(drop)
        .map_err(|error| format!("{text:?} is not a selector: {error}; want one such as app == 'web' && has(role)"))
}

/// The name of a network interface.
pub(super) fn interface(text: &str) -> Result<(), String> {
    let is_name = !text.is_empty()
        && text.len() <= MAX_INTERFACE_CHARS
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if is_name {
        return Ok(());
    }
    Err(format!(
        "{text:?} is not an interface's name; want at most {MAX_INTERFACE_CHARS} letters, digits, \"_\", \".\" and \
         \"-\", such as eth0"
    ))
}

/// The name of an interface, or `*` for all that are not workloads'.
pub(super) fn interface_or_all(text: &str) -> Result<(), String> {
    if text == "*" { Ok(()) } else { interface(text).map_err(|reason| format!("{reason}, or \"*\" for all")) }
}

/// The name by which policies speak of a port.
pub(super) fn port_name(text: &str) -> Result<(), String> {
    if text.len() <= MAX_LABEL_CHARS && is_dns_label(text) && text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Ok(());
    }
    Err(format!(
        "{text:?} is not a port's name; want at most {MAX_LABEL_CHARS} lower-case letters, digits and \"-\", at least \
         one of them a letter, such as http"
    ))
}

/// One of these words.
pub(super) fn one_of(text: &str, words: &[&str]) -> Result<(), String> {
    if words.contains(&text) {
        return Ok(());
    }
    let meant = words.iter().find(|word| word.eq_ignore_ascii_case(text));
    let hint = meant.map(|word| format!("; did you mean {word}?")).unwrap_or_default();
    Err(format!("{text:?} is not one of {}{hint}", words.join(", ")))
}
