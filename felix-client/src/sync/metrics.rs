//! What the sync clients of a process count.

use std::{
    sync::atomic::AtomicU64,
    time::{Duration, SystemTime},
};

use pki::ClientTls;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{Disconnect, Mode, choice::Cause, replica::Replica};

/// Counters shared by all clients of one configuration.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    connects: Family<ModeLabel, Counter>,
    disconnects: Family<ReasonLabel, Counter>,
    /// The replicas that are known, without spare addresses.
    replicas: Gauge,
    moves: Family<ReasonLabel, Counter>,
    pub(super) moves_abandoned: Counter,
    pub(super) lookup_failures: Counter,
    pub(super) digest_mismatches: Counter,
    repairs: Counter,
    repaired_ranges: Counter,
    pub(super) received_bytes: Counter,
    pub(super) received_updates: Counter,
    pub(super) skipped_entries: Counter,
    pub(super) certificate_failures: Counter,
    /// Zero before the first checkpoint, which is as old as it looks.
    fresh_at: Gauge<f64, AtomicU64>,
    /// Nothing where the configuration follows no files.
    certificate_expiry: Family<CertificateLabel, Gauge<f64, AtomicU64>>,
    /// As above.
    certificate_life_left: Family<CertificateLabel, Gauge<f64, AtomicU64>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CertificateLabel {
    certificate: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModeLabel {
    mode: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

impl Metrics {
    /// Shows the counters under names that begin with `sync_`.
    pub fn register(&self, registry: &mut Registry) {
        self.begin_at_zero();
        let registry = registry.sub_registry_with_prefix("sync");
        registry.register("connects", "Streams that began, by mode", self.connects.clone());
        registry.register("disconnects", "Attempts and streams that ended, by reason", self.disconnects.clone());
        registry.register("replicas", "Replicas of typha that are known", self.replicas.clone());
        registry.register("moves", "Streams that took another's place without a gap, by reason", self.moves.clone());
        registry.register(
            "moves_abandoned",
            "Times that a better replica could not take over, and the client stayed",
            self.moves_abandoned.clone(),
        );
        registry.register(
            "lookup_failures",
            "Lookups of typha's names that brought no address",
            self.lookup_failures.clone(),
        );
        registry.register(
            "digest_mismatches",
            "Checkpoints whose digest disagreed with the state here",
            self.digest_mismatches.clone(),
        );
        registry.register("repairs", "Times that the state here was compared with typha's", self.repairs.clone());
        registry.register(
            "repaired_ranges",
            "Ranges of keys, of 256, in which the state here differed and came anew",
            self.repaired_ranges.clone(),
        );
        registry.register("received_bytes", "Bytes of messages received", self.received_bytes.clone());
        registry.register("received_updates", "Updates handed out", self.received_updates.clone());
        registry.register("skipped_entries", "Entries of kinds unknown here", self.skipped_entries.clone());
        registry.register(
            "upstream_fresh_timestamp_seconds",
            "When the datastore last proved to be alive, as far as clients know, in Unix time",
            self.fresh_at.clone(),
        );
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When certificates in force expire, in Unix time",
            self.certificate_expiry.clone(),
        );
        registry.register(
            "certificate_life_left_ratio",
            "How much of the certificate's life is left, from 1 down to 0",
            self.certificate_life_left.clone(),
        );
        registry.register(
            "certificate_reload_failures",
            "Times that new certificates could not be used",
            self.certificate_failures.clone(),
        );
    }

    /// What was never counted is shown as zero: a counter that appears with its first event hides that event from rates.
    fn begin_at_zero(&self) {
        for mode in [Mode::Snapshot, Mode::Resume] {
            drop(self.connects.get_or_create(&ModeLabel { mode: mode.to_string() }));
        }
        for cause in [Cause::Preferred, Cause::Asked { reason: "".into() }, Cause::Withdrawn, Cause::Stale] {
            drop(self.moves.get_or_create(&ReasonLabel { reason: cause.label() }));
        }
    }

    /// Bytes of messages received so far.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes.get()
    }

    pub(super) fn connected(&self, mode: Mode) {
        self.connects.get_or_create(&ModeLabel { mode: mode.to_string() }).inc();
    }

    pub(super) fn replicas(&self, known: &[Replica]) {
        let count = known.iter().filter(|replica| !replica.is_spare).count();
        self.replicas.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(super) fn moved(&self, cause: &Cause) {
        self.moves.get_or_create(&ReasonLabel { reason: cause.label() }).inc();
    }

    /// A checkpoint told how old the replica's view is. Kept as a time, which goes on to age while no replica answers.
    pub(super) fn upstream_age(&self, age: Duration) {
        let fresh_at = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        self.fresh_at.set(unix_seconds(fresh_at));
    }

    pub(super) fn certificates(&self, tls: &ClientTls) {
        let Some(expiry) = tls.expiry() else { return };
        for (certificate, life) in expiry.named() {
            let label = CertificateLabel { certificate };
            self.certificate_expiry.get_or_create(&label).set(unix_seconds(life.not_after));
            self.certificate_life_left.get_or_create(&label).set(life.left_ratio(SystemTime::now()));
        }
    }

    pub(super) fn repaired(&self, ranges: usize) {
        self.repairs.inc();
        self.repaired_ranges.inc_by(ranges as u64);
    }

    pub(super) fn disconnected(&self, reason: &Disconnect) {
        self.disconnects.get_or_create(&ReasonLabel { reason: reason.label() }).inc();
    }
}

fn unix_seconds(at: SystemTime) -> f64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
