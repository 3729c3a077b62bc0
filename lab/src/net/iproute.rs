//! iproute2's `ip`, fed with batches. The harness uses it so that what it builds does not depend on the code that it
//! is there to test.

use std::{
    io::{self, Write as _},
    process::{Command, Stdio},
};

use super::LabError;

/// Runs commands, one a line without the leading `ip`, in the calling thread's namespace.
pub(super) fn batch(commands: &str) -> Result<(), LabError> {
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(explain_spawn)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A failed write means that `ip` has ended already; its own words, read below, say why.
        let _ = stdin.write_all(commands.as_bytes());
    }
    let output = child.wait_with_output().map_err(LabError::system("waiting for `ip`"))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(LabError::IpRoute { commands: commands.trim().to_owned(), stderr })
}

fn explain_spawn(error: io::Error) -> LabError {
    if error.kind() == io::ErrorKind::NotFound {
        LabError::MissingProgram { program: "ip", package: "iproute2" }
    } else {
        LabError::System { what: "starting `ip`".to_owned(), source: error }
    }
}
