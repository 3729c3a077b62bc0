//! One thread per core, each with a runtime of its own, that connections are dealt to.
//!
//! A connection stays on its core, and so does its memory; waking all connections of a core takes no lock. What is not a
//! connection (the datastore, the writer) lives on the runtime that started the server, or has a thread of its own.

use std::{io, net::SocketAddr, sync::Arc, thread};

use futures_util::future::join;
use tokio::{net::TcpStream, task::JoinSet};

use super::{
    connection::{Connection, Door},
    newcomers::MakeRoom,
    thread::Thread,
};
use crate::{feed::Board, pulses::Pulses};

/// All cores. Dropping them ends what runs there.
pub(super) struct Cores {
    cores: Vec<Core>,
    /// Whose turn it is to get a connection.
    turn: usize,
}

struct Core {
    /// Where its connections see the state.
    board: Arc<Board>,
    thread: Thread,
}

impl Cores {
    /// Starts as many as this process may use.
    pub(super) fn start(board: &Arc<Board>, pulses: &Pulses) -> io::Result<Self> {
        let number = thread::available_parallelism()?.get();
        let cores = (0..number).map(|number| Core::start(number, board, pulses)).collect::<io::Result<_>>()?;
        Ok(Self { cores, turn: 0 })
    }

    /// Serves a connection on the next core.
    pub(super) fn serve(
        &mut self,
        tasks: &mut JoinSet<()>,
        door: &Arc<Door>,
        stream: TcpStream,
        address: SocketAddr,
        make_room: MakeRoom,
    ) -> io::Result<()> {
        // It leaves the runtime that accepted it.
        let stream = stream.into_std()?;
        self.turn = (self.turn + 1) % self.cores.len();
        let core = &self.cores[self.turn];
        let connection = Connection::new(Arc::clone(door), Arc::clone(&core.board), address);
        tasks.spawn_on(connection.run(stream, make_room), core.thread.runtime());
        Ok(())
    }
}

impl Core {
    fn start(number: usize, whole: &Arc<Board>, pulses: &Pulses) -> io::Result<Self> {
        let (whole, board) = (Arc::clone(whole), Arc::new(whole.beside()));
        let (passing, pulse) = (Arc::clone(&board), pulses.part(format!("core-{number}")));
        let life = async move { _ = join(passing.pass_on(&whole), pulse.go_on()).await };
        Ok(Self { board, thread: Thread::start(format!("typha-core-{number}"), life)? })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::mpsc,
        time::{Duration, Instant},
    };

    use super::*;
    use crate::feed::Feed;

    /// Long for a thread that runs, short for a test.
    const LIMIT: Duration = Duration::from_millis(300);
    const DEADLINE: Duration = Duration::from_secs(20);

    /// Waits until exactly these parts are wedged.
    fn until(pulses: &Pulses, parts: &[&str]) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let silences = pulses.silences(Instant::now());
            let wedged: Vec<_> =
                silences.iter().filter(|silence| silence.is_wedged).map(|silence| &silence.part).collect();
            if wedged == parts {
                return;
            }
            assert!(Instant::now() < deadline, "wedged: {wedged:?}, not {parts:?}");
            thread::sleep(LIMIT / 100);
        }
    }

    #[test]
    fn a_core_that_is_blocked_is_named_until_it_runs_again() {
        let (board, pulses) = (Arc::new(Board::new(Feed::new().state(0))), Pulses::new(LIMIT));
        let core = |number| Core::start(number, &board, &pulses).expect("a thread");
        let cores = [core(0), core(1)];
        let (free, blocked) = mpsc::channel::<()>();
        // What a defect would do: a connection that does not give its thread back.
        let stuck = cores[1].thread.runtime().spawn(async move { blocked.recv() });
        until(&pulses, &["core-1"]);
        drop(free);
        until(&pulses, &[]);
        drop((stuck, cores));
    }
}
