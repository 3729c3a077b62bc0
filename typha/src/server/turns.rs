//! Handshakes compute in turn, so that a thousand of them never stand between a healthy stream and its core.
//!
//! What takes turns is the computing: half a millisecond in two or three pieces. A handshake that waits for its peer
//! holds nothing, so that neither slow peers nor those who stop half-way keep others out.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::sync::Semaphore;
use tokio_util::sync::PollSemaphore;

/// So many handshakes compute, or are about to, at a time; first come, first served.
pub(super) struct Turns {
    semaphore: Arc<Semaphore>,
}

impl Turns {
    pub(super) fn new(at_once: usize) -> Self {
        Self { semaphore: Arc::new(Semaphore::new(at_once)) }
    }

    /// The same future, which goes on only in its turn.
    pub(super) fn take<F: Future + Unpin>(&self, handshake: F) -> InTurn<F> {
        InTurn { turns: PollSemaphore::new(Arc::clone(&self.semaphore)), handshake }
    }
}

/// A future that goes on only in its turn.
pub(super) struct InTurn<F> {
    turns: PollSemaphore,
    handshake: F,
}

impl<F: Future + Unpin> Future for InTurn<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // Given back at the end of this poll, whether the handshake is done or waits for its peer.
        let _turn = ready!(self.turns.poll_acquire(context));
        Pin::new(&mut self.handshake).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::{
        sync::Notify,
        task::{JoinSet, yield_now},
    };

    use super::*;

    #[tokio::test]
    async fn who_waits_for_its_peer_keeps_nobody_out() {
        let (turns, done) = (Turns::new(1), Arc::new(AtomicUsize::new(0)));
        let peer = Arc::new(Notify::new());
        let mut tasks = JoinSet::new();
        for number in 0..10 {
            let (done, peer) = (Arc::clone(&done), Arc::clone(&peer));
            tasks.spawn(turns.take(Box::pin(async move {
                if number == 0 {
                    peer.notified().await;
                }
                done.fetch_add(1, Ordering::Relaxed);
            })));
        }
        while done.load(Ordering::Relaxed) < 9 {
            assert!(tasks.join_next().await.is_some());
        }
        yield_now().await;
        assert_eq!(done.load(Ordering::Relaxed), 9);
        peer.notify_one();
        tasks.join_all().await;
    }
}
