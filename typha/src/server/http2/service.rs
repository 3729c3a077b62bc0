//! What a connection asks of whoever answers its requests.

use std::{convert::Infallible, pin::Pin, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use thiserror::Error;

/// The body of an answer: whole messages, then perhaps trailers. Polled only when there is room for more.
pub(crate) type Reply = UnsyncBoxBody<Bytes, Infallible>;

/// An answer that may take a while.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Response<Reply>> + Send>>;

/// A request's content, or why it is not all there.
pub(crate) type Content = Result<Bytes, Unread>;

/// Answers requests.
pub(crate) trait Service {
    /// Answers one. Dropping the answer, or its body, is how a peer's going away is noticed.
    fn call(&self, request: Request<Content>) -> Answer;
}

/// Why a request was not read to its end.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is too long.
    #[error("the request is longer than {limit_bytes} bytes")]
    TooLong {
        /// What is taken.
        limit_bytes: usize,
    },
    /// It takes too long.
    #[error("the request did not end within {limit:?}")]
    TooSlow {
        /// What it may take.
        limit: Duration,
    },
}
