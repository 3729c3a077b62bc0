//! A child process that runs in a namespace of the laboratory and cannot outlive it.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::{
        fd::AsFd as _,
        unix::process::{CommandExt as _, ExitStatusExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sched::{CloneFlags, setns},
    sys::{
        prctl,
        signal::{SigSet, Signal, kill},
    },
    unistd::Pid,
};

use super::{LabError, Netns};

/// How long a process may take to end after SIGTERM; then it is killed.
const END_GRACE: Duration = Duration::from_secs(3);

/// How often a process that was asked to end is looked at.
const END_POLL: Duration = Duration::from_millis(5);

/// How many lines of its log tell why a process died.
const TAIL_LINES: usize = 12;

/// What to run.
#[derive(Clone, Debug)]
pub struct ProcessSpec {
    /// The name that people see, such as `felix on node-1`.
    pub name: String,
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Where its output goes; appended to.
    pub log: PathBuf,
}

/// A running child; dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    /// What it runs.
    spec: ProcessSpec,
    /// The child itself.
    child: Child,
}

impl Process {
    /// Starts it inside a namespace. The kernel kills it when the calling *thread* ends: call this from one that lasts.
    pub fn start(netns: &Netns, spec: ProcessSpec) -> Result<Self, LabError> {
        let starting = || LabError::system(format!("starting {} ({})", spec.name, spec.program.display()));
        let log = File::options().create(true).append(true).open(&spec.log).map_err(starting())?;
        let errors = log.try_clone().map_err(starting())?;
        let netns = netns.as_fd().try_clone_to_owned().map_err(starting())?;
        let mut command = Command::new(&spec.program);
        command.args(&spec.arguments).stdin(Stdio::null()).stdout(log).stderr(errors);
        // A group of its own: Ctrl-C reaches us alone, and we end children in order.
        command.process_group(0);
        // SAFETY: between fork and exec the closure makes three system calls and touches no memory that other threads
        // could have left locked or half written.
        unsafe {
            command.pre_exec(move || {
                // Signals that the parent blocks to wait for them would never reach the child.
                SigSet::empty().thread_set_mask()?;
                prctl::set_pdeathsig(Signal::SIGKILL)?;
                setns(&netns, CloneFlags::CLONE_NEWNET).map_err(io::Error::from)
            });
        }
        let child = command.spawn().map_err(starting())?;
        Ok(Self { spec, child })
    }

    /// What it runs.
    pub fn spec(&self) -> &ProcessSpec {
        &self.spec
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has: in words, with the last lines of its log.
    pub fn obituary(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(format!("{} {}. Its last words:\n{}", self.spec.name, in_words(status), tail(&self.spec.log)))
    }

    /// Kills it as a crash would, and waits until it is gone.
    pub fn kill(mut self) -> Result<ProcessSpec, LabError> {
        self.child.kill().map_err(LabError::system(format!("killing {}", self.spec.name)))?;
        self.child.wait().map_err(LabError::system(format!("waiting for {}", self.spec.name)))?;
        Ok(self.spec.clone())
    }

    /// Asks it to end, and kills it where it does not.
    pub fn end(mut self) -> Result<ProcessSpec, LabError> {
        let name = self.spec.name.clone();
        // It may be gone already; what counts is the wait below.
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        let deadline = Instant::now() + END_GRACE;
        while self.child.try_wait().map_err(LabError::system(format!("waiting for {name}")))?.is_none() {
            if Instant::now() > deadline {
                return self.kill();
            }
            thread::sleep(END_POLL);
        }
        Ok(self.spec.clone())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only where the child is gone, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_else(|error| format!("({}: {error})", log.display()));
    if text.is_empty() {
        return "    (none)\n".to_owned();
    }
    let lines: Vec<&str> = text.lines().collect();
    let shown = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    shown.iter().fold(String::new(), |text, line| text + "    " + line + "\n")
}
