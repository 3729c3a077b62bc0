//! The cluster: a laboratory with everything that runs in it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use lab::net::{Lab, Privilege, Process, ProcessSpec};

use crate::{
    binaries::Binaries,
    certificates::{Certificates, FELIX_CN, TYPHA_CN},
    control::Control,
    examples::{Examples, PodExample},
};

/// etcd's port, which our store answers on.
const STORE_PORT: u16 = 2379;

/// The replicas: name, the port that agents use (Calico's and the next one), the port of admin pages.
const TYPHAS: [(&str, u16, u16); 2] = [("typha-1", 5473, 9098), ("typha-2", 5474, 9099)];

/// Where every agent shows its admin pages, within its node.
pub(crate) const FELIX_ADMIN: &str = "127.0.0.1:9091";

/// How long anything that is waited for may take on a very busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked at; enforcement takes milliseconds.
const POLL: Duration = Duration::from_millis(5);

/// Everything that runs.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Nodes, pods and the fabric; made first, gone last.
    pub(crate) lab: Lab,
    /// The user's tool.
    pub(crate) control: Control,
    /// Whose namespaces these are.
    pub(crate) privilege: Privilege,
    binaries: Binaries,
    certificates: Certificates,
    /// Holds the store's data and everybody's logs.
    workdir: PathBuf,
    /// Who runs, by name: `cattail-store`, `typha-1`, `felix on node-1`, …
    processes: BTreeMap<String, Process>,
}

impl Cluster {
    /// Builds nodes, pods and certificates, and moves the calling thread onto the fabric. Nothing runs yet.
    pub(crate) fn build(binaries: Binaries, examples: &Examples, workdir: &Path, privilege: Privilege) -> Result<Self> {
        let mut lab = Lab::new()?;
        for node in &examples.nodes {
            lab.add_node(&node.name, node.address)?;
        }
        for host in &examples.expected.outside {
            lab.add_outside(&host.name, &[host.address])?.listen(&host.ports()?)?;
        }
        lab.fabric().enter()?;
        let server = lab.fabric_address();
        let endpoints = format!("http://{}", SocketAddr::new(server, STORE_PORT));
        let mut cluster = Self {
            control: Control { program: binaries.cattailctl.clone(), endpoints },
            certificates: Certificates::issue(&workdir.join("certificates"), server)?,
            workdir: workdir.to_owned(),
            processes: BTreeMap::new(),
            lab,
            privilege,
            binaries,
        };
        for pod in &examples.pods {
            cluster.add_pod(pod)?;
        }
        Ok(cluster)
    }

    /// Does what the CNI plugin and the pod's own program do.
    pub(crate) fn add_pod(&mut self, pod: &PodExample) -> Result<()> {
        self.lab.add_pod(&pod.node, &pod.namespace, &pod.name, &[pod.address])?.listen(&pod.listen)?;
        Ok(())
    }

    /// Names of all pods and hosts that are there, in the order of the manifests.
    pub(crate) fn present(&self, examples: &Examples) -> Vec<String> {
        let pods = examples.pods.iter().chain([&examples.arrival]).map(PodExample::full_name);
        let hosts = examples.expected.outside.iter().map(|host| host.name.clone());
        pods.chain(hosts).filter(|name| self.lab.pod(name).is_some()).collect()
    }

    /// A pod's or host's address.
    pub(crate) fn address_of(&self, pod: &str) -> Result<IpAddr> {
        let pod = self.lab.pod(pod).with_context(|| format!("{pod} is not in the laboratory"))?;
        pod.addresses().first().copied().with_context(|| format!("{} has no address", pod.name()))
    }

    /// The replicas and their admin pages.
    pub(crate) fn typhas(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let server = self.lab.fabric_address();
        TYPHAS.into_iter().map(move |(name, _, admin_port)| (name, SocketAddr::new(server, admin_port)))
    }

    /// The newest revision of everything that can be applied.
    pub(crate) fn newest_revision(&self) -> Result<u64> {
        self.control.newest_revision()
    }

    /// Starts the embedded datastore and waits until it listens.
    pub(crate) fn start_store(&mut self) -> Result<()> {
        let data = self.workdir.join("store");
        fs::create_dir_all(&data).with_context(|| format!("making {}", data.display()))?;
        let listen = SocketAddr::new(self.lab.fabric_address(), STORE_PORT);
        let arguments = vec!["--data-dir".into(), data.into(), "--listen".into(), listen.to_string().into()];
        let process =
            Process::start(self.lab.fabric(), self.spec("cattail-store", &self.binaries.cattail_store, arguments))?;
        self.keep(process);
        self.wait_until("the datastore to listen", |_| Ok(std::net::TcpStream::connect(listen).ok()))?;
        Ok(())
    }

    /// Starts a replica.
    pub(crate) fn start_typha(&mut self, name: &str) -> Result<()> {
        let Some((_, port, admin_port)) = TYPHAS.into_iter().find(|(known, ..)| *known == name) else {
            bail!("there is no typha {name}")
        };
        let server = self.lab.fabric_address();
        let mut arguments = words([
            ("--etcd-endpoints", self.control.endpoints.clone()),
            ("--listen", SocketAddr::new(server, port).to_string()),
            ("--admin-listen", SocketAddr::new(server, admin_port).to_string()),
            ("--client-cn", FELIX_CN.to_owned()),
            ("--name", name.to_owned()),
        ]);
        arguments.extend(certificate_arguments(&self.certificates.typha));
        let process = Process::start(self.lab.fabric(), self.spec(name, &self.binaries.typha, arguments))?;
        self.keep(process);
        Ok(())
    }

    /// Starts a node's agent inside that node.
    pub(crate) fn start_felix(&mut self, node: &str) -> Result<()> {
        let server = self.lab.fabric_address();
        let typhas: Vec<String> =
            TYPHAS.iter().map(|(_, port, _)| SocketAddr::new(server, *port).to_string()).collect();
        let mut arguments = words([
            ("--node", node.to_owned()),
            ("--typha", typhas.join(",")),
            ("--typha-cn", TYPHA_CN.to_owned()),
            ("--admin-listen", FELIX_ADMIN.to_owned()),
        ]);
        arguments.extend(certificate_arguments(&self.certificates.felix));
        let home = self.lab.node(node).with_context(|| format!("{node} is not in the laboratory"))?;
        let process = Process::start(home.netns(), self.spec(&felix_on(node), &self.binaries.felix, arguments))?;
        self.keep(process);
        Ok(())
    }

    /// Kills a process as a crash would.
    pub(crate) fn kill(&mut self, name: &str) -> Result<()> {
        let process = self.processes.remove(name).with_context(|| format!("{name} does not run"))?;
        process.kill()?;
        Ok(())
    }

    /// Looks again and again until there is something; fails when patience ends, or when a process has died.
    pub(crate) fn wait_until<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&mut Self) -> Result<Option<T>>,
    ) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // An admin page may be missing while its server starts; the error counts only if it stays.
            let last = look(self);
            if let Ok(Some(found)) = last {
                return Ok(found);
            }
            self.check_alive()?;
            if Instant::now() > deadline {
                last?;
                bail!("waited {} s for {what}", PATIENCE.as_secs());
            }
            thread::sleep(POLL);
        }
    }

    /// Fails where a process has died that nobody killed.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        match self.processes.values_mut().find_map(Process::obituary) {
            Some(obituary) => bail!("{obituary}"),
            None => Ok(()),
        }
    }

    /// Ends everything in the order in which nobody misses anybody.
    pub(crate) fn end(&mut self) {
        let (felixes, servers): (Vec<_>, Vec<_>) = std::mem::take(&mut self.processes)
            .into_values()
            .partition(|process| process.spec().name.starts_with("felix"));
        for process in felixes.into_iter().chain(servers.into_iter().rev()) {
            if let Err(error) = process.end() {
                eprintln!("while ending: {error}");
            }
        }
    }

    fn spec(&self, name: &str, program: &Path, arguments: Vec<OsString>) -> ProcessSpec {
        let log = self.workdir.join(format!("{}.log", name.replace(' ', "-")));
        ProcessSpec { name: name.to_owned(), program: program.to_owned(), arguments, log }
    }

    fn keep(&mut self, process: Process) {
        self.processes.insert(process.spec().name.clone(), process);
    }
}

/// The name of a node's agent among processes.
pub(crate) fn felix_on(node: &str) -> String {
    format!("felix on {node}")
}

fn words<const N: usize>(pairs: [(&str, String); N]) -> Vec<OsString> {
    pairs.into_iter().flat_map(|(flag, value)| [flag.into(), value.into()]).collect()
}

fn certificate_arguments(files: &pki::Files) -> Vec<OsString> {
    let pairs = [("--cert-file", &files.cert), ("--key-file", &files.key), ("--ca-file", &files.ca)];
    pairs.into_iter().flat_map(|(flag, file)| [flag.into(), file.clone().into_os_string()]).collect()
}
