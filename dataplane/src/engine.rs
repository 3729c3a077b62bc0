//! The one owner of intent and kernel state: takes changes in cheaply, renders what they touch, and programs it.
//!
//! Order of work: rules before settings before routes, so that no packet finds a way before policy is in force.

use std::collections::{BTreeMap, BTreeSet};

use model::intent::{Delta, EndpointId, NodeIntent, PolicyId, PolicyIntent, ProfileId, SetId};

use crate::{
    Applied, Config, Error, Failure, Object,
    desired::Part,
    render::{self, Claims, Known, Presence},
    routes::Routes,
    tables::Tables,
};

/// Everything about one node's kernel.
pub(crate) struct Engine {
    config: Config,
    intent: NodeIntent,
    /// What of the intent changed since it was last rendered.
    changed: Changed,
    claims: Claims,
    tables: Tables,
    routes: Routes,
    is_in_sync: bool,
    /// The kernel's state is not known, or is known to have drifted.
    must_resync: bool,
    /// Interfaces came, went or changed since they were last listed.
    pub(crate) links_changed: bool,
}

/// Names of objects of the intent.
#[derive(Default)]
struct Changed {
    sets: BTreeSet<SetId>,
    policies: BTreeSet<PolicyId>,
    profiles: BTreeSet<ProfileId>,
    endpoints: BTreeSet<EndpointId>,
    has_routes: bool,
    /// The settings changed; whatever is rendered depends on them.
    has_config: bool,
    /// Those of the above that came or went, sets also in one IP version only; whoever refers to them is rendered
    /// again.
    existence: Existence,
}

#[derive(Default)]
struct Existence {
    sets: BTreeSet<SetId>,
    policies: BTreeSet<PolicyId>,
    profiles: BTreeSet<ProfileId>,
}

impl Engine {
    pub(crate) fn open(config: Config) -> Result<Self, Error> {
        let mut tables = Tables::open()?;
        tables.desired.put(Part::Base, render::base(&config));
        Ok(Self {
            config,
            intent: NodeIntent::default(),
            changed: Changed::default(),
            claims: Claims::default(),
            tables,
            routes: Routes::open()?,
            is_in_sync: false,
            must_resync: true,
            links_changed: true,
        })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn update(&mut self, delta: &Delta) {
        let presence = |intent: &NodeIntent, id: &SetId| intent.ip_sets.get(id).map(Presence::of);
        let before: Vec<_> = delta.ip_sets.keys().map(|id| presence(&self.intent, id)).collect();
        self.changed.note(&self.intent, delta);
        self.intent.apply(delta);
        for (id, before) in delta.ip_sets.keys().zip(before) {
            if presence(&self.intent, id) != before {
                self.changed.existence.sets.insert(id.clone());
            }
        }
        if let Some(config) = &delta.config {
            self.config = Config::from(config);
            self.changed.has_config = true;
        }
    }

    pub(crate) fn set_in_sync(&mut self) {
        self.is_in_sync = true;
    }

    pub(crate) fn is_in_sync(&self) -> bool {
        self.is_in_sync
    }

    /// Reads the kernel back at the next apply.
    pub(crate) fn require_resync(&mut self) {
        self.must_resync = true;
    }

    /// Whether something failed that may succeed later though nothing changes here.
    pub(crate) fn must_retry(&self) -> bool {
        self.routes.has_failures()
    }

    /// Makes the kernel enforce the intent. Nothing happens before in-sync.
    pub(crate) fn apply(&mut self) -> Result<Applied, Error> {
        if !self.is_in_sync {
            return Ok(Applied::default());
        }
        let mut applied = Applied::default();
        let must_list_links = self.must_resync || self.links_changed;
        if must_list_links {
            self.routes.list_links()?;
            self.links_changed = false;
        }
        let mut changed = std::mem::take(&mut self.changed);
        if changed.has_config {
            changed.note_all(&self.intent);
            self.tables.desired.put(Part::Base, render::base(&self.config));
        }
        self.render(&changed, must_list_links);
        applied.rule_changes = if self.must_resync { self.tables.resync() } else { self.tables.commit() }
            .inspect_err(|_| self.must_resync = true)?;
        if self.must_resync || must_list_links || changed.has_routes || changed.has_config || self.routes.has_failures()
        {
            let workloads: BTreeSet<_> = self.claims.workload_interfaces().cloned().collect();
            let routes = &self.intent.routes;
            self.routes
                .apply(routes, &workloads, must_list_links, &mut applied)
                .inspect_err(|_| self.must_resync = true)?;
        }
        self.must_resync = false;
        self.report(&mut applied);
        Ok(applied)
    }

    fn report(&self, applied: &mut Applied) {
        self.tables.report(applied);
        for (id, reason) in &self.claims.failures {
            applied.failures.push(Failure { object: Object::Endpoint(id.clone()), reason: reason.clone() });
        }
        self.routes.report(applied);
    }

    fn render(&mut self, changed: &Changed, links_changed: bool) {
        self.render_sets(changed);
        self.render_policies(changed);
        self.render_profiles(changed);
        let endpoints_changed = self.render_endpoints(changed);
        if endpoints_changed || links_changed || changed.has_config {
            let routes = &self.routes;
            self.claims = Claims::settle(&self.intent.endpoints, &self.config, |address| routes.interface_of(address));
            self.tables
                .desired
                .put(Part::Dispatch, render::dispatch(&self.intent.endpoints, &self.claims, &self.config));
        }
    }

    fn render_sets(&mut self, changed: &Changed) {
        for id in &changed.sets {
            let part = Part::Of(Object::Set(id.clone()));
            match self.intent.ip_sets.get(id) {
                Some(set) => self.tables.desired.put(part, render::ip_set(id, set)),
                None => self.tables.desired.remove(&part),
            }
        }
    }

    fn render_policies(&mut self, changed: &Changed) {
        let intent = &self.intent;
        let presence = |id: &SetId| intent.ip_sets.get(id).map(Presence::of);
        for id in changed.policies.iter().chain(&users(&intent.policies, &changed.existence.sets)) {
            let part = Part::Of(Object::Policy(id.clone()));
            match intent.policies.get(id) {
                Some(policy) => self.tables.desired.put(part, render::policy(id, policy, &self.config, &presence)),
                None => self.tables.desired.remove(&part),
            }
        }
    }

    fn render_profiles(&mut self, changed: &Changed) {
        let intent = &self.intent;
        let presence = |id: &SetId| intent.ip_sets.get(id).map(Presence::of);
        for id in changed.profiles.iter().chain(&users(&intent.profiles, &changed.existence.sets)) {
            let part = Part::Of(Object::Profile(id.clone()));
            match intent.profiles.get(id) {
                Some(profile) => self.tables.desired.put(part, render::profile(id, profile, &self.config, &presence)),
                None => self.tables.desired.remove(&part),
            }
        }
    }

    /// Whether there was anything to do.
    fn render_endpoints(&mut self, changed: &Changed) -> bool {
        let intent = &self.intent;
        let known = Known {
            policy: &|id: &PolicyId| intent.policies.contains_key(id),
            profile: &|id: &ProfileId| intent.profiles.contains_key(id),
        };
        let existence = &changed.existence;
        let mut ids = changed.endpoints.clone();
        if !(existence.policies.is_empty() && existence.profiles.is_empty()) {
            ids.extend(
                intent.endpoints.iter().filter(|(_, endpoint)| existence.concerns(endpoint)).map(|(id, _)| id.clone()),
            );
        }
        for id in &ids {
            let part = Part::Of(Object::Endpoint(id.clone()));
            match intent.endpoints.get(id) {
                Some(endpoint) => self.tables.desired.put(part, render::endpoint(id, endpoint, &self.config, &known)),
                None => self.tables.desired.remove(&part),
            }
        }
        !ids.is_empty()
    }
}

impl Changed {
    /// Takes note of a change that `intent` has not taken in yet.
    fn note(&mut self, intent: &NodeIntent, delta: &Delta) {
        self.sets.extend(delta.ip_sets.keys().cloned());
        note(&mut self.policies, &mut self.existence.policies, &intent.policies, &delta.policies);
        note(&mut self.profiles, &mut self.existence.profiles, &intent.profiles, &delta.profiles);
        self.endpoints.extend(delta.endpoints.keys().cloned());
        self.has_routes |= !delta.routes.is_empty();
    }

    /// Takes note of everything that is rendered with settings.
    fn note_all(&mut self, intent: &NodeIntent) {
        self.policies.extend(intent.policies.keys().cloned());
        self.profiles.extend(intent.profiles.keys().cloned());
        self.endpoints.extend(intent.endpoints.keys().cloned());
    }
}

impl Existence {
    fn concerns(&self, endpoint: &model::intent::EndpointIntent) -> bool {
        let mut tiers = endpoint.ingress.iter().chain(&endpoint.egress);
        tiers.any(|tier| tier.policies.iter().any(|id| self.policies.contains(id)))
            || endpoint.profiles.iter().any(|id| self.profiles.contains(id))
    }
}

fn note<K: Ord + Clone, V>(
    changed: &mut BTreeSet<K>,
    existence: &mut BTreeSet<K>,
    known: &BTreeMap<K, V>,
    delta: &BTreeMap<K, Option<V>>,
) {
    for (id, change) in delta {
        if known.contains_key(id) != change.is_some() {
            existence.insert(id.clone());
        }
        changed.insert(id.clone());
    }
}

/// The policies or profiles that refer to one of these sets.
fn users<K: Ord + Clone>(policies: &BTreeMap<K, std::sync::Arc<PolicyIntent>>, sets: &BTreeSet<SetId>) -> BTreeSet<K> {
    if sets.is_empty() {
        return BTreeSet::new();
    }
    let uses = |policy: &PolicyIntent| {
        let mut rules = policy.ingress.iter().chain(&policy.egress);
        rules.any(|rule| render::sets(rule).any(|id| sets.contains(id)))
    };
    policies.iter().filter(|(_, policy)| uses(policy)).map(|(id, _)| id.clone()).collect()
}
