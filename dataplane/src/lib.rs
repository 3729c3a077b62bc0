//! Intent into the kernel: nftables and routes by netlink.
