//! A request of one message, as gRPC frames it: read within a bound and a time, or refused.

use std::time::Duration;

use bytes::Buf as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use prost::Message;
use tokio::time::timeout;
use tonic::Status;

use crate::batch::{HEADER_BYTES, NOT_COMPRESSED};

/// Reads the one message of a request.
pub(super) async fn read<M, B>(body: B, limit_bytes: usize, limit: Duration) -> Result<M, Status>
where
    M: Message + Default,
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let collected = timeout(limit, Limited::new(body, limit_bytes).collect())
        .await
        .map_err(|_| Status::deadline_exceeded(format!("the request did not end within {limit:?}")))?
        .map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => Status::resource_exhausted(format!("the request is longer than {limit_bytes} bytes")),
            None => Status::cancelled(format!("the request broke off: {error}")),
        })?;
    let mut bytes = collected.to_bytes();
    if bytes.len() < HEADER_BYTES {
        return Err(Status::invalid_argument("the request holds no gRPC message"));
    }
    if bytes.get_u8() != NOT_COMPRESSED {
        return Err(Status::unimplemented("compressed requests are not supported"));
    }
    if bytes.get_u32() as usize != bytes.len() {
        return Err(Status::invalid_argument("the request must hold exactly one gRPC message"));
    }
    M::decode(bytes).map_err(|error| Status::invalid_argument(format!("the request cannot be decoded: {error}")))
}
