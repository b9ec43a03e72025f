//! Calls of plugins' functions, from a user's step to a worker and back (hrp spec section 19).
//!
//! A call is made by a user (`call`), who waits for it as for an answer. Each core keeps the calls of its users in [`PluginCalls`]:
//! `workers` says which worker of a plugin takes a call, `pending` holds the calls that have not ended, `link` is a connection to a worker
//! that speaks our own protocol, driven by a task on this core's ring. Workers that speak gRPC are reached through their client's
//! thread, which answers into the core's mailbox.
//!
//! Guarantees: a call is sent at most once; it ends within its time limit, whatever the plugin does; its answer goes to the user that
//! made it or to nobody.

mod call;
mod calls;
mod link;
mod pending;
mod workers;

pub(crate) use call::WaitOf;
pub(crate) use calls::PluginCalls;
