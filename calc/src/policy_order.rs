//! Tiers, and the order in which policies are asked.

use std::{cmp::Ordering, sync::Arc};

use hashbrown::HashMap;
use model::{
    Key,
    intent::DefaultAction,
    resource::{Action, TierSpec},
};

/// The tier of policies that name none.
pub(crate) const DEFAULT_TIER: &str = "default";

/// Tiers that exist without a resource, with an order and an action that no resource changes.
const RESERVED_TIERS: [(&str, f64, DefaultAction); 3] = [
    ("kube-admin", 1_000.0, DefaultAction::Pass),
    (DEFAULT_TIER, 1_000_000.0, DefaultAction::Deny),
    ("kube-baseline", 10_000_000.0, DefaultAction::Pass),
];

/// A place in line, lowest first; none is last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order(f64);

impl Order {
    /// The place that a resource asks for.
    pub(crate) fn new(order: Option<f64>) -> Self {
        // Adding zero makes one zero of the two that floats have.
        Self(order.map_or(f64::INFINITY, |order| order + 0.0))
    }
}

impl PartialEq for Order {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Order {}

impl PartialOrd for Order {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Order {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// Where a policy stands in its tier. Broken policies deny, so they come first: what they would have denied must not
/// meet an Allow before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PolicyPlace {
    sound: bool,
    order: Order,
    /// `name/namespace/kind`, compared as one text.
    tie: Arc<str>,
}

impl PolicyPlace {
    pub(crate) fn new(key: &Key, order: Option<f64>) -> Self {
        let tie = format!("{}/{}/{}", key.name(), key.namespace().unwrap_or_default(), key.kind());
        Self { sound: true, order: Order::new(order), tie: tie.into() }
    }

    /// The place of the same policy when it is broken; its order may not be known then.
    pub(crate) fn broken(self) -> Self {
        Self { sound: false, order: Order::new(None), ..self }
    }
}

/// Where a tier stands: known ones by order and name, unknown ones after them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TierPlace {
    unknown: bool,
    order: Order,
    name: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tier {
    order: Order,
    default_action: DefaultAction,
}

/// The known tiers.
pub(crate) struct Tiers {
    by_name: HashMap<Arc<str>, Tier>,
}

impl Tiers {
    pub(crate) fn new() -> Self {
        let reserved = RESERVED_TIERS.iter().map(|&(name, order, default_action)| {
            (name.into(), Tier { order: Order::new(Some(order)), default_action })
        });
        Self { by_name: reserved.collect() }
    }

    /// Takes a tier in, or out. Returns whether that changed anything.
    pub(crate) fn set(&mut self, name: &str, spec: Option<&TierSpec>) -> bool {
        if RESERVED_TIERS.iter().any(|(reserved, ..)| *reserved == name) {
            return false;
        }
        let tier = spec.map(|spec| Tier {
            order: Order::new(spec.order),
            default_action: match spec.default_action {
                Some(Action::Pass) => DefaultAction::Pass,
                _ => DefaultAction::Deny,
            },
        });
        let old = match tier {
            Some(tier) => self.by_name.insert(name.into(), tier),
            None => self.by_name.remove(name),
        };
        old != tier
    }

    /// Whether a tier is known.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Where a tier stands, known or not.
    pub(crate) fn place(&self, name: &Arc<str>) -> TierPlace {
        let tier = self.by_name.get(name);
        let order = tier.map_or(Order::new(None), |tier| tier.order);
        TierPlace { unknown: tier.is_none(), order, name: name.clone() }
    }

    /// What ends a tier; an unknown one denies.
    pub(crate) fn default_action(&self, name: &str) -> DefaultAction {
        self.by_name.get(name).map_or(DefaultAction::Deny, |tier| tier.default_action)
    }
}

#[cfg(test)]
mod tests {
    use model::Kind;

    use super::*;

    fn place(name: &str, order: Option<f64>) -> PolicyPlace {
        PolicyPlace::new(&Key::namespaced(Kind::NetworkPolicy, "shop", name), order)
    }

    #[test]
    fn policies_go_by_order_then_by_name_and_those_without_order_last() {
        let mut places = [place("c", None), place("b", Some(5.0)), place("a", Some(5.0)), place("d", Some(-1.0))];
        places.sort();
        let names: Vec<_> = places.iter().map(|place| &place.tie[..1]).collect();
        assert_eq!(names, ["d", "a", "b", "c"]);
    }

    #[test]
    fn a_broken_policy_comes_before_all_others() {
        let key = Key::global(Kind::GlobalNetworkPolicy, "z");
        assert!(PolicyPlace::new(&key, None).broken() < place("a", Some(-1e9)));
    }

    #[test]
    fn unknown_tiers_come_last_and_deny() {
        let mut tiers = Tiers::new();
        tiers.set("late", Some(&TierSpec { order: None, default_action: Some(Action::Pass) }));
        let mut places: Vec<_> =
            ["missing", "late", "kube-baseline", "default", "kube-admin"].map(|name| tiers.place(&name.into())).into();
        places.sort();
        let names: Vec<_> = places.iter().map(|place| &*place.name).collect();
        assert_eq!(names, ["kube-admin", "default", "kube-baseline", "late", "missing"]);
        assert_eq!(tiers.default_action("missing"), DefaultAction::Deny);
        assert_eq!(tiers.default_action("late"), DefaultAction::Pass);
    }

    #[test]
    fn reserved_tiers_stay_as_they_are() {
        let mut tiers = Tiers::new();
        assert!(!tiers.set("default", Some(&TierSpec { order: Some(1.0), default_action: Some(Action::Pass) })));
        assert!(!tiers.set("default", None));
        assert_eq!(tiers.default_action("default"), DefaultAction::Deny);
    }
}
