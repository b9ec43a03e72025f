//! Pummel beside other load tools, in the same rounds, on the same machine.
//!
//! Absolute figures mean nothing on a shared machine, so everything that can be is a ratio to something measured a second
//! earlier or later: the tools take turns, the order turns around each round, and the ratio is taken round by round. The
//! server is an nginx of our own on one CPU, the client runs alone on another, and what counts is requests (as nginx counts
//! them) per second of the client's CPU.
//!
//! `scripts/bench.sh` installs the tools, builds everything and runs this.
//!
//! Reading order: `scenarios` (what is measured, a table), `rounds` (how tools take turns), `peers` (the tools, a table),
//! `client` (one run of one of them), `nginx`; `memory`, `first_request`, `csv_load`, `plugin_calls`, `plugins`, `sockets`,
//! `closing`, `outputs` and `soak` are the other kinds; `open_rate`, `open_gaps`, `freeze` and `queue_theory` are those of open runs, with
//! `embedded` as the server and `arrivals` to judge what it saw.

mod arrivals;
mod bench;
mod capacity;
mod certificate;
mod children;
mod client;
mod client_said;
mod closing;
mod csv_load;
mod embedded;
mod error;
mod first_request;
mod flags;
mod freeze;
mod goals;
mod machine;
mod memory;
mod nginx;
mod open_gaps;
mod open_rate;
mod outputs;
mod peers;
mod plugin_calls;
mod plugins;
mod queue_theory;
mod record;
mod rounds;
mod scenarios;
mod soak;
mod sockets;
mod spread;
mod table;
mod work_dir;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match scenarios::run(&flags::Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pummel-bench-peers: {error}");
            ExitCode::FAILURE
        }
    }
}
