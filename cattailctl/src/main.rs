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
mod write;

use std::{io, process::ExitCode};

use clap::Parser;
use datastore_adapters::EtcdStore;

use self::{arguments::Arguments, console::Console};

/// Something was rejected, or the datastore did not answer. Clap itself ends with 2 where the flags are wrong.
const FAILURE: u8 = 1;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut console = Console::new(io::stdout().lock(), io::stderr().lock());
    let result = match EtcdStore::connect(arguments.datastore.config()).await {
        Ok(store) => command::run(&arguments.command, &store, &mut io::stdin(), &mut console).await,
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => FAILURE.into(),
        // `cattailctl get … | head` closes our output on purpose.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cattailctl: {error:#}");
            FAILURE.into()
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
