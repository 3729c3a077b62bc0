//! The store on disk: a base state and the transactions since, in one redb file. Every append is on the disk when it
//! returns. Opening a file that is not ours to open leaves it as it is.

use std::{
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use model::Version;
use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use super::{
    EngineError, RequestError,
    record::{Change, Record, Records},
    state::{Commit, FIRST_REVISION, State},
};

/// The version of what the tables below mean. A newer one is refused, an older one would be migrated here.
const FORMAT: u64 = 1;

/// A record on disk: create revision, mod revision, version, lease, value.
type Row<'a> = (u64, u64, u64, i64, &'a [u8]);

/// A change on disk: the key, and the record where it was not a deletion.
type ChangeRow<'a> = (&'a [u8], Option<Row<'a>>);
/// A lease on disk: its id, and its time to live in seconds.
type LeaseRow = (i64, u64);
/// Where a change stands: revision and place in its transaction.
type Place = (u64, u32);

/// What the file is about, by the names below.
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// All records as of the compacted revision.
const RECORDS: TableDefinition<&[u8], Row> = TableDefinition::new("records");
/// The changes since; those of the compacted revision included, because they may still be watched.
const CHANGES: TableDefinition<Place, ChangeRow> = TableDefinition::new("changes");
/// Leases and their time to live in seconds.
const LEASES: TableDefinition<i64, u64> = TableDefinition::new("leases");

const META_FORMAT: &str = "format";
const META_DATASTORE: &str = "datastore";
const META_COMPACTED: &str = "compacted";
/// The current revision: kept apart from the changes so that it can never go back, whatever becomes of them.
const META_REVISION: &str = "revision";

/// The file.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    database: Database,
    /// The identity of the datastore, made with the file.
    pub(super) datastore_id: u64,
}

/// What a file holds.
pub(super) struct Opened {
    pub log: Log,
    pub state: State,
    /// The leases granted and not revoked.
    pub leases: Vec<LeaseRow>,
}

/// What one append writes.
#[derive(Default)]
pub(super) struct Batch {
    pub commits: Vec<Commit>,
    pub granted: Vec<LeaseRow>,
    pub revoked: Vec<i64>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.commits.is_empty() && self.granted.is_empty() && self.revoked.is_empty()
    }
}

impl Log {
    /// Opens the file, or makes it where there is none.
    pub(super) fn open(path: &Path) -> Result<Opened, EngineError> {
        // Damage that redb's own checks let through ends in a panic of its B-tree. Nothing outlives it: what is opened
        // is opened in there.
        catch_unwind(|| Self::open_whole(path)).unwrap_or_else(|_| {
            let reason = "its tables contradict each other".into();
            Err(EngineError::Damaged { file: path.to_owned(), reason })
        })
    }

    fn open_whole(path: &Path) -> Result<Opened, EngineError> {
        if !path.exists() {
            create(path)?;
        }
        check_format(path)?;
        let database = Builder::new()
            .set_check_integrity_on_open(true)
            .open(path)
            .map_err(|error| EngineError::from_open(path, error))?;
        let (state, datastore_id) = load(&database).map_err(|error| EngineError::damaged(path, &error))?;
        let leases = load_leases(&database).map_err(|error| EngineError::damaged(path, &error))?;
        Ok(Opened { log: Self { path: path.to_owned(), database, datastore_id }, state, leases })
    }

    /// Writes a batch; it is on the disk when this returns.
    pub(super) fn append(&self, batch: &Batch) -> Result<(), RequestError> {
        self.write(|transaction| {
            let mut changes = transaction.open_table(CHANGES)?;
            for commit in &batch.commits {
                for (index, change) in (0u32..).zip(&commit.changes) {
                    changes.insert((commit.revision, index), (&*change.key, change.record.as_deref().map(to_row)))?;
                }
            }
            if let Some(last) = batch.commits.last() {
                transaction.open_table(META)?.insert(META_REVISION, last.revision)?;
            }
            let mut leases = transaction.open_table(LEASES)?;
            for (id, ttl_seconds) in &batch.granted {
                leases.insert(id, ttl_seconds)?;
            }
            for id in &batch.revoked {
                leases.remove(id)?;
            }
            Ok(())
        })
    }

    /// Moves the changes up to the revision into the base.
    pub(super) fn compact(&self, revision: Version) -> Result<(), RequestError> {
        self.write(|transaction| {
            let mut records = transaction.open_table(RECORDS)?;
            let mut changes = transaction.open_table(CHANGES)?;
            let mut meta = transaction.open_table(META)?;
            let compacted = meta.get(META_COMPACTED)?.map_or(0, |value| value.value());
            // Those of the compacted revision itself are in the base already.
            for entry in changes.range((compacted + 1, 0)..=(revision, u32::MAX))? {
                let (_, change) = entry?;
                match change.value() {
                    (key, Some(row)) => records.insert(key, row)?,
                    (key, None) => records.remove(key)?,
                };
            }
            changes.retain_in(..(revision, 0), |_, _| false)?;
            meta.insert(META_COMPACTED, revision)?;
            Ok(())
        })
    }

    fn write(&self, work: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>) -> Result<(), RequestError> {
        let write = || -> Result<(), redb::Error> {
            let transaction = self.database.begin_write()?;
            work(&transaction)?;
            Ok(transaction.commit()?)
        };
        write().map_err(|error| {
            RequestError::Storage(format!(
                "cannot write {}: {error}; nothing was changed. Check the disk, then start again",
                self.path.display()
            ))
        })
    }
}

/// Makes the file under another name first, so that one under this name is always whole.
fn create(path: &Path) -> Result<(), EngineError> {
    let new = path.with_extension("new");
    let io = |error| EngineError::Io { file: path.to_owned(), source: error };
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(io)?;
    }
    match fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let database = Database::create(&new).map_err(|error| EngineError::from_open(&new, error))?;
    initialise(&database).map_err(|error| EngineError::damaged(&new, &error))?;
    drop(database);
    fs::rename(&new, path).map_err(io)?;
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    fs::File::open(directory.unwrap_or(Path::new("."))).and_then(|directory| directory.sync_all()).map_err(io)
}

fn initialise(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert(META_FORMAT, FORMAT)?;
        // 0 would look like "no identity" on the wire.
        meta.insert(META_DATASTORE, fastrand::u64(1..))?;
        meta.insert(META_COMPACTED, 0)?;
        meta.insert(META_REVISION, FIRST_REVISION)?;
        transaction.open_table(RECORDS)?;
        transaction.open_table(CHANGES)?;
        transaction.open_table(LEASES)?;
    }
    Ok(transaction.commit()?)
}

/// Looks at the format version before anything may write to the file.
fn check_format(path: &Path) -> Result<(), EngineError> {
    let length = fs::metadata(path).map_err(|error| EngineError::Io { file: path.to_owned(), source: error })?.len();
    if length == 0 {
        return Err(EngineError::Damaged { file: path.to_owned(), reason: "it is empty".into() });
    }
    let database = match Builder::new().open_read_only(path) {
        Ok(database) => database,
        // It was not closed properly. Opening it for writing repairs it, and looks at the version again.
        Err(redb::DatabaseError::RepairAborted) => return Ok(()),
        Err(error) => return Err(EngineError::from_open(path, error)),
    };
    let found = read_format(&database).map_err(|error| EngineError::damaged(path, &error))?;
    if found == FORMAT { Ok(()) } else { Err(EngineError::Format { file: path.to_owned(), found, ours: FORMAT }) }
}

fn read_format(database: &impl ReadableDatabase) -> Result<u64, redb::Error> {
    let meta = database.begin_read()?.open_table(META)?;
    Ok(meta.get(META_FORMAT)?.map_or(0, |value| value.value()))
}

/// The state and the identity of the datastore.
fn load(database: &Database) -> Result<(State, u64), redb::Error> {
    let transaction = database.begin_read()?;
    let meta = transaction.open_table(META)?;
    let number = |name| meta.get(name).map(|value| value.map_or(0, |value| value.value()));
    let (compacted, revision, datastore_id) =
        (number(META_COMPACTED)?, number(META_REVISION)?, number(META_DATASTORE)?);
    let mut records = Records::new();
    for entry in transaction.open_table(RECORDS)?.iter()? {
        let (key, row) = entry?;
        records.insert(Bytes::copy_from_slice(key.value()), Arc::new(from_row(row.value())));
    }
    let mut base = Commit { revision: compacted.max(FIRST_REVISION), records, changes: Vec::new() };
    let changes = transaction.open_table(CHANGES)?;
    base.changes = changes_of(&changes, base.revision, &Records::new())?;
    let mut state = State::new(base, compacted);
    while state.revision() < revision {
        let changes = changes_of(&changes, state.revision() + 1, state.records())?;
        state.push(state.current().next(changes));
    }
    Ok((state, datastore_id))
}

fn load_leases(database: &Database) -> Result<Vec<LeaseRow>, redb::Error> {
    let leases = database.begin_read()?.open_table(LEASES)?;
    leases.iter()?.map(|entry| entry.map(|(id, ttl)| (id.value(), ttl.value())).map_err(Into::into)).collect()
}

fn changes_of(
    changes: &impl ReadableTable<Place, ChangeRow<'static>>,
    revision: Version,
    before: &Records,
) -> Result<Vec<Change>, redb::Error> {
    let mut of_revision = Vec::new();
    for entry in changes.range((revision, 0)..=(revision, u32::MAX))? {
        let (_, change) = entry?;
        let (key, row) = change.value();
        let previous = before.get(key).cloned();
        let record = row.map(|row| Arc::new(from_row(row)));
        of_revision.push(Change { key: Bytes::copy_from_slice(key), record, previous });
    }
    Ok(of_revision)
}

fn to_row(record: &Record) -> Row<'_> {
    (record.create_revision, record.mod_revision, record.version, record.lease, &record.value)
}

fn from_row((create_revision, mod_revision, version, lease, value): Row) -> Record {
    Record { create_revision, mod_revision, version, lease, value: Bytes::copy_from_slice(value) }
}

#[cfg(test)]
mod tests;
