//! Servers of a test's own that end their connections in the middle of something, in order or not.

#![allow(dead_code)] // Each test file uses its part.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use rustls::{
    pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer},
    ServerConfig, ServerConnection,
};

use crate::certificates::Certificate;

/// No connection of these tests waits longer for its client.
const PATIENCE: Duration = Duration::from_secs(30);

/// A listener that does one thing with each connection.
pub(crate) struct Listener(u16);

impl Listener {
    pub(crate) fn start(serve: impl Fn(&TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(&stream));
            }
        });
        Self(port)
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}/", self.0)
    }
}

/// The open connection of a server that speaks TLS.
pub(crate) type Secured<'c, 's> = rustls::Stream<'c, ServerConnection, &'s TcpStream>;

/// A server that says something over TLS, ends TLS in some way, and closes.
pub(crate) struct Breaking;

impl Breaking {
    /// Says it once a request is there.
    pub(crate) fn start(certificate: &Certificate, says: &'static str, end: fn(&mut ServerConnection)) -> Listener {
        Self::start_after(certificate, says, end, false)
    }

    /// As [`start`](Self::start), and waits for a second request where it is to be `kept`.
    pub(crate) fn start_after(
        certificate: &Certificate,
        says: &'static str,
        end: fn(&mut ServerConnection),
        kept: bool,
    ) -> Listener {
        Self::serve(certificate, &[], end, move |stream| {
            read_head(stream)?;
            stream.write_all(says.as_bytes()).ok()?;
            if kept {
                stream.read_exact(&mut [0]).ok()?;
            }
            Some(())
        })
    }

    /// Does one thing with each connection before its end; a client that has gone away has no end. The protocols are those of ALPN.
    pub(crate) fn serve(
        certificate: &Certificate,
        protocols: &[&[u8]],
        end: fn(&mut ServerConnection),
        talk: impl Fn(&mut Secured<'_, '_>) -> Option<()> + Send + Sync + 'static,
    ) -> Listener {
        let chain = CertificateDer::pem_file_iter(&certificate.certificate).unwrap().collect::<Result<_, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(&certificate.key).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let config = Arc::new(config);
        Listener::start(move |mut stream| {
            let _ = stream.set_read_timeout(Some(PATIENCE));
            let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            if talk(&mut rustls::Stream::new(&mut tls, &mut stream)).is_none() {
                return;
            }
            end(&mut tls);
            while tls.wants_write() {
                if tls.write_tls(&mut stream).is_err() {
                    return;
                }
            }
            let _ = stream.shutdown(Shutdown::Write);
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        })
    }
}

/// A record no key has sealed.
pub(crate) fn unsealed_record() -> Vec<u8> {
    [&[23, 3, 3, 0, 32][..], &[0; 32]].concat()
}

/// Ends TLS with the alert that rustls answers an unsealed record with. The client must have sent whole records.
pub(crate) fn break_tls(tls: &mut ServerConnection) {
    let _ = tls.read_tls(&mut unsealed_record().as_slice());
    let _ = tls.process_new_packets();
}

/// Reads the head of a request.
pub(crate) fn read_head(stream: &mut impl Read) -> Option<Vec<u8>> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    Some(head)
}
