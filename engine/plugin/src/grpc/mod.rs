//! Calls over gRPC, the protocol of funplugin (hrp spec 19.6), for `debugtalk.bin` and stock funppy.
//!
//! All of it happens on one thread with a tokio runtime of its own (`runtime`), however many plugins and cores there are: cores hand
//! their calls over to it and get a callback. [`GrpcClient`] (`client`) is one connection to one process and never more: when the
//! connection breaks every later call ends as lost, for who listens at the same address by then may be somebody else. `failure` tells a
//! function that failed from a plugin that did.

mod client;
mod failure;
mod proto;
mod runtime;

pub use client::GrpcClient;
