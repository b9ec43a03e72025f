//! The embedded test server of the demo, the tests and the benches.
