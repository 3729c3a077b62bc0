//! `cattailctl`: manifests in, resources out. Flags and the exit status; everything else is in the other files.

mod admission;
mod arguments;
mod command;
mod console;
mod defaults;
mod get;
mod kind_name;
mod manifest;
mod merge;
mod output;
mod reference;
mod remove;
mod table;
#[cfg(test)]
mod tests;
mod timestamp;
mod typha;
mod write;

use std::{io, process::ExitCode};

use datastore_adapters::EtcdStore;
use settings::Settings;
use telemetry::{Logs, Telemetry, Traces};

use self::{
    arguments::{AnyCommand, Arguments, Command, Datastore},
    console::Console,
};

/// Something was rejected, or the datastore did not answer. Clap itself ends with 2 where the flags are wrong.
const FAILURE: u8 = 1;

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cattailctl: cannot start: {error}");
            return FAILURE.into();
        }
    };
    let code = runtime.block_on(answer());
    // Whatever still waits, a name server for instance, has nothing to add.
    runtime.shutdown_background();
    code
}

async fn answer() -> ExitCode {
    let Settings { args: arguments, remarks } = settings::load::<Arguments>(&arguments::PROGRAM);
    for remark in remarks {
        eprintln!("cattailctl: {remark}");
    }
    let result = match observe(&arguments) {
        Ok(telemetry) => {
            let result = run(&arguments).await;
            if let Some(telemetry) = telemetry {
                telemetry.shutdown().await;
            }
            result
        }
        Err(error) => Err(error),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cattailctl: {error:#}");
            FAILURE.into()
        }
    }
}

/// Traces of what is written, where somebody asked for them. Nothing is logged otherwise: what there is to say is said.
fn observe(arguments: &Arguments) -> anyhow::Result<Option<Telemetry>> {
    let Some(endpoint) = arguments.traces.endpoint.as_deref() else { return Ok(None) };
    let traces = Traces {
        endpoint: Some(endpoint),
        ratio: arguments.traces.ratio,
        service: "cattailctl",
        instance: "cattailctl",
    };
    Ok(Some(telemetry::start(Logs { json: false, filter: "warn" }, traces)?))
}

async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut console = Console::new(io::stdout().lock(), io::stderr().lock());
    match &arguments.command {
        AnyCommand::Resources(command) => resources(command, &arguments.datastore, &mut console).await,
        AnyCommand::Typha(typha) => typha::run(typha, &mut console).await,
    }
}

async fn resources(command: &Command, datastore: &Datastore, console: &mut Console<'_>) -> anyhow::Result<ExitCode> {
    let store = EtcdStore::connect(datastore.config()).await?;
    let all_done = command::run(command, &store, &mut io::stdin(), console).await?;
    Ok(if all_done { ExitCode::SUCCESS } else { FAILURE.into() })
}
