//! Kubernetes' LabelSelector as a selector.

use std::collections::BTreeMap;

use selector::Selector;
use serde::Deserialize;

use super::{ORCHESTRATOR, ORCHESTRATOR_LABEL};
use crate::resource::null_as_default;

/// All terms are AND-ed; none at all select everything.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct LabelSelector {
    #[serde(deserialize_with = "null_as_default")]
    match_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_as_default")]
    match_expressions: Vec<Requirement>,
}

#[derive(Debug, Deserialize)]
struct Requirement {
    key: String,
    operator: String,
    #[serde(default, deserialize_with = "null_as_default")]
    values: Vec<String>,
}

impl LabelSelector {
    /// Of pods: other endpoints (hosts, network sets) never match a Kubernetes policy.
    pub(super) fn of_pods(&self) -> Result<Selector, String> {
        let pods = Selector::label_equals(ORCHESTRATOR_LABEL, ORCHESTRATOR).map_err(|error| error.to_string())?;
        Ok(Selector::and([&pods].into_iter().chain(&self.terms()?)))
    }

    /// Of namespaces.
    pub(super) fn of_namespaces(&self) -> Result<Selector, String> {
        Ok(Selector::and(&self.terms()?))
    }

    fn terms(&self) -> Result<Vec<Selector>, String> {
        let labels = self.match_labels.iter().map(|(label, value)| {
            Selector::label_equals(label, value).map_err(|error| format!("matchLabels: {}", error.reason))
        });
        labels.chain(self.match_expressions.iter().map(Requirement::to_selector)).collect()
    }
}

impl Requirement {
    fn to_selector(&self) -> Result<Selector, String> {
        let values = || {
            if self.values.is_empty() {
                return Err(format!("matchExpressions: {} of {:?} needs values", self.operator, self.key));
            }
            Selector::label_in(&self.key, self.values.iter().map(String::as_str)).map_err(|error| error.reason)
        };
        let present = || Selector::has_label(&self.key).map_err(|error| error.reason);
        match self.operator.as_str() {
            "In" => values(),
            "NotIn" => {
                values()?;
                Selector::label_not_in(&self.key, self.values.iter().map(String::as_str)).map_err(|error| error.reason)
            }
            "Exists" => present(),
            "DoesNotExist" => Ok(present()?.negate()),
            other => Err(format!("matchExpressions: operator {other:?} is not one of In, NotIn, Exists, DoesNotExist")),
        }
    }
}
