//! What /metrics says: the sync client's counters, and gauges that are read when they are asked for.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use prometheus_client::{encoding::text::encode, metrics::gauge::Gauge, registry::Registry};

use super::Views;

/// The content type of OpenMetrics 1.0.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics of the process.
pub(super) struct Metrics {
    registry: Registry,
    connected: Gauge,
    revision: Gauge,
    applied_revision: Gauge,
    since_applied_seconds: FloatGauge,
    apply_seconds: FloatGauge,
    upstream_age_seconds: FloatGauge,
    rejected: Gauge,
    failures: Gauge,
}

type FloatGauge = Gauge<f64, std::sync::atomic::AtomicU64>;

impl Metrics {
    pub(super) fn new(views: &Views) -> Self {
        let mut registry = Registry::with_prefix("felix");
        views.sync.metrics.register(&mut registry);
        Self {
            connected: gauge(&mut registry, "connected", "Whether a typha feeds this agent"),
            revision: gauge(&mut registry, "revision", "The datastore's revision that the agent has computed with"),
            applied_revision: gauge(&mut registry, "applied_revision", "The revision that the kernel enforces"),
            since_applied_seconds: float(
                &mut registry,
                "since_applied_seconds",
                "Time since the kernel reached the applied revision",
            ),
            apply_seconds: float(&mut registry, "apply_seconds", "How long the kernel took to take the last change"),
            upstream_age_seconds: float(
                &mut registry,
                "upstream_age_seconds",
                "Since the datastore last proved to be alive, as far as the agent knows",
            ),
            rejected: gauge(&mut registry, "rejected_resources", "Resources not enforced as written; they fail closed"),
            failures: gauge(&mut registry, "failures", "Objects that the kernel did not take"),
            registry,
        }
    }

    /// The exposition, with gauges as of now.
    pub(super) fn text(&self, views: &Views) -> String {
        self.refresh(views);
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    fn refresh(&self, views: &Views) {
        let agent = views.agent.borrow();
        self.connected.set(i64::from(agent.connected.is_some()));
        self.revision.set(level(agent.revision.unwrap_or_default()));
        let upstream_age = agent.upstream_age(Instant::now());
        self.upstream_age_seconds.set(upstream_age.map_or(f64::NAN, |age| age.as_secs_f64()));
        self.rejected.set(level(agent.rejected.len()));
        let enforced = views.enforced.borrow();
        self.applied_revision.set(level(enforced.revision.unwrap_or_default()));
        self.apply_seconds.set(enforced.took.as_secs_f64());
        let applied_at = enforced.applied_at.unwrap_or(UNIX_EPOCH);
        self.since_applied_seconds.set(SystemTime::now().duration_since(applied_at).unwrap_or_default().as_secs_f64());
        self.failures.set(level(enforced.failures.len()));
    }
}

/// A gauge's number; those that it cannot hold do not occur.
fn level(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

fn float(registry: &mut Registry, name: &str, help: &str) -> FloatGauge {
    let gauge = FloatGauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}
