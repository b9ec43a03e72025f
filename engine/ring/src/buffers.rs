//! The ring of receive buffers that the kernel picks from (`IORING_REGISTER_PBUF_RING`, kernel 5.19).

use std::{
    io, ptr,
    sync::atomic::{AtomicU16, Ordering},
};

use io_uring::{types::BufRingEntry, IoUring};

/// The buffer group all receives of a ring use.
pub(crate) const GROUP: u16 = 0;

/// Buffers shared with the kernel. The kernel owns a buffer from [`give_back`](Self::give_back) until a completion names
/// it; from then until it is given back it is ours.
pub(crate) struct Buffers {
    entries: *mut BufRingEntry,
    count: u16,
    buffer_bytes: usize,
    memory: *mut u8,
    tail: u16,
}

impl Buffers {
    /// Maps `count` buffers (a power of two, at most 32,768) of `buffer_bytes` each and registers them with the ring.
    ///
    /// # Errors
    /// The kernel's refusal: no memory, or a kernel before 5.19.
    pub(crate) fn new(ring: &IoUring, count: u16, buffer_bytes: usize) -> io::Result<Self> {
        assert!(count.is_power_of_two() && buffer_bytes > 0);
        // A mapping begins at a page, so any alignment is met.
        #[allow(clippy::cast_ptr_alignment)]
        let entries = map(usize::from(count) * size_of::<BufRingEntry>())?.cast::<BufRingEntry>();
        let memory = match map(usize::from(count) * buffer_bytes) {
            Ok(memory) => memory,
            Err(error) => {
                unmap(entries.cast(), usize::from(count) * size_of::<BufRingEntry>());
                return Err(error);
            }
        };
        let mut buffers = Self { entries, count, buffer_bytes, memory, tail: 0 };
        for id in 0..count {
            buffers.give_back(id);
        }
        // SAFETY: the mapping is page aligned, `count` entries long, and lives until `Drop`, which runs after the ring's
        // last operation has completed (`Ring::shutdown`) or not at all (`leak`).
        unsafe { ring.submitter().register_buf_ring_with_flags(entries as u64, count, GROUP, 0) }?;
        buffers.publish();
        Ok(buffers)
    }

    /// The first `len` bytes of buffer `id`, as a completion named them.
    pub(crate) fn bytes(&mut self, id: u16, len: usize) -> &mut [u8] {
        assert!(id < self.count && len <= self.buffer_bytes, "a completion names a buffer we gave");
        // SAFETY: `id` and `len` lie inside the mapping, checked above. The kernel has handed the buffer over with the
        // completion and does not write to it before `give_back` and `publish`, which take `&mut self`, as this does: no other
        // slice of it exists meanwhile.
        unsafe { std::slice::from_raw_parts_mut(self.memory.add(usize::from(id) * self.buffer_bytes), len) }
    }

    /// Puts buffer `id` back at the end of the ring; the kernel sees it after [`publish`](Self::publish).
    pub(crate) fn give_back(&mut self, id: u16) {
        debug_assert!(id < self.count);
        // SAFETY: the masked index lies inside the mapping of `count` entries; the kernel reads entries only up to the
        // published tail, so the one past it is ours to write.
        unsafe {
            let entry = &mut *self.entries.add(usize::from(self.tail & (self.count - 1)));
            entry.set_addr(self.memory.add(usize::from(id) * self.buffer_bytes) as u64);
            entry.set_len(self.buffer_bytes as u32);
            entry.set_bid(id);
        }
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel all buffers given back so far.
    pub(crate) fn publish(&mut self) {
        // SAFETY: the tail lives in the first entry's reserved field (io_uring_register(2)), is two-byte aligned, and is
        // read by the kernel with acquire ordering, which this release store pairs with.
        unsafe { (*BufRingEntry::tail(self.entries).cast::<AtomicU16>()).store(self.tail, Ordering::Release) };
    }

    /// Leaves the memory mapped for ever: the way out when the kernel may still write to it.
    pub(crate) fn leak(&mut self) {
        self.memory = ptr::null_mut();
        self.entries = ptr::null_mut();
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        if !self.memory.is_null() {
            unmap(self.memory, usize::from(self.count) * self.buffer_bytes);
            unmap(self.entries.cast(), usize::from(self.count) * size_of::<BufRingEntry>());
        }
    }
}

fn map(len: usize) -> io::Result<*mut u8> {
    // SAFETY: an anonymous private mapping at an address of the kernel's choice touches no memory of ours.
    let address = unsafe {
        libc::mmap(
            ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_ANONYMOUS | libc::MAP_PRIVATE,
            -1,
            0,
        )
    };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(address.cast())
}

fn unmap(address: *mut u8, len: usize) {
    // SAFETY: called once for each mapping of `map`, with its length, by the owner's `Drop` or error path.
    unsafe { libc::munmap(address.cast(), len) };
}
