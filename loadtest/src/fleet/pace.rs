//! A client that is slow: it runs only so often, and then takes what has come meanwhile, as far as its socket held it. The
//! rest waits at typha.

use std::{
    future::{Future, poll_fn},
    task::Poll,
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

/// Which clients are slow, and how slow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// Clients with a lower number are.
    pub(super) slow: usize,
    /// Between two turns of one.
    pub(super) every: Duration,
}

/// Runs client number `number` to its end: always, but for the times when it is one of the slow.
pub(super) async fn run(client: impl Future<Output = ()>, number: usize, mut pace: watch::Receiver<Pace>) {
    let mut client = Box::pin(client);
    loop {
        tokio::select! {
            biased;
            // Errors mean that the fleet is gone, and this task with it.
            _ = pace.wait_for(|pace| number < pace.slow) => {}
            () = &mut client => return,
        }
        let every = pace.borrow().every;
        loop {
            tokio::select! {
                biased;
                _ = pace.wait_for(|pace| number >= pace.slow) => break,
                () = sleep(every) => {}
            }
            // Whatever wakes it before its next turn is not for it.
            if poll_fn(|context| Poll::Ready(client.as_mut().poll(context))).await.is_ready() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use tokio::{task::JoinSet, time::Instant};

    use super::*;

    /// Far more turns than a slow client has while it is watched.
    const MANY: u32 = 10_000;

    async fn until(what: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !what() {
            assert!(Instant::now() < deadline, "nothing happens any more");
            sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn a_slow_client_has_its_turns_and_no_others() {
        let every = Duration::from_millis(50);
        let pace = watch::Sender::new(Pace { slow: 1, every });
        let turns = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&turns);
        let taken = || turns.load(Ordering::Relaxed);
        // Always has something to do.
        let client = poll_fn(move |context| {
            context.waker().wake_by_ref();
            if count.fetch_add(1, Ordering::Relaxed) < MANY { Poll::Pending } else { Poll::Ready(()) }
        });
        let (mut tasks, started) = (JoinSet::new(), Instant::now());
        tasks.spawn(run(client, 0, pace.subscribe()));
        until(|| taken() >= 3).await;
        let most = started.elapsed().as_millis() / every.as_millis();
        assert!(u128::from(taken()) <= most + 1, "{} turns in the time of {most}", taken());
        pace.send_replace(Pace { slow: 0, every });
        until(|| taken() >= MANY).await;
    }
}
