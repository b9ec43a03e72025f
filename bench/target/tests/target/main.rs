//! What the target promises, asked for by plain blocking clients: exact bytes, exact counts, and an end.

mod admission;
mod answers;
mod client;
mod closing;
mod counts;
