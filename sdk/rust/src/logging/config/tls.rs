use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::post::Endpoint;

/// Whom an output over `https://` trusts, and what it shows of itself. The files are PEM, and are read
/// at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// The authorities that are trusted, instead of those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// The certificate that is shown to a server that wants to know who comes (mTLS), and those that
    /// lead to its authority.
    pub cert_file: Option<PathBuf>,
    /// Its private key.
    pub key_file: Option<PathBuf>,
}

impl TlsConfig {
    /// Lets connections to an address trust and show these; an error says what is wrong.
    pub(super) fn secure(&self, endpoint: &mut Endpoint) -> Result<(), String> {
        if *self == Self::default() {
            return Ok(());
        }
        if !endpoint.tls {
            return Err("is for addresses with `https://`: nothing would be encrypted".to_owned());
        }
        self.with_files(endpoint)
    }

    #[cfg(feature = "https")]
    fn with_files(&self, endpoint: &mut Endpoint) -> Result<(), String> {
        if let Some(file) = &self.ca_file {
            endpoint.trust.authorities_in(file).map_err(|error| error.to_string())?;
        }
        match (&self.cert_file, &self.key_file) {
            (Some(chain), Some(key)) => endpoint.trust.show(chain, key).map_err(|error| error.to_string()),
            (None, None) => Ok(()),
            _ => Err("needs `cert_file` and `key_file` together".to_owned()),
        }
    }

    /// No address has `https://` in this build.
    #[cfg(not(feature = "https"))]
    fn with_files(&self, _: &mut Endpoint) -> Result<(), String> {
        Ok(())
    }
}
