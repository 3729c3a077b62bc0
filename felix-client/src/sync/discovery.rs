//! Which replicas there are: entries of a list, and the addresses behind those that are DNS names, looked up again and
//! again. A name with many addresses, as a headless Service has, is that many replicas.
//!
//! All clients of one configuration share what is found and take turns at looking; nothing runs by itself. Another way
//! of finding replicas, such as EndpointSlices with their zones, would be another writer of the same set.

mod entry;
mod known;
mod resolve;
#[cfg(test)]
mod tests;

use std::{
    convert::Infallible,
    future, mem,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::{self, Instant},
};

pub use self::resolve::{Lookup, Resolve};
use self::{entry::Entry, known::Known, resolve::System};
use super::{Metrics, replica::Replica};

/// Between two lookups, on average; the system's resolver tells no TTL. Short enough that a new replica has its share
/// within half a minute, long enough that 5,000 nodes ask the cluster's DNS 250 times a second, which it does not notice.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(20);

/// Lookups after failed connections are no closer than this: what is gone fails for many clients at once.
const MIN_INTERVAL: Duration = Duration::from_secs(2);

/// A lookup that takes longer has failed. The resolver's own limit is most often 5 s a server.
const LOOKUP_LIMIT: Duration = Duration::from_secs(10);

/// Finds replicas, and remembers those that were found.
#[derive(Debug)]
pub struct Discovery {
    /// As they were given.
    entries: Arc<[Arc<str>]>,
    /// The entries to look up, by their numbers in `Known`.
    names: Vec<(usize, Arc<str>)>,
    resolver: Arc<dyn Resolve>,
    interval: Duration,
    turn: Mutex<Turn>,
    /// Somebody was not reached: the next lookup is due now.
    hurry: Notify,
    found: watch::Sender<Found>,
}

/// What is known, and whose turn it is to learn more.
#[derive(Debug)]
struct Turn {
    known: Known,
    /// When somebody is to look up the names. Whoever does moves this on first.
    due: Instant,
    /// When names were last looked up.
    looked_at: Option<Instant>,
}

/// The replicas that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Ordered by address.
    pub replicas: Arc<[Replica]>,
    /// Why the last lookup of a name failed, where it did; what was known before holds.
    pub complaint: Option<Arc<str>>,
}

impl Discovery {
    /// For entries `host:port`, with `#zone` after the port where the zone is known. Names are looked up by the system.
    pub fn new(entries: impl IntoIterator<Item = impl Into<Arc<str>>>) -> Self {
        Self::with_resolver(entries, System, LOOKUP_INTERVAL)
    }

    /// The same with another resolver, asked once an `interval` on average.
    pub fn with_resolver(
        entries: impl IntoIterator<Item = impl Into<Arc<str>>>,
        resolver: impl Resolve + 'static,
        interval: Duration,
    ) -> Self {
        let entries: Arc<[Arc<str>]> = entries.into_iter().map(Into::into).collect();
        let known = Known::new(entries.iter().map(|text| Entry::read(text)));
        let found = Found { replicas: known.replicas().into(), complaint: None };
        let names = known.names();
        let turn = Mutex::new(Turn { known, due: Instant::now(), looked_at: None });
        let (found, hurry) = (watch::Sender::new(found), Notify::new());
        Self { entries, names, resolver: Arc::new(resolver), interval, turn, hurry, found }
    }

    /// The list that it was given.
    pub fn entries(&self) -> &[Arc<str>] {
        &self.entries
    }

    /// What is known now.
    pub fn found(&self) -> Found {
        self.found.borrow().clone()
    }

    /// What is known, now and whenever that changes.
    pub(super) fn watch(&self) -> watch::Receiver<Found> {
        self.found.subscribe()
    }

    /// Whether no name is among the entries, so that nothing ever changes.
    pub(super) fn is_fixed(&self) -> bool {
        self.names.is_empty()
    }

    /// How long it is until names are looked up.
    pub(super) fn next_lookup_in(&self) -> Duration {
        self.turn().due.saturating_duration_since(Instant::now())
    }

    /// A replica was not reached; perhaps others took its place.
    pub(super) fn hurry(&self) {
        if !self.is_fixed() {
            self.hurry.notify_one();
        }
    }

    /// Takes turns with other clients at looking up names. Never ends. Cancel safe: a turn that is given up is somebody
    /// else's soon.
    pub(super) async fn follow(&self, metrics: &Metrics) -> Infallible {
        metrics.replicas(&self.found().replicas);
        if self.is_fixed() {
            return future::pending().await;
        }
        loop {
            let due = self.turn().due;
            tokio::select! {
                () = time::sleep_until(due) => {}
                () = self.hurry.notified() => self.bring_forward(Instant::now()),
            }
            if self.take_turn(Instant::now()) {
                self.look_up(metrics).await;
            }
        }
    }

    fn bring_forward(&self, now: Instant) {
        let mut turn = self.turn();
        let earliest = turn.looked_at.map_or(now, |at| at + MIN_INTERVAL);
        turn.due = turn.due.min(earliest.max(now));
    }

    fn take_turn(&self, now: Instant) -> bool {
        let mut turn = self.turn();
        let is_due = turn.due <= now;
        if is_due {
            // Until it is done, or its client ended on the way.
            turn.due = now + LOOKUP_LIMIT;
        }
        is_due
    }

    async fn look_up(&self, metrics: &Metrics) {
        let mut lookups = JoinSet::new();
        for (number, name) in self.names.iter().cloned() {
            let resolver = Arc::clone(&self.resolver);
            lookups.spawn(async move { (number, addresses(&*resolver, &name).await) });
        }
        let mut complaint = None;
        while let Some(looked_up) = lookups.join_next().await {
            match looked_up {
                Ok((number, Ok(addresses))) => {
                    self.turn().known.answered(number, &addresses);
                    // Shown at once: another name, that nobody answers for, is in nobody's way.
                    self.show(self.found().complaint, metrics);
                }
                Ok((number, Err(reason))) => {
                    metrics.lookup_failures.inc();
                    complaint = complaint.max(Some((number, reason)));
                }
                Err(error) => tracing::error!("looking up a name failed: {error}"),
            }
        }
        self.end_turn();
        self.show(complaint.map(|(_, reason)| reason.into()), metrics);
    }

    fn end_turn(&self) {
        let (mut turn, now) = (self.turn(), Instant::now());
        turn.looked_at = Some(now);
        // Nothing works before the first answer, so that is asked for more often.
        let interval = if turn.known.replicas().is_empty() { MIN_INTERVAL } else { self.interval };
        turn.due = now + interval.mul_f64(0.5 + fastrand::f64());
    }

    fn show(&self, complaint: Option<Arc<str>>, metrics: &Metrics) {
        let found = Found { replicas: self.turn().known.replicas().into(), complaint };
        metrics.replicas(&found.replicas);
        self.found.send_if_modified(|known| {
            let before = mem::replace(known, found);
            tell(&before, known);
            before != *known
        });
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        // A poisoned turn is as good as another: every change to it is one assignment.
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The addresses of a name, or why there are none.
async fn addresses(resolver: &dyn Resolve, name: &str) -> Result<Vec<SocketAddr>, String> {
    let reason = match time::timeout(LOOKUP_LIMIT, resolver.resolve(name)).await {
        Ok(Ok(addresses)) if !addresses.is_empty() => return Ok(addresses),
        Ok(Ok(_)) => "it has no address".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {LOOKUP_LIMIT:?}"),
    };
    Err(format!("cannot find the replicas of typha at {name}: {reason}"))
}

/// Logs what changed.
fn tell(before: &Found, now: &Found) {
    if let Some(complaint) = now.complaint.as_ref().filter(|complaint| before.complaint.as_ref() != Some(complaint)) {
        let known = now.replicas.len();
        tracing::warn!(known, "{complaint}; those that are known stay in use");
    }
    let lacks = |found: &Found, address| !found.replicas.iter().any(|replica| replica.address == address);
    for replica in now.replicas.iter().filter(|replica| lacks(before, Arc::clone(&replica.address))) {
        tracing::info!(address = %replica.address, name = %replica.found_by, "a replica of typha was found");
    }
    for replica in before.replicas.iter().filter(|replica| lacks(now, Arc::clone(&replica.address))) {
        tracing::info!(address = %replica.address, name = %replica.found_by, "a replica of typha is gone");
    }
}
