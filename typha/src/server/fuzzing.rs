//! A request's bytes through everything that looks at them before a session begins.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use prost::Message;
use proto::sync::v1::{ReportRequest, SubscribeRequest};
use tonic::Status;

use super::{message, router};

/// As [`super::Limits`] has it by default.
const LIMIT_BYTES: usize = 256 << 10;
/// Never reached: a body in memory does not wait.
const PATIENCE: Duration = Duration::from_mins(1);

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
    // Its time is never looked at: what is in memory is collected at once.
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else {
        return Err(Status::internal("no runtime"));
    };
    let message =
        runtime.block_on(message::read::<M, _>(Full::new(Bytes::copy_from_slice(body)), LIMIT_BYTES, PATIENCE));
    assert!(message.is_err() || body.len() <= LIMIT_BYTES, "more was taken than is allowed");
    message
}
