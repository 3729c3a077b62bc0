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

use clap::Parser;
use datastore_adapters::EtcdStore;

use self::{
    arguments::{AnyCommand, Arguments, Command, Datastore},
    console::Console,
};

/// Something was rejected, or the datastore did not answer. Clap itself ends with 2 where the flags are wrong.
const FAILURE: u8 = 1;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut console = Console::new(io::stdout().lock(), io::stderr().lock());
    let result = match &arguments.command {
        AnyCommand::Resources(command) => resources(command, &arguments.datastore, &mut console).await,
        AnyCommand::Typha(typha) => typha::run(typha, &mut console).await,
    };
    match result {
        Ok(code) => code,
        // `cattailctl get … | head` closes our output on purpose.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cattailctl: {error:#}");
            FAILURE.into()
        }
    }
}

async fn resources(command: &Command, datastore: &Datastore, console: &mut Console<'_>) -> anyhow::Result<ExitCode> {
    let store = EtcdStore::connect(datastore.config()).await?;
    let all_done = command::run(command, &store, &mut io::stdin(), console).await?;
    Ok(if all_done { ExitCode::SUCCESS } else { FAILURE.into() })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
