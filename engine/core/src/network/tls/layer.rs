//! TLS on one connection: records come in and plain bytes come out, and the other way round.

use std::sync::Arc;

use pummel_ring::Flow;
use rustls::{
    client::{ClientConnectionData, UnbufferedClientConnection},
    pki_types::ServerName,
    unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus},
    ClientConfig, HandshakeKind, ProtocolVersion,
};

use super::failure::TlsFailure;

/// Bytes of a record's header (RFC 8446 section 5.1).
const HEADER_BYTES: usize = 5;

/// Plain bytes of a record at most (RFC 8446 section 5.1).
const FRAGMENT_BYTES_MAX: usize = 16 * 1024;

/// What a record adds to its plain bytes at most, header included (RFC 8446 section 5.2: 256 and the header).
const RECORD_OVERHEAD_MAX: usize = 256 + HEADER_BYTES;

/// Records a connection of TLS 1.2 may send. AES-GCM must not be used for more than 2^24 with one key (RFC 8446 section 5.5),
/// and only TLS 1.3 can change it; the distance leaves room for the request under way.
const RECORDS_MAX: u64 = (1 << 24) - (1 << 16);

/// The TLS of one connection.
pub(crate) struct TlsLayer {
    rustls: UnbufferedClientConnection,
    /// The begin of a record, or records that hold the begin of a handshake message. At most a record and a ring buffer, or
    /// a handshake message, which rustls bounds by 64 KiB.
    partial: Vec<u8>,
    /// Records that go out before what is sealed next.
    outgoing: Vec<u8>,
    state: Layer,
    /// Records sealed so far.
    sealed: u64,
    /// The peer's close is answered as it comes, for nobody will put another request on the connection.
    answers_close: bool,
}

/// How a connection's TLS is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layer {
    /// The handshake is under way.
    Handshaking,
    /// Bytes may go both ways.
    Open,
    /// The peer has closed in order (`close_notify`): nothing comes any more.
    Closed,
    /// It failed, and the connection with it.
    Broken(TlsFailure),
}

impl TlsLayer {
    /// Begins a handshake: its first records wait in [`take_outgoing`](Self::take_outgoing).
    ///
    /// # Errors
    /// The configuration allows no handshake.
    pub(crate) fn new(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Self, TlsFailure> {
        let rustls = UnbufferedClientConnection::new(config, name).map_err(|error| TlsFailure::of(&error))?;
        let (partial, outgoing) = (Vec::new(), Vec::new());
        let mut layer = Self { rustls, partial, outgoing, state: Layer::Handshaking, sealed: 0, answers_close: false };
        layer.take(&mut [], |_| Flow::More);
        match layer.state {
            Layer::Broken(failure) => Err(failure),
            _ => Ok(layer),
        }
    }

    pub(crate) fn state(&self) -> &Layer {
        &self.state
    }

    /// The protocol both sides agreed on (ALPN, RFC 7301), such as `h2`; none where the server chose none.
    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        self.rustls.alpn_protocol()
    }

    /// True where an earlier session was resumed.
    pub(crate) fn resumed(&self) -> bool {
        self.rustls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// True while another request may go out.
    #[inline]
    pub(crate) fn usable(&self) -> bool {
        self.state == Layer::Open && !self.key_is_used_up()
    }

    fn key_is_used_up(&self) -> bool {
        self.sealed >= RECORDS_MAX && self.rustls.protocol_version() == Some(ProtocolVersion::TLSv1_2)
    }

    /// Moves out the records to be sent, of which there may be none.
    pub(crate) fn take_outgoing(&mut self, out: &mut Vec<u8>) {
        out.append(&mut std::mem::take(&mut self.outgoing));
    }

    /// Takes records that arrived, whole or in parts, and gives their plain bytes to `deliver`. A record that lies whole in
    /// `bytes` is decrypted there. Wakes for what `deliver` wakes for, and whenever [`state`](Self::state) changes.
    pub(crate) fn on_data(&mut self, bytes: &mut [u8], deliver: impl FnMut(&[u8]) -> Flow) -> Flow {
        // What follows a close_notify is ignored (RFC 8446 section 6.1).
        if matches!(self.state, Layer::Closed | Layer::Broken(_)) {
            return Flow::More;
        }
        let before = std::mem::discriminant(&self.state);
        let mut flow = if self.partial.is_empty() {
            let (used, flow) = self.take(bytes, deliver);
            self.keep(&bytes[used..]);
            flow
        } else {
            let mut partial = std::mem::take(&mut self.partial);
            partial.extend_from_slice(bytes);
            let (used, flow) = self.take(&mut partial, deliver);
            if used < partial.len() {
                partial.drain(..used);
                self.partial = partial;
            }
            flow
        };
        if std::mem::discriminant(&self.state) != before {
            flow = stronger(flow, Flow::Wake);
        }
        if self.answers_close && self.state == Layer::Closed {
            let mut goodbye = Vec::new();
            self.close(&mut goodbye);
            self.outgoing = goodbye;
        }
        // In an open connection what is due goes out before the next request; that is when it has to (RFC 8446 section 4.6.3).
        if self.state == Layer::Open || self.outgoing.is_empty() {
            return flow;
        }
        match flow {
            Flow::More => Flow::Reply,
            _ => Flow::ReplyAndWake,
        }
    }

    /// Keeps the begin of a record, with room for the rest of it.
    fn keep(&mut self, rest: &[u8]) {
        if let [_, _, _, high, low, ..] = rest {
            let record_bytes = HEADER_BYTES + usize::from(u16::from_be_bytes([*high, *low]));
            self.partial.reserve_exact(record_bytes.max(rest.len()));
        }
        self.partial.extend_from_slice(rest);
    }

    /// Works off what `bytes` hold; how many are done with, and what to do next.
    fn take(&mut self, bytes: &mut [u8], mut deliver: impl FnMut(&[u8]) -> Flow) -> (usize, Flow) {
        let (mut used, mut flow) = (0, Flow::More);
        loop {
            let UnbufferedStatus { mut discard, state } = self.rustls.process_tls_records(&mut bytes[used..]);
            let mut done = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        discard += record.discard;
                        flow = stronger(flow, deliver(record.payload));
                    }
                }
                Ok(ConnectionState::EncodeTlsData(data)) => encode(data, &mut self.outgoing),
                Ok(ConnectionState::TransmitTlsData(transmit)) => transmit.done(),
                Ok(ConnectionState::WriteTraffic(_)) => {
                    if self.state == Layer::Handshaking {
                        self.state = Layer::Open;
                    }
                    done = true;
                }
                Ok(ConnectionState::PeerClosed) => self.state = Layer::Closed,
                // More bytes are needed, or both sides have closed.
                Ok(_) => done = true,
                Err(error) => {
                    let handshaking = self.state == Layer::Handshaking;
                    self.state = Layer::Broken(TlsFailure::from_peer(&error, handshaking));
                    self.encode_alert();
                    return (bytes.len(), flow);
                }
            }
            used += discard;
            if done {
                return (used, flow);
            }
        }
    }

    /// The alert that tells the peer of a failure. After that rustls must not be asked again: it does not expect to read on.
    fn encode_alert(&mut self) {
        while self.rustls.wants_write() {
            match self.rustls.process_tls_records(&mut []).state {
                Ok(ConnectionState::EncodeTlsData(data)) => encode(data, &mut self.outgoing),
                _ => return,
            }
        }
    }

    /// Appends what is to be sent so that the peer reads `plain`: what is due before it, then its records.
    ///
    /// # Errors
    /// The connection is not open for it.
    pub(crate) fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), TlsFailure> {
        let records = plain.len().div_ceil(FRAGMENT_BYTES_MAX);
        self.write(out, |traffic, out| traffic.encrypt(plain, out), plain.len() + records * RECORD_OVERHEAD_MAX)?;
        self.sealed += records as u64;
        Ok(())
    }

    /// Appends the alert that closes our side in order (`close_notify`, RFC 8446 section 6.1).
    #[allow(clippy::redundant_closure_for_method_calls)] // The method is not general enough over lifetimes.
    pub(crate) fn close(&mut self, out: &mut Vec<u8>) {
        // One that is broken has nothing to close.
        let _ = self.write(out, |traffic, out| traffic.queue_close_notify(out), RECORD_OVERHEAD_MAX);
    }

    /// No request follows. The peer's `close_notify` is answered, for some wait for that (RFC 5246 section 7.2.1).
    pub(crate) fn answer_close(&mut self) {
        self.answers_close = true;
    }

    fn write(
        &mut self,
        out: &mut Vec<u8>,
        mut encrypt: impl FnMut(&mut Traffic<'_>, &mut [u8]) -> Result<usize, EncryptError>,
        mut bytes_max: usize,
    ) -> Result<(), TlsFailure> {
        if let Layer::Broken(failure) = &self.state {
            return Err(failure.clone());
        }
        self.take_outgoing(out);
        loop {
            let UnbufferedStatus { discard, state } = self.rustls.process_tls_records(&mut self.partial);
            match state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    let begin = out.len();
                    out.resize(begin + bytes_max, 0);
                    let written = encrypt(&mut traffic, &mut out[begin..]);
                    out.truncate(begin + *written.as_ref().unwrap_or(&0));
                    match written {
                        Ok(_) => return Ok(()),
                        // An answer to the peer's KeyUpdate comes in front, and the bound did not count it.
                        Err(EncryptError::InsufficientSize(needed)) if needed.required_size > bytes_max => {
                            bytes_max = needed.required_size;
                        }
                        Err(_) => return Err(TlsFailure::KEY_USED_UP),
                    }
                }
                Ok(ConnectionState::EncodeTlsData(data)) => encode(data, out),
                Ok(ConnectionState::TransmitTlsData(transmit)) => transmit.done(),
                Ok(_) => return Err(TlsFailure::CLOSED),
                Err(error) => {
                    let failure = TlsFailure::of(&error);
                    self.state = Layer::Broken(failure.clone());
                    return Err(failure);
                }
            }
            self.partial.drain(..discard);
        }
    }
}

type Traffic<'c> = rustls::unbuffered::WriteTraffic<'c, ClientConnectionData>;

/// Appends a record that rustls has ready.
fn encode(mut data: EncodeTlsData<'_, ClientConnectionData>, out: &mut Vec<u8>) {
    let begin = out.len();
    let Err(EncodeError::InsufficientSize(needed)) = data.encode(&mut []) else { return };
    out.resize(begin + needed.required_size, 0);
    let written = data.encode(&mut out[begin..]).unwrap_or(0);
    out.truncate(begin + written);
}

/// What the driver does after two pieces of one buffer.
fn stronger(one: Flow, other: Flow) -> Flow {
    match (one, other) {
        (Flow::Pause, _) | (_, Flow::Pause) => Flow::Pause,
        (Flow::More, flow) | (flow, Flow::More) => flow,
        _ => Flow::Wake,
    }
}

#[cfg(test)]
#[path = "layer_tests.rs"]
mod tests;
