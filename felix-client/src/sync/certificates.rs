//! Keeps an eye on the certificates' files, so that the next connection shows what is on disk.

use std::{convert::Infallible, future, sync::Arc, time::SystemTime};

use pki::{ClientTls, Refresh, Reminder};
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
        let now = SystemTime::now();
        for line in config.tls.expiry().iter().flat_map(|expiry| reminder.due(expiry, now)) {
            tracing::warn!("{line}");
        }
        if let Some(line) = refused(&config.tls, &mut reminder, now) {
            tracing::error!("{line}");
        }
        time::sleep(config.certificates_every).await;
        let tls = Arc::clone(&config.tls);
        // A disk may be slow, and the stream must not wait for it.
        match spawn_blocking(move || tls.refresh()).await {
            Ok(Refresh::Unchanged) => {}
            Ok(Refresh::Reloaded) => tracing::info!("new certificates are in force for the next connection"),
            // Told above, and told again.
            Ok(Refresh::Refused { .. }) => {
                config.metrics.certificate_failures.inc();
            }
            Err(error) => tracing::error!("looking at the certificates failed: {error}"),
        }
    }
}

/// Tells of files that cannot be used for as long as they cannot: `refresh` tells it once.
fn refused(tls: &ClientTls, reminder: &mut Reminder, now: SystemTime) -> Option<String> {
    reminder.refused(tls.refusal().as_deref().map(String::as_str), now)
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use pki::{
        Peers,
        development::{Authority, Request},
    };

    use super::*;

    #[test]
    fn files_that_cannot_be_used_are_told_of_again_until_they_can() {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new("CA").expect("a CA");
        let files = authority.write(folder.path(), "felix", &Request::named("felix")).expect("written");
        let tls = ClientTls::client(files.clone(), Peers::common_name("typha")).expect("they are good");
        let mut reminder = Reminder::default();
        let start = SystemTime::now();
        assert_eq!(refused(&tls, &mut reminder, start), None);
        fs::write(&files.cert, "no PEM").expect("written");
        assert!(matches!(tls.refresh(), Refresh::Refused { .. }));
        let line = refused(&tls, &mut reminder, start).expect("it is told");
        assert!(line.contains("felix"), "which file: {line}");
        assert!(matches!(tls.refresh(), Refresh::Unchanged), "as bad as before");
        assert_eq!(refused(&tls, &mut reminder, start), None, "not at every look");
        assert_eq!(refused(&tls, &mut reminder, start + Duration::from_hours(25)), Some(line));
        authority.write(folder.path(), "felix", &Request::named("felix")).expect("written");
        assert!(matches!(tls.refresh(), Refresh::Reloaded));
        assert_eq!(refused(&tls, &mut reminder, start + Duration::from_hours(50)), None);
    }
}
