//! The layer against rustls' own server side, in memory.

use std::{
    io::{Read, Write},
    sync::Arc,
};

use pummel_ring::Flow;
use rustls::{
    client::Resumption,
    crypto::ring::default_provider,
    pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer, ServerName},
    version::{TLS12, TLS13},
    ClientConfig, ServerConfig, ServerConnection, SupportedProtocolVersion,
};

use super::{Layer, TlsLayer};
use crate::network::tls::{sessions::Sessions, verify::Accepted};

/// A certificate of these tests and its key; both hold for 100 years and nobody trusts them.
const PEM: &[u8] = include_bytes!("localhost.test.pem");

const BOTH: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

fn client_config(version: &'static SupportedProtocolVersion, users: Option<u32>) -> Arc<ClientConfig> {
    let provider = default_provider();
    let accepted = Accepted(provider.signature_verification_algorithms);
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(accepted))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption =
        users.map_or_else(Resumption::disabled, |n| Resumption::store(Arc::new(Sessions::for_users(n))));
    Arc::new(config)
}

fn server_config() -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_slice_iter(PEM).collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(PEM).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&BOTH)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

/// Both ends of a connection, with what the client has read and the flows that were not [`Flow::More`].
struct Pair {
    client: TlsLayer,
    server: ServerConnection,
    read: Vec<u8>,
    flows: Vec<Flow>,
}

impl Pair {
    fn new(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        Self {
            client: TlsLayer::new(Arc::clone(client), name).unwrap(),
            server: ServerConnection::new(Arc::clone(server)).unwrap(),
            read: Vec::new(),
            flows: Vec::new(),
        }
    }

    /// After the handshake, the server having the client's last flight.
    fn open(version: &'static SupportedProtocolVersion) -> Self {
        let mut pair = Self::new(&client_config(version, None), &server_config());
        pair.shake_hands(usize::MAX);
        pair.flows.clear();
        pair
    }

    fn shake_hands(&mut self, piece: usize) {
        while *self.client.state() == Layer::Handshaking {
            let mut out = Vec::new();
            self.client.take_outgoing(&mut out);
            self.server_reads(&out).unwrap();
            self.client_reads(piece);
        }
        assert_eq!(*self.client.state(), Layer::Open);
        self.request(b"hello");
        // Tickets.
        self.client_reads(piece);
    }

    fn server_reads(&mut self, mut bytes: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        while !bytes.is_empty() {
            self.server.read_tls(&mut bytes).unwrap();
            self.server.process_new_packets()?;
        }
        let mut plain = Vec::new();
        // It has no more for the moment, which is an error of I/O.
        let _ = self.server.reader().read_to_end(&mut plain);
        Ok(plain)
    }

    fn request(&mut self, plain: &[u8]) {
        let mut sealed = Vec::new();
        self.client.seal(plain, &mut sealed).unwrap();
        assert_eq!(self.server_reads(&sealed).unwrap(), plain);
    }

    /// Gives the client what the server has to say, in pieces of so many bytes.
    fn client_reads(&mut self, piece: usize) {
        let mut bytes = Vec::new();
        while self.server.wants_write() {
            self.server.write_tls(&mut bytes).unwrap();
        }
        self.feed(&mut bytes, piece);
    }

    fn feed(&mut self, bytes: &mut [u8], piece: usize) {
        for piece in bytes.chunks_mut(piece) {
            let read = &mut self.read;
            let flow = self.client.on_data(piece, |plain| {
                read.extend_from_slice(plain);
                Flow::Wake
            });
            if flow != Flow::More {
                self.flows.push(flow);
            }
        }
    }

    fn answer(&mut self, plain: &[u8]) {
        self.server.writer().write_all(plain).unwrap();
    }

    fn failure(&self) -> &str {
        match self.client.state() {
            Layer::Broken(failure) => &failure.0,
            state => panic!("{state:?}"),
        }
    }
}

#[test]
fn records_may_come_in_pieces_of_any_size() {
    for version in BOTH {
        for piece in [1, 2, 3, 5, 7, 100, 4096, usize::MAX] {
            let mut pair = Pair::new(&client_config(version, None), &server_config());
            pair.shake_hands(piece);
            assert_eq!(pair.client.alpn(), Some(&b"http/1.1"[..]));
            let body: Vec<u8> = (0..40_000u32).map(|n| n as u8).collect();
            pair.answer(&body);
            pair.client_reads(piece);
            pair.answer(b"end");
            pair.client_reads(piece);
            assert_eq!(pair.read[..40_000], body);
            assert_eq!(&pair.read[40_000..], b"end");
            assert_eq!((pair.client.partial.capacity(), pair.client.outgoing.capacity()), (0, 0), "nothing is held");
        }
    }
}

#[test]
fn a_request_of_many_records_arrives_whole() {
    let body = vec![7; 16 * 1024 * 5 + 1];
    let mut pair = Pair::open(&TLS13);
    // The server takes 16 KiB at a time.
    let mut sealed = Vec::new();
    pair.client.seal(&body, &mut sealed).unwrap();
    assert_eq!(pair.client.sealed, 1 + 6);
    let (mut plain, mut sealed) = (Vec::new(), sealed.as_slice());
    while !sealed.is_empty() {
        pair.server.read_tls(&mut sealed).unwrap();
        pair.server.process_new_packets().unwrap();
        let _ = pair.server.reader().read_to_end(&mut plain);
    }
    assert_eq!(plain, body);
}

#[test]
fn keys_change_under_way_and_the_answer_goes_before_the_next_request() {
    let mut pair = Pair::open(&TLS13);
    for round in 0..3u8 {
        pair.server.refresh_traffic_keys().unwrap();
        pair.answer(&[round]);
        pair.client_reads(usize::MAX);
        assert_eq!(pair.read.last(), Some(&round));
        assert_eq!(pair.flows.pop(), Some(Flow::Wake), "nothing has to be sent at once");
        pair.request(b"under a new key");
    }
}

#[test]
fn an_alert_in_the_middle_is_a_failure_that_names_it() {
    for version in BOTH {
        let mut pair = Pair::open(version);
        pair.answer(b"half of");
        // A record that no key has sealed.
        assert!(pair.server_reads(&[23, 3, 3, 0, 32].into_iter().chain([0; 32]).collect::<Vec<_>>()).is_err());
        pair.client_reads(usize::MAX);
        assert_eq!(pair.read, b"half of");
        assert_eq!(pair.failure(), "the server sent the TLS alert bad_record_mac");
        assert_eq!(pair.flows, [Flow::Wake]);
        assert_eq!(pair.client.seal(b"more", &mut Vec::new()).unwrap_err().0, pair.failure());
        pair.feed(&mut [0; 100], 100);
        assert_eq!(pair.flows.len(), 1, "what comes after it is nothing to anybody");
    }
}

#[test]
fn a_record_that_is_no_record_is_a_failure_the_server_is_told_of() {
    let mut pair = Pair::open(&TLS13);
    pair.feed(&mut [23, 3, 3, 0, 32].into_iter().chain([0; 32]).collect::<Vec<_>>(), usize::MAX);
    assert_eq!(pair.failure(), "a TLS record of the server cannot be decrypted");
    assert_eq!(pair.flows, [Flow::ReplyAndWake]);
    let mut alert = Vec::new();
    pair.client.take_outgoing(&mut alert);
    assert_eq!(pair.server_reads(&alert).unwrap_err().to_string(), "received fatal alert: BadRecordMac");
}

#[test]
fn an_orderly_close_ends_the_stream_once() {
    for version in BOTH {
        let mut pair = Pair::open(version);
        pair.answer(b"all");
        pair.server.send_close_notify();
        pair.client_reads(1);
        assert_eq!((pair.read.as_slice(), pair.client.state()), (&b"all"[..], &Layer::Closed));
        assert_eq!(pair.flows, [Flow::Wake, Flow::Wake], "the bytes, then their end");
        pair.feed(b"anything".to_vec().as_mut_slice(), 1);
        assert_eq!(pair.client.state(), &Layer::Closed, "RFC 8446 section 6.1: it is ignored");
        assert!(!pair.client.usable());
    }
}

#[test]
fn our_own_close_is_orderly() {
    let mut pair = Pair::open(&TLS13);
    let mut out = Vec::new();
    pair.client.close(&mut out);
    pair.server_reads(&out).unwrap();
    assert!(pair.server.process_new_packets().unwrap().peer_has_closed());
}

#[test]
fn the_servers_close_is_answered_once_no_request_follows() {
    for told_before in [true, false] {
        let mut pair = Pair::open(&TLS13);
        if told_before {
            pair.client.answer_close();
        }
        pair.server.send_close_notify();
        pair.client_reads(usize::MAX);
        let mut out = Vec::new();
        pair.client.take_outgoing(&mut out);
        let expected = if told_before { (Flow::ReplyAndWake, false) } else { (Flow::Wake, true) };
        assert_eq!((pair.flows.as_slice(), out.is_empty()), (&[expected.0][..], expected.1));
    }
}

#[test]
fn a_server_without_tls_is_named_as_such() {
    let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    for piece in [1, usize::MAX] {
        let mut pair = Pair::new(&client_config(&TLS13, None), &server_config());
        pair.feed(&mut answer.to_vec(), piece);
        assert_eq!(pair.failure(), "the server's answer is no TLS: does it speak plain http:// on this port?");
    }
}

#[test]
fn no_flight_of_the_server_however_wrong_is_more_than_a_failure() {
    for version in BOTH {
        let mut first = Pair::new(&client_config(version, None), &server_config());
        let mut hello = Vec::new();
        first.client.take_outgoing(&mut hello);
        first.server_reads(&hello).unwrap();
        let mut flight = Vec::new();
        while first.server.wants_write() {
            first.server.write_tls(&mut flight).unwrap();
        }
        for at in 0..flight.len() {
            let mut pair = Pair::new(&client_config(version, None), &server_config());
            let mut wrong = flight.clone();
            wrong[at] ^= 0xff;
            pair.feed(&mut wrong, 97);
            pair.feed(&mut flight.clone(), 97);
            assert_ne!(*pair.client.state(), Layer::Open, "a byte at {at} was another");
        }
    }
}

#[test]
fn sessions_are_resumed_once_a_ticket_where_it_is_wanted() {
    let server = server_config();
    let resumed = |client: &Arc<ClientConfig>| {
        let mut pair = Pair::new(client, &server);
        pair.shake_hands(usize::MAX);
        pair.client.resumed()
    };
    for version in BOTH {
        let with = client_config(version, Some(100));
        assert_eq!([resumed(&with), resumed(&with), resumed(&with)], [false, true, true]);
        let without = client_config(version, None);
        assert_eq!([resumed(&without), resumed(&without)], [false, false]);
    }
}
