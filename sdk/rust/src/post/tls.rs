//! `https://`, with the certificates that the system trusts.

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::Timed;

/// Speaks TLS over a connection. The handshake happens with the first write.
pub(super) fn wrap(stream: Timed, host: &str) -> io::Result<StreamOwned<ClientConnection, Timed>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let connection = ClientConnection::new(config()?, name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

/// Read once: the certificates of a system are a few hundred kilobytes.
fn config() -> io::Result<Arc<ClientConfig>> {
    static CONFIG: OnceLock<Option<Arc<ClientConfig>>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
        Some(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
    });
    config.clone().ok_or_else(|| io::Error::other("TLS cannot be set up"))
}

/// Speaks TLS over a connection without waiting for it, for HTTP/2 and nothing else.
#[cfg(feature = "grpc")]
pub(super) async fn wrap_h2(
    stream: tokio::net::TcpStream,
    host: &str,
) -> io::Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let mut config = ClientConfig::clone(&*config()?);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Ok(stream),
        _ => Err(io::Error::other("the server does not offer HTTP/2")),
    }
}
