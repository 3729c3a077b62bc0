//! etcd as a [`Source`]: the sockets and timers around [`Feed`], and no decision of its own.

use std::time::{Duration, Instant};

use bytes::Bytes;
use etcd_client::{Client, GetOptions, GetResponse, KvClient, ResponseHeader, Txn, TxnOp, TxnOpResponse, WatchOptions};
use futures_util::{StreamExt, stream::FuturesUnordered};
use model::Version;
use tokio::{sync::mpsc, time::timeout};

use super::{
    EtcdConfig,
    error::{describe, is_compacted},
    feed::{Audit, Audited, Broken, Canceled, Change, Feed, Plan, WatchMessage},
    layout::{PREFIXES, WATCH_RANGE},
};
use crate::{ConfigError, Source, SourceEvent, backoff::Backoff};

/// Keys per page of a list: some hundred kilobytes for usual resources, well below [`MESSAGE_MAX`] for the largest.
const LIST_PAGE: i64 = 500;
/// The largest message taken from etcd. A transaction is at most 1.5 MiB by etcd's default, but a watch that catches
/// up gets up to 1,000 of them in one message. Fragmenting is not asked for: etcd then never spreads one transaction
/// over two messages, and what is larger than this is fetched by a list.
const MESSAGE_MAX: usize = 256 << 20;
/// How often the datastore's revision is read: the age of the last proof of life that agents see stays below this.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// A request without an answer by then has none to come.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// A page of a list, or a comparison, may take the server longer.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// The stream of etcd's state and changes.
#[derive(Debug)]
pub struct EtcdSource {
    config: EtcdConfig,
    /// The endpoint of the next connection: each attempt takes the next one.
    next_endpoint: usize,
    feed: Feed,
    backoff: Backoff,
}

/// What is asked beside the watch.
enum Question {
    Revision,
    Compare(Audit),
}

/// What etcd answers.
enum Answer {
    /// Datastore identity and revision.
    Revision(u64, Version),
    Compared(Audit, Audited),
}

/// Why an attempt ended.
enum Ended {
    /// Nobody reads any more.
    ReaderGone,
    /// To be told, and tried again.
    Failed(String),
}

impl From<mpsc::error::SendError<SourceEvent>> for Ended {
    fn from(_: mpsc::error::SendError<SourceEvent>) -> Self {
        Self::ReaderGone
    }
}

impl From<Broken> for Ended {
    fn from(broken: Broken) -> Self {
        Self::Failed(broken.to_string())
    }
}

impl From<etcd_client::Error> for Ended {
    fn from(error: etcd_client::Error) -> Self {
        Self::Failed(describe(&error))
    }
}

impl From<ConfigError> for Ended {
    fn from(error: ConfigError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl EtcdSource {
    /// A source for this etcd; it connects when it runs.
    pub fn new(config: EtcdConfig) -> Self {
        Self { config, next_endpoint: 0, feed: Feed::default(), backoff: Backoff::new() }
    }

    async fn run_until_reader_is_gone(mut self, events: mpsc::Sender<SourceEvent>) {
        loop {
            let endpoint = self.endpoint();
            let reason = match self.attempt(&endpoint, &events).await {
                Ok(never) => match never {},
                Err(Ended::ReaderGone) => return,
                Err(Ended::Failed(reason)) => format!("etcd at {endpoint}: {reason}"),
            };
            self.feed.disconnected();
            tracing::warn!(%reason, "etcd is not available; trying again");
            if events.send(SourceEvent::Unavailable { reason }).await.is_err() {
                return;
            }
            tokio::time::sleep(self.backoff.next_delay()).await;
        }
    }

    fn endpoint(&mut self) -> String {
        let all = &self.config.endpoints;
        let endpoint = all.get(self.next_endpoint % all.len().max(1)).cloned().unwrap_or_default();
        self.next_endpoint = self.next_endpoint.wrapping_add(1);
        endpoint
    }

    /// One connection, for as long as it is of use.
    async fn attempt(
        &mut self,
        endpoint: &str,
        events: &mpsc::Sender<SourceEvent>,
    ) -> Result<std::convert::Infallible, Ended> {
        self.config.check()?;
        let client = answered(REQUEST_TIMEOUT, self.config.client(&[endpoint.to_owned()])).await??;
        if self.feed.plan() == Plan::List {
            self.list(&client, events).await?;
        }
        self.watch(client, events).await
    }

    async fn list(&mut self, client: &Client, events: &mpsc::Sender<SourceEvent>) -> Result<(), Ended> {
        let mut kv = client.kv_client().max_decoding_message_size(MESSAGE_MAX);
        let mut at: Option<Version> = None;
        for prefix in PREFIXES {
            let mut start = prefix.as_bytes().to_vec();
            loop {
                let mut page = list_page(&mut kv, start, prefix, at).await?;
                let (datastore_id, revision) = header(page.header());
                if at.is_none() {
                    at = Some(revision);
                    events.send(self.feed.list_started(datastore_id)).await?;
                }
                let (more, changes) = (page.more(), present(&mut page));
                start = changes.last().map(|last| successor(&last.path)).unwrap_or_default();
                events.send(self.feed.listed(changes)).await?;
                if !more {
                    break;
                }
            }
        }
        let done = self.feed.list_done(at.unwrap_or_default());
        self.backoff.reset();
        Ok(events.send(done).await?)
    }

    async fn watch(
        &mut self,
        client: Client,
        events: &mpsc::Sender<SourceEvent>,
    ) -> Result<std::convert::Infallible, Ended> {
        let Plan::Watch(from) = self.feed.plan() else {
            return Err(Ended::Failed("there is no list to watch from".into()));
        };
        let options = WatchOptions::new()
            .with_range(WATCH_RANGE.1)
            .with_start_revision(i64::try_from(from).unwrap_or(i64::MAX))
            .with_progress_notify();
        let mut watching = client.watch_client().max_decoding_message_size(MESSAGE_MAX);
        let mut stream = answered(REQUEST_TIMEOUT, watching.watch(WATCH_RANGE.0, Some(options))).await??;
        let kv = client.kv_client().max_decoding_message_size(MESSAGE_MAX);
        // At most one request is under way, beside the watch: a slow answer must not hold back changes.
        let mut requests = FuturesUnordered::new();
        let mut ticks = tokio::time::interval(PROBE_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = stream.message() => {
                    let message = message?.ok_or_else(|| Ended::Failed("the watch ended".into()))?;
                    for event in self.feed.watched(to_message(&message))? {
                        events.send(event).await?;
                    }
                }
                _ = ticks.tick(), if requests.is_empty() => requests.push(ask(kv.clone(), Question::Revision)),
                Some(answer) = requests.next() => {
                    if let Some(audit) = self.answered(answer?, events).await? {
                        requests.push(ask(kv.clone(), Question::Compare(audit)));
                    }
                }
                () = events.closed() => return Err(Ended::ReaderGone),
            }
        }
    }

    async fn answered(&mut self, answer: Answer, events: &mpsc::Sender<SourceEvent>) -> Result<Option<Audit>, Ended> {
        match answer {
            Answer::Revision(datastore_id, revision) => {
                let (progress, audit) = self.feed.probed(Instant::now(), datastore_id, revision)?;
                self.backoff.reset();
                events.send(progress).await?;
                Ok(audit)
            }
            Answer::Compared(audit, found) => {
                if let Some(progress) = self.feed.audited(audit, found)? {
                    events.send(progress).await?;
                }
                Ok(None)
            }
        }
    }
}

impl Source for EtcdSource {
    async fn run(self, events: mpsc::Sender<SourceEvent>) {
        self.run_until_reader_is_gone(events).await;
    }
}

async fn answered<T>(within: Duration, request: impl Future<Output = T>) -> Result<T, Ended> {
    let silent = |_| Ended::Failed(format!("no answer within {} s", within.as_secs()));
    timeout(within, request).await.map_err(silent)
}

async fn list_page(kv: &mut KvClient, start: Vec<u8>, prefix: &str, at: Option<Version>) -> Result<GetResponse, Ended> {
    let mut options = GetOptions::new().with_range(prefix_end(prefix)).with_limit(LIST_PAGE);
    if let Some(revision) = at {
        options = options.with_revision(i64::try_from(revision).unwrap_or(i64::MAX));
    }
    answered(LIST_TIMEOUT, kv.get(start, Some(options))).await?.map_err(|error| match is_compacted(&error) {
        true => Ended::Failed("the list was compacted away while it was read; listing again".into()),
        false => error.into(),
    })
}

async fn ask(mut kv: KvClient, question: Question) -> Result<Answer, Ended> {
    match question {
        Question::Revision => {
            // A linearizable read of one key, which need not exist: cheap, and only a working majority answers it.
            let answer = answered(REQUEST_TIMEOUT, kv.get(WATCH_RANGE.0, None)).await??;
            let (datastore_id, revision) = header(answer.header());
            Ok(Answer::Revision(datastore_id, revision))
        }
        Question::Compare(audit) => Ok(Answer::Compared(audit, compare(kv, audit).await?)),
    }
}

/// The number of our keys modified since, and of all, at one revision: one transaction of reads.
async fn compare(mut kv: KvClient, audit: Audit) -> Result<Audited, Ended> {
    let reads: Vec<TxnOp> = PREFIXES
        .iter()
        .map(|prefix| {
            let since = i64::try_from(audit.since + 1).unwrap_or(i64::MAX);
            let options =
                GetOptions::new().with_range(prefix_end(prefix)).with_keys_only().with_min_mod_revision(since);
            TxnOp::get(*prefix, Some(options))
        })
        .collect();
    let answer = answered(LIST_TIMEOUT, kv.txn(Txn::new().and_then(reads))).await??;
    let mut found = Audited { revision: header(answer.header()).1, modified: 0, keys: 0 };
    for read in answer.op_responses() {
        if let TxnOpResponse::Get(read) = read {
            found.modified += read.kvs().len() as u64;
            found.keys += u64::try_from(read.count()).unwrap_or_default();
        }
    }
    Ok(found)
}

fn present(page: &mut GetResponse) -> Vec<Change> {
    let change = |kv: etcd_client::KeyValue| {
        let (revision, created) = (version(kv.mod_revision()), kv.version() == 1);
        let (path, value) = kv.into_key_value();
        Change { path, value: Some(value.into()), revision, created }
    };
    page.take_kvs().into_iter().map(change).collect()
}

fn to_message(message: &etcd_client::WatchResponse) -> WatchMessage {
    let (datastore_id, revision) = header(message.header());
    let canceled = message.canceled().then(|| match message.compact_revision() {
        0 => Canceled::Other(message.cancel_reason().to_owned()),
        _ => Canceled::Compacted,
    });
    let change = |event: &etcd_client::Event| {
        let kv = event.kv()?;
        let is_put = event.event_type() == etcd_client::EventType::Put;
        Some(Change {
            path: kv.key().to_vec(),
            value: is_put.then(|| Bytes::copy_from_slice(kv.value())),
            revision: version(kv.mod_revision()),
            created: is_put && kv.version() == 1,
        })
    };
    let changes = message.events().iter().filter_map(change).collect();
    WatchMessage { datastore_id, revision, created: message.created(), canceled, changes }
}

fn header(header: Option<&ResponseHeader>) -> (u64, Version) {
    header.map_or((0, 0), |header| (header.cluster_id(), version(header.revision())))
}

/// etcd's revisions are positive; what is not is treated as "before everything".
fn version(revision: i64) -> Version {
    Version::try_from(revision).unwrap_or_default()
}

/// The first key after all keys with this prefix, which must not be empty nor end with 0xff: ours end with a slash.
pub(super) fn prefix_end(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

fn successor(path: &[u8]) -> Vec<u8> {
    [path, b"\0"].concat()
}
