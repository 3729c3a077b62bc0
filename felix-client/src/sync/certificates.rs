//! Keeps an eye on the certificates' files, so that the next connection shows what is on disk.

use std::{convert::Infallible, future, sync::Arc, time::SystemTime};

use pki::{Refresh, Reminder};
use tokio::{task::spawn_blocking, time};

use super::Config;

/// Never ends. An open stream is left alone whatever happens to the files.
pub(super) async fn follow(config: &Config) -> Infallible {
    if config.tls.is_fixed() {
        return future::pending().await;
    }
    let mut reminder = Reminder::default();
    loop {
        config.metrics.certificates(&config.tls);
        for line in config.tls.expiry().iter().flat_map(|expiry| reminder.due(expiry, SystemTime::now())) {
            tracing::warn!("{line}");
        }
        time::sleep(config.certificates_every).await;
        let tls = Arc::clone(&config.tls);
        // A disk may be slow, and the stream must not wait for it.
        match spawn_blocking(move || tls.refresh()).await {
            Ok(Refresh::Unchanged) => {}
            Ok(Refresh::Reloaded) => tracing::info!("new certificates are in force for the next connection"),
            Ok(Refresh::Refused { reason }) => {
                config.metrics.certificate_failures.inc();
                tracing::error!("the new certificates cannot be used, the old ones stay in force: {reason}");
            }
            Err(error) => tracing::error!("looking at the certificates failed: {error}"),
        }
    }
}
