//! etcd's Watch service. A watch is a cursor into the history, not a queue: the stream builds the next message when
//! the client has room for it, so that a slow client costs the same memory as a quick one.

use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    time::Duration,
};

use futures_util::{Stream, StreamExt, stream};
use model::Version;
use tokio::{sync::watch, time::Interval};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::{Api, convert, pb};
use crate::embedded::{key_range::KeyRange, record::Change, state::State};

/// Watches of one stream; etcd has no such limit, and nobody needs as many.
const WATCHES_MAX: usize = 1024;
/// Once a message holds so many bytes of events it is sent: well below what clients take by default (4 MiB) even with
/// a transaction of the largest size on top.
const MESSAGE_BYTES: usize = 1 << 20;
/// How often a watch that asked for it is told that it has missed nothing. etcd takes ten minutes.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);

/// One watch.
struct Cursor {
    keys: KeyRange,
    /// The next revision to look at.
    next: Version,
    filter: Filter,
    with_previous: bool,
    with_progress: bool,
}

/// What a watch wants to hear of.
struct Filter {
    puts: bool,
    deletions: bool,
}

/// One client's stream.
struct Session {
    api: Api,
    requests: Streaming<pb::WatchRequest>,
    states: watch::Receiver<State>,
    stopping: CancellationToken,
    watches: BTreeMap<i64, Cursor>,
    /// The revision that the watches were last compared with; what came since is not sent yet.
    seen: Version,
    /// The next id for a watch whose client named none.
    next_id: i64,
    /// Answers to requests, which go out before events. At most one request is read while it is not empty.
    answers: VecDeque<pb::WatchResponse>,
    /// The client asked to be told once nothing is missing.
    progress_wanted: bool,
    progress_ticks: Interval,
}

#[tonic::async_trait]
impl pb::watch_server::Watch for Api {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<pb::WatchResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<Streaming<pb::WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let mut progress_ticks = tokio::time::interval(PROGRESS_INTERVAL);
        // The first tick is there at once, and says nothing.
        progress_ticks.tick().await;
        let session = Session {
            api: self.clone(),
            requests: request.into_inner(),
            states: self.engine.states(),
            stopping: self.stopping.clone(),
            watches: BTreeMap::new(),
            seen: 0,
            next_id: 0,
            answers: VecDeque::new(),
            progress_wanted: false,
            progress_ticks,
        };
        Ok(Response::new(Box::pin(stream::unfold(session, next_message))))
    }
}

async fn next_message(mut session: Session) -> Option<(Result<pb::WatchResponse, Status>, Session)> {
    let message = session.next().await?;
    Some((message, session))
}

impl Session {
    async fn next(&mut self) -> Option<Result<pb::WatchResponse, Status>> {
        loop {
            if let Some(message) = self.answers.pop_front().or_else(|| self.next_events()) {
                return Some(Ok(message));
            }
            if std::mem::take(&mut self.progress_wanted) {
                return Some(Ok(self.progress(-1)));
            }
            tokio::select! {
                () = self.stopping.cancelled() => {
                    return Some(Err(Status::unavailable("etcdserver: server stopped")));
                }
                request = self.requests.next() => match request? {
                    Ok(request) => self.take(request),
                    Err(status) => return Some(Err(status)),
                },
                changed = self.states.changed() => if changed.is_err() { return None },
                _ = self.progress_ticks.tick() => self.tell_progress(),
            }
        }
    }

    fn take(&mut self, request: pb::WatchRequest) {
        match request.request_union {
            Some(pb::watch_request::RequestUnion::CreateRequest(create)) => self.create(create),
            Some(pb::watch_request::RequestUnion::CancelRequest(cancel)) => self.cancel(cancel.watch_id),
            Some(pb::watch_request::RequestUnion::ProgressRequest(_)) => self.progress_wanted = true,
            None => {}
        }
    }

    fn create(&mut self, create: pb::WatchCreateRequest) {
        let revision = self.states.borrow().revision();
        let header = self.api.header(revision);
        if self.watches.len() >= WATCHES_MAX || self.watches.contains_key(&create.watch_id) && create.watch_id != 0 {
            let cancel_reason = format!("no watch {}: the id is taken, or there are too many", create.watch_id);
            let canceled =
                pb::WatchResponse { header, watch_id: -1, created: true, canceled: true, ..Default::default() };
            self.answers.push_back(pb::WatchResponse { cancel_reason, ..canceled });
            return;
        }
        let watch_id = if create.watch_id == 0 { self.free_id() } else { create.watch_id };
        self.watches.insert(watch_id, Cursor::new(create, revision + 1));
        self.answers.push_back(pb::WatchResponse { header, watch_id, created: true, ..Default::default() });
    }

    fn free_id(&mut self) -> i64 {
        while self.watches.contains_key(&self.next_id) {
            self.next_id += 1;
        }
        self.next_id += 1;
        self.next_id - 1
    }

    fn cancel(&mut self, watch_id: i64) {
        if self.watches.remove(&watch_id).is_some() {
            let header = self.api.header(self.states.borrow().revision());
            self.answers.push_back(pb::WatchResponse { header, watch_id, canceled: true, ..Default::default() });
        }
    }

    /// The next message of the first watch that has one.
    fn next_events(&mut self) -> Option<pb::WatchResponse> {
        let state = self.states.borrow_and_update().clone();
        self.seen = state.revision();
        let ids: Vec<i64> = self.watches.keys().copied().collect();
        ids.into_iter().find_map(|watch_id| self.events_of(watch_id, &state))
    }

    fn events_of(&mut self, watch_id: i64, state: &State) -> Option<pb::WatchResponse> {
        let cursor = self.watches.get_mut(&watch_id)?;
        if cursor.next < state.compacted() {
            self.watches.remove(&watch_id);
            let header = self.api.header(state.revision());
            let compact_revision = convert::to_wire(state.compacted());
            return Some(pb::WatchResponse {
                header,
                watch_id,
                canceled: true,
                compact_revision,
                ..Default::default()
            });
        }
        let (events, revision) = cursor.read(state);
        let header = self.api.header(revision);
        (!events.is_empty()).then(|| pb::WatchResponse { header, watch_id, events, ..Default::default() })
    }

    /// Watches that asked for it are told the current revision; all events before it have been sent.
    fn tell_progress(&mut self) {
        let wanting = self.watches.iter().filter(|(_, cursor)| cursor.with_progress);
        let messages: Vec<_> = wanting.map(|(watch_id, _)| self.progress(*watch_id)).collect();
        self.answers.extend(messages);
    }

    /// Only right after [`Self::next_events`] had nothing more: then everything up to `seen` has been sent.
    fn progress(&self, watch_id: i64) -> pb::WatchResponse {
        let header = self.api.header(self.seen);
        pb::WatchResponse { header, watch_id, ..Default::default() }
    }
}

impl Cursor {
    fn new(create: pb::WatchCreateRequest, now: Version) -> Self {
        let filters: Vec<_> = create.filters().collect();
        let start_revision = convert::from_wire(create.start_revision);
        // To etcd, no key at all means from the first one on.
        let key = if create.key.is_empty() { bytes::Bytes::from_static(b"\0") } else { create.key };
        Self {
            keys: KeyRange::new(key, create.range_end),
            next: if start_revision == 0 { now } else { start_revision },
            filter: Filter {
                puts: !filters.contains(&pb::watch_create_request::FilterType::Noput),
                deletions: !filters.contains(&pb::watch_create_request::FilterType::Nodelete),
            },
            with_previous: create.prev_kv,
            with_progress: create.progress_notify,
        }
    }

    /// Events from here on, as many whole revisions as fit a message, and the last of these revisions.
    fn read(&mut self, state: &State) -> (Vec<super::proto::mvccpb::Event>, Version) {
        let (mut events, mut bytes) = (Vec::new(), 0);
        let mut last = self.next;
        for commit in state.commits_from(self.next) {
            if bytes > MESSAGE_BYTES {
                break;
            }
            last = commit.revision;
            for change in commit.changes.iter().filter(|change| self.wants(change)) {
                bytes += change.weight();
                events.push(convert::event(change, commit.revision, self.with_previous));
            }
        }
        self.next = self.next.max(last + u64::from(last <= state.revision()));
        (events, last)
    }

    fn wants(&self, change: &Change) -> bool {
        let kind = if change.record.is_some() { self.filter.puts } else { self.filter.deletions };
        kind && self.keys.contains(&change.key)
    }
}
