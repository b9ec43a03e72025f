//! Limits of this process: memory it may lock, files it may open.

use super::Finding;
use crate::machine::Limit;

const MEMLOCK: &str = "locked memory";
const OPEN_FILES: &str = "open files";

/// Descriptors a run needs besides one a connection: outputs, rings, the terminal.
const FILES_BESIDES_CONNECTIONS: u64 = 64;

/// A hard limit below this is worth a word: hrp itself wants 10,240 (hrp spec 14.3).
const OPEN_FILES_GOOD: u64 = 10_240;

/// Each core's executor locks memory; a run raises the soft limit to the hard one by itself.
pub(super) fn check_memlock(limit: Limit, cores: usize) -> Finding {
    let need = pummel_ring::memlock_needed_bytes(cores);
    let one = pummel_ring::memlock_needed_bytes(1);
    let remedy = "raise it: ulimit -l unlimited, or LimitMEMLOCK=infinity in a systemd unit,\n\
                  or in Docker: --ulimit memlock=-1";
    match limit.hard {
        None => Finding::good(MEMLOCK, "no limit"),
        Some(hard) if hard >= need => {
            Finding::good(MEMLOCK, format!("up to {} KiB, {} needed", hard >> 10, need >> 10))
        }
        Some(hard) if hard >= one => Finding::advice(
            MEMLOCK,
            format!("up to {} KiB, enough for {} of {cores} cores", hard >> 10, hard / one),
            format!("use --cores {}, or {remedy}", hard / one),
        ),
        Some(hard) => {
            Finding::impossible(MEMLOCK, format!("up to {} KiB, {} KiB needed a core", hard >> 10, one >> 10), remedy)
        }
    }
}

/// A connection is an open file; a run raises the soft limit to the hard one by itself.
pub(super) fn check_open_files(limit: Limit) -> Finding {
    let remedy = "raise it: ulimit -Hn 1048576 as root, LimitNOFILE= in a systemd unit,\n\
                  or in Docker: --ulimit nofile=1048576";
    let show = |limit: Option<u64>| limit.map_or("none".to_owned(), |limit| limit.to_string());
    let found = format!("soft limit {}, hard limit {}", show(limit.soft), show(limit.hard));
    match limit.hard {
        None => Finding::good(OPEN_FILES, found),
        Some(hard) if hard >= OPEN_FILES_GOOD => {
            Finding::good(OPEN_FILES, format!("{found}: {} connections at most", hard - FILES_BESIDES_CONNECTIONS))
        }
        Some(hard) if hard > FILES_BESIDES_CONNECTIONS => Finding::advice(
            OPEN_FILES,
            format!("{found}: only {} connections", hard - FILES_BESIDES_CONNECTIONS),
            remedy,
        ),
        Some(_) => Finding::impossible(OPEN_FILES, format!("{found}: no connection at all"), remedy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    fn limit(soft: u64, hard: Option<u64>) -> Limit {
        Limit { soft: Some(soft), hard }
    }

    #[test]
    fn locked_memory_is_512_kib_a_core() {
        let kib = |hard: u64, cores| check_memlock(limit(0, Some(hard << 10)), cores);
        assert_eq!(kib(1024, 2).state, State::Good);
        assert_eq!(kib(1023, 2).state, State::Advice);
        assert!(kib(1023, 2).remedy.contains("--cores 1"));
        assert_eq!(kib(511, 2).state, State::Impossible);
        assert_eq!(check_memlock(limit(0, None), 64).state, State::Good);
    }

    #[test]
    fn open_files_are_counted_as_connections() {
        let few = check_open_files(limit(256, Some(1024)));
        assert_eq!(
            (few.state, few.found.as_str()),
            (State::Advice, "soft limit 256, hard limit 1024: only 960 connections")
        );
        assert_eq!(check_open_files(limit(1024, Some(10_240))).state, State::Good);
        assert_eq!(check_open_files(limit(1024, None)).state, State::Good);
        assert_eq!(check_open_files(limit(64, Some(64))).state, State::Impossible);
    }
}
