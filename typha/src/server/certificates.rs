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
        let now = SystemTime::now();
        for line in tls.expiry().iter().flat_map(|expiry| reminder.due(expiry, now)) {
            tracing::warn!("{line}");
        }
        if let Some(line) = reminder.refused(tls.refusal().as_deref().map(String::as_str), now) {
            tracing::error!("{line}");
        }
        sleep(every).await;
        let looking = Arc::clone(&tls);
        // A disk may be slow, and streams must not wait for it.
        match spawn_blocking(move || looking.refresh()).await {
            // What was refused is told above, and told again.
            Ok(Refresh::Unchanged | Refresh::Refused { .. }) => {}
            Ok(Refresh::Reloaded) => tracing::info!("new certificates are in force; open streams go on"),
            Err(error) => return tracing::error!("looking at the certificates failed: {error}"),
        }
    }
}
