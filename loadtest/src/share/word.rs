//! What a process tells the others: a small resource in the datastore, which no policy selects.

use bytes::Bytes;
use model::{Key, Kind, Version};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Share;
use crate::scenario::Scenario;

/// The annotation that holds it.
const NAME: &str = "loadtest-share";

/// What a process tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Word {
    pub(super) step: Step,
    /// What the whole run does, so that no process does something else.
    pub(super) scenario: Scenario,
    /// When it was told, milliseconds since the Unix epoch.
    pub(super) told_unix_ms: u64,
}

/// How far a process is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// It waits to begin.
    Ready,
    /// The leader's: all begin then, and every client must have this revision.
    Begin { start_unix_us: u64, revision: Version },
    /// The leader's: so much was written, up to this revision.
    Written { writes: u64, revision: Version },
    /// It needs nothing more.
    Done,
}

/// Where a process tells it.
pub(super) fn key(share: Share) -> Key {
    Key::global(Kind::GlobalNetworkSet, format!("loadtest-share-{}", share.part))
}

impl Word {
    /// The resource.
    pub(super) fn value(&self, share: Share) -> serde_json::Result<Bytes> {
        let name = format!("loadtest-share-{}", share.part);
        let set = json!({
            "kind": "GlobalNetworkSet",
            "apiVersion": "projectcalico.org/v3",
            "metadata": { "name": name, "annotations": { NAME: serde_json::to_string(self)? } },
            "spec": {},
        });
        Ok(serde_json::to_vec(&set)?.into())
    }

    /// What a resource says; `None` for what no process of this version told.
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let set: serde_json::Value = serde_json::from_slice(value).ok()?;
        serde_json::from_str(set.pointer("/metadata/annotations")?.get(NAME)?.as_str()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Overrides;

    #[test]
    fn a_word_is_a_resource_and_is_read_again() {
        let share: Share = "2/3".parse().unwrap();
        let scenario = Scenario::named("fanout", &Overrides::default()).unwrap();
        let word = Word { step: Step::Begin { start_unix_us: 5, revision: 7 }, scenario, told_unix_ms: 9 };
        let value = word.value(share).unwrap();
        model::resource::Resource::parse(&key(share), &value).unwrap();
        assert_eq!(Word::read(&value), Some(word));
        assert_eq!(Word::read(b"{}"), None);
    }
}
