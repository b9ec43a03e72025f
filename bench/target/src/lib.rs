//! The embedded test server of the demo, the tests and the benches.
//!
//! One pinned executor per CPU, each with a ring and a listener of its own (`SO_REUSEPORT`), so nothing is shared between
//! cores but counters that each core alone writes, and what limits and queues hold for the whole target. A request that can be answered at once is parsed and answered in the
//! ring's completion walk, without waking a task; only delays, long bodies and faults go through the connection's task.
//!
//! Guarantees:
//! - Answers leave in the order of their requests, pipelined ones too.
//! - Every complete request is counted before its answer leaves, except those for `/__stats` and `/__stamps`.
//! - [`Target::stop`] ends all connections, hanging ones too, and joins every core.
//!
//! What it answers (all numbers may also be given as query parameters on any path: `status`, `delay_ms`, `bytes`, `chunk`,
//! `close_after`, and `announce=0` to close without saying so):
//!
//! | Path | Answer |
//! |---|---|
//! | `/hello/NAME` | `{"code":0,"msg":"hello NAME","data":null}` |
//! | `/`, `/api/...` | `{"code":0,"msg":"ok","data":{"id":12345,"items":[1,2,3,4,5],"name":"yangfan"}}` |
//! | `/echo` | the request's body, up to 1 MiB; a longer one on any path is refused with 413 |
//! | `/status/CODE` | that status, 200 to 599 |
//! | `/delay/MS[/...]` | what the rest of the path gives, later |
//! | `/limit/RATE[/...]` | what the rest of the path gives, while the bucket of that rate has tokens; else 429 at once. RATE requests a second flow in, the bucket holds RATE/50 of them, and one at least |
//! | `/queue/MEAN_US[/...]` | what the rest of the path gives, once the one server of that queue has served it: in order of arrival, each for an exponentially distributed time (the same ones in every target) |
//! | `/stamp[/...]` | what the rest of the path gives; notes when the request arrived |
//! | `/bytes/N` | a body of N bytes, at most 64 MiB |
//! | `/chunked/N[/SIZE]` | the same, in chunks of SIZE |
//! | `/close` | `Connection: close`, and closes |
//! | `/close-after/N[/...]` | what the rest of the path gives; closes with the connection's Nth answer |
//! | `/redirect[/N]` | 302 to `/redirect/N-1`, and to `/api/redirected` at last |
//! | `/setcookie[/NAME/VALUE]` | `Set-Cookie: NAME=VALUE; Path=/` |
//! | `/big-header/N` | a header with a value of N bytes, at most 4 MiB |
//! | `/reset`, `/drop` | none: the connection is reset, or closed |
//! | `/half/N` | declares N bytes, sends half of them and closes |
//! | `/garbage` | bytes that are not HTTP, and closes |
//! | `/hang` | none, ever |
//! | `/__stats` | the [`Counts`] as JSON |
//! | `/__stamps` | the [`Stamps`] as JSON, and forgets them |
//!
//! Limits and queues are by number: `/limit/1000/a` and `/limit/1000/b` share one, over all cores, and a target keeps 64 of each. They
//! and stamps act when a request is parsed: of pipelined ones, when those before it were answered.
//!
//! Reading order: `target` (start and stop), `serve` (one core: accept), `conversation` (the quick way), `work` (the slow way),
//! `route` (what is asked for), `admission` (whether and when), `answer` (what is said), `head` (how it looks on the wire),
//! `counts`, `bucket`, `queue`, `stamps`.

#![forbid(unsafe_code)]

mod admission;
mod answer;
mod bucket;
mod conversation;
mod counts;
mod filler;
mod head;
mod queue;
mod route;
mod serve;
mod stamps;
mod target;
mod work;

pub use counts::Counts;
pub use stamps::Stamps;
pub use target::{Target, TargetError, TargetOptions};
