//! GlobalNetworkSets of about 350 bytes. The members differ from write to write, as a real change's would.

use bytes::Bytes;
use model::{Key, Kind};

use super::Stamp;

/// Addresses of each set.
const NETS: usize = 8;

/// The key of resource number `index`.
pub(super) fn key(index: u32) -> Key {
    Key::global(Kind::GlobalNetworkSet, format!("loadtest-{index:07}"))
}

/// The number of the resource with this key; `None` for keys that are not ours.
pub(super) fn index(key: &str) -> Option<u32> {
    key.strip_prefix("GlobalNetworkSet/loadtest-")?.parse().ok()
}

/// The value of resource number `index`.
pub(super) fn value(index: u32, stamp: Stamp) -> Bytes {
    let mixed = stamp.number.wrapping_mul(2_654_435_761).to_be_bytes();
    let nets: Vec<String> = (0..NETS).map(|net| format!("\"10.{}.{}.{net}/32\"", mixed[0], mixed[1])).collect();
    format!(
        concat!(
            r#"{{"kind":"GlobalNetworkSet","apiVersion":"projectcalico.org/v3","metadata":{{"name":"loadtest-{:07}","#,
            r#""labels":{{"loadtest":"set"}},"annotations":{{"loadtest-write":"{}"}}}},"spec":{{"nets":[{}]}}}}"#
        ),
        index,
        stamp,
        nets.join(",")
    )
    .into()
}
