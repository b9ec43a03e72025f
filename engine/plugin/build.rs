//! Makes the client code of the protocols in proto/, without protoc.

const PROTOCOLS: [&str; 2] = ["proto/debugtalk.proto", "proto/grpc_controller.proto"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for file in PROTOCOLS {
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(PROTOCOLS, ["proto"])?;
    tonic_prost_build::configure().build_server(false).build_transport(false).compile_fds(descriptors)?;
    Ok(())
}
