//! `https://`: whom a connection trusts, and who it says it is. Certificates are read once, at the
//! start; what is not right about a file is told then.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, ClientConfig, ClientConnection, Error, RootCertStore, StreamOwned};

use super::Timed;

/// A file of certificates or of a key that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{file}` cannot be used for TLS: {why}")]
pub struct CertificateError {
    file: String,
    why: String,
}

/// Whom a connection trusts, and what it shows of itself: whom the system trusts, and nothing, unless
/// it is told otherwise.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    authorities: Option<Arc<RootCertStore>>,
    own: Option<Own>,
    /// Of the two; none as long as both are as usual.
    config: Option<Arc<ClientConfig>>,
}

/// A certificate, those that lead to its authority, and its key.
#[derive(Clone, Debug)]
struct Own {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
}

impl Trust {
    /// Trusts the authorities in a file of PEM, and nobody else.
    pub(crate) fn authorities_in(&mut self, file: &Path) -> Result<(), CertificateError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(file)? {
            roots.add(certificate).map_err(|error| of_file(file, error))?;
        }
        self.authorities = Some(Arc::new(roots));
        self.build().map_err(|error| of_file(file, error))
    }

    /// Shows the certificate in a file of PEM, with the key in another, to servers that want to know
    /// who comes.
    pub(crate) fn show(&mut self, chain: &Path, key: &Path) -> Result<(), CertificateError> {
        let own = PrivateKeyDer::from_pem_file(key).map_err(|error| match error {
            PemError::NoItemsFound => of_file(key, "there is no private key in PEM in it"),
            error => of_file(key, cause(error)),
        })?;
        self.own = Some(Own { chain: certificates(chain)?, key: Arc::new(own) });
        self.build().map_err(|error| match error {
            Error::InconsistentKeys(_) => of_file(key, "it is not the key of the certificate"),
            error => of_file(key, error),
        })
    }

    fn build(&mut self) -> Result<(), Error> {
        let authorities = self.authorities.clone().unwrap_or_else(of_system);
        self.config = Some(Arc::new(config(authorities, self.own.as_ref())?));
        Ok(())
    }

    fn config(&self) -> io::Result<Arc<ClientConfig>> {
        self.config.clone().map_or_else(usual, Ok)
    }
}

fn of_file(file: &Path, why: impl ToString) -> CertificateError {
    CertificateError { file: file.display().to_string(), why: why.to_string() }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| of_file(file, cause(error)))?;
    if certificates.is_empty() {
        return Err(of_file(file, "there is no certificate in PEM in it"));
    }
    Ok(certificates)
}

/// What went wrong, without what it went wrong with.
fn cause(error: PemError) -> String {
    match error {
        PemError::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}

/// Read once: the certificates of a system are a few hundred kilobytes.
fn of_system() -> Arc<RootCertStore> {
    static AUTHORITIES: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let authorities = AUTHORITIES.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    });
    authorities.clone()
}

/// As nobody said otherwise; sessions are resumed over all connections.
fn usual() -> io::Result<Arc<ClientConfig>> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, Error>> = OnceLock::new();
    CONFIG.get_or_init(|| config(of_system(), None).map(Arc::new)).clone().map_err(io::Error::other)
}

fn config(authorities: Arc<RootCertStore>, own: Option<&Own>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(authorities);
    match own {
        Some(own) => builder.with_client_auth_cert(own.chain.clone(), own.key.clone_key()),
        None => Ok(builder.with_no_client_auth()),
    }
}

/// Speaks TLS over a connection. The handshake happens with the first write.
pub(super) fn wrap(
    stream: Timed,
    host: &str,
    trust: &Trust,
) -> io::Result<StreamOwned<ClientConnection, Timed>> {
    let connection = ClientConnection::new(trust.config()?, name(host)?).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

fn name(host: &str) -> io::Result<ServerName<'static>> {
    ServerName::try_from(host.to_owned()).map_err(io::Error::other)
}

/// Speaks TLS over a connection without waiting for it, for HTTP/2 and nothing else.
#[cfg(feature = "grpc")]
pub(super) async fn wrap_h2(
    stream: tokio::net::TcpStream,
    host: &str,
    trust: &Trust,
) -> io::Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>> {
    let mut config = ClientConfig::clone(&*trust.config()?);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name(host)?, stream).await?;
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Ok(stream),
        _ => Err(io::Error::other("the server does not offer HTTP/2")),
    }
}

/// What to do about an error that comes of certificates.
pub(crate) enum Remedy {
    /// The authority of the server's certificate is not trusted.
    Authority,
    /// The server wants a certificate, or another one.
    Own,
}

impl Remedy {
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        match error.get_ref()?.downcast_ref()? {
            Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => Some(Self::Authority),
            Error::AlertReceived(
                AlertDescription::CertificateRequired
                | AlertDescription::BadCertificate
                | AlertDescription::UnknownCA,
            ) => Some(Self::Own),
            _ => None,
        }
    }
}
