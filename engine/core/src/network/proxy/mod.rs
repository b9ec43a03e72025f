//! Proxies: which hosts are reached through one, and how.
//!
//! A plain `http` request is given to the proxy with its whole URL (`route::Forward`); everything else goes through a tunnel
//! that the proxy opens (`route::Tunnel`, RFC 9110 section 9.3.6). Of a proxied origin only the proxy's name is looked up.
//!
//! Reading order: `choice` (which proxy, if any), `route` (what follows for an origin), `tunnel` (CONNECT).

mod choice;
mod route;
mod tunnel;

pub(crate) use route::{Forward, Route};
pub(crate) use tunnel::{refused, Untunnelled};
