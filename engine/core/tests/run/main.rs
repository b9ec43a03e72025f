//! The engine's promises on real sockets: every request is accounted for however it ends, and a run ends when it is told to.

mod cookies;
mod counts;
mod faults;
mod plan;
mod redirects;
mod server;
mod stop;
