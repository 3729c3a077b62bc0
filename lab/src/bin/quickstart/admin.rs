//! Reading the admin pages of typha and felix: the smallest HTTP client that does it, so that the harness shares no
//! code with the servers it asks.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde::de::DeserializeOwned;

/// Admin pages are made from memory; one that takes longer is stuck.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The body of a page, where its status is 200.
pub(crate) fn get(server: SocketAddr, path: &str) -> Result<String> {
    let asking = || format!("GET http://{server}{path}");
    let mut connection = TcpStream::connect_timeout(&server, TIMEOUT).with_context(asking)?;
    connection.set_read_timeout(Some(TIMEOUT)).with_context(asking)?;
    write!(connection, "GET {path} HTTP/1.0\r\nHost: {server}\r\n\r\n").with_context(asking)?;
    let mut response = String::new();
    connection.read_to_string(&mut response).with_context(asking)?;
    let (head, body) = response.split_once("\r\n\r\n").with_context(asking)?;
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        bail!("{}: {status}: {}", asking(), body.trim());
    }
    Ok(body.to_owned())
}

/// The same, as JSON.
pub(crate) fn get_json<T: DeserializeOwned>(server: SocketAddr, path: &str) -> Result<T> {
    let body = get(server, path)?;
    serde_json::from_str(&body).with_context(|| format!("GET http://{server}{path}: {body}"))
}
