//! A network namespace: a thread that lives in it and does there what it is told.

use std::{
    process::Command,
    sync::mpsc::{Sender, channel},
    thread::JoinHandle,
};

use nix::{
    sched::{CloneFlags, unshare},
    unistd::{Pid, gettid},
};

type Job = Box<dyn FnOnce() + Send>;

/// Gone when dropped, with all interfaces in it.
pub(crate) struct Namespace {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    tid: Pid,
}

impl Namespace {
    pub(crate) fn new() -> Self {
        let (jobs, inbox) = channel::<Job>();
        let (ready, started) = channel();
        let thread = std::thread::spawn(move || {
            let made = unshare(CloneFlags::CLONE_NEWNET).map(|()| gettid());
            // Interfaces made here have usable IPv6 addresses at once; a kernel without IPv6 fails later, by name.
            let _ = std::fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
            ready.send(made).unwrap();
            for job in inbox {
                job();
            }
        });
        let tid = started.recv().unwrap().expect("cannot make a network namespace: run these tests as root");
        let namespace = Self { jobs: Some(jobs), thread: Some(thread), tid };
        namespace.ip("link set lo up");
        namespace
    }

    /// Does something in the namespace and waits for its end.
    pub(crate) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (answer, answered) = channel();
        let job: Job = Box::new(move || {
            let _ = answer.send(work());
        });
        self.jobs.as_ref().unwrap().send(job).unwrap();
        answered.recv().expect("what was to be done in the namespace panicked")
    }

    /// Runs a command, which must succeed, and returns what it printed.
    pub(crate) fn command(&self, line: &str) -> String {
        let (ok, text) = self.try_command(line);
        assert!(ok, "{line}: {text}");
        text
    }

    pub(crate) fn try_command(&self, line: &str) -> (bool, String) {
        let owned = line.to_owned();
        self.run(move || {
            let mut words = owned.split_whitespace();
            let output = Command::new(words.next().unwrap()).args(words).output().unwrap_or_else(|error| {
                panic!("cannot run {owned}: {error}; install iproute2, nftables and iputils-ping")
            });
            let text = [output.stdout, output.stderr].concat();
            (output.status.success(), String::from_utf8_lossy(&text).into_owned())
        })
    }

    pub(crate) fn ip(&self, arguments: &str) -> String {
        self.command(&format!("ip {arguments}"))
    }

    /// A number by which `ip link set … netns` finds it.
    pub(crate) fn tid(&self) -> Pid {
        self.tid
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
