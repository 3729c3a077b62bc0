//! A request of one message, as gRPC frames it.

use bytes::Buf as _;
use prost::Message;
use tonic::Status;

use super::http2::{Content, Unread};
use crate::batch::{HEADER_BYTES, NOT_COMPRESSED};

/// The one message of a request.
pub(super) fn read<M: Message + Default>(content: Content) -> Result<M, Status> {
    let mut bytes = content.map_err(|unread| match unread {
        Unread::TooLong { .. } => Status::resource_exhausted(unread.to_string()),
        Unread::TooSlow { .. } => Status::deadline_exceeded(unread.to_string()),
    })?;
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
