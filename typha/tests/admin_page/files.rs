//! The page's files, without a browser: each is served as what it is, under the policy, and takes names for text only.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::harness::{Certificates, Typha, within};

/// What a browser would run or load, if the page held it.
const FORBIDDEN: &[&str] =
    &["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style=\"", "onclick", "https://"];

/// The head, in lower case, and the body.
async fn get(address: SocketAddr, path: &str) -> anyhow::Result<(String, String)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await??;
    let (head, body) = answer.split_once("\r\n\r\n").context("no end of headers")?;
    Ok((head.to_lowercase(), body.to_owned()))
}

/// What a file loads, relative to the page.
fn loaded<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[tokio::test]
async fn every_file_is_served_under_a_strict_policy_and_is_all_that_is_loaded() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = Typha::start(&certificates, "a").await?;
    let address = typha.server.admin_address().context("it has one")?;
    let (_, html) = get(address, "/").await?;
    let mut paths: Vec<String> = vec![String::new()];
    paths.extend(loaded(&html, "href=\"").into_iter().chain(loaded(&html, "src=\"")).map(str::to_owned));
    let mut at = 0;
    while at < paths.len() {
        let path = paths[at].clone();
        let (head, body) = get(address, &format!("/{path}")).await?;
        // The page also links the admin API's own answers.
        if path.is_empty() || path.starts_with("page/") {
            assert!(head.starts_with("http/1.0 200"), "/{path}: {head}");
            assert!(head.contains("content-security-policy: default-src 'none'; script-src 'self';"), "{path}: {head}");
            assert!(head.contains("x-content-type-options: nosniff"), "{path}: {head}");
            assert!(!head.contains("unsafe"), "{path}: {head}");
            let found: Vec<_> = FORBIDDEN.iter().filter(|word| body.contains(**word)).collect();
            assert!(found.is_empty(), "/{path} holds {found:?}");
        }
        if head.contains("content-type: text/javascript") {
            let imported = loaded(&body, " from \"./").into_iter().map(|name| format!("page/{name}"));
            let new: Vec<_> = imported.filter(|path| !paths.contains(path)).collect();
            paths.extend(new);
        }
        at += 1;
    }
    let files = paths.iter().filter(|path| path.starts_with("page/")).count();
    assert_eq!(files, 8, "{paths:?}");
    Ok(())
}
