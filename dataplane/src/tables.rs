//! Our nftables table: what it is to hold, what it holds, and the transactions between.

use std::{collections::BTreeMap, io};

use netlink_sys::protocols::NETLINK_NETFILTER;
use nix::libc;

use crate::{
    Applied, Error, Failure, Object,
    delta::{Actual, Plan, View},
    desired::{Desired, Names, Part},
    netlink::{Refusal, Socket},
    nft::{self, Batch, Touched},
    render,
    ruleset::Name,
};

/// Another program's transaction between our reading and our writing is rare; this many in a row are a fight.
const READ_ATTEMPTS: usize = 10;

/// The owner of our table.
pub(crate) struct Tables {
    socket: Socket,
    pub(crate) desired: Desired,
    actual: Actual,
    /// What the kernel refused, and why; left alone until it changes or the kernel is read again.
    refused: BTreeMap<Touched, String>,
}

/// How a transaction ended.
enum Outcome {
    Done(usize),
    /// Something was refused and is left out from now on.
    Reduced,
    /// The rule set was changed by another program since it was read.
    Outdated,
}

impl Tables {
    pub(crate) fn open() -> Result<Self, Error> {
        let socket = Socket::open(NETLINK_NETFILTER).map_err(Error::Open)?;
        Ok(Self { socket, desired: Desired::default(), actual: Actual::default(), refused: BTreeMap::new() })
    }

    /// Writes what changed since the last commit; returns how many changes that took.
    pub(crate) fn commit(&mut self) -> Result<usize, Error> {
        let mut scope = self.desired.take_touched();
        self.forgive(&mut scope);
        let Some(prepared) = self.write_ahead(&scope, None)? else { return self.resync() };
        if !self.refused.is_empty() {
            self.widen(&mut scope);
        }
        loop {
            match self.transact(&scope, None)? {
                Outcome::Done(changes) => return Ok(prepared + changes),
                Outcome::Reduced => self.widen(&mut scope),
                Outcome::Outdated => return self.resync(),
            }
        }
    }

    /// Reads the kernel back and writes whatever differs; whatever is in our table and not desired goes.
    pub(crate) fn resync(&mut self) -> Result<usize, Error> {
        self.desired.take_touched();
        self.refused.clear();
        let mut prepared = 0;
        for _ in 0..READ_ATTEMPTS {
            let (generation, is_unusable) = self.read()?;
            // Where no chain is there yet, no packet can notice anything.
            if !is_unusable && !self.actual.chains.is_empty() {
                let scope = Plan::everything(&self.desired, &self.actual);
                match self.write_ahead(&scope, Some(generation))? {
                    Some(0) => {}
                    // There is another generation now, to be read.
                    Some(changes) => {
                        prepared += changes;
                        continue;
                    }
                    None => continue,
                }
            }
            loop {
                let scope = Plan::everything(&self.desired, &self.actual);
                let outcome =
                    if is_unusable { self.rebuild(generation) } else { self.transact(&scope, Some(generation)) };
                match outcome? {
                    Outcome::Done(changes) => return Ok(prepared + changes),
                    Outcome::Reduced => {}
                    Outcome::Outdated => break,
                }
            }
        }
        Err(Error::Contended(READ_ATTEMPTS))
    }

    /// Adds to `applied` what is not enforced as asked.
    pub(crate) fn report(&self, applied: &mut Applied) {
        for (part, reason) in self.desired.failures() {
            let object = match part {
                Part::Of(object) => object.clone(),
                Part::Base | Part::Dispatch => Object::Table,
            };
            applied.failures.push(Failure { object, reason: reason.clone() });
        }
        for (touched, reason) in &self.refused {
            let reason = format!("the kernel refuses it: {reason}");
            applied.failures.push(Failure { object: self.owner(touched), reason });
        }
    }

    fn read(&mut self) -> Result<(u32, bool), Error> {
        let schema_of = |name: &str| self.desired.set(name).map(|set| set.schema).or_else(|| render::schema_of(name));
        let listing = nft::read(&mut self.socket, schema_of)
            .map_err(|source| Error::Read { what: "nftables table inet cattail", source })?;
        let kinds_differ = self.desired.chains().any(|(name, chain)| {
            let image = listing.chains.get(name);
            image.is_some_and(|image| image.hook.is_some() != chain.hook.is_some())
        });
        self.actual = Actual { chains: listing.chains, sets: listing.sets };
        Ok((listing.generation, listing.is_unusable || kinds_differ))
    }

    /// A set's shape, and whether a chain is a base chain, cannot change in place while others lead there: the table
    /// is removed and made again in one transaction. Only vandals bring it to that.
    fn rebuild(&mut self, generation: u32) -> Result<Outcome, Error> {
        self.actual = Actual::default();
        let scope = Plan::everything(&self.desired, &self.actual);
        let mut batch = Batch::new(&self.socket, Some(generation));
        batch.recreate_table();
        self.finish(&scope, batch)
    }

    /// Writes sets that are not there yet, and to which nothing can refer so far, in a transaction that no packet can
    /// notice: the kernel shows a new interval set's elements a moment after the rules of the same transaction, and a
    /// packet in between would meet an empty set. Returns how many changes that took; `None` where it is outdated.
    fn write_ahead(&mut self, scope: &Names, generation: Option<u32>) -> Result<Option<usize>, Error> {
        loop {
            let new_sets = self.new_sets(scope);
            match self.transact(&new_sets, generation)? {
                Outcome::Done(changes) => return Ok(Some(changes)),
                // What was refused is not among the new sets any more.
                Outcome::Reduced => {}
                Outcome::Outdated => return Ok(None),
            }
        }
    }

    fn new_sets(&self, scope: &Names) -> Names {
        let is_new = |name: &&Name| {
            let is_set = self.desired.set(name).is_some_and(|set| !set.schema.is_map());
            is_set
                && !self.actual.sets.contains_key(*name)
                && !self.refused.contains_key(&Touched::Set((*name).clone()))
        };
        let mut names = Names::default();
        names.sets = scope.sets.iter().filter(is_new).cloned().collect();
        names
    }

    fn transact(&mut self, scope: &Names, generation: Option<u32>) -> Result<Outcome, Error> {
        let batch = Batch::new(&self.socket, generation);
        self.finish(scope, batch)
    }

    fn finish(&mut self, scope: &Names, mut batch: Batch) -> Result<Outcome, Error> {
        let view = View { desired: &self.desired, refused: &self.refused };
        let plan = Plan::between(&view, &self.actual, scope);
        plan.write(&mut batch);
        if batch.is_empty() {
            return Ok(Outcome::Done(0));
        }
        let changes = batch.changes();
        let refusals = batch
            .commit(&mut self.socket)
            .map_err(|source: io::Error| Error::Send { what: "an nftables transaction", source })?;
        if refusals.is_empty() {
            plan.done(&mut self.actual);
            return Ok(Outcome::Done(changes));
        }
        if refusals.iter().any(|(_, refusal)| refusal.errno == libc::ERESTART) {
            return Ok(Outcome::Outdated);
        }
        self.leave_out(&refusals)?;
        Ok(Outcome::Reduced)
    }

    /// Leaves out what was refused. The first refusal is a cause; later ones of things that do not exist are
    /// its consequences.
    fn leave_out(&mut self, refusals: &[(Touched, Refusal)]) -> Result<(), Error> {
        let mut progress = false;
        for (index, (touched, refusal)) in refusals.iter().enumerate() {
            if index > 0 && refusal.errno == libc::ENOENT {
                continue;
            }
            let is_ours_alone = self.owner(touched) == Object::Table && self.is_desired(touched);
            if index == 0 && (is_ours_alone || self.refused.contains_key(touched)) {
                return Err(Error::Refused { object: touched.to_string(), reason: refusal.reason() });
            }
            if !is_ours_alone && !self.refused.contains_key(touched) {
                self.refused.insert(touched.clone(), refusal.reason());
                progress = true;
            }
        }
        debug_assert!(progress, "the first refusal is left out or is an error");
        Ok(())
    }

    /// What changed gets another chance, and with a set those who use it.
    fn forgive(&mut self, scope: &mut Names) {
        if self.refused.is_empty() {
            return;
        }
        let sets: Vec<_> = scope.sets.iter().cloned().map(Touched::Set).collect();
        let chains = scope.chains.iter().cloned().map(Touched::Chain).collect::<Vec<_>>();
        for touched in sets.iter().chain(&chains) {
            if self.refused.remove(touched).is_some()
                && let Touched::Set(set) = touched
            {
                let users = self.desired.chains().filter(|(_, chain)| chain.sets().any(|used| used == set));
                scope.chains.extend(users.map(|(name, _)| name.clone()));
            }
        }
    }

    /// Chains that use a refused set must be closed with it.
    fn widen(&self, scope: &mut Names) {
        let is_refused = |set: &crate::ruleset::Name| self.refused.contains_key(&Touched::Set(set.clone()));
        let users = self.desired.chains().filter(|(_, chain)| chain.sets().any(is_refused));
        scope.chains.extend(users.map(|(name, _)| name.clone()));
    }

    fn is_desired(&self, touched: &Touched) -> bool {
        match touched {
            Touched::Table => true,
            Touched::Chain(name) => self.desired.chain(name).is_some(),
            Touched::Set(name) => self.desired.set(name).is_some(),
        }
    }

    fn owner(&self, touched: &Touched) -> Object {
        let owner = match touched {
            Touched::Table => None,
            Touched::Chain(name) => self.desired.chain(name).map(|chain| chain.owner.clone()),
            Touched::Set(name) => self.desired.set(name).map(|set| set.owner.clone()),
        };
        owner.unwrap_or(Object::Table)
    }
}
