//! One replica's admin API over plain HTTP, within a limit of time.

use std::time::Duration;

use anyhow::{Context as _, bail};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{
    Request, StatusCode, Uri,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header::HOST,
};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{net::TcpStream, time::timeout};

/// A replica that takes longer counts as dead: whoever asks wants to know within three seconds.
const LIMIT: Duration = Duration::from_secs(2);

/// Five thousand clients with a few failures each take two megabytes.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// What a replica says of itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Status {
    pub(super) name: String,
    pub(super) datastore_id: String,
    pub(super) revision: u64,
    pub(super) digest: String,
    pub(super) keys: u64,
    /// Absent where the datastore never answered.
    pub(super) upstream_age_ms: Option<u64>,
    /// An age above which the replica calls itself stale.
    pub(super) stale_after_ms: u64,
    pub(super) in_sync: bool,
    pub(super) is_draining: bool,
    pub(super) complaint: Option<String>,
    /// Empty where the replica is older than this program, as are the certificates.
    #[serde(default)]
    pub(super) gates: Vec<Gate>,
    #[serde(default)]
    pub(super) certificates: Vec<Certificate>,
    pub(super) acks: Acks,
}

/// A condition that makes a replica ready.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Gate {
    pub(super) name: String,
    /// Why it does not hold.
    pub(super) reason: Option<String>,
    /// For how long it has held, or has not.
    pub(super) for_ms: u64,
}

/// A certificate that a replica uses.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Certificate {
    /// `own` or `ca`.
    pub(super) role: String,
    pub(super) file: String,
    pub(super) subject: String,
    pub(super) not_after_unix_ms: u64,
    /// How long it is still valid, by the replica's clock.
    pub(super) left_ms: u64,
    /// Whether its renewal must have been missed.
    pub(super) is_short: bool,
}

/// The part of a replica's summary that is true for all of them.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Acks {
    /// The revision of the last change.
    pub(super) revision: u64,
}

/// A client of a replica.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Client {
    pub(super) node: String,
    pub(super) applied_revision: Option<u64>,
    /// For how long it has lacked a change, by its replica. Absent where the replica is older than this program.
    pub(super) behind_ms: Option<u64>,
    /// For how long it has not read what was sent; absent where it reads.
    pub(super) stalled_ms: Option<u64>,
    pub(super) failures: Vec<Failure>,
}

/// What a node could not enforce.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Failure {
    pub(super) object: String,
    pub(super) reason: String,
}

/// All that a replica says.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: Status,
    pub(super) clients: Vec<Client>,
}

/// Asks a replica; the error is for people.
pub(super) async fn replica(url: &str) -> Result<Answer, String> {
    match timeout(LIMIT, answer(url)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(format!("{error:#}")),
        Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
    }
}

async fn answer(url: &str) -> anyhow::Result<Answer> {
    let uri: Uri = url.parse().context("not a URL such as http://127.0.0.1:9098")?;
    if uri.scheme_str() != Some("http") {
        bail!("the admin API speaks plain HTTP; write http://HOST:PORT");
    }
    let authority = uri.authority().context("no host in it; write http://HOST:PORT")?.as_str();
    let address = if uri.port().is_some() { authority.to_owned() } else { format!("{authority}:80") };
    let stream = TcpStream::connect(address).await.context("cannot connect")?;
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let asking = async {
        let status = get(&mut requests, authority, "/status").await?;
        Ok(Answer { status, clients: get(&mut requests, authority, "/clients").await? })
    };
    tokio::select! {
        answer = asking => answer,
        ended = connection => Err(ended.err().map_or_else(|| anyhow::anyhow!("it hung up"), anyhow::Error::from)),
    }
}

async fn get<T: DeserializeOwned>(
    requests: &mut SendRequest<Empty<Bytes>>,
    authority: &str,
    path: &str,
) -> anyhow::Result<T> {
    requests.ready().await?;
    let request = Request::get(path).header(HOST, authority).body(Empty::new())?;
    let response = requests.send_request(request).await?;
    if response.status() != StatusCode::OK {
        bail!("{path} answers {}; is that typha's admin API?", response.status());
    }
    let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!("{path} breaks off: {error}"))?.to_bytes();
    serde_json::from_slice(&body).with_context(|| format!("{path} is not what typha answers"))
}
