//! Which selectors match which labelled things.
//!
//! Endpoints and network sets with the same labels and the same profiles form one class; selectors are matched
//! against classes, never against their members. Neither side of a match is walked linearly: a selector finds its
//! candidate classes, and a class its candidate selectors, by what the selector demands of single labels.
//! What a match means (a policy applies, a set gains members) is not known here.

mod classes;
mod postings;
mod subscriptions;
#[cfg(test)]
mod tests;

use model::resource::Labels;

pub(crate) use self::{
    classes::{Class, ClassId, Classes},
    subscriptions::{SubscriptionId, Subscriptions},
};
use crate::symbols::Symbols;

/// One matcher's changes for one class.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct MatchChanges {
    /// Subscriptions that match now and did not.
    pub(crate) started: Vec<SubscriptionId>,
    /// Subscriptions that matched and do not any more.
    pub(crate) stopped: Vec<SubscriptionId>,
}

/// Classes, and the two matchers that watch them.
pub(crate) struct LabelIndex {
    /// Texts of labels; other rooms keep theirs here too.
    pub(crate) symbols: Symbols,
    /// What is labelled.
    pub(crate) classes: Classes,
    /// Selectors of policies; they see classes with endpoints of wanted nodes only.
    pub(crate) policies: Subscriptions,
    /// Selectors of sets; they see all classes.
    pub(crate) sets: Subscriptions,
}

impl LabelIndex {
    pub(crate) fn new() -> Self {
        Self {
            symbols: Symbols::default(),
            classes: Classes::default(),
            policies: Subscriptions::new(Class::is_wanted),
            sets: Subscriptions::new(|_| true),
        }
    }

    /// Replaces what a profile's endpoints inherit. Returns the classes that inherit, whose matches are to be
    /// refreshed.
    pub(crate) fn set_profile_labels(&mut self, profile: &str, labels: &Labels) -> Vec<ClassId> {
        self.classes.set_profile_labels(&mut self.symbols, profile, labels)
    }

    /// Brings the matches of one class up to date in the matcher of policies.
    pub(crate) fn refresh_policies(&mut self, class: ClassId) -> MatchChanges {
        self.policies.refresh(&self.classes, &self.symbols, class)
    }

    /// Brings the matches of one class up to date in the matcher of sets.
    pub(crate) fn refresh_sets(&mut self, class: ClassId) -> MatchChanges {
        self.sets.refresh(&self.classes, &self.symbols, class)
    }
}
