//! How a process tells what it does: logs to stderr, traces of the way that a key takes from the datastore's write to the
//! agent's apply, and the admin port for whoever asks.
//!
//! [`start()`] is for binaries. [`Journey`] is for the rooms that a key passes; it knows no exporter, and where nobody
//! asked for traces it costs a look. What is worth a log line or a stage is decided elsewhere.

pub mod admin;
mod clock;
mod exporter;
mod exposition;
mod identity;
mod journey;
mod sampling;
mod start;
mod tracer;

pub use self::{
    exposition::metrics_table,
    identity::TraceId,
    journey::{Journey, Stage},
    start::{Logs, StartError, Telemetry, Traces, start},
};
