//! What clients say of themselves is shown in logs and on terminals, and must stay text there.

#![allow(clippy::expect_used, reason = "tests")]

mod harness;

use harness::{
    Certificates, Typha, admin,
    client::{Client, State, connect},
    events::{list, put},
};
use proto::sync::v1::{Failure, ReportRequest, SubscribeRequest};
use serde_json::Value;
use tonic::Code;

/// Clears a terminal, and begins a line of a log.
const COMMANDS: &str = "a\u{1b}[2J\u{9b}1m\r\n2026-01-01T00:00:00Z ERROR typha: forged\0";

#[tokio::test]
async fn no_command_for_a_terminal_comes_from_a_client() -> anyhow::Result<()> {
    let certificates = Certificates::new()?;
    let typha = Typha::start(&certificates, "a").await?;
    for event in list(3, vec![put("one", 1, "1")]) {
        typha.send(event).await?;
    }
    let mut sync = connect(typha.address(), certificates.client()?).await?;
    let hostile = SubscribeRequest { node: COMMANDS.to_owned(), ..SubscribeRequest::default() };
    let refused = sync.subscribe(hostile).await.map(|_| ()).err();
    assert_eq!(refused.map(|status| status.code()), Some(Code::InvalidArgument));

    let hostile =
        SubscribeRequest { node: "other".to_owned(), version: COMMANDS.to_owned(), ..SubscribeRequest::default() };
    let _other = sync.subscribe(hostile).await?;
    let mut client = Client::subscribe(&mut sync, "node-2", State::default()).await?;
    client.reach(3).await?;
    let failures = vec![Failure { object: COMMANDS.to_owned(), reason: COMMANDS.to_owned() }];
    sync.report(ReportRequest { node: "node-2".to_owned(), failures, ..ReportRequest::default() }).await?;
    let clients: Value =
        serde_json::from_str(&admin::get(typha.server.admin_address().expect("one"), "/clients").await?.1)?;
    let shown = strings(&clients);
    let kept = shown.iter().filter(|text| text.starts_with("a [2J") && text.contains("forged")).count();
    assert_eq!(kept, 3, "version, object and reason: {shown:?}");
    assert!(!shown.iter().any(|text| text.contains(char::is_control)), "{shown:?}");
    Ok(())
}

/// All texts in a value.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}
