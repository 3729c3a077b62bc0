//! Elements to the kernel's list entries and back.

use std::net::IpAddr;

use super::{Entries, predecessor, successor, write};
use crate::{
    netlink::{Attributes, MessageWriter},
    ruleset::{Element, Family, Schema, Verdict},
};

fn there_and_back(schema: Schema, elements: &[Element]) -> Vec<Element> {
    let mut writer = MessageWriter::new(0);
    // The kernel lists in an order of its own.
    for element in elements.iter().rev() {
        write(&mut writer, element);
    }
    let mut entries = Entries::default();
    for (_, entry) in Attributes(writer.as_bytes()) {
        entries.take(&Attributes(entry));
    }
    entries.finish(schema)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn ranges_that_touch_stay_two_and_the_last_needs_no_end() {
    let ranges = [
        ("0.0.0.0", "0.255.255.255"),
        ("10.0.0.0", "10.0.0.255"),
        ("10.0.1.0", "10.0.1.0"),
        ("224.0.0.0", "255.255.255.255"),
    ];
    let elements = ranges.map(|(first, last)| Element::Addresses(address(first), address(last)));
    assert_eq!(there_and_back(Schema::Addresses(Family::V4), &elements), elements);
    let all = [Element::Addresses(address("::"), address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"))];
    assert_eq!(there_and_back(Schema::Addresses(Family::V6), &all), all);
    let ports = [Element::Ports(0, 0), Element::Ports(1, 79), Element::Ports(65535, 65535)];
    assert_eq!(there_and_back(Schema::Ports, &ports), ports);
}

#[test]
fn keys_of_several_parts_come_back_whole() {
    let ports = [Element::AddressPort(address("10.0.0.1"), 6, 80), Element::AddressPort(address("10.0.0.1"), 17, 53)];
    assert_eq!(there_and_back(Schema::AddressPorts(Family::V4), &ports), ports);
    let ports = [Element::AddressPort(address("fd00::1"), 132, 8080)];
    assert_eq!(there_and_back(Schema::AddressPorts(Family::V6), &ports), ports);
    let sources = [Element::InterfaceAddress("cali0123456789a".into(), address("fd00::1"))];
    assert_eq!(there_and_back(Schema::InterfaceAddresses(Family::V6), &sources), sources);
    let ways = [
        Element::Dispatch("cali1".into(), Verdict::Goto("tw-1".into())),
        Element::Dispatch("cali2".into(), Verdict::Drop),
    ];
    assert_eq!(there_and_back(Schema::Dispatch, &ways), ways);
    let protocols = [Element::Protocol(6), Element::Protocol(17)];
    assert_eq!(there_and_back(Schema::Protocols, &protocols), protocols);
}

#[test]
fn what_is_cut_short_is_left_out() {
    let mut writer = MessageWriter::new(0);
    write(&mut writer, &Element::AddressPort(address("10.0.0.1"), 6, 80));
    for end in 0..writer.as_bytes().len() {
        let mut entries = Entries::default();
        for (_, entry) in Attributes(&writer.as_bytes()[..end]) {
            entries.take(&Attributes(entry));
        }
        assert_eq!(entries.finish(Schema::AddressPorts(Family::V4)), []);
    }
}

#[test]
fn keys_carry_over_bytes() {
    assert_eq!(successor(&[1, 255]), Some(vec![2, 0]));
    assert_eq!(successor(&[255, 255]), None);
    assert_eq!(predecessor(&[2, 0]), Some(vec![1, 255]));
    assert_eq!(predecessor(&[0, 0]), None);
}
