//! Connections that have not shown yet whose they are: where there is no place left, they make room.
//!
//! Whoever reaches the port can open connections and hold each for as long as a handshake may take. If those who come last
//! were turned away, he would keep every agent out. So the one that has come first goes instead: an agent's handshake is
//! over in milliseconds, and it is not the oldest then.

use std::collections::VecDeque;

use tokio::sync::oneshot;

/// Who is told to make room learns it by this, until its handshake is over.
pub(super) type MakeRoom = oneshot::Receiver<()>;

/// All of them. How many it remembers of those whose handshakes are over is bounded by the time that one may take.
#[derive(Default)]
pub(super) struct Newcomers {
    oldest_first: VecDeque<oneshot::Sender<()>>,
}

impl Newcomers {
    /// One more, which keeps what is returned until its handshake is over.
    pub(super) fn add(&mut self) -> MakeRoom {
        while self.oldest_first.front().is_some_and(oneshot::Sender::is_closed) {
            self.oldest_first.pop_front();
        }
        let (tell, told) = oneshot::channel();
        self.oldest_first.push_back(tell);
        told
    }

    /// Has the oldest one make room; `false` where there is none.
    pub(super) fn make_room(&mut self) -> bool {
        // Whoever does not hear it any more is through.
        std::iter::from_fn(|| self.oldest_first.pop_front()).any(|oldest| oldest.send(()).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room_and_who_is_through_stays() {
        let mut newcomers = Newcomers::default();
        assert!(!newcomers.make_room());
        let [first, mut second, mut third, fourth] = [(); 4].map(|()| newcomers.add());
        drop((first, fourth));
        assert!(newcomers.make_room());
        assert_eq!((second.try_recv().is_ok(), third.try_recv().is_ok()), (true, false));
        assert!(newcomers.make_room() && third.try_recv().is_ok());
        assert!(!newcomers.make_room());
        drop(newcomers.add());
        newcomers.add();
        assert_eq!(newcomers.oldest_first.len(), 1, "who is through is forgotten");
    }
}
