//! etcd as a [`Store`]: every write is one transaction with the comparisons that Calico makes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use etcd_client::{
    Client, Compare, CompareOp, GetOptions, GetResponse, KeyValue, KvClient, Txn, TxnOp, TxnOpResponse, TxnResponse,
};
use futures_util::future::try_join_all;
use model::{Key, Kind, Version};
use telemetry::{Journey, Stage};
use tokio::time::timeout;

use super::{
    EtcdConfig, document,
    error::{describe, was_never_sent},
    layout,
    wire::{header, prefix_end, signed, version},
};
use crate::{ConfigError, Listing, Store, StoreError, Stored, Write};

/// Keys per page of a list.
const LIST_PAGE: i64 = 500;
/// The largest answer taken; a page of the largest resources that etcd accepts by default still fits in most cases.
const MESSAGE_MAX: usize = 256 << 20;
/// People wait for this answer; etcd's own client gives a request about as long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// etcd's default limit of operations in one transaction (`--max-txn-ops`).
const TRANSACTION_MAX: usize = 128;

/// How etcd, and gRPC before it, refuse what will never fit.
const TOO_LARGE: [&str; 4] =
    ["request is too large", "too many operations", "message length too large", "message larger than max"];

/// Reads and writes resources in etcd, in Calico's layout.
#[derive(Clone)]
pub struct EtcdStore {
    /// One for each endpoint, so that one that is down is passed over.
    clients: Vec<Client>,
    /// The client that was reached last.
    preferred: Arc<AtomicUsize>,
    /// The endpoints, for error messages.
    name: String,
}

impl std::fmt::Debug for EtcdStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EtcdStore").field("name", &self.name).finish_non_exhaustive()
    }
}

impl EtcdStore {
    /// A store for this etcd. Connects on first use, unless there is a user to log in.
    pub async fn connect(config: EtcdConfig) -> Result<Self, StoreError> {
        config.check().map_err(|error| StoreError::Invalid(error.to_string()))?;
        let (mut clients, mut refusal) = (Vec::new(), None);
        for endpoint in &config.endpoints {
            match answered(endpoint, config.client(endpoint)).await {
                Ok(Ok(client)) => clients.push(client),
                Ok(Err(error)) => refusal = Some(StoreError::Unavailable(error.to_string())),
                Err(error) => refusal = Some(error),
            }
        }
        match refusal {
            Some(refusal) if clients.is_empty() => Err(refusal),
            _ => Ok(Self { clients, preferred: Arc::default(), name: config.name() }),
        }
    }

    /// Asks one member after the other until one can be reached. A request that may have had an effect is not repeated.
    async fn ask<T, F>(&self, request: impl Fn(KvClient) -> F) -> Result<Result<T, etcd_client::Error>, StoreError>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut unreachable = None;
        for index in (first..first + self.clients.len()).map(|index| index % self.clients.len()) {
            let kv = self.clients[index].kv_client().max_decoding_message_size(MESSAGE_MAX);
            match answered(&self.name, request(kv)).await? {
                Err(error) if was_never_sent(&error) => unreachable = Some(error),
                answer => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(answer);
                }
            }
        }
        unreachable.map(Err).ok_or_else(|| StoreError::Invalid(ConfigError::NoEndpoints.to_string()))
    }

    /// The path where a resource is, or would be.
    async fn path_of(&self, key: &Key) -> Result<String, StoreError> {
        Ok(match document::former_key(key) {
            Some(_) => self.find(key).await?.0,
            None => checked_path(key)?,
        })
    }

    /// Where a resource is, or would be, and what is there. A policy that Calico up to v3.31 wrote is under its former
    /// path, and stays there.
    async fn find(&self, key: &Key) -> Result<(String, Option<Stored>), StoreError> {
        let path = checked_path(key)?;
        let former = document::former_key(key).as_ref().map(layout::path);
        let reads: Vec<TxnOp> =
            [Some(path.clone()), former].into_iter().flatten().map(|path| TxnOp::get(path, None)).collect();
        let answer = self.transaction(key, Txn::new().and_then(reads)).await?;
        let found = answer.op_responses().into_iter().flat_map(|response| match response {
            TxnOpResponse::Get(mut read) => read.take_kvs(),
            _ => Vec::new(),
        });
        for kv in found {
            let at = String::from_utf8_lossy(kv.key()).into_owned();
            if let Some(stored) = to_stored(kv).filter(|stored| stored.key == *key) {
                return Ok((at, Some(stored)));
            }
        }
        Ok((path, None))
    }

    async fn transaction(&self, what: &(dyn std::fmt::Display + Sync), txn: Txn) -> Result<TxnResponse, StoreError> {
        let request = |mut kv: KvClient| {
            let txn = txn.clone();
            async move { kv.txn(txn).await }
        };
        let began = SystemTime::now();
        let answer = self.ask(request).await?.map_err(|error| self.refused(what, &error))?;
        trace(what, &answer, began);
        Ok(answer)
    }

    async fn page(&self, kind: Kind, prefix: &str, start: Vec<u8>, at: Option<i64>) -> Result<GetResponse, StoreError> {
        let mut options = GetOptions::new().with_range(prefix_end(prefix)).with_limit(LIST_PAGE);
        if let Some(at) = at {
            options = options.with_revision(at);
        }
        let request = |mut kv: KvClient| {
            let (start, options) = (start.clone(), options.clone());
            async move { kv.get(start, Some(options)).await }
        };
        self.ask(request).await?.map_err(|error| self.refused(&kind, &error))
    }

    fn refused(&self, what: &(dyn std::fmt::Display + Sync), error: &etcd_client::Error) -> StoreError {
        let reason = describe(error);
        if TOO_LARGE.iter().any(|refusal| reason.contains(refusal)) {
            return StoreError::Invalid(format!("{what}: etcd refuses it: {reason}"));
        }
        StoreError::Unavailable(format!(
            "etcd at {}: {reason}; check that it runs and that the endpoints and credentials are right",
            self.name
        ))
    }
}

impl Store for EtcdStore {
    async fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        Ok(self.find(key).await?.1)
    }

    async fn list(&self, kind: Kind, namespace: Option<&str>) -> Result<Listing, StoreError> {
        let prefix = layout::directory(kind, namespace);
        let (mut start, mut at, mut items) = (prefix.as_bytes().to_vec(), None, Vec::new());
        loop {
            let mut page = self.page(kind, &prefix, start, at).await?;
            at = at.or(page.header().map(etcd_client::ResponseHeader::revision));
            start = page.kvs().last().map(|last| [last.key(), b"\0"].concat()).unwrap_or_default();
            items.extend(page.take_kvs().into_iter().filter_map(to_stored).filter(|stored| stored.key.kind() == kind));
            if !page.more() {
                break;
            }
        }
        // A policy that is being renamed is there under both paths; the new one, which was written last, counts.
        items.sort_by(|a: &Stored, b| a.key.cmp(&b.key).then(b.revision.cmp(&a.revision)));
        items.dedup_by(|later, first| later.key == first.key);
        Ok(Listing { items, revision: version(at.unwrap_or_default()) })
    }

    async fn create(&self, key: &Key, value: Bytes) -> Result<Version, StoreError> {
        let path = self.path_of(key).await?;
        let absent = Compare::version(path.as_str(), CompareOp::Equal, 0);
        let txn = Txn::new().when([absent]).and_then([put(path, key, &value)?]);
        let answer = self.transaction(key, txn).await?;
        if answer.succeeded() { Ok(revision(&answer)) } else { Err(StoreError::AlreadyExists(key.clone())) }
    }

    async fn update(&self, key: &Key, value: Bytes, expected: Version) -> Result<Version, StoreError> {
        let path = self.path_of(key).await?;
        let operation = put(path.clone(), key, &value)?;
        self.write_at(key, &path, operation, expected).await
    }

    async fn delete(&self, key: &Key, expected: Option<Version>) -> Result<Version, StoreError> {
        let path = self.path_of(key).await?;
        let operation = TxnOp::delete(path.as_str(), None);
        if let Some(expected) = expected {
            return self.write_at(key, &path, operation, expected).await;
        }
        let exists = Compare::version(path, CompareOp::Greater, 0);
        let answer = self.transaction(key, Txn::new().when([exists]).and_then([operation])).await?;
        if answer.succeeded() { Ok(revision(&answer)) } else { Err(StoreError::NotFound(key.clone())) }
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Version, StoreError> {
        if writes.len() > TRANSACTION_MAX {
            let count = writes.len();
            return Err(StoreError::Invalid(format!(
                "{count} writes in one transaction; etcd takes {TRANSACTION_MAX}: write them in parts"
            )));
        }
        let operations = try_join_all(writes.iter().map(|write| self.operation(write))).await?;
        let answer = self.transaction(&"transaction", Txn::new().and_then(operations)).await?;
        Ok(revision(&answer))
    }
}

impl EtcdStore {
    async fn operation(&self, write: &Write) -> Result<TxnOp, StoreError> {
        match write {
            Write::Put(key, value) => put(self.path_of(key).await?, key, value),
            Write::Delete(key) => Ok(TxnOp::delete(self.path_of(key).await?, None)),
        }
    }

    /// Writes if the path is still at the revision; else finds out what is there instead.
    async fn write_at(&self, key: &Key, path: &str, write: TxnOp, expected: Version) -> Result<Version, StoreError> {
        let unchanged = Compare::mod_revision(path, CompareOp::Equal, signed(expected));
        let txn = Txn::new().when([unchanged]).and_then([write]).or_else([TxnOp::get(path, None)]);
        let answer = self.transaction(key, txn).await?;
        if answer.succeeded() {
            return Ok(revision(&answer));
        }
        let found = answer.op_responses().into_iter().find_map(|response| match response {
            TxnOpResponse::Get(read) => read.kvs().first().map(|kv| version(kv.mod_revision())),
            _ => None,
        });
        Err(match found {
            Some(actual) => StoreError::Conflict { key: key.clone(), expected, actual },
            None => StoreError::NotFound(key.clone()),
        })
    }
}

async fn answered<T>(name: &str, request: impl Future<Output = T>) -> Result<T, StoreError> {
    timeout(REQUEST_TIMEOUT, request).await.map_err(|_| {
        let seconds = REQUEST_TIMEOUT.as_secs();
        StoreError::Unavailable(format!(
            "etcd at {name} did not answer within {seconds} s; check that it runs, has a leader, and is reachable from here"
        ))
    })
}

fn checked_path(key: &Key) -> Result<String, StoreError> {
    if layout::is_storable(key) {
        return Ok(layout::path(key));
    }
    Err(StoreError::Invalid(format!("{key}: a name must not be empty and must not contain a slash")))
}

fn put(path: String, key: &Key, document: &[u8]) -> Result<TxnOp, StoreError> {
    let stored = document::encode(key, document).map_err(|error| StoreError::Invalid(error.to_string()))?;
    Ok(TxnOp::put(path, stored, None))
}

/// The resource as its user knows it; `None` where the path is not ours.
fn to_stored(kv: KeyValue) -> Option<Stored> {
    let revision = version(kv.mod_revision());
    let (path, stored) = kv.into_key_value();
    let at = layout::key(&path)?;
    let key = document::user_key(&at, &stored);
    Some(Stored { value: document::decode(&at, stored), key, revision })
}

/// A write is where the way of a key begins.
fn trace(what: &dyn std::fmt::Display, answer: &TxnResponse, began: SystemTime) {
    let (datastore_id, revision) = header(answer.header());
    let Some(journey) = Journey::of(datastore_id, revision, [what]) else { return };
    let is_write = |response: &TxnOpResponse| matches!(response, TxnOpResponse::Put(_) | TxnOpResponse::Delete(_));
    if answer.op_responses().iter().any(is_write) {
        journey.passed(Stage::Write, "datastore", began);
    }
}

fn revision(answer: &TxnResponse) -> Version {
    answer.header().map_or(0, |header| version(header.revision()))
}
