//! The kernel and its io_uring.

use pummel_ring::{Capabilities, Unavailable};

use super::Finding;

const KERNEL: &str = "kernel";
const RING: &str = "io_uring";

/// The running kernel's release, such as `6.1.0-18-amd64` (uname(2)).
pub(super) fn release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// 5.19 brought buffer rings, 6.1 DEFER_TASKRUN.
pub(super) fn check_kernel(release: &str) -> Finding {
    let Some(version) = parse_release(release) else {
        return Finding::advice(
            KERNEL,
            format!("release \"{release}\" is not a number"),
            "see the io_uring line below",
        );
    };
    if version < (5, 19) {
        Finding::impossible(
            KERNEL,
            format!("Linux {release}"),
            "Linux 5.19 is the least; 6.1 or later runs at full speed",
        )
    } else if version < (6, 1) {
        Finding::advice(KERNEL, format!("Linux {release}"), "Linux 6.1 or later runs at full speed")
    } else {
        Finding::good(KERNEL, format!("Linux {release}"))
    }
}

/// What the ring's own probe found.
pub(super) fn check_ring(probe: Result<Capabilities, Unavailable>) -> Finding {
    let capabilities = match probe {
        Ok(capabilities) => capabilities,
        Err(unavailable) => return Finding::impossible(RING, "not usable", unavailable.to_string()),
    };
    let features = [
        ("deferred completions", capabilities.defer_taskrun),
        ("cooperative completions", capabilities.coop_taskrun),
        ("multishot receive", capabilities.multishot_receive),
        ("registered files", capabilities.fixed_files),
    ];
    let names = |wanted: bool| {
        let names: Vec<&str> = features.iter().filter(|(_, there)| *there == wanted).map(|(name, _)| *name).collect();
        names.join(", ")
    };
    let missing = names(false);
    if missing.is_empty() {
        Finding::good(RING, names(true))
    } else {
        let found = format!("works, without {missing}");
        Finding::advice(RING, found, "runs go on with a slower path; Linux 6.1 or later has all of it")
    }
}

fn parse_release(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn releases_are_compared_as_numbers() {
        for (release, state) in [
            ("6.1.0-18-amd64", State::Good),
            ("6.12.3", State::Good),
            ("10.0", State::Good),
            ("5.19.17", State::Advice),
            ("6.0.1", State::Advice),
            ("5.9.0", State::Impossible),
            ("4.18.0-553.el8", State::Impossible),
            ("unknown", State::Advice),
        ] {
            assert_eq!(check_kernel(release).state, state, "{release}");
        }
    }

    #[test]
    fn a_ring_that_lacks_something_is_slower_and_none_is_the_end() {
        let all = Capabilities { defer_taskrun: true, coop_taskrun: true, multishot_receive: true, fixed_files: true };
        assert_eq!(check_ring(Ok(all)).state, State::Good);
        let old = check_ring(Ok(Capabilities { defer_taskrun: false, ..all }));
        assert_eq!((old.state, old.found.as_str()), (State::Advice, "works, without deferred completions"));
        let none = check_ring(Err(Unavailable::Missing));
        assert_eq!(none.state, State::Impossible);
        assert!(none.remedy.contains("5.19"));
    }
}
