//! Micro benches of the pieces a request passes through.
