//! What this kernel's io_uring can do, and what to say when it can not.

use std::io;

use io_uring::IoUring;

/// What a ring may ask the kernel for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// `IORING_SETUP_DEFER_TASKRUN` and `SINGLE_ISSUER` (kernel 6.1): completions are worked off when we ask.
    pub defer_taskrun: bool,
    /// `IORING_SETUP_COOP_TASKRUN` (kernel 5.19).
    pub coop_taskrun: bool,
    /// Multishot receive (kernel 6.0): one operation for all of a connection's bytes.
    pub multishot_receive: bool,
    /// A sparse table of registered files (kernel 5.19).
    pub fixed_files: bool,
}

/// Why there is no ring. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// io_uring is switched off by `kernel.io_uring_disabled`, by seccomp or by a security module.
    #[error(
        "io_uring is switched off here ({0}): set sysctl kernel.io_uring_disabled=0, and in a container allow the \
         io_uring system calls (Docker: --security-opt seccomp=unconfined, or a profile with io_uring_setup, \
         io_uring_enter and io_uring_register)"
    )]
    Forbidden(io::Error),
    /// The kernel has no io_uring.
    #[error("this kernel has no io_uring; Linux 5.19 is the least, 6.1 or later runs at full speed")]
    Missing,
    /// The kernel is too old for buffer rings.
    #[error(
        "this kernel's io_uring has no buffer rings ({0}); Linux 5.19 is the least, 6.1 or later runs at full speed"
    )]
    Buffers(io::Error),
    /// Locked memory or other memory ran out.
    #[error(
        "not enough lockable memory for io_uring ({0}): raise it with `ulimit -l 65536`, or LimitMEMLOCK=64M in a \
         systemd unit"
    )]
    Memory(io::Error),
    /// Anything else.
    #[error("io_uring does not start: {0}")]
    Other(io::Error),
}

impl Unavailable {
    fn from_setup(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Self::Forbidden(error),
            Some(libc::ENOSYS) => Self::Missing,
            Some(libc::ENOMEM) => Self::Memory(error),
            _ => Self::Other(error),
        }
    }
}

/// Lockable memory one executor needs: glommio keeps three small rings and registered buffers (measured, design section 2).
pub const fn memlock_needed_bytes(cores: usize) -> u64 {
    cores as u64 * 512 * 1024
}

/// Asks the kernel what it can do, by trying.
///
/// # Errors
/// [`Unavailable`] when it does not even make the simplest ring with a buffer ring.
pub fn probe() -> Result<Capabilities, Unavailable> {
    let all = Capabilities { defer_taskrun: true, coop_taskrun: true, multishot_receive: true, fixed_files: true };
    let candidates = [
        all,
        Capabilities { defer_taskrun: false, ..all },
        Capabilities { defer_taskrun: false, coop_taskrun: false, ..all },
    ];
    let mut last = None;
    for mut candidate in candidates {
        match candidate.build(8, 16) {
            Ok(ring) => {
                crate::buffers::Buffers::new(&ring, 16, 64).map_err(Unavailable::Buffers)?;
                // Multishot receive came with 6.0, one release before DEFER_TASKRUN; SEND_ZC came with it and can be asked for.
                let mut operations = io_uring::register::Probe::new();
                let known = ring.submitter().register_probe(&mut operations).is_ok();
                candidate.multishot_receive = known && operations.is_supported(io_uring::opcode::SendZc::CODE);
                candidate.fixed_files = ring.submitter().register_files_sparse(4).is_ok();
                return Ok(candidate);
            }
            Err(Unavailable::Other(error)) if error.raw_os_error() == Some(libc::EINVAL) => {
                last = Some(Unavailable::Other(error));
            }
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or(Unavailable::Missing))
}

impl Capabilities {
    /// Makes a ring with these flags.
    pub(crate) fn build(self, entries: u32, completions: u32) -> Result<IoUring, Unavailable> {
        let mut builder = IoUring::builder();
        builder.setup_cqsize(completions).setup_clamp();
        if self.defer_taskrun {
            builder.setup_single_issuer().setup_defer_taskrun();
        } else if self.coop_taskrun {
            builder.setup_coop_taskrun();
        }
        builder.build(entries).map_err(Unavailable::from_setup)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::Unavailable;

    #[test]
    fn each_refusal_names_its_remedy() {
        let text = |errno| Unavailable::from_setup(io::Error::from_raw_os_error(errno)).to_string();
        assert!(text(libc::EPERM).contains("kernel.io_uring_disabled=0"));
        assert!(text(libc::ENOSYS).contains("5.19"));
        assert!(text(libc::ENOMEM).contains("ulimit -l"));
    }
}
