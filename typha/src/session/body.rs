//! The shell of a session: an HTTP response body that is polled whenever the client can take more.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use tokio::sync::futures::OwnedNotified;
use tonic::Status;

use super::{Session, Step};
use crate::{
    batch::Batches,
    clients::{Point, Registration},
    feed::Board,
};

/// One client's stream as a response body.
pub(crate) struct SessionBody {
    session: Session,
    board: Arc<Board>,
    batches: Arc<Batches>,
    /// Keeps the client on the list for as long as the stream lives.
    registration: Registration,
    /// Completes at the first change after it was made. Always made before the board is looked at, so that no change
    /// can slip through between the two.
    changed: Pin<Box<OwnedNotified>>,
    has_ended: bool,
}

impl SessionBody {
    pub(crate) fn new(session: Session, board: Arc<Board>, batches: Arc<Batches>, registration: Registration) -> Self {
        let changed = Box::pin(board.changed());
        Self { session, board, batches, registration, changed, has_ended: false }
    }

    fn next(&mut self) -> Step {
        let latest = self.board.look();
        let now = Instant::now();
        let step = self.session.next(&latest, self.board.draining(), &self.batches, now);
        match &step {
            Step::Begin(mode, bytes) => self.registration.began(*mode, bytes.len(), now),
            Step::Send(bytes) => {
                let (datastore_id, revision) = (latest.view.datastore_id(), self.session.position());
                self.registration.sent(bytes.len(), Point { datastore_id, revision }, now);
            }
            Step::Wait | Step::Queue => self.registration.took_all(),
            Step::End(_) => {}
        }
        step
    }

    /// Ready when the client's turn has come. Who was sent a part already hears of beats too; who was not is woken by
    /// its turn alone.
    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self.session.poll_turn(context) {
            Poll::Pending if self.session.has_begun() => self.poll_change(context),
            turn => turn,
        }
    }

    /// Ready when the state has changed.
    fn poll_change(&mut self, context: &mut Context<'_>) -> Poll<()> {
        ready!(self.changed.as_mut().poll(context));
        let changed = self.board.changed();
        self.changed.set(changed);
        Poll::Ready(())
    }
}

impl Body for SessionBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        loop {
            match self.next() {
                Step::Begin(_, bytes) | Step::Send(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Step::End(ending) => {
                    self.has_ended = true;
                    tracing::info!(client = %self.registration, "the stream ends: {ending}");
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers(&Status::unavailable(ending.to_string()))))));
                }
                Step::Queue => ready!(self.poll_turn(context)),
                Step::Wait => ready!(self.poll_change(context)),
            }
        }
    }
}

fn trailers(status: &Status) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // Only metadata can be refused, and ours is empty.
    let _ = status.add_header(&mut headers);
    headers
}
