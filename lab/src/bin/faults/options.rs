//! What can be said on the command line.

use std::path::PathBuf;

use clap::Parser;

use crate::fault::Fault;

/// Enough to see what hundreds do, few enough for a minute on a small machine.
const QUICK_CLIENTS: usize = 60;
const CLIENTS: usize = 500;

/// Breaks a deployment in every way that operators meet, while it works.
///
/// A real etcd, three typhas, each in a network namespace of its own, and hundreds of clients in another. After each fault
/// every client must hold exactly what the datastore holds, and never have gone back; the exit status says whether. What
/// each fault cost is printed.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask faults", version)]
pub(crate) struct Options {
    /// Only these faults, in this order [default: all of them]
    #[arg(value_name = "FAULT", value_enum)]
    faults: Vec<Fault>,

    /// Only faults that need not wait for a limit to run out, and fewer clients: what every change is held against.
    #[arg(long)]
    pub(crate) quick: bool,

    /// How many clients there are [default: 500, or 60 where it is to be quick]
    #[arg(long, value_name = "N")]
    clients: Option<usize>,

    /// How many writes a second there are, one key each.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) rate: u32,

    /// Write the costs as JSON here.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// The folder with Cattail's programs; otherwise the one that this program is in.
    #[arg(long, value_name = "DIR")]
    pub(crate) binaries: Option<PathBuf>,
}

impl Options {
    pub(crate) fn clients(&self) -> usize {
        self.clients.unwrap_or(if self.quick { QUICK_CLIENTS } else { CLIENTS })
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        match (self.faults.as_slice(), self.quick) {
            ([], true) => Fault::QUICK.to_vec(),
            ([], false) => Fault::ALL.to_vec(),
            (chosen, _) => chosen.to_vec(),
        }
    }
}
