//! What can be said on the command line.

use std::path::PathBuf;

use clap::Parser;

/// Where the examples are in a checkout.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/examples");

/// Runs a cluster of three nodes on this machine: a datastore, two typhas, three felix agents, eight pods.
///
/// Real manifests go in, real packets show what the kernels enforce; then a policy changes, a pod arrives, a typha is
/// killed and an agent restarts. It ends by itself and leaves nothing behind. The exit status is 0 only if every pair of
/// pods could or could not talk exactly as expected and no packet was lost.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask quickstart", version)]
pub(crate) struct Options {
    /// Leave everything running at the end, with commands to explore it, until Ctrl-C.
    #[arg(long)]
    pub(crate) keep: bool,

    /// The folder with the manifests and the expected matrix.
    #[arg(long, value_name = "DIR", default_value = EXAMPLES, hide_default_value = true)]
    pub(crate) examples: PathBuf,

    /// The folder with Cattail's programs; otherwise the one that this program is in.
    #[arg(long, value_name = "DIR")]
    pub(crate) binaries: Option<PathBuf>,
}
