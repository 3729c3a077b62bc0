//! A replica's share of the nodes. Pure.

/// A replica takes a quarter more than the mean before it refers clients to others: what rendezvous hashing gives
/// differs from the mean by less where there are enough nodes for it to matter.
const SLACK_PERCENT: usize = 125;

/// The nodes that are to be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// How many nodes the cluster has; 0 where that is not known.
    pub nodes: usize,
}

impl Share {
    /// Whether a replica that serves `clients` takes one more, who sees `servers` replicas and was referred to others
    /// by `referred` of them in a row.
    pub fn admits(self, clients: usize, servers: u32, referred: u32) -> bool {
        // More clients than nodes: then nodes are not what connects here, and their number tells nothing.
        let is_known = self.nodes > 0 && clients < self.nodes;
        let is_refused_elsewhere = referred.saturating_add(1) >= servers;
        !is_known || is_refused_elsewhere || clients < self.most(servers)
    }

    /// The most clients that a replica takes of itself.
    pub(super) fn most(self, servers: u32) -> usize {
        let servers = usize::try_from(servers.max(1)).unwrap_or(usize::MAX);
        self.nodes.saturating_mul(SLACK_PERCENT).div_ceil(servers.saturating_mul(100))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_more_than_the_mean_is_the_bound() {
        let share = Share { nodes: 100 };
        assert!(share.admits(24, 5, 0) && !share.admits(25, 5, 0));
        assert!(share.admits(99, 1, 0), "the only one takes all");
        let few = Share { nodes: 3 };
        assert!(few.admits(1, 3, 0) && !few.admits(2, 3, 0));
    }

    #[test]
    fn whom_all_others_referred_is_served() {
        let share = Share { nodes: 100 };
        assert!(!share.admits(60, 3, 1) && share.admits(60, 3, 2));
        assert!(share.admits(60, 0, 0), "a client that does not say what it sees");
    }

    #[test]
    fn without_a_number_of_nodes_nobody_is_referred() {
        assert!(Share { nodes: 0 }.admits(10_000, 3, 0));
        assert!(Share { nodes: 10 }.admits(500, 3, 0), "more clients than nodes");
    }
}
