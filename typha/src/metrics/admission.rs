//! What admission tells: read when it is scraped.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use crate::admission::Admission;

/// The budget, who holds a share of it, and who waits.
pub(super) struct AdmissionSizes {
    pub(super) admission: Arc<Admission>,
}

impl fmt::Debug for AdmissionSizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdmissionSizes")
    }
}

impl Collector for AdmissionSizes {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let status = self.admission.status();
        let mut gauge = |name: &str, help: &str, value: u64| {
            let encoder = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(encoder)
        };
        gauge("admission_budget_bytes", "What may be under way to clients that need much", status.budget_bytes)?;
        gauge("admission_used_bytes", "How much of the budget is in use", status.used_bytes)?;
        gauge("admission_peak_bytes", "How much of the budget ever was in use at a time", status.peak_bytes)?;
        let help = "Clients that wait for what they need";
        let mut waiting = encoder.encode_descriptor("admission_waiting", help, None, MetricType::Gauge)?;
        for (need, clients) in [
            ("resume", status.waiting_resumes),
            ("repair", status.waiting_repairs),
            ("snapshot", status.waiting_snapshots),
        ] {
            let labels = [("need", need)];
            ConstGauge::new(clients as u64).encode(waiting.encode_family(&labels)?)?;
        }
        let help = "Clients that were given a share of the budget";
        let mut admitted = encoder.encode_descriptor("admission_admitted", help, None, MetricType::Counter)?;
        for (need, clients) in [
            ("resume", status.admitted_resumes),
            ("repair", status.admitted_repairs),
            ("snapshot", status.admitted_snapshots),
        ] {
            let labels = [("need", need)];
            ConstCounter::new(clients).encode(admitted.encode_family(&labels)?)?;
        }
        let mut counter = |name: &str, help: &str, value: u64| {
            let encoder = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(encoder)
        };
        counter("admission_put_off", "Clients that were told to come back later", status.put_off)?;
        counter("admission_lapsed", "Shares taken from clients that did not use them", status.lapsed)
    }
}
