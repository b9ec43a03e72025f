//! The engine's promises on real sockets: every request is accounted for however it ends, and a run ends when it is told to.

mod counts;
mod faults;
mod plan;
mod server;
mod stop;
