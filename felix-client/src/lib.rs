//! The sync protocol's client and the agent's brain; no netlink.
