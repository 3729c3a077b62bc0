//! A request's bytes through everything that looks at them before a session begins.

use bytes::Bytes;
use prost::Message;
use proto::sync::v1::{ReportRequest, SubscribeRequest};
use tonic::Status;

use super::{message, router};

/// The body of a request; the first byte says of which method. What is taken has the form that sessions rely on.
pub fn request(bytes: &[u8]) {
    let Some((method, body)) = bytes.split_first() else { return };
    if method % 2 == 1 {
        let _ = read::<ReportRequest>(body);
        return;
    }
    let Ok(request) = read::<SubscribeRequest>(body) else { return };
    let Some(position) = &request.position else { return };
    assert_eq!(router::read_position(position).is_ok(), position.digest.len() == 16, "a digest has 16 bytes");
    if let Ok(claim) = router::read_claim(position) {
        assert_eq!(claim.is_some(), !position.ranges.is_empty(), "a claim is what was claimed");
    }
}

fn read<M: Message + Default>(body: &[u8]) -> Result<M, Status> {
    message::read(Ok(Bytes::copy_from_slice(body)))
}
