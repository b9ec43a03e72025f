//! Threads that are not to be in the cores' way.

use rustix::process::setpriority_process;
use rustix::thread::gettid;

/// A tenth of the weight of a thread of the usual priority (sched(7)): where every CPU is busy, as on a small machine at full load, who
/// waits for the CPU is this thread and not a core with a request to send (measured on two CPUs, both full: the stats thread held a
/// core back for 4.5 ms of each second).
const NICE: i32 = 10;

/// The calling thread works in the background from here on. Where the system refuses, it goes on as it was.
pub(crate) fn step_back() {
    // A thread has a priority of its own on Linux, under its own id (setpriority(2), "C library/kernel differences").
    let _ = setpriority_process(Some(gettid()), NICE);
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[test]
    fn a_thread_steps_back_and_no_other_does() {
        let own = || getpriority_process(Some(gettid())).unwrap();
        let before = own();
        let there = std::thread::spawn(move || {
            step_back();
            own()
        });
        assert_eq!((there.join().unwrap(), own()), (before.max(NICE), before));
    }
}
