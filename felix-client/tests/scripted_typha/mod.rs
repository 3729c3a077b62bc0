//! A server that says what a test tells it to say, over real TLS and HTTP/2: the peers that a client must survive.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex},
};

use bytes::{BufMut, Bytes, BytesMut};
use felix_client::sync::{Config, Event};
use futures_util::{Stream, StreamExt as _, stream};
use http::{Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use model::digest::{Digest, EntryHash};
use pki::{
    Peers,
    development::{Authority, Request as CertificateRequest},
};
use prost::Message;
use proto::sync::v1::{Batch, Begin, Checkpoint, Entry, ReportRequest, SubscribeRequest, begin};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_rustls::TlsAcceptor;

type Body = StreamBody<Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>>;

/// What a subscriber gets.
pub(crate) struct Reply {
    /// Sent as they are, one DATA frame each.
    pub(crate) chunks: Vec<Bytes>,
    /// Whether the stream then stays open, silent.
    pub(crate) hang: bool,
    pub(crate) status: u16,
}

impl Reply {
    pub(crate) fn batches(batches: impl IntoIterator<Item = Batch>) -> Self {
        Self { chunks: batches.into_iter().map(|batch| framed(&batch)).collect(), hang: true, status: 200 }
    }

    pub(crate) fn raw(bytes: &'static [u8]) -> Self {
        Self { chunks: vec![Bytes::from_static(bytes)], hang: true, status: 200 }
    }
}

/// Certificates of one test: a CA, a server `typha` and a client `felix`.
pub(crate) struct Certificates {
    authority: Authority,
    folder: tempfile::TempDir,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        Self { authority: Authority::new("test CA").unwrap(), folder: tempfile::tempdir().unwrap() }
    }

    fn files(&self, name: &str) -> pki::Files {
        self.authority.write(self.folder.path(), name, &CertificateRequest::named(name)).unwrap()
    }

    /// A client of these servers, which expects the common name `typha`.
    pub(crate) fn config(&self, servers: &[&str]) -> Config {
        self.config_as("felix", servers)
    }

    pub(crate) fn config_as(&self, name: &str, servers: &[&str]) -> Config {
        let tls = pki::load_client(&self.files(name), &Peers::common_name("typha")).unwrap();
        Config::new(servers.iter().copied(), Arc::new(tls))
    }
}

/// The server, until it is dropped.
pub(crate) struct ScriptedTypha {
    pub(crate) address: String,
    log: Arc<Log>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Log {
    subscriptions: Mutex<Vec<SubscribeRequest>>,
    reports: Mutex<Vec<ReportRequest>>,
}

impl ScriptedTypha {
    /// Answers the n-th subscription (from 0) with what the script says.
    pub(crate) async fn start(
        certificates: &Certificates,
        script: impl Fn(usize, &SubscribeRequest) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start_as("typha", certificates, script).await
    }

    /// The same, with another name in its certificate.
    pub(crate) async fn start_as(
        name: &str,
        certificates: &Certificates,
        script: impl Fn(usize, &SubscribeRequest) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let tls = pki::load_server(&certificates.files(name), &Peers::common_name("felix")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let log = Arc::new(Log::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, TlsAcceptor::from(Arc::new(tls)), Arc::clone(&log), Arc::new(script)));
        Self { address, log, _tasks: tasks }
    }

    pub(crate) fn subscriptions(&self) -> Vec<SubscribeRequest> {
        self.log.subscriptions.lock().unwrap().clone()
    }

    pub(crate) fn reports(&self) -> Vec<ReportRequest> {
        self.log.reports.lock().unwrap().clone()
    }
}

type Script = dyn Fn(usize, &SubscribeRequest) -> Reply + Send + Sync;

async fn serve(listener: TcpListener, tls: TlsAcceptor, log: Arc<Log>, script: Arc<Script>) {
    let mut connections = JoinSet::new();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let (tls, log, script) = (tls.clone(), Arc::clone(&log), Arc::clone(&script));
        connections.spawn(async move {
            let Ok(stream) = tls.accept(tcp).await else { return };
            let answer = service_fn(move |request| answer(request, Arc::clone(&log), Arc::clone(&script)));
            let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn answer(request: Request<Incoming>, log: Arc<Log>, script: Arc<Script>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    let message = request.into_body().collect().await.unwrap().to_bytes().split_off(5);
    if path.ends_with("/Report") {
        log.reports.lock().unwrap().push(ReportRequest::decode(message).unwrap());
        return Ok(response(Reply { chunks: vec![Bytes::from_static(&[0; 5])], hang: false, status: 200 }));
    }
    let request = SubscribeRequest::decode(message).unwrap();
    let mut subscriptions = log.subscriptions.lock().unwrap();
    let reply = script(subscriptions.len(), &request);
    subscriptions.push(request);
    Ok(response(reply))
}

fn response(reply: Reply) -> Response<Body> {
    let chunks = stream::iter(reply.chunks.into_iter().map(|chunk| Ok(Frame::data(chunk))));
    let trailers = Frame::trailers([("grpc-status".parse().unwrap(), "0".parse().unwrap())].into_iter().collect());
    let end = stream::once(async move {
        if reply.hang {
            std::future::pending::<()>().await;
        }
        Ok(trailers)
    });
    Response::builder()
        .status(reply.status)
        .header("content-type", "application/grpc")
        .body(StreamBody::new(chunks.chain(end).boxed()))
        .unwrap()
}

pub(crate) fn framed(batch: &Batch) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(batch.encoded_len() as u32);
    bytes.extend_from_slice(&batch.encode_to_vec());
    bytes.freeze()
}

pub(crate) fn begun(mode: begin::Mode) -> Batch {
    let begin = Begin { mode: mode.into(), datastore_id: 7, server: "scripted".into(), ..Begin::default() };
    Batch { begin: Some(begin), ..Batch::default() }
}

/// One consistent cut: these entries, and the digest of `state`.
pub(crate) fn cut(revision: u64, entries: &[(&str, u64)], state: &[(&str, u64)]) -> Batch {
    let mut digest = Digest::default();
    for (key, modified) in state {
        digest.add(EntryHash::of(key, *modified, b"{}"));
    }
    let entry = |(key, revision): &(&str, u64)| Entry {
        key: (*key).to_owned(),
        value: Some(Bytes::from_static(b"{}")),
        revision: *revision,
    };
    let digest = Bytes::copy_from_slice(&digest.to_bytes());
    Batch {
        entries: entries.iter().map(entry).collect(),
        checkpoint: Some(Checkpoint { revision, digest, upstream_age_ms: 0, in_sync: true }),
        ..Batch::default()
    }
}

/// A snapshot of two keys at revision 5.
pub(crate) fn snapshot() -> Vec<Batch> {
    let state = [("Tier/a", 2), ("Tier/b", 5)];
    vec![begun(begin::Mode::Snapshot), cut(5, &state, &state)]
}

/// An event in a few words, for comparisons.
pub(crate) fn in_words(event: &Event) -> String {
    match event {
        Event::Connected { mode, .. } => format!("connected: {mode}"),
        Event::Updates(updates) => {
            let keys: Vec<_> = updates.updates.iter().map(|update| update.key.to_string()).collect();
            format!("revision {}: {}", updates.revision, keys.join(" "))
        }
        Event::ServerNotInSync => "server not in sync".to_owned(),
        Event::Disconnected { reason, .. } => format!("disconnected: {}", reason.label()),
    }
}
