//! Which cases run with real packets: enough to meet every feature of the file, and few enough to be quick.
//!
//! Features are a case's tags and the kinds of action that its steps take. Cases are taken greedily: always the one
//! that meets most features not met yet; once all are met, the one that meets most pairs of features not met together
//! yet, until there are enough. Of equals the first in the file is taken, so the choice depends on the file alone.

use std::collections::BTreeSet;

use super::Case;

/// At least so many cases are chosen, if the file has them.
const ENOUGH: usize = 24;

/// Features, or pairs of features, that a case meets.
type Met = BTreeSet<(String, String)>;

/// Chooses cases, in the order of the file.
pub fn choose(cases: &[Case]) -> Vec<&Case> {
    let mut chosen = BTreeSet::new();
    take(cases, &mut chosen, usize::MAX, features);
    take(cases, &mut chosen, ENOUGH, pairs);
    // A file with little variety runs out of new pairs early.
    for index in 0..cases.len() {
        if chosen.len() < ENOUGH {
            chosen.insert(index);
        }
    }
    chosen.into_iter().map(|index| &cases[index]).collect()
}

/// Adds cases until there are so many, or until no case meets anything new.
fn take(cases: &[Case], chosen: &mut BTreeSet<usize>, at_most: usize, meets: fn(&Case) -> Met) {
    let by_case: Vec<Met> = cases.iter().map(meets).collect();
    let mut met: Met = chosen.iter().flat_map(|index| by_case[*index].iter().cloned()).collect();
    while chosen.len() < at_most {
        let gain = |index: usize| by_case[index].difference(&met).count();
        let candidates = (0..cases.len()).filter(|index| !chosen.contains(index) && gain(*index) > 0);
        // `max_by_key` takes the last of equals, hence the reversal.
        let Some(best) = candidates.rev().max_by_key(|index| gain(*index)) else { return };
        met.extend(by_case[best].iter().cloned());
        chosen.insert(best);
    }
}

fn names(case: &Case) -> Vec<String> {
    let actions = case.steps.iter().flat_map(|step| &step.actions).flat_map(|action| {
        action.iter().filter(|(_, detail)| !detail.is_null()).map(|(kind, _)| format!("action {kind}"))
    });
    case.tags.iter().cloned().chain(actions).collect()
}

fn features(case: &Case) -> Met {
    names(case).into_iter().map(|name| (name.clone(), name)).collect()
}

fn pairs(case: &Case) -> Met {
    let names = names(case);
    names.iter().flat_map(|a| names.iter().filter(move |b| a < *b).map(move |b| (a.clone(), b.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn case(index: u64, tags: &[&str]) -> Case {
        let actions = json!([{ "CreatePolicy": {}, "DeletePod": null }]);
        let step = json!({ "Actions": actions, "Namespaces": {}, "Pods": [], "Policies": [], "Expected": [] });
        serde_json::from_value(json!({ "Index": index, "Tags": tags, "Steps": [step] })).expect("a case")
    }

    fn indexes(chosen: &[&Case]) -> Vec<u64> {
        chosen.iter().map(|case| case.index).collect()
    }

    #[test]
    fn every_feature_is_met_by_few_cases() {
        let mut cases: Vec<Case> = (0..100).map(|index| case(index, &["common"])).collect();
        cases.push(case(100, &["common", "rare", "rarer"]));
        cases.push(case(101, &["rare"]));
        let chosen = choose(&cases);
        assert_eq!(chosen.len(), ENOUGH);
        assert!(indexes(&chosen).contains(&100));
        assert!(!indexes(&chosen).contains(&50), "the first of equals are enough");
    }

    #[test]
    fn features_come_before_the_count() {
        let tags: Vec<String> = (0..2 * ENOUGH).map(|tag| format!("tag {tag}")).collect();
        let cases: Vec<Case> = tags.iter().zip(0..).map(|(tag, index)| case(index, &[tag])).collect();
        assert_eq!(choose(&cases).len(), cases.len());
    }

    #[test]
    fn what_a_case_does_not_do_is_no_feature_of_it() {
        assert_eq!(names(&case(0, &["a"])), ["a", "action CreatePolicy"]);
    }
}
