//! `--keep`: everything stays up, and we say where to look.

use std::{thread, time::Duration};

use anyhow::Result;
use lab::net::{Netns, Privilege};

use crate::{
    cluster::{Cluster, FELIX_ADMIN},
    examples::Examples,
    narration::{chapter, say},
};

/// How often the children are looked at while nothing else happens.
const WATCH: Duration = Duration::from_secs(1);

/// Prints commands, then waits for Ctrl-C (which ends the process, see `lab::interrupt`) or for a child's death.
pub(crate) fn run(cluster: &mut Cluster, examples: &Examples) -> Result<()> {
    chapter("Explore (Ctrl-C ends it all)");
    let enter = |netns: &Netns| enter(cluster.privilege, netns);
    let fabric = enter(cluster.lab.fabric());
    let control = &cluster.control;
    let cattailctl = format!("{fabric} {} --etcd-endpoints {}", control.program.display(), control.endpoints);
    say!("  Look at a policy, change it, and look again from inside a pod:");
    say!("    {cattailctl} get globalnetworkpolicies -o wide");
    say!("    {cattailctl} apply -f {}", examples.policy_change.display());
    say!("  What typhas know, and who listens to them:");
    for (_, admin) in cluster.typhas() {
        say!("    {fabric} curl -s http://{admin}/clients http://{admin}/status http://{admin}/metrics");
    }
    say!("  A shell inside each node (its agent's page: curl -s http://{}/status):", FELIX_ADMIN);
    for node in cluster.lab.nodes() {
        say!("    {} sh    # {}: try `nft list ruleset` and `ip route`", enter(node.netns()), node.name());
    }
    say!("  A shell inside each pod:");
    for pod in cluster.present(examples).iter().filter_map(|name| cluster.lab.pod(name)) {
        let addresses: Vec<String> = pod.addresses().iter().map(ToString::to_string).collect();
        say!("    {} sh    # {} ({})", enter(pod.netns()), pod.name(), addresses.join(", "));
    }
    loop {
        cluster.check_alive()?;
        thread::sleep(WATCH);
    }
}

/// The command that runs another one inside a namespace of ours.
fn enter(privilege: Privilege, netns: &Netns) -> String {
    let path = netns.path().display().to_string();
    match privilege {
        Privilege::Root => format!("nsenter --net={path}"),
        Privilege::UserNamespace => {
            format!("nsenter --target {} --user --preserve-credentials --net={path}", std::process::id())
        }
    }
}
