//! Files read through the ring.

use std::{
    fs::{self, File},
    io::Write,
    sync::Arc,
};

use pummel_ring::Ring;

use crate::core::{on_ring, small, Collect};

#[test]
fn a_file_is_read_from_an_offset_up_to_its_end() {
    on_ring(small(), |ring: Ring<Collect>| async move {
        let path = std::env::temp_dir().join(format!("pummel-ring-read-{}", std::process::id()));
        fs::write(&path, "0123456789").unwrap();
        let file = Arc::new(File::open(&path).unwrap());
        fs::remove_file(&path).unwrap();
        for (offset, room, expected) in [(0, 4, "0123"), (6, 4, "6789"), (8, 4, "89"), (10, 4, ""), (99, 4, "")] {
            let (buffer, read) = ring.read_at(&file, offset, vec![0; room]).await.unwrap();
            assert_eq!((std::str::from_utf8(&buffer[..read]).unwrap(), buffer.len()), (expected, room));
        }
        // Several at once, each into its own buffer.
        let (first, second) = (ring.read_at(&file, 0, vec![0; 5]), ring.read_at(&file, 5, vec![0; 5]));
        let (second, first) = (second.await.unwrap(), first.await.unwrap());
        assert_eq!((&first.0[..], &second.0[..]), (&b"01234"[..], &b"56789"[..]));
    });
}

#[test]
fn what_cannot_be_read_is_an_error() {
    on_ring(small(), |ring: Ring<Collect>| async move {
        let folder = Arc::new(File::open(std::env::temp_dir()).unwrap());
        let error = ring.read_at(&folder, 0, vec![0; 8]).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EISDIR));
    });
}

#[test]
fn a_read_nobody_waits_for_is_cancelled_and_its_place_used_again() {
    on_ring(small(), |ring: Ring<Collect>| async move {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let never = Arc::new(File::from(std::os::fd::OwnedFd::from(reader)));
        for _ in 0..3 {
            let read = ring.read_at(&never, 0, vec![0; 8]);
            // Submitted, and nothing to read.
            ring.sleep_until(pummel_ring::now_ns() + 2_000_000).await;
            drop(read);
        }
        // One dropped before it was submitted.
        drop(ring.read_at(&never, 0, vec![0; 8]));
        while ring.under_way() > 0 {
            ring.sleep_until(pummel_ring::now_ns() + 1_000_000).await;
        }
        writer.write_all(b"x").unwrap();
        let (buffer, read) = ring.read_at(&never, 0, vec![0; 8]).await.unwrap();
        assert_eq!((read, buffer[0]), (1, b'x'), "the cancelled ones took nothing");
    });
}
