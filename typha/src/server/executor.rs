//! Where hyper puts the tasks that pump response bodies: they belong to their connection and end with it.

use hyper::rt::Executor;
use tokio_util::task::TaskTracker;

/// The streams of one connection.
#[derive(Clone, Default)]
pub(super) struct StreamTasks {
    tasks: TaskTracker,
}

impl StreamTasks {
    /// Completes when all have ended, which they do as soon as their connection is gone.
    pub(super) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl<F> Executor<F> for StreamTasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, task: F) {
        self.tasks.spawn(task);
    }
}
