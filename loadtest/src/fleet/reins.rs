//! Clients that are held back: held, so that nothing of them runs and their sockets fill up as those of a hung process would; or
//! slow, so that they run only so often, and then take what has come meanwhile, as far as their sockets held it. The rest waits
//! at typha.

use std::{
    future::{Future, poll_fn},
    task::Poll,
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

/// Who is held back, and how.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reins {
    /// Clients with a lower number are.
    pub(super) clients: usize,
    /// Between two turns of one; none has any where this is not given.
    pub(super) every: Option<Duration>,
}

/// Runs client number `number` to its end as the reins allow. What is said to one that runs freely it takes in when it has
/// something to do: until then nothing of it runs anyway. One that is held back ends with whoever has the reins.
pub(super) async fn run(client: impl Future<Output = ()>, number: usize, mut reins: watch::Receiver<Reins>) {
    let mut client = Box::pin(client);
    loop {
        let Reins { clients, every } = *reins.borrow_and_update();
        if number >= clients {
            let is_over = poll_fn(|context| match reins.has_changed() {
                Ok(true) => Poll::Ready(false),
                Ok(false) | Err(_) => client.as_mut().poll(context).map(|()| true),
            });
            if is_over.await {
                return;
            }
            continue;
        }
        let Some(every) = every else {
            if reins.changed().await.is_err() {
                return;
            }
            continue;
        };
        tokio::select! {
            biased;
            told = reins.changed() => {
                if told.is_err() {
                    return;
                }
            }
            () = sleep(every) => {
                // Whatever wakes it before its next turn is not for it.
                if poll_fn(|context| Poll::Ready(client.as_mut().poll(context))).await.is_ready() {
                    return;
                }
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
    const MANY: u32 = 1_000_000;

    /// A client that always has something to do, and how many turns it had.
    fn busy(held_back: Reins) -> (watch::Sender<Reins>, impl Fn() -> u32, JoinSet<()>) {
        let (reins, turns) = (watch::Sender::new(held_back), Arc::new(AtomicU32::new(0)));
        let count = Arc::clone(&turns);
        let client = poll_fn(move |context| {
            context.waker().wake_by_ref();
            if count.fetch_add(1, Ordering::Relaxed) < MANY { Poll::Pending } else { Poll::Ready(()) }
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(run(client, 0, reins.subscribe()));
        (reins, move || turns.load(Ordering::Relaxed), tasks)
    }

    async fn until(what: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !what() {
            assert!(Instant::now() < deadline, "nothing happens any more");
            sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn a_slow_client_has_its_turns_and_no_others() {
        let (every, started) = (Duration::from_millis(50), Instant::now());
        let (reins, taken, _tasks) = busy(Reins { clients: 1, every: Some(every) });
        until(|| taken() >= 3).await;
        let most = started.elapsed().as_millis() / every.as_millis();
        assert!(u128::from(taken()) <= most + 1, "{} turns in the time of {most}", taken());
        reins.send_replace(Reins::default());
        until(|| taken() > MANY).await;
    }

    #[tokio::test]
    async fn a_client_is_held_in_the_midst_of_its_work_and_let_go() {
        let (reins, taken, _tasks) = busy(Reins::default());
        until(|| taken() > 0).await;
        reins.send_replace(Reins { clients: 1, every: None });
        sleep(Duration::from_millis(20)).await;
        let held = taken();
        sleep(Duration::from_millis(50)).await;
        assert!(taken() == held && held < MANY, "{held} turns, then {}", taken());
        // Of another client.
        reins.send_replace(Reins { clients: 0, every: None });
        until(|| taken() > MANY).await;
    }
}
