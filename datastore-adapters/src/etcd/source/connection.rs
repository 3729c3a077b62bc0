//! One connection to etcd: the sockets and timers around [`Feed`], and no decision of its own.

use std::time::{Duration, Instant};

use etcd_client::{Client, GetOptions, GetResponse, KvClient, Txn, TxnOp, TxnOpResponse, WatchOptions, WatchStream};
use futures_util::{StreamExt, stream::FuturesUnordered};
use model::{Key, Version};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    ConfigError, SourceEvent,
    backoff::Backoff,
    etcd::{
        EtcdConfig,
        error::{describe, is_about_the_message, is_compacted},
        feed::{Audit, Audited, Broken, Change, Feed, Plan, Probe, Reread},
        layout::{self, PREFIXES, WATCH_RANGE},
        wire::{header, prefix_end, present, signed, successor, to_message},
    },
};

/// Keys per page of a list: about a megabyte of usual resources, well below [`MESSAGE_MAX`] for the largest usual ones.
const LIST_PAGE: i64 = 1000;
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

/// A connection at work.
pub(super) struct Connection<'a> {
    pub(super) client: Client,
    pub(super) feed: &'a mut Feed,
    pub(super) backoff: &'a mut Backoff,
    pub(super) events: &'a mpsc::Sender<SourceEvent>,
    /// What the reader asks.
    pub(super) questions: &'a mut mpsc::Receiver<Vec<Key>>,
}

/// What is asked beside the watch.
enum Question {
    Revision(Probe),
    Compare(Audit),
    Keys(Reread),
}

/// What etcd answers.
enum Answer {
    /// With the datastore's identity and revision.
    Revision(Probe, u64, Version),
    Compared(Audit, Audited),
    /// With the datastore's identity.
    Keys(Reread, u64, Vec<Option<Change>>),
    /// The revision to read at is gone.
    Nothing,
}

/// Why an attempt ended.
pub(super) enum Ended {
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
        // Who it is about is said by the caller.
        match error {
            ConfigError::Connect { reason, .. } => Self::Failed(reason),
            error => Self::Failed(error.to_string()),
        }
    }
}

/// A client for one endpoint.
pub(super) async fn open(config: &EtcdConfig, endpoint: &str) -> Result<Client, Ended> {
    config.check()?;
    Ok(answered(REQUEST_TIMEOUT, config.client(endpoint)).await??)
}

impl Connection<'_> {
    /// Lists everything at one revision, page by page, where the feed has no position to watch from.
    pub(super) async fn list_if_need_be(&mut self) -> Result<(), Ended> {
        if self.feed.plan() != Plan::List {
            return Ok(());
        }
        let mut at: Option<Version> = None;
        for prefix in PREFIXES {
            let mut start = prefix.as_bytes().to_vec();
            loop {
                let mut page = list_page(self.kv(), start, prefix, at).await?;
                let (datastore_id, revision) = header(page.header());
                if at.is_none() {
                    at = Some(revision);
                    self.events.send(self.feed.list_started(datastore_id)).await?;
                }
                let (more, changes) = (page.more(), present(&mut page));
                start = changes.last().map(|last| successor(&last.path)).unwrap_or_default();
                self.events.send(self.feed.listed(changes)).await?;
                if !more {
                    break;
                }
            }
        }
        Ok(self.events.send(self.feed.list_done(at.unwrap_or_default())).await?)
    }

    /// Follows the changes until something goes wrong.
    pub(super) async fn watch(&mut self) -> Result<std::convert::Infallible, Ended> {
        let mut stream = self.start_watch().await?;
        // At most one request of each kind is under way, beside the watch: a slow answer must not hold back changes.
        let mut requests = FuturesUnordered::new();
        let mut ticks = tokio::time::interval(PROBE_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = stream.message() => {
                    let message = message.map_err(watch_failure)?.ok_or_else(|| Ended::Failed("the watch ended".into()))?;
                    for event in self.feed.watched(to_message(&message))? {
                        self.events.send(event).await?;
                    }
                }
                _ = ticks.tick(), if requests.is_empty() => requests.push(ask(self.kv(), Question::Revision(self.feed.probe()))),
                Some(answer) = requests.next() => {
                    if let Some(audit) = self.answered(answer?).await? {
                        requests.push(ask(self.kv(), Question::Compare(audit)));
                    }
                }
                Some(keys) = self.questions.recv(), if requests.len() < 2 => {
                    requests.push(ask(self.kv(), Question::Keys(self.feed.reread(keys)?)));
                }
                () = self.events.closed() => return Err(Ended::ReaderGone),
            }
        }
    }

    async fn start_watch(&self) -> Result<WatchStream, Ended> {
        let Plan::Watch(from) = self.feed.plan() else {
            return Err(Ended::Failed("there is no list to watch from".into()));
        };
        let options =
            WatchOptions::new().with_range(WATCH_RANGE.1).with_start_revision(signed(from)).with_progress_notify();
        let mut watching = self.client.watch_client().max_decoding_message_size(MESSAGE_MAX);
        Ok(answered(REQUEST_TIMEOUT, watching.watch(WATCH_RANGE.0, Some(options))).await??)
    }

    async fn answered(&mut self, answer: Answer) -> Result<Option<Audit>, Ended> {
        match answer {
            Answer::Revision(probe, datastore_id, revision) => {
                let (progress, audit) = self.feed.probed(probe, Instant::now(), datastore_id, revision)?;
                if self.feed.is_watching() {
                    self.backoff.reset();
                }
                self.events.send(progress).await?;
                Ok(audit)
            }
            Answer::Compared(audit, found) => {
                if let Some(progress) = self.feed.audited(audit, found)? {
                    self.events.send(progress).await?;
                }
                Ok(None)
            }
            Answer::Keys(reread, datastore_id, found) => {
                self.events.send(self.feed.reread_done(reread, datastore_id, found)?).await?;
                Ok(None)
            }
            Answer::Nothing => Ok(None),
        }
    }

    fn kv(&self) -> KvClient {
        self.client.kv_client().max_decoding_message_size(MESSAGE_MAX)
    }
}

/// A message that is refused for what it is will be so again; anything else is the connection.
fn watch_failure(error: etcd_client::Error) -> Ended {
    if is_about_the_message(&error) { Ended::WatchFailed(describe(&error)) } else { error.into() }
}

async fn answered<T>(within: Duration, request: impl Future<Output = T>) -> Result<T, Ended> {
    let silent = |_| Ended::Failed(format!("no answer within {} s", within.as_secs()));
    timeout(within, request).await.map_err(silent)
}

async fn list_page(mut kv: KvClient, start: Vec<u8>, prefix: &str, at: Option<Version>) -> Result<GetResponse, Ended> {
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
        Question::Revision(probe) => {
            // A linearizable read of one key, which need not exist: cheap, and only a working majority answers it.
            let answer = answered(REQUEST_TIMEOUT, kv.get(WATCH_RANGE.0, None)).await??;
            let (datastore_id, revision) = header(answer.header());
            Ok(Answer::Revision(probe, datastore_id, revision))
        }
        Question::Compare(audit) => Ok(Answer::Compared(audit, compare(kv, audit).await?)),
        Question::Keys(keys) => reread(kv, keys).await,
    }
}

/// Reads keys one by one, which is what a few damaged ones are worth.
async fn reread(mut kv: KvClient, reread: Reread) -> Result<Answer, Ended> {
    let (mut identity, mut found) = (0, Vec::with_capacity(reread.keys.len()));
    for key in &reread.keys {
        let options = GetOptions::new().with_revision(signed(reread.at));
        let mut answer = match answered(REQUEST_TIMEOUT, kv.get(layout::path(key), Some(options))).await? {
            // The reader asks again, and by then the watch has moved on.
            Err(error) if is_compacted(&error) => return Ok(Answer::Nothing),
            answer => answer?,
        };
        identity = header(answer.header()).0;
        found.push(present(&mut answer).pop());
    }
    Ok(Answer::Keys(reread, identity, found))
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
