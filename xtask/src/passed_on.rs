//! What a task passes on to the program that it builds and starts.

use std::ffi::OsString;

/// The words behind the task's name.
#[derive(clap::Args)]
pub(crate) struct PassedOn {
    /// Passed on to the program; `--help` tells what it takes.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<OsString>,
}
