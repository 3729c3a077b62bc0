//! Brings spans to the collector, and says once that it cannot be reached and once that it can be again.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};

/// An exporter that does not repeat its complaints.
#[derive(Debug)]
pub(crate) struct Exporter<E> {
    inner: E,
    endpoint: String,
    /// Whether the last attempt failed.
    is_failing: AtomicBool,
}

impl<E: SpanExporter> Exporter<E> {
    pub(crate) fn new(inner: E, endpoint: &str) -> Self {
        Self { inner, endpoint: endpoint.to_owned(), is_failing: AtomicBool::new(false) }
    }

    fn tell(&self, result: &OTelSdkResult) {
        let endpoint = self.endpoint.as_str();
        let was_failing = self.is_failing.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Err(error) if !was_failing => {
                tracing::warn!(endpoint, %error, "traces do not reach the collector and are dropped until they do");
            }
            Ok(()) if was_failing => tracing::info!(endpoint, "traces reach the collector again"),
            _ => {}
        }
    }
}

impl<E: SpanExporter> SpanExporter for Exporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.inner.export(batch).await;
        self.tell(&result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
