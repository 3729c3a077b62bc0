//! One thread per core, each with a runtime of its own, that connections are dealt to.
//!
//! A connection stays on its core, and so does its memory; waking all connections of a core takes no lock. What is not a
//! connection (the datastore, the writer, the admin API) lives on the runtime that started the server.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    thread::{self, JoinHandle},
};

use tokio::{
    net::TcpStream,
    runtime::{Builder, Handle},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, Door};
use crate::feed::Board;

/// All cores. Dropping them ends what runs there.
pub(super) struct Cores {
    cores: Vec<Core>,
    /// Whose turn it is to get a connection.
    turn: usize,
}

struct Core {
    runtime: Handle,
    /// Where its connections see the state.
    board: Arc<Board>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Cores {
    /// Starts as many as this process may use.
    pub(super) fn start(board: &Arc<Board>) -> io::Result<Self> {
        let number = thread::available_parallelism()?.get();
        let cores = (0..number).map(|number| Core::start(number, board)).collect::<io::Result<_>>()?;
        Ok(Self { cores, turn: 0 })
    }

    /// Serves a connection on the next core.
    pub(super) fn serve(
        &mut self,
        tasks: &mut JoinSet<()>,
        door: &Arc<Door>,
        stream: TcpStream,
        address: SocketAddr,
    ) -> io::Result<()> {
        // It leaves the runtime that accepted it.
        let stream = stream.into_std()?;
        self.turn = (self.turn + 1) % self.cores.len();
        let core = &self.cores[self.turn];
        let connection = Connection::new(Arc::clone(door), Arc::clone(&core.board), address);
        tasks.spawn_on(connection.run(stream), &core.runtime);
        Ok(())
    }
}

impl Core {
    fn start(number: usize, whole: &Arc<Board>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (handle, stop) = (runtime.handle().clone(), CancellationToken::new());
        let (whole, board) = (Arc::clone(whole), Arc::new(whole.beside()));
        let (passing, stopped) = (Arc::clone(&board), stop.clone());
        let thread = thread::Builder::new().name(format!("typha-core-{number}")).spawn(move || {
            runtime.block_on(stopped.run_until_cancelled(passing.pass_on(&whole)));
        })?;
        Ok(Self { runtime: handle, board, stop, thread: Some(thread) })
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.stop.cancel();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a core's thread failed");
        }
    }
}
