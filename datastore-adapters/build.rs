//! Generates the server side of etcd's API with protox, so that no protoc needs to be installed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let descriptors = protox::compile(["etcd_api/kv.proto", "etcd_api/rpc.proto"], ["."])?;
    tonic_prost_build::configure().build_client(false).bytes(".").compile_fds(descriptors)?;
    println!("cargo:rerun-if-changed=etcd_api");
    Ok(())
}
