//! Where hyper runs its helper tasks: owned by the connection, ended with it.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::task::JoinSet;

/// An executor whose tasks are aborted when its last clone goes.
#[derive(Clone, Default)]
pub(super) struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, task: F) {
        // A poisoned set is still a set of tasks.
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // hyper starts a task for each request; without this the ended ones would pile up.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}
