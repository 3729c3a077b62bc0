//! The resources that a run writes: GlobalNetworkSets of about 350 bytes. Each value says which write it is and when that
//! write was intended, so that whoever receives it needs no other record to know how late it is and what it replaces.

use std::time::Duration;

use bytes::Bytes;
use model::{Key, Kind};

/// What stands before the stamp in a value.
const STAMP_NAME: &[u8] = b"\"loadtest-write\":\"";
/// Digits of the write's number, zero-padded so that every value has the same length.
const NUMBER_DIGITS: usize = 10;
/// Digits of the intended time, zero-padded likewise.
const TIME_DIGITS: usize = 15;
/// Addresses of each set.
const NETS: usize = 8;

/// Which write a value is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The write's number; 0 for what was there before the first write.
    pub(crate) number: u32,
    /// When it was intended, from the run's epoch on.
    pub(crate) intended: Duration,
}

/// The key of resource number `index`.
pub(crate) fn key(index: u32) -> Key {
    Key::global(Kind::GlobalNetworkSet, format!("loadtest-{index:07}"))
}

/// The number of the resource with this key; `None` for keys that are not ours.
pub(crate) fn index(key: &str) -> Option<u32> {
    key.strip_prefix("GlobalNetworkSet/loadtest-")?.parse().ok()
}

/// The value of resource number `index`. The members differ from write to write, as a real change's would.
pub(crate) fn value(index: u32, stamp: Stamp) -> Bytes {
    let mixed = stamp.number.wrapping_mul(2_654_435_761).to_be_bytes();
    let nets: Vec<String> = (0..NETS).map(|net| format!("\"10.{}.{}.{net}/32\"", mixed[0], mixed[1])).collect();
    format!(
        concat!(
            r#"{{"kind":"GlobalNetworkSet","apiVersion":"projectcalico.org/v3","metadata":{{"name":"loadtest-{:07}","#,
            r#""labels":{{"loadtest":"set"}},"annotations":{{"loadtest-write":"{:010}@{:015}"}}}},"#,
            r#""spec":{{"nets":[{}]}}}}"#
        ),
        index,
        stamp.number,
        stamp.intended.as_micros(),
        nets.join(",")
    )
    .into()
}

/// Which write a value is of; `None` for values that are not ours.
pub(crate) fn stamp(value: &[u8]) -> Option<Stamp> {
    let name = value.windows(STAMP_NAME.len()).position(|window| window == STAMP_NAME)?;
    let start = name + STAMP_NAME.len();
    let text = std::str::from_utf8(value.get(start..start + NUMBER_DIGITS + 1 + TIME_DIGITS)?).ok()?;
    let (number, intended_us) = text.split_once('@')?;
    Some(Stamp { number: number.parse().ok()?, intended: Duration::from_micros(intended_us.parse().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_resources_and_carry_their_stamp() {
        let sent = Stamp { number: 42, intended: Duration::from_micros(123_456_789) };
        let value = value(7, sent);
        assert_eq!(stamp(&value), Some(sent));
        assert!((300..400).contains(&value.len()), "{} bytes", value.len());
        model::resource::Resource::parse(&key(7), &value).unwrap();
        assert_eq!(index(&key(7).to_string()), Some(7));
        assert_eq!(stamp(b"{}"), None);
        assert_eq!(index("Tier/default"), None);
    }
}
