//! How often the replicas listed the datastore's whole state, as their metrics say.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// A replica that does not answer by then is not asked again: a run neither waits for this figure nor fails by it.
const LIMIT: Duration = Duration::from_secs(5);
/// More than all metrics of a typha take.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
const METRIC: &str = "typha_upstream_lists_total";

/// Lists that typhas made of the datastore, of all kinds each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lists {
    /// Typha processes that were asked, one for each time that a replica was started.
    pub(crate) typhas: u64,
    /// Lists that they began; one each, where none had to begin anew.
    pub(crate) lists: u64,
}

impl Lists {
    /// With what a replica says at its admin address; says why where it does not.
    pub(super) async fn with(self, admin: SocketAddr) -> Option<Self> {
        let lists = lists(admin).await.inspect_err(|error| eprintln!("  {error:#}; the report has no lists")).ok()?;
        Some(Self { typhas: self.typhas + 1, lists: self.lists + lists })
    }
}

async fn lists(admin: SocketAddr) -> Result<u64> {
    let text = timeout(LIMIT, metrics(admin)).await;
    let text = text.ok().context("no answer").flatten().with_context(|| format!("metrics of typha at {admin}"))?;
    read(&text).with_context(|| format!("typha at {admin} has no {METRIC}"))
}

async fn metrics(admin: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect(admin).await?;
    stream.write_all(format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut text = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut text).await?;
    Ok(text)
}

fn read(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(METRIC)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_replica_that_does_not_tell_leaves_the_sum_unknown() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap();
        drop(silent);
        assert_eq!(Lists { typhas: 1, lists: 1 }.with(address).await, None);
    }

    #[test]
    fn the_figure_is_found_among_others() {
        let text =
            "HTTP/1.1 200 OK\r\n\r\n# TYPE typha_upstream_lists counter\ntypha_upstream_lists_total 3\ntypha_x 4\n";
        assert_eq!((read(text), read("typha_upstream_lists_total_of 3\n")), (Some(3), None));
    }
}
