//! Makes the client code of proto/debugtalk.proto, without protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/debugtalk.proto");
    let descriptors = protox::compile(["proto/debugtalk.proto"], ["proto"])?;
    tonic_prost_build::configure().build_server(false).compile_fds(descriptors)?;
    Ok(())
}
