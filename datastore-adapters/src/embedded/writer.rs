//! The one thread that writes: it takes commands in order, puts a batch of them on the disk, and only then shows the
//! new state and answers. Readers never wait for it, except for the answer to their own write.

use std::time::{Duration, Instant};

use model::Version;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    RequestError,
    key_range::KeyRange,
    lease::Leases,
    log::{Batch, Log, Opened},
    request::{Delete, Operation, Transaction, TransactionAnswer},
    state::State,
    transaction::evaluate,
};

/// Commands that one write to the disk may serve: a sync of the disk costs milliseconds, and shared it costs each less.
const BATCH_MAX: usize = 256;
/// The longest history kept by itself, in revisions. A watcher that was away for longer lists again.
const HISTORY_MAX: usize = 10_000;
/// The largest history kept by itself, in bytes.
const HISTORY_BYTES_MAX: usize = 64 << 20;

/// Something to do, and where to answer.
#[derive(Debug)]
pub(super) enum Command {
    Transact(Transaction, Reply<TransactionAnswer>),
    Compact(Version, Reply<()>),
    Grant(i64, Duration, Reply<()>),
    Revoke(i64, Reply<()>),
    KeepAlive(i64, Reply<Duration>),
    TimeToLive(i64, Reply<(Duration, Duration)>),
    /// Revokes every lease that has ended.
    ExpireLeases,
}

/// Where an answer goes, with the revision of the state that it belongs to.
pub(super) type Reply<T> = oneshot::Sender<Result<(T, Version), RequestError>>;

/// The state of the writing thread.
pub(super) struct Writer {
    log: Log,
    /// As of the last command, on the disk or about to be.
    state: State,
    leases: Leases,
    /// What readers see.
    shown: watch::Sender<State>,
    commands: mpsc::Receiver<Command>,
}

/// Sends an answer once the batch is on the disk, or the reason why it is not.
type Answer = Box<dyn FnOnce(Result<(), RequestError>) + Send>;

impl Writer {
    pub(super) fn new(opened: Opened, shown: watch::Sender<State>, commands: mpsc::Receiver<Command>) -> Self {
        let mut leases = Leases::default();
        for (id, ttl_seconds) in opened.leases {
            // The ids are keys of a table, so none is there twice.
            let _ = leases.grant(id, Duration::from_secs(ttl_seconds), Instant::now());
        }
        Self { log: opened.log, state: opened.state, leases, shown, commands }
    }

    /// Works until nobody can send commands any more.
    pub(super) fn run(mut self) {
        while let Some(first) = self.commands.blocking_recv() {
            let mut batch = Batch::default();
            let mut answers = Vec::new();
            let mut next = Some(first);
            while let Some(command) = next {
                if matches!(command, Command::Compact(..)) {
                    // Compaction works on what is on the disk.
                    self.finish(&std::mem::take(&mut batch), std::mem::take(&mut answers));
                }
                answers.extend(self.take(command, &mut batch));
                next = if answers.len() < BATCH_MAX { self.commands.try_recv().ok() } else { None };
            }
            self.finish(&batch, answers);
            self.limit_history();
        }
    }

    fn take(&mut self, command: Command, batch: &mut Batch) -> Option<Answer> {
        let now = Instant::now();
        Some(match command {
            Command::Transact(transaction, reply) => self.answer(reply, |writer| writer.transact(&transaction, batch)),
            Command::Compact(revision, reply) => self.answer(reply, |writer| writer.compact(revision)),
            Command::Grant(id, ttl, reply) => self.answer(reply, |writer| {
                writer.leases.grant(id, ttl, now)?;
                batch.granted.push((id, ttl.as_secs()));
                Ok(())
            }),
            Command::Revoke(id, reply) => self.answer(reply, |writer| writer.revoke(id, batch)),
            Command::KeepAlive(id, reply) => self.answer(reply, |writer| writer.leases.keep_alive(id, now)),
            Command::TimeToLive(id, reply) => self.answer(reply, |writer| writer.leases.time_to_live(id, now)),
            Command::ExpireLeases => {
                for id in self.leases.expired(now) {
                    if let Err(error) = self.revoke(id, batch) {
                        tracing::warn!(id, %error, "a lease that ended could not be revoked");
                    }
                }
                return None;
            }
        })
    }

    fn answer<T: Send + 'static>(
        &mut self,
        reply: Reply<T>,
        work: impl FnOnce(&mut Self) -> Result<T, RequestError>,
    ) -> Answer {
        let result = work(self);
        let revision = self.state.revision();
        Box::new(move |written| {
            // Whoever asked may be gone; the work is done all the same.
            let _ = reply.send(written.and(result).map(|value| (value, revision)));
        })
    }

    fn transact(&mut self, transaction: &Transaction, batch: &mut Batch) -> Result<TransactionAnswer, RequestError> {
        let (answer, changes) = evaluate(&self.state, &|id| self.leases.contains(id), transaction)?;
        if !changes.is_empty() {
            let commit = self.state.current().next(changes);
            self.state.push(commit.clone());
            batch.commits.push(commit);
        }
        Ok(answer)
    }

    fn revoke(&mut self, id: i64, batch: &mut Batch) -> Result<(), RequestError> {
        self.leases.revoke(id)?;
        batch.revoked.push(id);
        let bound = self.state.records().iter().filter(|(_, record)| record.lease == id);
        let delete =
            |key: &bytes::Bytes| Delete { keys: KeyRange::new(key.clone(), bytes::Bytes::new()), previous: false };
        let deletions: Vec<_> = bound.map(|(key, _)| Operation::Delete(delete(key))).collect();
        // In parts that a transaction takes.
        for part in deletions.chunks(super::transaction::OPERATIONS_MAX) {
            self.transact(&Transaction { success: part.to_vec(), ..Transaction::default() }, batch)?;
        }
        Ok(())
    }

    fn compact(&mut self, revision: Version) -> Result<(), RequestError> {
        let mut compacted = self.state.clone();
        compacted.compact(revision)?;
        self.log.compact(revision)?;
        self.state = compacted;
        self.shown.send_replace(self.state.clone());
        Ok(())
    }

    /// Puts the batch on the disk, shows the state, answers. If the disk refuses, nothing has happened.
    fn finish(&mut self, batch: &Batch, answers: Vec<Answer>) {
        let written = if batch.is_empty() { Ok(()) } else { self.log.append(batch) };
        match &written {
            Ok(()) if !batch.commits.is_empty() => {
                self.shown.send_replace(self.state.clone());
            }
            Ok(()) => {}
            Err(error) => {
                tracing::error!(%error, "the store cannot be written");
                self.state = self.shown.borrow().clone();
            }
        }
        for answer in answers {
            answer(written.clone());
        }
    }

    fn limit_history(&mut self) {
        let (revisions, bytes) = self.state.history_size();
        if revisions <= HISTORY_MAX && bytes <= HISTORY_BYTES_MAX {
            return;
        }
        // Half of it, so that this is not to be done again with the next write.
        let revision = self.state.revision() - (revisions / 2) as Version;
        if let Err(error) = self.compact(revision) {
            tracing::warn!(revision, %error, "the history could not be compacted");
        }
    }
}
