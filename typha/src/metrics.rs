//! What Prometheus can scrape. Counters are registered once here; sizes are read when they are scraped, so they cannot
//! be forgotten.

mod admission;
mod readiness;

use std::{
    fmt,
    sync::Arc,
    time::{Instant, SystemTime},
};

use pki::{Life, ServerTls};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _, text::encode},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::ConstGauge,
    },
    registry::Registry,
};

use self::{admission::AdmissionSizes, readiness::Soundness};
use crate::{
    admission::Admission,
    clients::{Clients, Point},
    feed::Board,
    pulses::Pulses,
    readiness::Readiness,
};

/// The metrics of a server.
pub(crate) struct Metrics {
    registry: Registry,
    rejections: Family<Reason, Counter>,
    handshakes: Family<Handshake, Counter>,
}

/// Why a peer was turned away.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Reason {
    /// One of a few words.
    pub(crate) reason: &'static str,
}

/// How a TLS session began.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Handshake {
    /// `full`, or `resumed` with a ticket of ours.
    pub(crate) kind: &'static str,
}

impl Metrics {
    /// Registers everything.
    pub(crate) fn new(
        board: Arc<Board>,
        clients: Arc<Clients>,
        admission: Arc<Admission>,
        tls: Arc<ServerTls>,
        readiness: Arc<Readiness>,
        pulses: Arc<Pulses>,
    ) -> Self {
        let mut registry = Registry::with_prefix("typha");
        let rejections = Family::default();
        registry.register("rejections", "Connections and requests turned away, by reason", rejections.clone());
        let handshakes = Family::default();
        registry.register("handshakes", "TLS handshakes that succeeded, by kind", handshakes.clone());
        registry.register_collector(Box::new(Sizes { board, clients }));
        registry.register_collector(Box::new(AdmissionSizes { admission }));
        registry.register_collector(Box::new(Certificates { tls }));
        registry.register_collector(Box::new(Soundness { readiness, pulses }));
        Self { registry, rejections, handshakes }
    }

    /// Shows how many clients were referred to others.
    pub(crate) fn register_referrals(&mut self, referrals: &Counter) {
        self.registry.register("referrals", "Clients beyond this replica's share, sent to others", referrals.clone());
    }

    /// The counters of peers turned away.
    pub(crate) fn rejections(&self) -> Family<Reason, Counter> {
        self.rejections.clone()
    }

    /// Counts a TLS handshake.
    pub(crate) fn shook_hands(&self, kind: &'static str) {
        self.handshakes.get_or_create(&Handshake { kind }).inc();
    }

    /// The text that Prometheus reads.
    pub(crate) fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// What is read when it is scraped.
struct Sizes {
    board: Arc<Board>,
    clients: Arc<Clients>,
}

/// The certificates in force, read when they are scraped.
#[derive(Debug)]
struct Certificates {
    tls: Arc<ServerTls>,
}

impl Collector for Certificates {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        if let Some(expiry) = self.tls.expiry() {
            let now = SystemTime::now();
            let mut gauge = |name: &str, help: &str, value: fn(&Life, SystemTime) -> f64| {
                let mut encoder = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                expiry.named().into_iter().try_for_each(|(file, life)| {
                    let labels = [("certificate", file)];
                    ConstGauge::new(value(life, now)).encode(encoder.encode_family(&labels)?)
                })
            };
            gauge("certificate_expiry_seconds", "Until the certificate expires; negative afterwards", seconds_left)?;
            let help = "How much of the certificate's life is left, from 1 down to 0";
            gauge("certificate_life_left_ratio", help, Life::left_ratio)?;
        }
        let help = "Whether what the files hold cannot be used, so that the certificates before it serve";
        let is_refused = f64::from(u8::from(self.tls.refusal().is_some()));
        let gauge = encoder.encode_descriptor("certificate_refused", help, None, MetricType::Gauge)?;
        ConstGauge::new(is_refused).encode(gauge)?;
        let mut counter = |name: &str, help: &str, value: u64| {
            let encoder = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(encoder)
        };
        counter("certificate_reloads", "Times that new certificates came in force", self.tls.reloads())?;
        counter("certificate_reload_failures", "Times that new certificates could not be used", self.tls.failures())
    }
}

fn seconds_left(life: &Life, now: SystemTime) -> f64 {
    match life.not_after.duration_since(now) {
        Ok(left) => left.as_secs_f64(),
        Err(over) => -over.duration().as_secs_f64(),
    }
}

impl fmt::Debug for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sizes")
    }
}

impl Collector for Sizes {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let latest = self.board.load();
        let view = &latest.view;
        let now = Instant::now();
        let acks = self.clients.acks(Point::last_change(view), now);
        let worst_ms = acks.lagging.first().map_or(0, |lag| lag.behind_ms);
        let age_seconds = latest.upstream_age(now).map_or(f64::NAN, |age| age.as_secs_f64());
        let mut gauge = |name: &str, help: &str, value: f64| {
            let encoder = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(encoder)
        };
        gauge("clients", "Clients that have a stream", acks.clients as f64)?;
        gauge("clients_applied", "Clients that report to enforce the last change", acks.applied as f64)?;
        let help = "For how long the client that is furthest behind has lacked a change";
        gauge("clients_behind_seconds", help, worst_ms as f64 / 1e3)?;
        gauge("clients_stalled", "Clients that do not read what is sent to them", acks.stalled as f64)?;
        gauge("clients_failing", "Clients that report something they could not enforce", acks.failing as f64)?;
        gauge("keys", "Keys that exist", view.keys() as f64)?;
        gauge("state_bytes", "What the encoded entries of existing keys take", view.state_bytes() as f64)?;
        gauge("revision", "The datastore's revision up to which the state is complete", view.revision() as f64)?;
        gauge("last_change_revision", "The revision of the last change", view.last_change() as f64)?;
        gauge("in_sync", "Whether the datastore's whole state is known", f64::from(u8::from(latest.in_sync)))?;
        gauge("upstream_age_seconds", "Since the datastore last proved to be alive", age_seconds)?;
        let integrity = latest.integrity;
        let lost = integrity.lost_entries as f64;
        gauge("lost_entries", "Damaged entries that were not read again yet; until then nobody is served", lost)?;
        let totals = self.clients.totals();
        let mut counter = |name: &str, help: &str, value: u64| {
            let encoder = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(encoder)
        };
        counter("sent_bytes", "Bytes of messages handed out to clients, before TLS", totals.bytes)?;
        counter("sent_messages", "Messages handed out to clients", totals.messages)?;
        counter("snapshots", "Streams that began with a snapshot", totals.snapshots)?;
        counter("resumes", "Streams that went on from the client's position", totals.resumes)?;
        counter("repairs", "Streams that began with the ranges in which the client's state differed", totals.repairs)?;
        counter("upstream_lists", "Lists of the datastore's whole state that were begun", latest.lists)?;
        counter("audits", "Times that the state in memory was checked against its digests", integrity.audits)?;
        counter("damaged_entries", "Entries in memory that were found damaged", integrity.damaged_entries)?;
        counter("damaged_sums", "Times that digests or the index were found damaged", integrity.damaged_sums)?;
        counter("reread_entries", "Damaged entries that were read again", integrity.reread_entries)?;
        counter("written_bytes", "Encoded bytes of all entries ever written", view.written_bytes())
    }
}
