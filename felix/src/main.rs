//! The node agent: the only process that programs a node's kernel.
//!
//! It wires felix-client, which knows what this node must enforce, to the dataplane, which knows how. Data flows
//! typha -> agent -> enforcement -> kernel; acknowledgements flow back.

mod admin;
mod args;
mod daemon;
mod enforcement;
mod kernel;
mod logging;
mod privilege;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = settings::load::<args::Args>(&args::PROGRAM);
    let result = match logging::start(&settings) {
        Ok(telemetry) => {
            let result = Box::pin(daemon::run(settings.args)).await;
            telemetry.shutdown().await;
            result
        }
        Err(error) => Err(error),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("felix: {error:#}");
            ExitCode::FAILURE
        }
    }
}
