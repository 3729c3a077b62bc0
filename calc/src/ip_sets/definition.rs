//! What sets hold, said once: equal demands of many rules are one definition with one identity.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hashbrown::HashMap;
use model::intent::{Protocol, SetId};
use selector::Selector;
use sha2::{Digest, Sha224};

/// What a rule asks of a set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SetContent {
    /// Whose addresses.
    pub(crate) selector: Selector,
    /// For a set of named ports: the name, and the protocol unless any will do.
    pub(crate) port: Option<(Arc<str>, Option<Protocol>)>,
}

/// A set's content and identity.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SetDefinition {
    pub(crate) id: SetId,
    pub(crate) content: SetContent,
}

impl SetDefinition {
    fn new(content: SetContent) -> Self {
        let selected = content.selector.uid();
        let Some((name, protocol)) = &content.port else {
            return Self { id: SetId(selected.into()), content };
        };
        let protocol = protocol.map_or_else(String::new, |protocol| protocol.to_string());
        let digest = Sha224::new().chain_update(format!("{selected},{protocol},{name}")).finalize();
        Self { id: SetId(format!("n:{}", BASE64_URL_SAFE_NO_PAD.encode(digest)).into()), content }
    }
}

/// Definitions that rules refer to, and at times as many that none refers to any more.
#[derive(Default)]
pub(crate) struct Definitions {
    known: HashMap<SetContent, Arc<SetDefinition>>,
    /// How many may be known before those that nothing refers to are swept.
    sweep_at: usize,
}

impl Definitions {
    /// Below this, sweeping saves nothing worth the walk.
    const LEAST_SWEEP: usize = 1024;

    /// The definition of a content.
    pub(crate) fn define(&mut self, content: SetContent) -> Arc<SetDefinition> {
        if let Some(known) = self.known.get(&content) {
            return known.clone();
        }
        if self.known.len() >= self.sweep_at {
            self.known.retain(|_, definition| Arc::strong_count(definition) > 1);
            self.sweep_at = Self::LEAST_SWEEP.max(2 * self.known.len());
        }
        let definition = Arc::new(SetDefinition::new(content.clone()));
        self.known.insert(content, definition.clone());
        definition
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(selector: &str, port: Option<(&str, Option<Protocol>)>) -> SetContent {
        let port = port.map(|(name, protocol)| (name.into(), protocol));
        SetContent { selector: Selector::parse(selector).unwrap(), port }
    }

    #[test]
    fn identities_tell_contents_apart() {
        let contents = [
            content("a == 'b'", None),
            content("a == 'c'", None),
            content("a == 'b'", Some(("http", None))),
            content("a == 'b'", Some(("http", Some(Protocol::TCP)))),
            content("a == 'b'", Some(("dns", None))),
        ];
        let mut definitions = Definitions::default();
        let ids: std::collections::BTreeSet<_> =
            contents.iter().map(|content| definitions.define(content.clone()).id.clone()).collect();
        assert_eq!(ids.len(), contents.len());
        assert!(ids.iter().all(|id| id.0.starts_with("s:") || id.0.starts_with("n:")));
    }

    #[test]
    fn what_nothing_refers_to_is_swept_in_time() {
        let mut definitions = Definitions::default();
        let kept = definitions.define(content("kept == 'x'", None));
        for number in 0..5 * Definitions::LEAST_SWEEP {
            definitions.define(content(&format!("a == '{number}'"), None));
        }
        assert!(definitions.known.len() <= 2 * Definitions::LEAST_SWEEP);
        assert!(Arc::ptr_eq(&kept, &definitions.define(content(r#"kept == "x""#, None))));
    }
}
