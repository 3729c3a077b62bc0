//! What a thousand seeds come to in every test run, and as many as one likes by `cargo xtask simulate`.

use super::*;
use crate::sync::simulation::task;

#[test]
fn every_client_sees_only_what_was_and_ends_at_what_is() {
    task::carry_out().unwrap_or_else(|found| panic!("{found}"));
}

#[test]
fn defects_that_are_built_in_are_found() {
    for defect in [
        Defect::DeletionsAreLost,
        Defect::TransactionsAreSplit,
        Defect::DatastoreIsNotChecked,
        Defect::NobodyAudits,
        Defect::ConsumerForgets,
        Defect::StaleIsKept,
    ] {
        let seeds = Seeds { defect: Some(defect), ..Seeds::first(1000) };
        assert!(seeds.run().is_err(), "{defect:?} is not found");
    }
}
