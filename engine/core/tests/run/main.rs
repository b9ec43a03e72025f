//! The engine's promises on real sockets: every request is accounted for however it ends, and a run ends when it is told to.

mod arrivals;
mod arrivals_late;
mod connections;
mod cookies;
mod counts;
mod cursor;
mod fake_plugin;
mod faults;
mod functional;
mod loops;
mod plan;
mod plugin;
mod proxies;
mod redirects;
mod references;
mod rendezvous;
mod samples;
mod server;
mod setup;
mod stages;
mod steering;
mod stop;
mod trace;
mod waits;
