//! Looks at the certificates' files for as long as the server lives, and tells what became of changes.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use pki::{PeerName, Refresh, Reminder, ServerTls};
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
        let (looking, names) = (Arc::clone(&tls), tls.names());
        // A disk may be slow, and streams must not wait for it.
        match spawn_blocking(move || looking.refresh()).await {
            // What was refused is told above, and told again.
            Ok(Refresh::Unchanged | Refresh::Refused { .. }) => {}
            Ok(Refresh::Reloaded) => {
                tracing::info!("new certificates are in force; open streams go on");
                if let Some(line) = lost(&names, &tls.names()) {
                    tracing::warn!("{line}");
                }
            }
            Err(error) => return tracing::error!("looking at the certificates failed: {error}"),
        }
    }
}

/// Tells of names that our own certificate bore and does not bear any more. Agents ask for one, and find out when they connect
/// the next time, all of them perhaps. Nobody asks for the name of a host.
fn lost(before: &BTreeSet<PeerName>, after: &BTreeSet<PeerName>) -> Option<String> {
    let is_asked_for = |name: &&PeerName| !matches!(name, PeerName::DnsName(_));
    let gone: Vec<_> = before.difference(after).filter(is_asked_for).map(ToString::to_string).collect();
    let left: Vec<_> = after.iter().filter(is_asked_for).map(ToString::to_string).collect();
    (!gone.is_empty()).then(|| {
        let (gone, left) = (gone.join(" and "), if left.is_empty() { "nobody".to_owned() } else { left.join(" and ") });
        format!(
            "our certificate is not for {gone} any more but for {left}; agents that ask for the old name cannot connect"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_agents_may_ask_for_is_missed() {
        let named = |name: &str, hosts: &[&str]| -> BTreeSet<PeerName> {
            let hosts = hosts.iter().map(|host| PeerName::DnsName((*host).to_owned()));
            hosts.chain([PeerName::CommonName(name.to_owned())]).collect()
        };
        assert_eq!(lost(&named("typha", &["a"]), &named("typha", &["b"])), None);
        let line = lost(&named("typha", &[]), &named("other", &["b"])).expect("agents ask for typha");
        assert!(line.contains("not for CN=typha any more but for CN=other;"), "{line}");
        let line = lost(&named("typha", &[]), &BTreeSet::new()).expect("it has no name");
        assert!(line.contains("but for nobody"), "{line}");
    }
}
