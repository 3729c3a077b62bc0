//! One node with its dataplane, pods on it, and a machine beyond it.
//!
//! ```text
//! pod eth0 10.65.0.x/32 -- caliNAME | node | eth0 192.0.2.1 -- 192.0.2.2 eth0 | outside, 10.66.0.1
//! ```

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use dataplane::{Applied, Config, Dataplane};
use model::intent::Delta;

use crate::namespace::Namespace;

/// How long a packet that must pass may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one that must not pass is waited for.
const SILENCE: Duration = Duration::from_millis(250);

pub(crate) const OUTSIDE: &str = "10.66.0.1";
pub(crate) const NODE: &str = "192.0.2.1";

pub(crate) struct World {
    pub(crate) node: Namespace,
    pub(crate) outside: Namespace,
    pods: BTreeMap<String, Namespace>,
    pub(crate) dataplane: Dataplane,
    runtime: tokio::runtime::Runtime,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        let node = Namespace::new();
        let outside = Namespace::new();
        node.ip(&format!("link add eth0 type veth peer name eth0 netns {}", outside.tid()));
        node.ip("addr add 192.0.2.1/24 dev eth0");
        node.ip("link set eth0 up");
        outside.ip("addr add 192.0.2.2/24 dev eth0");
        outside.ip(&format!("addr add {OUTSIDE}/32 dev lo"));
        outside.ip("link set eth0 up");
        outside.ip("route add 10.65.0.0/16 via 192.0.2.1");
        node.ip("route add default via 192.0.2.2");
        let dataplane = node.run(move || Dataplane::new(config)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { node, outside, pods: BTreeMap::new(), dataplane, runtime }
    }

    /// A pod with its interface and addresses, as the CNI plugin makes it.
    pub(crate) fn add_pod(&mut self, name: &str, v4: &str, v6: &str) {
        let pod = Namespace::new();
        self.node.ip(&format!("link add cali{name} type veth peer name eth0 netns {}", pod.tid()));
        self.node.ip(&format!("addr add fe80::1/64 dev cali{name} nodad"));
        self.node.ip(&format!("link set cali{name} up"));
        pod.ip(&format!("addr add {v4}/32 dev eth0"));
        pod.ip(&format!("addr add {v6}/128 dev eth0 nodad"));
        pod.ip("link set eth0 up");
        pod.ip("route add 169.254.1.1 dev eth0");
        pod.ip("route add default via 169.254.1.1 dev eth0");
        pod.ip("-6 route add default via fe80::1 dev eth0");
        self.pods.insert(name.to_owned(), pod);
    }

    pub(crate) fn pod(&self, name: &str) -> &Namespace {
        &self.pods[name]
    }

    /// Another dataplane for the same node: the agent was restarted.
    pub(crate) fn restart(&mut self, config: Config) {
        self.dataplane = self.node.run(move || Dataplane::new(config)).unwrap();
    }

    /// Takes a change in and applies it; nothing may fail.
    pub(crate) fn apply(&mut self, delta: &Delta) -> Applied {
        let applied = self.try_apply(delta);
        assert_eq!(applied.failures, [], "nothing may fail");
        applied
    }

    pub(crate) fn try_apply(&mut self, delta: &Delta) -> Applied {
        self.dataplane.update(delta);
        self.dataplane.set_in_sync();
        self.runtime.block_on(self.dataplane.apply()).unwrap()
    }

    /// Waits for [`Dataplane::changed`], then applies, until that leaves nothing waiting.
    pub(crate) fn settle(&mut self) -> Applied {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let applied = self.runtime.block_on(async {
                tokio::time::timeout(PATIENCE, self.dataplane.changed()).await.expect("no change was noticed");
                self.dataplane.apply().await.unwrap()
            });
            if applied.waiting.is_empty() {
                return applied;
            }
            assert!(Instant::now() < deadline, "still waiting for {:?}", applied.waiting);
        }
    }

    /// Empty where there is no table.
    pub(crate) fn nft_list_if_any(&self) -> String {
        self.node.try_command("nft list table inet cattail").1
    }

    pub(crate) fn nft_list(&self) -> String {
        self.node.command("nft list table inet cattail")
    }
}

pub(crate) fn tcp_listen(at: &Namespace, address: &str, port: u16) -> TcpListener {
    let address = endpoint(address, port);
    at.run(move || TcpListener::bind(address)).unwrap()
}

fn tcp_connect(from: &Namespace, to: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    from.run(move || TcpStream::connect_timeout(&to, timeout))
}

#[track_caller]
pub(crate) fn assert_tcp(from: &Namespace, to: &str, port: u16) -> TcpStream {
    match tcp_connect(from, endpoint(to, port), PATIENCE) {
        Ok(stream) => stream,
        Err(error) => panic!("{to}:{port} must be reached: {error}"),
    }
}

#[track_caller]
pub(crate) fn assert_no_tcp(from: &Namespace, to: &str, port: u16) {
    let result = tcp_connect(from, endpoint(to, port), SILENCE);
    let error = result.expect_err(&format!("{to}:{port} must not be reached"));
    assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{to}:{port} must be silent: {error}");
}

/// Whether a datagram from a port of the one arrives at a port of the other. It is sent again and again until
/// `patience` ends: neighbours that do not know each other yet lose the first.
fn udp(from: (&Namespace, &str, u16), to: (&Namespace, &str, u16), patience: Duration) -> bool {
    let (receiver_at, sender_at) = (endpoint(to.1, to.2), endpoint(from.1, from.2));
    let (receiver, sender) = (udp_bind(to.0, receiver_at), udp_bind(from.0, sender_at));
    receiver.set_read_timeout(Some(SILENCE / 2)).unwrap();
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        // An error is that of an earlier datagram, told by ICMP.
        let _ = sender.send_to(b"?", receiver_at);
        if receiver.recv(&mut [0; 8]).is_ok() {
            return true;
        }
    }
    false
}

/// A socket of an earlier test step may live on for a moment in a child that another test is about to execute.
fn udp_bind(at: &Namespace, address: SocketAddr) -> UdpSocket {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match at.run(move || UdpSocket::bind(address)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                std::thread::yield_now();
            }
            other => return other.unwrap(),
        }
    }
}

#[track_caller]
pub(crate) fn assert_udp(from: (&Namespace, &str, u16), to: (&Namespace, &str, u16)) {
    assert!(udp(from, to, PATIENCE), "{}:{} must reach {}:{}", from.1, from.2, to.1, to.2);
}

#[track_caller]
pub(crate) fn assert_no_udp(from: (&Namespace, &str, u16), to: (&Namespace, &str, u16)) {
    assert!(!udp(from, to, SILENCE), "{}:{} must not reach {}:{}", from.1, from.2, to.1, to.2);
}

#[track_caller]
pub(crate) fn assert_ping(from: &Namespace, to: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !from.try_command(&format!("ping -c1 -W2 {to}")).0 {
        assert!(Instant::now() < deadline, "{to} must answer");
    }
}

#[track_caller]
pub(crate) fn assert_no_ping(from: &Namespace, to: &str) {
    assert!(!from.try_command(&format!("ping -c1 -W1 {to}")).0, "{to} must not answer");
}

fn endpoint(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address.parse::<IpAddr>().unwrap(), port)
}
