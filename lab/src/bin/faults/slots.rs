//! What is written: network sets in numbered slots, each value saying when it was written.

use std::time::Duration;

use bytes::Bytes;
use datastore_adapters::Write;
use model::{Key, Kind};

/// How many keys are written in turn.
pub(crate) const SLOTS: u32 = 300;
/// One visit in so many deletes its slot's key.
const DELETION: u64 = 7;
const PREFIX: &str = "faults-";
const STAMP: &str = "\"written\":\"";

/// The write of this number: slots in turn, now and then a deletion.
pub(crate) fn write(number: u64, at: Duration) -> (u32, Write) {
    let slot = (number % u64::from(SLOTS)) as u32;
    let write = if number % DELETION == DELETION - 1 { Write::Delete(key(slot)) } else { put(slot, at) };
    (slot, write)
}

/// A value in a slot.
pub(crate) fn put(slot: u32, at: Duration) -> Write {
    let (micros, name) = (at.as_micros(), name(slot));
    let value = format!(
        r#"{{"apiVersion":"projectcalico.org/v3","kind":"GlobalNetworkSet","metadata":{{"name":"{name}","annotations":{{"written":"{micros}"}}}},"spec":{{"nets":["10.{}.{}.0/24"]}}}}"#,
        slot / 256,
        slot % 256,
    );
    Write::Put(key(slot), value.into())
}

fn name(slot: u32) -> String {
    format!("{PREFIX}{slot:05}")
}

fn key(slot: u32) -> Key {
    Key::global(Kind::GlobalNetworkSet, name(slot))
}

/// The slot of a key's text, or of its name; `None` for keys that are not ours.
pub(crate) fn slot(key: &str) -> Option<u32> {
    let name = key.rsplit('/').next()?;
    name.strip_prefix(PREFIX)?.parse().ok().filter(|slot| *slot < SLOTS)
}

/// When a value was written.
pub(crate) fn written_at(value: &Bytes) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?;
    let digits = text.split_once(STAMP)?.1.split('"').next()?;
    Some(Duration::from_micros(digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_says_its_slot_and_its_time() {
        let at = Duration::from_millis(1500);
        let (slot_written, Write::Put(key, value)) = write(301, at) else { panic!("a deletion") };
        assert_eq!((slot_written, slot(&key.to_string()), written_at(&value)), (1, Some(1), Some(at)));
        assert!(matches!(write(DELETION - 1, at), (6, Write::Delete(_))));
        assert_eq!(slot("GlobalNetworkSet/other"), None);
    }
}
