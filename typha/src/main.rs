//! The typha process.

mod app;
mod args;
mod open_files;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = settings::load::<args::Args>(&args::PROGRAM);
    let telemetry = match app::observe(&settings) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            eprintln!("typha: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let result = app::run(settings.args).await;
    if let Err(error) = &result {
        tracing::error!("{error:#}");
    }
    telemetry.shutdown().await;
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
