//! Who may reach whom, as a human wrote it down beside the examples.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::IpAddr,
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use lab::net::{Listen, probe::Probe};
use serde::Deserialize;

/// How deep groups may stand in groups; deeper is a circle.
const GROUP_DEPTH_MAX: usize = 8;

/// The file `expected.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    /// Hosts outside the cluster.
    pub(crate) outside: Vec<Outside>,
    /// Names for several pods, hosts or groups.
    groups: BTreeMap<String, Vec<String>>,
    /// Once the manifests are applied.
    start: Vec<Row>,
    /// Rows that are different after the policy change.
    after_policy_change: Vec<Row>,
}

/// A host outside the cluster.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outside {
    pub(crate) name: String,
    pub(crate) address: IpAddr,
    listen: Vec<String>,
}

impl Outside {
    /// What it answers on.
    pub(crate) fn ports(&self) -> Result<Vec<Listen>> {
        self.listen
            .iter()
            .map(|text| parse_probe(text))
            .map(|probe| match probe? {
                Probe::Tcp(port) => Ok(Listen::Tcp(port)),
                Probe::Udp(port) => Ok(Listen::Udp(port)),
                Probe::Ping => bail!("{}: pings are answered anyway", self.name),
            })
            .collect()
    }
}

/// Who gets an answer from one port of some pods.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    to: String,
    probe: String,
    from: Vec<String>,
}

/// Which policies are in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policies {
    /// Those of the shop folder.
    Start,
    /// With the policy change on top.
    Changed,
}

/// One pair of pods and one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) probe: Probe,
    pub(crate) allowed: bool,
}

impl Expected {
    /// Reads the file.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        serde_saphyr::from_str(&text).with_context(|| format!("reading {}", file.display()))
    }

    /// Every pair of those that are there, for every port that the file knows. Hosts outside are not asked about each
    /// other: nothing of ours is between them.
    pub(crate) fn cells(&self, policies: Policies, present: &[String]) -> Result<Vec<Cell>> {
        let mut cells = Vec::new();
        for (to, probe, sources) in self.lines(policies)? {
            if !present.contains(&to) {
                continue;
            }
            for from in present.iter().filter(|&from| *from != to && !(self.is_outside(from) && self.is_outside(&to))) {
                cells.push(Cell { from: from.clone(), to: to.clone(), probe, allowed: sources.contains(from) });
            }
        }
        Ok(cells)
    }

    /// Destination, port and sources of every line, groups resolved, in the file's order.
    fn lines(&self, policies: Policies) -> Result<Vec<(String, Probe, BTreeSet<String>)>> {
        let mut lines: Vec<(String, Probe, BTreeSet<String>)> = Vec::new();
        let changed = if policies == Policies::Changed { &self.after_policy_change[..] } else { &[] };
        for row in self.start.iter().chain(changed) {
            let probe = parse_probe(&row.probe)?;
            let sources: BTreeSet<String> = self.members(&row.from)?.into_iter().collect();
            for to in self.members(std::slice::from_ref(&row.to))? {
                match lines.iter_mut().find(|line| line.0 == to && line.1 == probe) {
                    Some(line) => line.2.clone_from(&sources),
                    None => lines.push((to, probe, sources.clone())),
                }
            }
        }
        Ok(lines)
    }

    fn is_outside(&self, name: &str) -> bool {
        self.outside.iter().any(|host| host.name == name)
    }

    fn members(&self, names: &[String]) -> Result<Vec<String>> {
        let mut members = names.to_vec();
        for _ in 0..GROUP_DEPTH_MAX {
            if !members.iter().any(|name| self.groups.contains_key(name)) {
                return self.known(members);
            }
            members =
                members.into_iter().flat_map(|name| self.groups.get(&name).cloned().unwrap_or(vec![name])).collect();
        }
        bail!("expected.yaml: the groups of {names:?} contain each other")
    }

    /// A slip of the pen must not become a pair that is never asked about.
    fn known(&self, members: Vec<String>) -> Result<Vec<String>> {
        match members.iter().find(|name| !name.contains('/') && !self.is_outside(name)) {
            Some(name) => bail!("expected.yaml: {name:?} is neither a group, nor a host outside, nor namespace/pod"),
            None => Ok(members),
        }
    }
}

fn parse_probe(text: &str) -> Result<Probe> {
    let number = |digits: &str| digits.parse::<u16>().with_context(|| format!("expected.yaml: {text:?}"));
    match text.split_once('/') {
        Some(("tcp", port)) => Ok(Probe::Tcp(number(port)?)),
        Some(("udp", port)) => Ok(Probe::Udp(number(port)?)),
        None if text == "ping" => Ok(Probe::Ping),
        _ => bail!("expected.yaml: {text:?} is not tcp/PORT, udp/PORT or ping"),
    }
}

#[cfg(test)]
mod tests;
