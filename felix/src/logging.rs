//! What felix tells of itself: logs to standard error, traces where somebody asked for them.

use settings::{LogFormat, Settings};
use telemetry::{Logs, Telemetry, Traces};

use crate::args::Args;

/// Starts both, once, and says what is odd about the settings.
pub(crate) fn start(settings: &Settings<Args>) -> anyhow::Result<Telemetry> {
    let Settings { args, remarks } = settings;
    let logs = Logs { json: args.log_format == LogFormat::Json, filter: &args.log };
    let (endpoint, ratio) = (args.traces.endpoint.as_deref(), args.traces.ratio);
    let telemetry = telemetry::start(logs, Traces { endpoint, ratio, service: "felix", instance: &args.node })?;
    for remark in remarks {
        tracing::warn!("{remark}");
    }
    Ok(telemetry)
}
