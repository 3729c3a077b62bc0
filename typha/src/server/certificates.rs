//! Looks at the certificates' files for as long as the server lives, and tells what became of changes.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use pki::{Refresh, Reminder, ServerTls};
use tokio::{task::spawn_blocking, time::sleep};

/// Never ends, unless a look panics.
pub(super) async fn follow(tls: Arc<ServerTls>, every: Duration) {
    let mut reminder = Reminder::default();
    loop {
        for line in tls.expiry().iter().flat_map(|expiry| reminder.due(expiry, SystemTime::now())) {
            tracing::warn!("{line}");
        }
        sleep(every).await;
        let looking = Arc::clone(&tls);
        // A disk may be slow, and streams must not wait for it.
        match spawn_blocking(move || looking.refresh()).await {
            Ok(Refresh::Unchanged) => {}
            Ok(Refresh::Reloaded) => tracing::info!("new certificates are in force; open streams go on"),
            Ok(Refresh::Refused { reason }) => {
                tracing::error!("the new certificates cannot be used, the old ones stay in force: {reason}");
            }
            Err(error) => return tracing::error!("looking at the certificates failed: {error}"),
        }
    }
}
