//! The TLS of a run: its files are read once, before the load starts.

use std::{path::Path, sync::Arc};

use pummel_case::{Case, Step};
use rustls::{
    client::{danger::ServerCertVerifier, Resumption, WebPkiServerVerifier},
    crypto::CryptoProvider,
    pki_types::{
        pem::{self, PemObject},
        CertificateDer, PrivateKeyDer, ServerName,
    },
    version::{TLS12, TLS13},
    ClientConfig, RootCertStore, SupportedProtocolVersion,
};

use super::{
    failure::{TlsFailure, TlsFileError},
    sessions::Sessions,
    verify::{Accepted, Verified},
};
use crate::{
    network::origins::Manner,
    plan::{ClientCertificate, Network, Tls, TlsVersion},
};

/// Versions a run may speak.
const FROM_1_2: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
const FROM_1_3: &[&SupportedProtocolVersion] = &[&TLS13];

/// What all cores need for TLS.
pub(crate) struct RunTls {
    /// Certificates are looked at; none where no request of the run asks for it.
    verified: Option<ClientConfig>,
    /// Any certificate is accepted.
    accepted: ClientConfig,
    /// The name that is asked for in place of the URL's host.
    server_name: Option<ServerName<'static>>,
    resumption: bool,
}

impl RunTls {
    /// Reads the roots, the certificates and the keys of a plan.
    ///
    /// # Errors
    /// A file that cannot be read or used, a name that is none, and no roots where certificates are to be verified.
    pub(crate) fn load(network: &Network, cases: &[Case]) -> Result<Self, TlsFileError> {
        let plan = &network.tls;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = plan.client.as_ref().map(read_client).transpose()?;
        let trusted = read_trusted(plan)?;
        let verifies = asks_for_verification(plan, cases) && may_use_https(network, cases);
        let make = |verifier: Arc<dyn ServerCertVerifier>| make(plan, &provider, verifier, client.as_ref());
        let verified = verifies.then(|| make(verifier(trusted, &provider)?)).transpose()?;
        let accepted = make(Arc::new(Accepted(provider.signature_verification_algorithms)))?;
        let server_name = plan.server_name.clone().map(|name| {
            let bare = name.trim_start_matches('[').trim_end_matches(']').to_owned();
            ServerName::try_from(bare).map_err(|_| TlsFileError {
                flag: "--tls-server-name",
                path: name,
                reason: "is no host name or address".into(),
            })
        });
        Ok(Self { verified, accepted, server_name: server_name.transpose()?, resumption: plan.resumption })
    }

    /// The configurations of one core with so many users, and its sessions.
    pub(crate) fn for_core(&self, users: u32) -> CoreTls {
        // Sessions of servers nobody looked at must not stand for those somebody did, so each has its own.
        let with = |config: &ClientConfig, http2: bool| {
            let mut config = config.clone();
            config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
            config.resumption = if self.resumption {
                Resumption::store(Arc::new(Sessions::for_users(users)))
            } else {
                Resumption::disabled()
            };
            Arc::new(config)
        };
        CoreTls {
            verified: self.verified.as_ref().map(|config| [with(config, false), with(config, true)]),
            accepted: [with(&self.accepted, false), with(&self.accepted, true)],
            server_name: self.server_name.clone(),
        }
    }
}

/// The TLS of one core.
pub(crate) struct CoreTls {
    /// Without HTTP/2 and with it.
    verified: Option<[Arc<ClientConfig>; 2]>,
    accepted: [Arc<ClientConfig>; 2],
    server_name: Option<ServerName<'static>>,
}

impl CoreTls {
    /// How a host is spoken to.
    ///
    /// # Errors
    /// Its certificate is to be verified and no roots were read.
    pub(super) fn config(&self, manner: Manner) -> Result<Arc<ClientConfig>, TlsFailure> {
        let configs = if manner.verify { self.verified.as_ref().ok_or(TlsFailure::NO_ROOTS)? } else { &self.accepted };
        Ok(Arc::clone(&configs[usize::from(manner.http2)]))
    }

    /// The name a host is asked by, and its certificate looked at for.
    ///
    /// # Errors
    /// The host is no name.
    pub(super) fn server_name(&self, host: &str) -> Result<ServerName<'static>, TlsFailure> {
        if let Some(name) = &self.server_name {
            return Ok(name.clone());
        }
        Self::name_of(host)
    }

    /// A host as TLS names it, whatever the run asks for.
    ///
    /// # Errors
    /// The host is no name.
    pub(in crate::network) fn name_of(host: &str) -> Result<ServerName<'static>, TlsFailure> {
        // An address of version 6 stands in brackets in a URL, and a name may end with the root's dot.
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let bare = bare.strip_suffix('.').unwrap_or(bare);
        ServerName::try_from(bare.to_owned()).map_err(|_| TlsFailure::NAME)
    }
}

/// Whether any request of the run has its server's certificate verified.
fn asks_for_verification(plan: &Tls, cases: &[Case]) -> bool {
    let asks = |step: &Step| matches!(step, Step::Request(step) if step.verify == Some(true));
    plan.verify || cases.iter().any(|case| case.steps.iter().chain(&case.setup).any(asks))
}

/// False where every request is known to stay with `http`: the system's roots need not be there, nor be read, which takes
/// longer than all else before the first request.
fn may_use_https(network: &Network, cases: &[Case]) -> bool {
    let stays_with_http = |step: &Step| match step {
        Step::Request(step) => {
            let followed = network.max_redirects > 0 && step.allow_redirects != Some(false);
            !followed && step.constant().is_some_and(|request| !request.origin().https)
        }
        Step::Transaction(_) | Step::ThinkTime(_) | Step::Rendezvous(_) => true,
        _ => false,
    };
    let mut steps = cases.iter().flat_map(|case| case.steps.iter().chain(&case.setup));
    let by_proxy = [&network.proxies.http, &network.proxies.https].into_iter().flatten().any(|proxy| proxy.https);
    by_proxy || !steps.all(stays_with_http)
}

fn make(
    plan: &Tls,
    provider: &Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
    client: Option<&Client>,
) -> Result<ClientConfig, TlsFileError> {
    let versions = match plan.least {
        TlsVersion::V1_2 => FROM_1_2,
        TlsVersion::V1_3 => FROM_1_3,
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions)
        .expect("the provider has ciphers for both versions")
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let Some(client) = client else { return Ok(builder.with_no_client_auth()) };
    builder.with_client_auth_cert(client.chain.clone(), client.key.clone_key()).map_err(|error| TlsFileError {
        flag: "--cert",
        path: client.path.clone(),
        reason: match error {
            rustls::Error::InconsistentKeys(_) => "the private key is not the certificate's".into(),
            error => format!("the certificate and its key cannot be used: {error}"),
        },
    })
}

fn verifier(
    trusted: Vec<CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsFileError> {
    let mut roots = system_roots();
    roots.add_parsable_certificates(trusted.iter().cloned());
    let none = || TlsFileError {
        flag: "--verify",
        path: "system roots".into(),
        reason:
            "no trusted root certificate was found: install ca-certificates, set SSL_CERT_FILE, pass --cacert FILE, \
                 or --insecure"
                .into(),
    };
    let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    Ok(Arc::new(Verified::new(chains.build().map_err(|_| none())?, trusted)))
}

/// What the system trusts, where OpenSSL looks for it. Single certificates that cannot be read are left out, as OpenSSL does.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let mut add = |path: &Path| {
        let Ok(certificates) = CertificateDer::pem_file_iter(path) else { return };
        roots.add_parsable_certificates(certificates.map_while(Result::ok));
    };
    let probed = openssl_probe::probe();
    // The file holds what the folder holds one by one.
    if let Some(file) = &probed.cert_file {
        add(file);
        return roots;
    }
    for folder in &probed.cert_dir {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        entries.flatten().for_each(|entry| add(&entry.path()));
    }
    roots
}

fn read_trusted(plan: &Tls) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let mut trusted = Vec::new();
    for path in &plan.ca_files {
        for certificate in read_certificates("--cacert", path)? {
            let mut alone = RootCertStore::empty();
            let error = |error| file_error("--cacert", path, format!("a certificate cannot be used: {error}"));
            alone.add(certificate.clone()).map_err(error)?;
            trusted.push(certificate);
        }
    }
    Ok(trusted)
}

/// What the client shows.
struct Client {
    path: String,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

fn read_client(files: &ClientCertificate) -> Result<Client, TlsFileError> {
    let chain = read_certificates("--cert", &files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| {
        let reason = match error {
            pem::Error::NoItemsFound if encrypted(&files.key) => {
                "its private key is encrypted: decrypt it with `openssl pkey -in FILE -out PLAIN`".into()
            }
            pem::Error::NoItemsFound if files.key == files.certificate => {
                "holds no private key in PEM form: pass it with --key FILE".into()
            }
            pem::Error::NoItemsFound => "holds no private key in PEM form".into(),
            error => pem_reason(&error),
        };
        file_error("--key", &files.key, reason)
    })?;
    Ok(Client { path: files.certificate.display().to_string(), chain, key })
}

fn encrypted(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|text| memchr_contains(&text, b"ENCRYPTED PRIVATE KEY"))
}

fn memchr_contains(text: &[u8], words: &[u8]) -> bool {
    text.windows(words.len()).any(|window| window == words)
}

/// All certificates of a PEM file, of which there is at least one.
fn read_certificates(flag: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let error = |error| file_error(flag, path, pem_reason(&error));
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(error)?.collect();
    let all = all.map_err(error)?;
    if all.is_empty() {
        return Err(file_error(
            flag,
            path,
            "holds no certificate in PEM form (convert DER with `openssl x509 -inform der`)".into(),
        ));
    }
    Ok(all)
}

fn pem_reason(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => format!("cannot be read: {error}"),
        error => format!("is no valid PEM: {error}"),
    }
}

fn file_error(flag: &'static str, path: &Path, reason: String) -> TlsFileError {
    TlsFileError { flag, path: path.display().to_string(), reason }
}
