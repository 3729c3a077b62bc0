//! An admin port's connections: so many at a time, and none that is held open for nothing.
//!
//! Whoever reaches the port can open them, and the file descriptors that they take are those that the process lives by.

use std::{collections::VecDeque, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    task::{AbortHandle, JoinSet},
    time::sleep,
};

/// Connections at a time: probes, scrapers, and some people's browsers, which open six each.
const CONNECTIONS: usize = 128;
/// From a connection, or from its last answer, to the end of a request's headers. Typha's page asks more often than that.
const HEADERS_WITHIN: Duration = Duration::from_secs(5);
/// How long to wait after the system refused to hand out a connection (too many open files): time for some to close.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// Those that are open. Dropping them closes them.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    oldest_first: VecDeque<AbortHandle>,
}

/// Serves until dropped.
pub async fn serve(listener: TcpListener, router: Router) {
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
    let (service, mut connections) = (TowerToHyperService::new(router), Connections::default());
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("cannot accept a connection to the admin API: {error}");
                sleep(PAUSE_AFTER_ERROR).await;
                continue;
            }
        };
        let connection = server.serve_connection(TokioIo::new(stream), service.clone());
        connections.add(async move {
            if let Err(error) = connection.await {
                tracing::debug!("a connection to the admin API failed: {error}");
            }
        });
    }
}

impl Connections {
    /// Serves one more. Where there are too many the oldest makes room, so that a probe gets through whoever holds the
    /// others: turning away the newest would have the process restarted for that.
    fn add(&mut self, connection: impl Future<Output = ()> + Send + 'static) {
        while self.tasks.try_join_next().is_some() {}
        self.oldest_first.retain(|handle| !handle.is_finished());
        if self.oldest_first.len() >= CONNECTIONS
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            oldest.abort();
        }
        self.oldest_first.push_back(self.tasks.spawn(connection));
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn those_that_end_make_room_and_otherwise_the_oldest() {
        let mut connections = Connections::default();
        for _ in 1..CONNECTIONS {
            connections.add(pending());
        }
        for _ in 0..CONNECTIONS {
            connections.add(ready(()));
            while connections.oldest_first.back().is_some_and(|newest| !newest.is_finished()) {
                yield_now().await;
            }
        }
        let open: Vec<_> = connections.oldest_first.iter().take(CONNECTIONS - 1).cloned().collect();
        let ended = || open.iter().filter(|handle| handle.is_finished()).count();
        assert_eq!(ended(), 0, "there was room");
        for _ in 0..3 {
            connections.add(pending());
        }
        while ended() < 2 {
            yield_now().await;
        }
        assert!(open[1].is_finished() && !open[2].is_finished(), "the first one had room");
        assert_eq!(connections.oldest_first.len(), CONNECTIONS);
    }
}
