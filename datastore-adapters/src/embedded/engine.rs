//! The engine's handle: opens the file, owns the writing thread, takes requests. Cheap to clone.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use model::Version;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    EngineError, RequestError,
    log::Log,
    request::{Found, Range, Transaction, TransactionAnswer},
    state::State,
    transaction::read,
    writer::{Command, Reply, Writer},
};

/// Writes that may wait for the writing thread; whoever comes later waits to be let in.
const COMMANDS_MAX: usize = 1024;

/// An open store.
#[derive(Clone, Debug)]
pub struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// To the writing thread; taken on drop, which ends it.
    commands: Option<mpsc::Sender<Command>>,
    /// The last state that is on the disk.
    state: watch::Receiver<State>,
    datastore_id: u64,
    path: PathBuf,
    writer: Option<JoinHandle<()>>,
}

impl Engine {
    /// Opens the store in this file, or makes one. The file is locked until the last clone of the engine is dropped.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, EngineError> {
        let path = path.as_ref();
        let opened = Log::open(path)?;
        let datastore_id = opened.log.datastore_id;
        let (shown, state) = watch::channel(opened.state.clone());
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let writer = Writer::new(opened, shown, inbox);
        let writer = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(|| writer.run())
            .map_err(|source| EngineError::Io { file: path.to_owned(), source })?;
        let shared =
            Shared { commands: Some(commands), state, datastore_id, path: path.to_owned(), writer: Some(writer) };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The identity of the datastore, made with its file.
    pub fn datastore_id(&self) -> u64 {
        self.shared.datastore_id
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// The current revision.
    pub fn revision(&self) -> Version {
        self.shared.state.borrow().revision()
    }

    /// Forgets the history before a revision.
    pub async fn compact(&self, revision: Version) -> Result<(), RequestError> {
        self.ask(|reply| Command::Compact(revision, reply)).await.map(|_| ())
    }

    /// The state and its changes from now on.
    pub(super) fn states(&self) -> watch::Receiver<State> {
        self.shared.state.clone()
    }

    /// Reads; the revision is that of the state.
    pub(super) fn range(&self, range: &Range) -> Result<(Found, Version), RequestError> {
        let state = self.shared.state.borrow().clone();
        Ok((read(&state, range)?, state.revision()))
    }

    pub(super) async fn transact(
        &self,
        transaction: Transaction,
    ) -> Result<(TransactionAnswer, Version), RequestError> {
        self.ask(|reply| Command::Transact(transaction, reply)).await
    }

    pub(super) async fn grant(&self, id: i64, ttl: Duration) -> Result<Version, RequestError> {
        Ok(self.ask(|reply| Command::Grant(id, ttl, reply)).await?.1)
    }

    pub(super) async fn revoke(&self, id: i64) -> Result<Version, RequestError> {
        Ok(self.ask(|reply| Command::Revoke(id, reply)).await?.1)
    }

    pub(super) async fn keep_alive(&self, id: i64) -> Result<(Duration, Version), RequestError> {
        self.ask(|reply| Command::KeepAlive(id, reply)).await
    }

    pub(super) async fn time_to_live(&self, id: i64) -> Result<((Duration, Duration), Version), RequestError> {
        self.ask(|reply| Command::TimeToLive(id, reply)).await
    }

    pub(super) async fn expire_leases(&self) -> Result<(), RequestError> {
        self.send(Command::ExpireLeases).await
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<(T, Version), RequestError> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        answer.await.map_err(|_| RequestError::Closed)?
    }

    async fn send(&self, command: Command) -> Result<(), RequestError> {
        let commands = self.shared.commands.as_ref().ok_or(RequestError::Closed)?;
        commands.send(command).await.map_err(|_| RequestError::Closed)
    }
}

impl Drop for Shared {
    /// Waits for the writing thread, so that the file is closed and can be opened again.
    fn drop(&mut self) {
        self.commands = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!(file = %self.path.display(), "the store's writer had panicked");
        }
    }
}
