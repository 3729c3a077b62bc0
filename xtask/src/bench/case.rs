//! What is measured: loadtest's scenarios that the peer can be put through too.

use clap::builder::PossibleValuesParser;

/// One row of measurements.
pub(super) struct Case {
    /// What it is called on the command line.
    pub(super) name: &'static str,
    /// What it shows.
    pub(super) about: &'static str,
    /// The scenario of loadtest.
    pub(super) scenario: &'static str,
    /// Keys of each transaction, where it is not as the scenario says.
    pub(super) transaction: Option<u32>,
}

pub(super) const CASES: &[Case] = &[
    Case { name: "fanout", about: "steady single writes", scenario: "fanout", transaction: Some(1) },
    Case { name: "transactions", about: "steady transactions of 20 keys", scenario: "fanout", transaction: Some(20) },
    Case { name: "burst", about: "many large transactions at one moment", scenario: "burst", transaction: None },
    Case { name: "snapshot", about: "every client connects at once", scenario: "snapshot", transaction: None },
    Case {
        name: "reconnect",
        about: "every connection cut, writes, all come back",
        scenario: "reconnect",
        transaction: None,
    },
    Case { name: "stalled", about: "one client in ten stops reading", scenario: "stalled", transaction: None },
];

/// The cases' names, for the command line.
pub(super) fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(CASES.iter().map(|case| case.name))
}

#[cfg(test)]
mod tests {
    use super::CASES;

    #[test]
    fn every_case_is_a_scenario_of_loadtest() {
        for case in CASES {
            let file = crate::run::root().join(format!("loadtest/scenarios/{}.yaml", case.scenario));
            assert!(file.is_file(), "{} is of the scenario {}, which is not there", case.name, case.scenario);
        }
    }
}
