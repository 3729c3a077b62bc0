//! etcd as a [`Source`]: the sockets and timers around [`Feed`], and no decision of its own.

use std::time::{Duration, Instant};

use etcd_client::{Client, GetOptions, GetResponse, KvClient, Txn, TxnOp, TxnOpResponse, WatchOptions};
use futures_util::{StreamExt, stream::FuturesUnordered};
use model::Version;
use tokio::{sync::mpsc, time::timeout};

use super::{
    EtcdConfig,
    error::{describe, is_compacted},
    feed::{Audit, Audited, Broken, Feed, Plan},
    layout::{PREFIXES, WATCH_RANGE},
    wire::{header, prefix_end, present, signed, successor, to_message},
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
    /// The connection works, but etcd or we cannot go on with the watch: also to be told and tried again.
    WatchFailed(String),
}

impl From<mpsc::error::SendError<SourceEvent>> for Ended {
    fn from(_: mpsc::error::SendError<SourceEvent>) -> Self {
        Self::ReaderGone
    }
}

impl From<Broken> for Ended {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Canceled(_) => Self::WatchFailed(broken.to_string()),
            _ => Self::Failed(broken.to_string()),
        }
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
            let reason = match Box::pin(self.attempt(&endpoint, &events)).await {
                Ok(never) => match never {},
                Err(Ended::ReaderGone) => return,
                Err(Ended::Failed(reason)) => {
                    self.feed.disconnected();
                    reason
                }
                Err(Ended::WatchFailed(reason)) => {
                    self.feed.watch_failed();
                    reason
                }
            };
            let reason = format!("etcd at {endpoint}: {reason}");
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
        let options =
            WatchOptions::new().with_range(WATCH_RANGE.1).with_start_revision(signed(from)).with_progress_notify();
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
                    let message = message.map_err(watch_failure)?.ok_or_else(|| Ended::Failed("the watch ended".into()))?;
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
        Box::pin(self.run_until_reader_is_gone(events)).await;
    }
}

/// A message that is too large or makes no sense will be so again; anything else is the connection.
fn watch_failure(error: etcd_client::Error) -> Ended {
    match &error {
        etcd_client::Error::GRpcStatus(status) if is_about_the_message(status.code()) => {
            Ended::WatchFailed(describe(&error))
        }
        _ => error.into(),
    }
}

/// gRPC codes by which a message is refused.
fn is_about_the_message(code: tonic::Code) -> bool {
    matches!(code, tonic::Code::OutOfRange | tonic::Code::ResourceExhausted | tonic::Code::Internal)
}

async fn answered<T>(within: Duration, request: impl Future<Output = T>) -> Result<T, Ended> {
    let silent = |_| Ended::Failed(format!("no answer within {} s", within.as_secs()));
    timeout(within, request).await.map_err(silent)
}

async fn list_page(kv: &mut KvClient, start: Vec<u8>, prefix: &str, at: Option<Version>) -> Result<GetResponse, Ended> {
    let mut options = GetOptions::new().with_range(prefix_end(prefix)).with_limit(LIST_PAGE);
    if let Some(revision) = at {
        options = options.with_revision(signed(revision));
    }
    answered(LIST_TIMEOUT, kv.get(start, Some(options))).await?.map_err(|error| {
        if is_compacted(&error) {
            return Ended::Failed("the list was compacted away while it was read; listing again".into());
        }
        error.into()
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
            let since = signed(audit.since + 1);
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
