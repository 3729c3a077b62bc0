//! What keeps clients away, and which parts are wedged: read when it is scraped.

use std::{fmt, sync::Arc, time::Instant};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, gauge::ConstGauge},
};

use crate::{pulses::Pulses, readiness::Readiness};

/// The gates, and the parts that should run.
pub(super) struct Soundness {
    pub(super) readiness: Arc<Readiness>,
    pub(super) pulses: Arc<Pulses>,
}

impl fmt::Debug for Soundness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Soundness")
    }
}

impl Collector for Soundness {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let help = "Whether a condition of readiness holds; clients should come where all do";
        let mut gates = encoder.encode_descriptor("ready_gate", help, None, MetricType::Gauge)?;
        for gate in self.readiness.look().gates {
            let labels = [("gate", gate.name)];
            ConstGauge::new(u64::from(gate.reason.is_none())).encode(gates.encode_family(&labels)?)?;
        }
        let silences = self.pulses.silences(Instant::now());
        let wedged = silences.iter().filter(|silence| silence.is_wedged).count();
        let help = "Parts of the process that do not run any more; only a restart helps";
        let encoder = encoder.encode_descriptor("wedged_parts", help, None, MetricType::Gauge)?;
        ConstGauge::new(wedged as u64).encode(encoder)
    }
}
