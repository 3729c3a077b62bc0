//! Running other programs, and saying how long each took.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

use crate::disk::{self, Build};

/// The workspace's root; tasks run there wherever they were called from.
pub(crate) fn root() -> PathBuf {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest_dir.parent().unwrap_or(manifest_dir).to_path_buf()
}

/// Where cargo puts what it builds. It put us there, wherever the environment or somebody's configuration of cargo say
/// that is.
pub(crate) fn target_dir() -> PathBuf {
    let own = env::current_exe().ok();
    own.as_deref().and_then(target_of).map_or_else(|| root().join("target"), Path::to_path_buf)
}

/// `target` of `target/debug/xtask`.
fn target_of(program: &Path) -> Option<&Path> {
    program.parent()?.parent()
}

/// The cargo that runs us, in the workspace's root.
pub(crate) fn cargo<const N: usize>(args: [&str; N]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// Builds the workspace's programs and says where one of them is. All of them at once: cargo then chooses the same
/// features for every dependency each time, and builds it once.
pub(crate) fn build_program(name: &str) -> Result<PathBuf> {
    disk::check(&target_dir(), Build::Programs)?;
    check(&mut cargo(["build", "--workspace", "--bins"]))?;
    Ok(target_dir().join("debug").join(name))
}

/// Builds the programs of typha and of one more package as they are shipped, and says where one of them is.
pub(crate) fn build_released(package: &str, name: &str) -> Result<PathBuf> {
    disk::check(&target_dir(), Build::Released)?;
    check(&mut cargo(["build", "--release", "--package", "typha", "--package", package, "--bins"]))?;
    Ok(target_dir().join("release").join(name))
}

/// Runs a command to its end; anything but success is an error that names it.
pub(crate) fn check(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// Runs a command to its end and hands its exit status on as ours.
pub(crate) fn pass_through(command: &mut Command) -> Result<ExitCode> {
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}

/// What a command prints on its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {}", shown(command)))?;
    if !output.status.success() {
        bail!("{} ended with {}: {}", shown(command), output.status, String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} printed no UTF-8", shown(command)))
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Runs parts one after another, all of them even if one fails, then prints how long each took.
#[derive(Default)]
pub(crate) struct Parts {
    rows: Vec<Row>,
}

struct Row {
    name: String,
    seconds: f64,
    error: Option<anyhow::Error>,
}

impl Parts {
    /// Runs one part.
    pub(crate) fn part(&mut self, name: &str, work: impl FnOnce() -> Result<()>) {
        eprintln!("==> {name}");
        let started = Instant::now();
        let error = work().err();
        if let Some(error) = &error {
            eprintln!("==> {name} FAILED: {error:#}");
        }
        self.rows.push(Row { name: name.to_owned(), seconds: started.elapsed().as_secs_f64(), error });
    }

    /// Prints the summary; failure if a part failed.
    pub(crate) fn finish(self) -> ExitCode {
        eprintln!();
        for row in &self.rows {
            let verdict = if row.error.is_none() { "ok" } else { "FAILED" };
            eprintln!("{:>8.1} s  {verdict:<6} {}", row.seconds, row.name);
        }
        if self.rows.iter().all(|row| row.error.is_none()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_found_where_cargo_put_us() {
        assert_eq!(target_of(Path::new("/cache/cargo/debug/xtask")), Some(Path::new("/cache/cargo")));
        let triple = Path::new("/target/x86_64-unknown-linux-gnu/debug/xtask");
        assert_eq!(target_of(triple), Some(Path::new("/target/x86_64-unknown-linux-gnu")), "programs are beside us");
    }
}
