//! What replicas say of themselves and of their clients, each within a limit of time.

use std::{net::SocketAddr, time::Duration};

use futures_util::future::{join_all, try_join};
use http::Uri;
use serde::{Deserialize, Serialize};
use telemetry::admin::{Bounds, Silence, addresses, ask};
use tokio::time::sleep;

/// A replica that takes longer counts as dead: whoever asks wants to know within three seconds. Five thousand clients with a
/// few failures each take two megabytes.
const BOUNDS: Bounds = Bounds { within: Duration::from_secs(2), bytes: 64 << 20 };

/// For finding a name. It comes before the rest.
const FIND_WITHIN: Duration = Duration::from_millis(800);

/// Replicas are not asked at the same moment, and while something changes one of them is always the first to have it. Who
/// lacks what another one has is asked again after a while that is long for a replica that follows.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// The second question is short, and so is what is left of the three seconds.
const AGAIN: Bounds = Bounds { within: Duration::from_millis(300), ..BOUNDS };

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
    /// Why what their files hold by now cannot be used.
    pub(super) certificates_refused: Option<String>,
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
    /// Whether it has the last change that any of them had, when it was asked again if need be.
    pub(super) has_last_change: bool,
}

/// A replica by its URL, and what it says; the error is for people.
pub(super) type Asked = (String, Result<Answer, String>);

/// Asks all replicas at once: one for each URL, or for each address of a name that has many.
pub(super) async fn all(urls: &[String]) -> Vec<Asked> {
    let mut asked: Vec<Asked> = join_all(urls.iter().map(|url| behind(url))).await.into_iter().flatten().collect();
    let answers = || asked.iter().filter_map(|(_, answer)| answer.as_ref().ok());
    let last_change = answers().map(|answer| answer.status.acks.revision).max().unwrap_or_default();
    if answers().any(|answer| answer.status.acks.revision < last_change) {
        sleep(AGAIN_AFTER).await;
    }
    join_all(asked.iter_mut().map(|(url, answer)| async move {
        let Ok(answer) = answer else { return };
        answer.has_last_change = answer.status.acks.revision >= last_change || follows(url, last_change).await;
    }))
    .await;
    asked
}

/// The replicas behind a URL.
async fn behind(url: &str) -> Vec<Asked> {
    let authority = match authority(url) {
        Ok(authority) => authority,
        Err(mistake) => return vec![(url.to_owned(), Err(mistake.to_owned()))],
    };
    match addresses(&authority, FIND_WITHIN).await {
        Err(silence) => vec![(url.to_owned(), Err(silence.to_string()))],
        Ok(found) => join_all(each(url, authority, &found).into_iter().map(replica)).await,
    }
}

/// The URLs of the replicas behind a URL, and where they are asked: as they were named, or each of many by its address.
fn each(url: &str, authority: String, found: &[SocketAddr]) -> Vec<(String, String)> {
    match found {
        [] | [_] => vec![(url.to_owned(), authority)],
        many => many.iter().map(|address| (format!("http://{address}"), address.to_string())).collect(),
    }
}

async fn replica((url, authority): (String, String)) -> Asked {
    let asking = try_join(ask(&authority, "/status", BOUNDS), ask(&authority, "/clients", BOUNDS));
    let answer = asking.await.map(|(status, clients)| Answer { status, clients, has_last_change: false });
    (url, answer.map_err(|silence: Silence| silence.to_string()))
}

/// Whether a replica has a change by now.
async fn follows(url: &str, change: u64) -> bool {
    let Ok(authority) = authority(url) else { return false };
    let status: Result<Status, Silence> = ask(&authority, "/status", AGAIN).await;
    status.is_ok_and(|status| status.acks.revision >= change)
}

/// `HOST:PORT` of a URL; the error is for people.
fn authority(url: &str) -> Result<String, &'static str> {
    let uri: Uri = url.parse().map_err(|_| "not a URL such as http://127.0.0.1:9098")?;
    if uri.scheme_str() != Some("http") {
        return Err("the admin API speaks plain HTTP; write http://HOST:PORT");
    }
    let authority = uri.authority().ok_or("no host in it; write http://HOST:PORT")?;
    Ok(if authority.port().is_some() { authority.to_string() } else { format!("{authority}:80") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_many_addresses_is_that_many_replicas() {
        let each = |url: &str, found: &[&str]| {
            let found: Vec<SocketAddr> = found.iter().map(|text| text.parse().expect("an address")).collect();
            each(url, authority(url).expect("a URL"), &found)
        };
        let named = |url: &str, authority: &str| (url.to_owned(), authority.to_owned());
        assert_eq!(each("http://typha", &["10.0.0.1:80"]), [named("http://typha", "typha:80")]);
        assert_eq!(
            each("http://typha:9098/", &["10.0.0.1:9098", "10.0.0.2:9098"]),
            [named("http://10.0.0.1:9098", "10.0.0.1:9098"), named("http://10.0.0.2:9098", "10.0.0.2:9098")]
        );
        for mistake in ["", "typha:9098", "https://typha:9098", "http://"] {
            assert!(authority(mistake).is_err(), "{mistake}");
        }
    }
}
