//! Profiles by name. Namespaces and service accounts are profiles too, by names of their own.

use std::{collections::BTreeMap, sync::LazyLock};

use hashbrown::HashMap;
use model::{Key, Kind, resource::Labels};

use crate::rules::Rules;

/// What an unknown profile gives to inherit.
static NO_LABELS: LazyLock<Labels> = LazyLock::new(Labels::new);

/// A profile as one key gives it.
#[derive(Debug, PartialEq)]
pub(crate) struct Profile {
    pub(crate) rules: Rules,
    pub(crate) labels: Labels,
}

/// All profiles.
#[derive(Default)]
pub(crate) struct Profiles {
    /// By name, then by key: a profile and a namespace may claim one name, and then the least key wins.
    by_name: HashMap<String, BTreeMap<Key, Profile>>,
}

impl Profiles {
    /// Takes a profile in, or out.
    pub(crate) fn set(&mut self, name: &str, key: &Key, profile: Option<Profile>) {
        let claims = self.by_name.entry(name.to_owned()).or_default();
        match profile {
            Some(profile) => claims.insert(key.clone(), profile),
            None => claims.remove(key),
        };
        if claims.is_empty() {
            self.by_name.remove(name);
        }
    }

    /// Whether a key gave a profile.
    pub(crate) fn has(&self, name: &str, key: &Key) -> bool {
        self.by_name.get(name).is_some_and(|claims| claims.contains_key(key))
    }

    /// The profile that goes by a name.
    pub(crate) fn get(&self, name: &str) -> Option<&Profile> {
        Some(self.by_name.get(name)?.first_key_value()?.1)
    }

    /// What a profile gives to inherit.
    pub(crate) fn labels(&self, name: &str) -> &Labels {
        self.get(name).map_or(&NO_LABELS, |profile| &profile.labels)
    }
}

/// The name by which endpoints refer to the profile that a key holds.
pub(crate) fn profile_name(key: &Key) -> String {
    match key.kind() {
        Kind::Namespace => format!("kns.{}", key.name()),
        Kind::ServiceAccount => format!("ksa.{}.{}", key.namespace().unwrap_or_default(), key.name()),
        _ => key.name().to_owned(),
    }
}
