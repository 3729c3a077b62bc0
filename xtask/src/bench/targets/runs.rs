//! What is run for the targets, in the order of their rows.

/// A run of loadtest.
pub(super) struct Run {
    /// What rows call it.
    pub(super) name: &'static str,
    /// The scenario of loadtest.
    pub(super) scenario: &'static str,
    /// What is other than the scenario says.
    pub(super) options: &'static [&'static str],
}

/// All of them; some ten minutes together.
pub(super) const RUNS: &[Run] = &[
    Run { name: "single", scenario: "fanout", options: &["--clients", "1000", "--seconds", "15"] },
    Run {
        name: "transactions",
        scenario: "fanout",
        options: &["--clients", "1000", "--transaction", "20", "--seconds", "15"],
    },
    // A thousand updates a second; as many in a minute as in an hour at 16 a second.
    Run {
        name: "flood",
        scenario: "fanout",
        options: &["--clients", "1000", "--rate", "50", "--transaction", "20", "--seconds", "60", "--no-floor"],
    },
    Run { name: "storm-100k", scenario: "snapshot", options: &["--clients", "200", "--keys", "100000", "--no-floor"] },
    Run { name: "storm-500k", scenario: "snapshot", options: &["--clients", "500", "--keys", "500000", "--no-floor"] },
    Run { name: "idle", scenario: "idle", options: &["--clients", "1000"] },
    Run {
        name: "state",
        scenario: "fanout",
        options: &["--clients", "1", "--keys", "100000", "--seconds", "2", "--no-floor"],
    },
    Run {
        name: "reconnect",
        scenario: "reconnect",
        options: &["--clients", "1000", "--tls-resumption", "false", "--no-floor"],
    },
    Run {
        name: "reconnect-tls",
        scenario: "reconnect",
        options: &["--clients", "1000", "--tls-resumption", "true", "--no-floor"],
    },
    // The same writes as in `stalled`, and nobody stalls.
    Run {
        name: "none-stalled",
        scenario: "fanout",
        options: &["--clients", "1000", "--keys", "20000", "--rate", "20", "--transaction", "10", "--no-floor"],
    },
    Run {
        name: "stalled",
        scenario: "stalled",
        options: &["--clients", "1000", "--keys", "20000", "--rate", "20", "--transaction", "10", "--no-floor"],
    },
];
