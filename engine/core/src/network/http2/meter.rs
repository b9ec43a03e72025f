//! Bytes of a connection that are no payload of bodies.

/// Bytes of a frame's header (RFC 9113 section 4.1).
const HEADER_BYTES: usize = 9;

/// The type of DATA frames (RFC 9113 section 6.1).
const DATA: u8 = 0;

/// Counts what passes in one direction beside the payload of DATA frames: frame headers, header blocks, settings, window
/// updates. Payload is known by its stream; what else there is h2 does not tell, and it serves every stream of the connection.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Of the present frame's header, as far as it has come.
    header: [u8; HEADER_BYTES],
    header_bytes: usize,
    /// What is left of the present frame's payload.
    payload_left: usize,
    is_data: bool,
    counted: u64,
    begun: bool,
    not_http2: bool,
}

impl Meter {
    /// For what a client sends: before its first frame it sends `preface_bytes` (RFC 9113 section 3.4).
    pub(crate) fn behind_preface(preface_bytes: usize) -> Self {
        Self { payload_left: preface_bytes, begun: true, ..Self::default() }
    }

    /// Takes bytes as they pass, in whatever pieces.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) {
        if !self.begun && !bytes.is_empty() {
            self.begun = true;
            // Most of a first frame's length is zero; a letter there is another protocol.
            self.not_http2 = bytes[0] == b'H';
        }
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let taken = self.payload_left.min(bytes.len());
                self.payload_left -= taken;
                if !self.is_data {
                    self.counted += taken as u64;
                }
                bytes = &bytes[taken..];
                continue;
            }
            let taken = (HEADER_BYTES - self.header_bytes).min(bytes.len());
            self.header[self.header_bytes..self.header_bytes + taken].copy_from_slice(&bytes[..taken]);
            self.header_bytes += taken;
            self.counted += taken as u64;
            bytes = &bytes[taken..];
            if self.header_bytes == HEADER_BYTES {
                let [a, b, c, kind, ..] = self.header;
                self.payload_left = u32::from_be_bytes([0, a, b, c]) as usize;
                self.is_data = kind == DATA;
                self.header_bytes = 0;
            }
        }
    }

    /// What was counted since the last call.
    pub(crate) fn take(&mut self) -> u64 {
        std::mem::take(&mut self.counted)
    }

    /// True when what came first was no frame: `HTTP/1.1 400` and the like.
    pub(crate) fn not_http2(&self) -> bool {
        self.not_http2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0, 0, payload.len() as u8, kind, 0, 0, 0, 0, 1];
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn everything_but_the_payload_of_data_counts_however_it_is_split() {
        let stream =
            [b"PREFACE".to_vec(), frame(4, &[]), frame(1, b"head"), frame(0, b"payload"), frame(1, b"t")].concat();
        for size in 1..=stream.len() {
            let mut meter = Meter::behind_preface(7);
            stream.chunks(size).for_each(|piece| meter.pass(piece));
            assert_eq!(meter.take(), 7 + 4 * 9 + 4 + 1, "in pieces of {size}");
            assert_eq!(meter.take(), 0);
            assert!(!meter.not_http2());
        }
    }

    #[test]
    fn an_answer_in_http_1_is_told() {
        let mut meter = Meter::default();
        meter.pass(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        assert!(meter.not_http2());
        let mut meter = Meter::default();
        meter.pass(&frame(4, &[]));
        assert!(!meter.not_http2());
    }
}
