//! What Prometheus can scrape. Counters are registered once here; sizes are read when they are scraped, so they cannot
//! be forgotten.

use std::{fmt, sync::Arc, time::Instant};

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

use crate::{clients::Clients, feed::Board};

/// The metrics of a server.
pub(crate) struct Metrics {
    registry: Registry,
    rejections: Family<Reason, Counter>,
}

/// Why a peer was turned away.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Reason {
    /// One of a few words.
    pub(crate) reason: &'static str,
}

impl Metrics {
    /// Registers everything.
    pub(crate) fn new(board: Arc<Board>, clients: Arc<Clients>) -> Self {
        let mut registry = Registry::with_prefix("typha");
        let rejections = Family::default();
        registry.register("rejections", "Connections and requests turned away, by reason", rejections.clone());
        registry.register_collector(Box::new(Sizes { board, clients }));
        Self { registry, rejections }
    }

    /// The counters of peers turned away.
    pub(crate) fn rejections(&self) -> Family<Reason, Counter> {
        self.rejections.clone()
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

impl fmt::Debug for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sizes")
    }
}

impl Collector for Sizes {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let latest = self.board.load();
        let view = &latest.view;
        let acks = self.clients.acks(view.last_change());
        let age_seconds = latest.upstream_age(Instant::now()).map_or(f64::NAN, |age| age.as_secs_f64());
        let mut gauge = |name: &str, help: &str, value: f64| {
            let encoder = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(encoder)
        };
        gauge("clients", "Clients that have a stream", acks.clients as f64)?;
        gauge("clients_applied", "Clients that report to enforce the last change", acks.applied as f64)?;
        gauge("clients_failing", "Clients that report something they could not enforce", acks.failing as f64)?;
        gauge("keys", "Keys that exist", view.keys() as f64)?;
        gauge("state_bytes", "What the encoded entries of existing keys take", view.state_bytes() as f64)?;
        gauge("revision", "The datastore's revision up to which the state is complete", view.revision() as f64)?;
        gauge("last_change_revision", "The revision of the last change", view.last_change() as f64)?;
        gauge("in_sync", "Whether the datastore's whole state is known", f64::from(u8::from(latest.in_sync)))?;
        gauge("upstream_age_seconds", "Since the datastore last proved to be alive", age_seconds)?;
        let totals = self.clients.totals();
        let mut counter = |name: &str, help: &str, value: u64| {
            let encoder = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(encoder)
        };
        counter("sent_bytes", "Bytes of messages handed out to clients, before TLS", totals.bytes)?;
        counter("sent_messages", "Messages handed out to clients", totals.messages)?;
        counter("snapshots", "Streams that began with a snapshot", totals.snapshots)?;
        counter("resumes", "Streams that went on from the client's position", totals.resumes)?;
        counter("written_bytes", "Encoded bytes of all entries ever written", view.written_bytes())
    }
}
