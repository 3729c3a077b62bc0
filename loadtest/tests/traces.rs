//! What a run leaves behind: nothing, also where it is ended early by SIGINT, SIGTERM or SIGKILL.

#![allow(dead_code, reason = "not every file needs all of what they share")]

mod fake;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use self::fake::{Fake, Faults};

/// Far above what the ends that are waited for here take.
const LIMIT: Duration = Duration::from_mins(1);

/// A run that was told to go on for very long, and writes already.
fn writing(mut command: Command) -> anyhow::Result<(Child, BufReader<ChildStderr>)> {
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut err = BufReader::new(child.stderr.take().context("no stderr")?);
    let mut line = String::new();
    while !line.starts_with("Writing network sets") {
        line.clear();
        if err.read_line(&mut line)? == 0 {
            bail!("it ended before it wrote: {:?}", child.wait()?);
        }
    }
    Ok((child, err))
}

fn signal(child: &Child, signal: Signal) -> anyhow::Result<()> {
    Ok(kill(Pid::from_raw(child.id().cast_signed()), signal)?)
}

fn ended(mut child: Child, mut err: impl std::io::Read) -> anyhow::Result<(ExitStatus, String)> {
    let mut text = String::new();
    child.stdout.take().context("no stdout")?.read_to_string(&mut text)?;
    err.read_to_string(&mut text)?;
    Ok((child.wait()?, text))
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_reports_what_it_did_and_tidies_up() -> anyhow::Result<()> {
    let fake = Fake::start(Faults::default()).await?;
    for end_by in [Signal::SIGINT, Signal::SIGTERM] {
        let run = ["fanout", "--clients", "3", "--keys", "50", "--rate", "50", "--seconds", "600"];
        let command = fake.command(&run);
        let (status, said) = tokio::task::spawn_blocking(move || {
            let (child, err) = writing(command)?;
            std::thread::sleep(Duration::from_millis(300));
            signal(&child, end_by)?;
            ended(child, err)
        })
        .await??;
        assert_eq!(status.code(), Some(130), "{said}");
        assert!(said.contains("Interrupted after") && said.contains("0 lost"), "{said}");
        assert_eq!(fake.left_behind().await?, 0, "a deployment in the field is left as it was found");
    }
    Ok(())
}

/// Processes whose command line names the folder.
fn processes_of(folder: &Path) -> Vec<String> {
    let named = folder.display().to_string();
    let commands = fs::read_dir("/proc").into_iter().flatten().flatten();
    let commands = commands.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    commands.map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " ")).filter(|it| it.contains(&named)).collect()
}

#[test]
fn a_killed_run_leaves_neither_processes_nor_files() -> anyhow::Result<()> {
    let temporary = tempfile::tempdir()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.args(["run", "fanout", "--clients", "3", "--keys", "10", "--seconds", "600"]);
    let (mut child, _err) = writing({
        command.env("TMPDIR", temporary.path());
        command
    })?;
    let running = processes_of(temporary.path());
    assert!(running.iter().any(|it| it.contains("typha")) && running.len() >= 2, "{running:?}");
    child.kill()?;
    child.wait()?;
    until("the processes end with it", || processes_of(temporary.path()).is_empty());
    let left = || fs::read_dir(temporary.path()).map(Iterator::count).unwrap_or_default();
    until("the folder goes with it", || left() == 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_datastore_that_is_somebody_elses_is_left_as_it_was_found() -> anyhow::Result<()> {
    let fake = Fake::start(Faults::default()).await?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.args([
        "run",
        "fanout",
        "--datastore",
        fake.datastore(),
        "--clients",
        "2",
        "--keys",
        "20",
        "--seconds",
        "1",
    ]);
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("server CPU"), "{said}");
    assert_eq!(fake.left_behind().await?, 0, "{said}");
    Ok(())
}
