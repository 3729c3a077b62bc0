//! What etcd and the way to it said, in words for people; nothing is decided here.

use std::error::Error;

/// The error with its causes: tonic hides "connection refused" and the like behind "transport error".
pub(super) fn describe(error: &etcd_client::Error) -> String {
    let (mut text, mut cause): (String, Option<&dyn Error>) = match error {
        etcd_client::Error::GRpcStatus(status) => (status.message().to_owned(), status.source()),
        etcd_client::Error::TransportError(transport) => (transport.to_string(), transport.source()),
        other => (other.to_string(), None),
    };
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

/// Whether etcd refused because the revision asked for is gone.
pub(super) fn is_compacted(error: &etcd_client::Error) -> bool {
    matches!(error, etcd_client::Error::GRpcStatus(status) if status.message().contains("has been compacted"))
}
