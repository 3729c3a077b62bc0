//! All targets. Those whose parsers are public are here; the others are doors of their rooms.

mod documents;
mod http2;
mod store_file;
mod text;

use crate::Target;

/// The usual number of mutations: the tests' share of a target is then below a second without optimisation.
const MANY: usize = 4000;
/// For targets that write files.
const FEW: usize = 60;

/// Every target.
pub const TARGETS: &[Target] = &[
    Target {
        name: "certificate",
        sent_by: "a peer, after its CA's signature",
        run: text::certificate,
        mutations: MANY,
    },
    Target {
        name: "client-frames",
        sent_by: "typha, to an agent",
        run: felix_client::fuzzing::frames,
        mutations: MANY,
    },
    Target {
        name: "client-http2",
        sent_by: "typha, to a light client",
        run: felix_client::fuzzing::http2,
        mutations: MANY,
    },
    Target {
        name: "client-protocol",
        sent_by: "typha, to an agent",
        run: felix_client::fuzzing::protocol,
        mutations: MANY,
    },
    Target {
        name: "etcd-document",
        sent_by: "who writes to etcd",
        run: datastore_adapters::fuzzing::document,
        mutations: MANY,
    },
    Target { name: "key", sent_by: "typha, to an agent", run: text::key, mutations: MANY },
    Target { name: "kubernetes", sent_by: "who writes to the datastore", run: documents::kubernetes, mutations: MANY },
    Target { name: "manifest", sent_by: "a user", run: cattailctl::fuzzing::manifest, mutations: MANY },
    Target { name: "netlink", sent_by: "the kernel, to an agent", run: dataplane::fuzzing::netlink, mutations: MANY },
    Target { name: "resource", sent_by: "who writes to the datastore", run: documents::resource, mutations: MANY },
    Target { name: "selector", sent_by: "who writes to the datastore", run: text::selector, mutations: MANY },
    Target { name: "store-file", sent_by: "a disk", run: store_file::open, mutations: FEW },
    Target {
        name: "store-request",
        sent_by: "a client of the embedded store",
        run: datastore_adapters::fuzzing::requests,
        mutations: MANY,
    },
    Target { name: "typha-http2", sent_by: "an agent, to typha", run: http2::serve, mutations: MANY },
    Target { name: "typha-request", sent_by: "an agent, to typha", run: typha::fuzzing::request, mutations: MANY },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
