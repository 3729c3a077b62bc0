//! The deployment: a fabric, etcd and typhas as processes in namespaces on it, and links that can be cut.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use ipnet::{IpNet, Ipv4Net};
use lab::net::{Lab, Process, ProcessSpec};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, SysconfVar, sysconf},
};

use crate::{
    authority::{Certificates, FELIX_CN},
    options::Options,
    wait::until,
};

/// The replicas.
pub(crate) const TYPHAS: [&str; 3] = ["typha-a", "typha-b", "typha-c"];
pub(crate) const ETCD: &str = "etcd";
/// Where the clients live.
pub(crate) const CLIENTS: &str = "clients";

const ETCD_PORT: u16 = 2379;
const TYPHA_PORT: u16 = 5473;
/// How often clients look at their files: a rotation need not take longer than it must.
pub(crate) const CERTIFICATES_EVERY: Duration = Duration::from_secs(1);
/// A connection on one machine comes about at once, or not at all.
const CONNECT_LIMIT: Duration = Duration::from_millis(500);
/// More than a typha takes to drain and etcd to stop.
const END_LIMIT: Duration = Duration::from_secs(20);

/// Processes and links. Dropping it ends the processes.
pub(crate) struct Deployment {
    pub(crate) lab: Arc<Lab>,
    pub(crate) certificates: Certificates,
    processes: BTreeMap<String, Process>,
    /// CPU time of typhas that have ended.
    spent: Duration,
    binaries: PathBuf,
    workdir: PathBuf,
}

impl Deployment {
    /// Starts everything.
    pub(crate) fn start(options: &Options, workdir: &Path) -> Result<Self> {
        let mut lab = Lab::new()?;
        for (name, address) in hosts() {
            lab.add_node(name, IpNet::V4(Ipv4Net::new(address, 24)?))?;
        }
        let own = env::current_exe().context("finding this program's own path")?;
        let binaries = options.binaries.clone().or_else(|| own.parent().map(Path::to_owned)).unwrap_or_default();
        let certificates = Certificates::issue(workdir)?;
        let workdir = workdir.to_owned();
        let (processes, spent) = (BTreeMap::new(), Duration::ZERO);
        let mut deployment = Self { lab: Arc::new(lab), certificates, processes, spent, binaries, workdir };
        deployment.start_process(ETCD)?;
        for typha in TYPHAS {
            deployment.start_process(typha)?;
        }
        Ok(deployment)
    }

    /// Where clients find the replicas.
    pub(crate) fn servers() -> Vec<String> {
        TYPHAS.iter().filter_map(|name| Some(format!("{}:{TYPHA_PORT}", address_of(name)?))).collect()
    }

    /// Where etcd is.
    pub(crate) fn etcd_endpoint() -> String {
        format!("http://{}:{ETCD_PORT}", address_of(ETCD).unwrap_or(Ipv4Addr::LOCALHOST))
    }

    /// Starts a process and waits until it listens.
    pub(crate) fn start_process(&mut self, name: &str) -> Result<()> {
        let (program, arguments, port) = if name == ETCD { self.etcd()? } else { self.typha(name)? };
        let node = self.lab.node(name).with_context(|| format!("there is no {name}"))?;
        let log = self.log(name);
        let process = Process::start(node.netns(), ProcessSpec { name: name.to_owned(), program, arguments, log })?;
        self.processes.insert(name.to_owned(), process);
        let address = SocketAddrV4::new(address_of(name).context("it has an address")?, port);
        let listens = |deployment: &mut Self| deployment.listens(address.into());
        until(self, &format!("{name} to listen"), END_LIMIT, listens, |deployment| deployment.whereabouts(name))
    }

    fn listens(&self, address: SocketAddr) -> Result<bool> {
        let fabric = self.lab.fabric();
        Ok(fabric.run(|| Ok(TcpStream::connect_timeout(&address, CONNECT_LIMIT).is_ok()))?)
    }

    fn etcd(&self) -> Result<(PathBuf, Vec<OsString>, u16)> {
        let program = match env::var_os("CATTAIL_ETCD") {
            Some(path) => PathBuf::from(path),
            None => in_path(ETCD).context("there is no etcd in PATH: apt-get install etcd-server")?,
        };
        let (url, peer) = (Self::etcd_endpoint(), format!("http://{}:2380", Ipv4Addr::LOCALHOST));
        let mut arguments: Vec<OsString> = vec!["--data-dir".into(), self.workdir.join("etcd-data").into()];
        let cluster = format!("faults={peer}");
        for (flag, value) in [
            ("--name", "faults"),
            ("--log-level", "warn"),
            ("--listen-client-urls", &url),
            ("--advertise-client-urls", &url),
            ("--listen-peer-urls", &peer),
            ("--initial-advertise-peer-urls", &peer),
            ("--initial-cluster", &cluster),
        ] {
            arguments.extend([flag.into(), value.into()]);
        }
        Ok((program, arguments, ETCD_PORT))
    }

    fn typha(&self, name: &str) -> Result<(PathBuf, Vec<OsString>, u16)> {
        let program = self.binaries.join("typha");
        if !program.is_file() {
            bail!("{} is missing: run `cargo xtask faults`, which builds it first", program.display());
        }
        let (endpoint, listen) = (Self::etcd_endpoint(), format!("0.0.0.0:{TYPHA_PORT}"));
        let words =
            [("--etcd-endpoints", &*endpoint), ("--listen", &listen), ("--client-cn", FELIX_CN), ("--name", name)];
        let files = &self.certificates.typha;
        let files = [("--cert-file", &files.cert), ("--key-file", &files.key), ("--ca-file", &files.ca)];
        let words = words.map(|(flag, word)| [flag.into(), word.into()]);
        let files = files.map(|(flag, file)| [flag.into(), file.clone().into_os_string()]);
        Ok((program, words.into_iter().chain(files).flatten().collect(), TYPHA_PORT))
    }

    /// Ends a process as a crash would.
    pub(crate) fn kill(&mut self, name: &str) -> Result<()> {
        self.spent += self.cpu_of(name);
        self.processes.remove(name).with_context(|| format!("{name} does not run"))?.kill()?;
        Ok(())
    }

    /// Asks a process to end, and waits until it has.
    pub(crate) fn terminate(&mut self, name: &str) -> Result<()> {
        self.signal(name, Signal::SIGTERM)?;
        let mut cpu = Duration::ZERO;
        let has_ended = |deployment: &mut Self| {
            cpu = cpu.max(deployment.cpu_of(name));
            Ok(deployment.processes.get_mut(name).is_none_or(|process| process.obituary().is_some()))
        };
        until(self, &format!("{name} to end"), END_LIMIT, has_ended, |deployment| deployment.whereabouts(name))?;
        self.spent += cpu;
        self.processes.remove(name);
        Ok(())
    }

    pub(crate) fn signal(&self, name: &str, signal: Signal) -> Result<()> {
        let process = self.processes.get(name).with_context(|| format!("{name} does not run"))?;
        kill(Pid::from_raw(process.id().cast_signed()), signal).with_context(|| format!("{signal} to {name}"))
    }

    /// Cuts what two hosts send to each other, without a word to either; they reach all others as before.
    pub(crate) fn cut(&self, one: &str, other: &str) -> Result<()> {
        self.isolate(one, true)?;
        self.isolate(other, true)
    }

    /// Undoes [`Self::cut`].
    pub(crate) fn heal(&self) -> Result<()> {
        hosts().into_iter().try_for_each(|(name, _)| self.isolate(name, false))
    }

    /// Isolated ports of a bridge do not reach each other. Ports are numbered as hosts were added.
    fn isolate(&self, name: &str, is_isolated: bool) -> Result<()> {
        let port = hosts().iter().position(|(host, _)| *host == name).with_context(|| format!("there is no {name}"))?;
        let state = if is_isolated { "on" } else { "off" };
        Ok(self.lab.fabric().ip(&format!("link set dev node{port} type bridge_slave isolated {state}"))?)
    }

    /// How often a typha has told that new certificates are in force.
    pub(crate) fn reloads(&self, name: &str) -> usize {
        let log = fs::read_to_string(self.log(name)).unwrap_or_default();
        log.lines().filter(|line| line.contains("new certificates are in force")).count()
    }

    /// CPU time of all typhas so far.
    pub(crate) fn cpu(&self) -> Duration {
        self.spent + TYPHAS.iter().map(|name| self.cpu_of(name)).sum::<Duration>()
    }

    fn cpu_of(&self, name: &str) -> Duration {
        let counts = TYPHAS.contains(&name);
        self.processes.get(name).filter(|_| counts).and_then(|process| cpu_time(process.id())).unwrap_or_default()
    }

    /// Fails where a process has died that nobody ended.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        self.processes.values_mut().find_map(Process::obituary).map_or(Ok(()), |obituary| bail!("{obituary}"))
    }

    fn whereabouts(&self, name: &str) -> String {
        format!("its log is {}", self.log(name).display())
    }

    fn log(&self, name: &str) -> PathBuf {
        self.workdir.join(format!("{name}.log"))
    }

    /// Ends everything.
    pub(crate) fn end(&mut self) {
        for name in TYPHAS.into_iter().chain([ETCD]) {
            if let Some(process) = self.processes.remove(name) {
                // They are killed as they are dropped; nothing of them is needed any more.
                drop(process);
            }
        }
    }
}

/// Every host on the fabric, in the order of its ports.
fn hosts() -> [(&'static str, Ipv4Addr); 5] {
    let host = |last| Ipv4Addr::new(172, 18, 0, last);
    [(ETCD, host(10)), (TYPHAS[0], host(11)), (TYPHAS[1], host(12)), (TYPHAS[2], host(13)), (CLIENTS, host(20))]
}

fn address_of(name: &str) -> Option<Ipv4Addr> {
    hosts().into_iter().find_map(|(host, address)| (host == name).then_some(address))
}

fn in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// User and system time of a process, in the kernel's ticks of 10 ms.
fn cpu_time(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything; what follows are numbers, the twelfth and thirteenth of which count.
    let fields = stat.rsplit_once(')')?.1;
    let mut ticks = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    let ticks = ticks.next()? + ticks.next()?;
    let per_second = sysconf(SysconfVar::CLK_TCK).ok()??.cast_unsigned();
    Some(Duration::from_micros(ticks * 1_000_000 / per_second))
}
