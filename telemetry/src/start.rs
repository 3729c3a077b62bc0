//! Starts what a process tells, once, and ends it within a bound.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use thiserror::Error;
use tracing::{Level, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer, filter::Targets, layer::SubscriberExt as _, registry::LookupSpan, util::SubscriberInitExt as _,
};

use crate::{
    exporter::Exporter,
    journey::TARGET,
    sampling::Sampling,
    tracer::{Identities, JourneyTracer},
};

/// A collector that takes longer is not worth waiting for: spans are dropped then.
const EXPORT_LIMIT: Duration = Duration::from_secs(5);

/// How long the end of a process waits for its last spans. A supervisor waits longer before it kills.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(2);

/// How logs are written.
#[derive(Clone, Copy, Debug)]
pub struct Logs<'a> {
    /// One JSON object a line, for machines; text otherwise.
    pub json: bool,
    /// What is logged: a level, or filters such as `typha=debug`.
    pub filter: &'a str,
}

/// Where traces go; nowhere by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traces<'a> {
    /// An OpenTelemetry collector that takes OTLP over gRPC, `http://HOST:PORT`; without one there are no traces. An empty
    /// one is none, as OpenTelemetry wants it of its variables.
    pub endpoint: Option<&'a str>,
    /// The part of the revisions that are traced, from 0 to 1.
    pub ratio: f64,
    /// What the process is: `typha`, `felix`, `cattailctl`.
    pub service: &'static str,
    /// Which one it is: a replica's or a node's name.
    pub instance: &'a str,
}

/// What was started. Dropping it loses the last spans; [`Telemetry::shutdown`] does not.
#[derive(Debug)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

/// Why it was not started.
#[derive(Debug, Error)]
pub enum StartError {
    /// The filter of logs cannot be read.
    #[error("{filter:?} is no log filter ({reason}); try info, debug or felix_client=debug")]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The collector's address cannot be used.
    #[error(
        "traces cannot go to {endpoint:?}: {reason}; give http://HOST:PORT of a collector that takes OTLP over gRPC"
    )]
    Endpoint {
        /// As it was given.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something tells already.
    #[error("cannot start logging: {0}")]
    Again(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts logs, and traces where an endpoint is given. To be called within a tokio runtime, once.
pub fn start(logs: Logs<'_>, traces: Traces<'_>) -> Result<Telemetry, StartError> {
    let filter = EnvFilter::try_new(logs.filter)
        .map_err(|error| StartError::Filter { filter: logs.filter.to_owned(), reason: error.to_string() })?;
    let is_terminal = io::stderr().is_terminal();
    let format = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(is_terminal);
    let format = if logs.json { format.json().flatten_event(true).boxed() } else { format.boxed() };
    let endpoint = traces.endpoint.filter(|endpoint| !endpoint.is_empty());
    let provider = endpoint.map(|endpoint| provider(endpoint, &traces)).transpose()?;
    let spans = provider.as_ref().map(spans);
    let sampling = provider.as_ref().map(|_| Sampling::of(traces.ratio).with_filter(LevelFilter::OFF));
    tracing_subscriber::registry().with(spans).with(sampling).with(format.with_filter(filter)).try_init()?;
    Ok(Telemetry { provider })
}

/// From the spans of journeys to the exporter; other spans are no business of traces.
fn spans<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let tracer = JourneyTracer(provider.tracer("cattail"));
    let bridge = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_level(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false);
    let only_journeys = Targets::new().with_target(TARGET, Level::TRACE);
    bridge.with_filter(only_journeys)
}

fn provider(endpoint: &str, traces: &Traces<'_>) -> Result<SdkTracerProvider, StartError> {
    let unusable = |reason: &str| StartError::Endpoint { endpoint: endpoint.to_owned(), reason: reason.to_owned() };
    if !endpoint.starts_with("http://") {
        return Err(unusable("only plain HTTP is spoken; a collector on this machine can go on with TLS"));
    }
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(EXPORT_LIMIT).build();
    let exporter = exporter.map_err(|error| unusable(&error.to_string()))?;
    let resource = Resource::builder()
        .with_service_name(traces.service)
        .with_attribute(KeyValue::new("service.instance.id", traces.instance.to_owned()))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_id_generator(Identities::default())
        .with_resource(resource)
        .with_batch_exporter(Exporter::new(exporter, endpoint));
    Ok(provider.build())
}

impl Telemetry {
    /// Brings the last spans away, within a bound. The runtime must still run, for it drives the connection.
    pub async fn shutdown(self) {
        let Some(provider) = self.provider else { return };
        // Blocking, so not on a thread that drives the connection.
        let shutdown = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(SHUTDOWN_LIMIT));
        if let Ok(Err(error)) = shutdown.await {
            tracing::debug!(%error, "the last spans were lost");
        }
    }
}
