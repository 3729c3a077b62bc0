//! Another process' admin port, asked within bounds.

use std::{io, net::SocketAddr, time::Duration};

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

/// What an answer may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Until all of it is there.
    pub within: Duration,
    /// How long it may be.
    pub bytes: usize,
}

/// Why a process does not say how it is.
#[derive(Debug, Error)]
pub enum Silence {
    /// Its name has no address.
    #[error("the name is not found: {0}")]
    NotFound(io::Error),
    /// Nobody listens there.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// It takes too long.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Slow(Duration),
    /// It ends the connection, or speaks something else.
    #[error("it hung up: {0}")]
    HungUp(#[from] hyper::Error),
    /// What it answers is not what was asked for.
    #[error("{path} {reason}")]
    Answer {
        /// What was asked.
        path: &'static str,
        /// What came.
        reason: String,
    },
}

/// Asks the process at `HOST:PORT`.
pub async fn ask<T: DeserializeOwned>(authority: &str, path: &'static str, bounds: Bounds) -> Result<T, Silence> {
    let body = timeout(bounds.within, get(authority, path, bounds.bytes));
    let body = body.await.map_err(|_| Silence::Slow(bounds.within))??;
    serde_json::from_slice(&body).map_err(|error| answer(path, format!("is not answered as here: {error}")))
}

async fn get(authority: &str, path: &'static str, bytes_max: usize) -> Result<Bytes, Silence> {
    let stream = TcpStream::connect(authority).await.map_err(Silence::Connect)?;
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path).header(HOST, authority).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| answer(path, format!("cannot be asked: {error}")))?;
    // Ends with its answer, and the connection with it.
    let asking = async move {
        let response = requests.send_request(request).await?;
        if response.status() != StatusCode::OK {
            return Err(answer(path, format!("answers {}; is that an admin API?", response.status())));
        }
        let body = Limited::new(response.into_body(), bytes_max).collect().await;
        Ok(body.map_err(|error| answer(path, format!("breaks off: {error}")))?.to_bytes())
    };
    // Why the connection ended is told by the request that it leaves unanswered.
    let (answer, _) = tokio::join!(asking, connection);
    answer
}

fn answer(path: &'static str, reason: String) -> Silence {
    Silence::Answer { path, reason }
}

/// The addresses of `HOST:PORT`: of a headless Service's name, one for each process behind it.
pub async fn addresses(authority: &str, within: Duration) -> Result<Vec<SocketAddr>, Silence> {
    let late = |_| Silence::NotFound(io::ErrorKind::TimedOut.into());
    let found = timeout(within, lookup_host(authority)).await.map_err(late)?.map_err(Silence::NotFound)?;
    Ok(of_one_family(found.collect()))
}

/// Where a name has addresses of both families, they are those of the same processes: the family counts that has more of
/// them, or IPv4, on which a process listens that is told nothing else.
fn of_one_family(mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let of_v4 = addresses.iter().filter(|address| address.is_ipv4()).count();
    let is_v4 = 2 * of_v4 >= addresses.len();
    addresses.retain(|address| address.is_ipv4() == is_v4);
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_an_address_of_each_family_is_one() {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("an address")).collect::<Vec<_>>();
        for (found, taken) in [
            (&["[::1]:1", "127.0.0.1:1"][..], &["127.0.0.1:1"][..]),
            (&["10.0.0.2:1", "[fd00::2]:1", "10.0.0.1:1", "[fd00::1]:1"], &["10.0.0.1:1", "10.0.0.2:1"]),
            (&["[fd00::2]:1", "[fd00::1]:1", "[fd00::1]:1"], &["[fd00::1]:1", "[fd00::2]:1"]),
            (&["10.0.0.1:1", "[fd00::2]:1", "[fd00::1]:1"], &["[fd00::1]:1", "[fd00::2]:1"]),
            (&[], &[]),
        ] {
            assert_eq!(of_one_family(parse(found)), parse(taken), "{found:?}");
        }
    }
}
