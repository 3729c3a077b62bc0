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

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    let args = args::Args::parse();
    let result = match logging::start(args.log_format, &args.log) {
        Ok(()) => Box::pin(daemon::run(args)).await,
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
