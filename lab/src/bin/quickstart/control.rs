//! `cattailctl`, run as a user would run it.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// Kinds that the steps apply last, in the words of `get`.
const CHANGING: [&[&str]; 3] = [
    &["pods", "--all-namespaces"],
    &["networkpolicies.networking.k8s.io", "--all-namespaces"],
    &["globalnetworkpolicies"],
];

/// The user's tool and the datastore that it is to use.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) program: PathBuf,
    pub(crate) endpoints: String,
}

impl Control {
    /// Applies a file or a folder; what cattailctl prints.
    pub(crate) fn apply(&self, path: &Path) -> Result<String> {
        self.run([OsStr::new("apply"), OsStr::new("-f"), path.as_os_str()])
    }

    /// The newest revision among all resources that the steps apply.
    pub(crate) fn newest_revision(&self) -> Result<u64> {
        let mut revision = 0;
        for words in CHANGING {
            let printed = self.run(["get"].iter().chain(words).chain(&["-o", "json"]).map(OsStr::new))?;
            let asking = || format!("cattailctl get {words:?}: {printed}");
            let value: Value = serde_json::from_str(&printed).with_context(asking)?;
            revision = revision.max(newest(&value).with_context(asking)?);
        }
        Ok(revision)
    }

    fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a OsStr>) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("ETCD_ENDPOINTS", &self.endpoints);
        let output = command.output().with_context(|| format!("running {command:?}"))?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("{command:?} ended with {}:\n{printed}{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(printed)
    }
}

fn newest(value: &Value) -> Option<u64> {
    let own = value.pointer("/metadata/resourceVersion").and_then(Value::as_str).and_then(|text| text.parse().ok());
    let items = value["items"].as_array().or(value.as_array());
    items.into_iter().flatten().filter_map(newest).chain(own).max()
}
