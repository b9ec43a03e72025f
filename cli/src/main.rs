//! Pummel: a load engine for HTTP services.
fn main() {}
