//! What the build script makes of the files in proto/.

/// `proto/debugtalk.proto`.
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::pedantic)] // Made code.
pub(super) mod debugtalk {
    tonic::include_proto!("proto");
}

/// `proto/grpc_controller.proto`.
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::pedantic)] // Made code.
pub(super) mod controller {
    tonic::include_proto!("plugin");
}
