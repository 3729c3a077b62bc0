//! A client that can be held: nothing of it runs, so that its socket fills up as that of a hung process would.

use std::future::Future;

use tokio::sync::watch;

/// Runs client number `number` for ever, but for the times when the number of held clients is above it.
pub(super) async fn run(client: impl Future<Output = ()>, number: usize, mut held: watch::Receiver<usize>) {
    let mut client = Box::pin(client);
    loop {
        tokio::select! {
            biased;
            // Errors mean that the fleet is gone, and this task with it.
            _ = held.wait_for(|held| *held > number) => {}
            () = &mut client => return,
        }
        let _ = held.wait_for(|held| *held <= number).await;
    }
}
