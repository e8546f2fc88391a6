//! Authorities and what they sign, made anew for every test.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// A folder with `ca.pem` and what it has signed, `server.pem` for `localhost` and `client.pem`, with
/// their keys as `.key`; `stranger.pem`, who has signed none of it; and `text.pem`, which is none.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let (ca, certificate) = authority("the authority");
        folder.write("ca.pem", &certificate);
        folder.write("stranger.pem", &authority("a stranger").1);
        for (name, host) in [("server", "localhost"), ("client", "shop")] {
            let key = KeyPair::generate().unwrap();
            let signed = CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
            folder.write(&format!("{name}.pem"), &signed.pem());
            folder.write(&format!("{name}.key"), &key.serialize_pem());
        }
        folder.write("text.pem", "a text\n");
        folder
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).unwrap();
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A server of this folder, that wants to know who comes if it is `strict`.
    pub(crate) fn server(&self, strict: bool) -> ServerConfig {
        let key = PrivateKeyDer::from_pem_file(self.file("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if strict {
            let mut known = RootCertStore::empty();
            certificates(&self.file("ca.pem")).into_iter().for_each(|it| known.add(it).unwrap());
            let verifier = WebPkiClientVerifier::builder_with_provider(known.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        builder.with_single_cert(certificates(&self.file("server.pem")), key).unwrap()
    }
}

fn authority(name: &str) -> (Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    (Issuer::new(params, key), certificate)
}

fn certificates(file: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(file).unwrap().map(Result::unwrap).collect()
}
