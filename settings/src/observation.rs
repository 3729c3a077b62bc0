//! The settings of logs and traces that are the same for every binary.

use clap::{Args, ValueEnum};

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Where traces go. The variables are OpenTelemetry's own.
#[derive(Args, Clone, Debug, PartialEq)]
#[command(next_help_heading = "Traces")]
pub struct Observation {
    /// An OpenTelemetry collector that takes traces by OTLP over gRPC, such as http://127.0.0.1:4317. Without one there
    /// are no traces.
    #[arg(long = "otlp-endpoint", env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub endpoint: Option<String>,

    /// The part of the datastore's revisions whose way is traced, from 0 to 1. Give every process the same.
    #[arg(long = "trace-ratio", env = "OTEL_TRACES_SAMPLER_ARG", value_name = "RATIO", default_value_t = 1.0,
          value_parser = ratio)]
    pub ratio: f64,
}

fn ratio(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err("it must be a number from 0 to 1, such as 0.01".to_owned()),
    }
}
