//! Which command was given, and which file does it.

use std::io::Read;

use datastore_adapters::Store;

use crate::{arguments::Command, console::Console, get, remove, write};

/// Does what was asked. `false` where a part of it could not be done, which has been told.
pub(crate) async fn run<S: Store>(
    command: &Command,
    store: &S,
    stdin: &mut dyn Read,
    console: &mut Console<'_>,
) -> anyhow::Result<bool> {
    match command {
        Command::Apply(manifests) => write::run(write::Mode::Apply, manifests, store, stdin, console).await,
        Command::Create(manifests) => write::run(write::Mode::Create, manifests, store, stdin, console).await,
        Command::Replace(manifests) => write::run(write::Mode::Replace, manifests, store, stdin, console).await,
        Command::Get(what) => get::run(what, store, console).await,
        Command::Delete(what) => remove::run(what, store, stdin, console).await,
    }
}
