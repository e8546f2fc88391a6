use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Formatted, Output, WriteError, judge, of_system};
#[cfg(feature = "https")]
use crate::post::tls::{CertificateError, Remedy};
use crate::post::{Endpoint, Header, is_header, post};

/// How the records of a request stand in its body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A JSON list; a record whose format is no JSON is a text in it.
    #[default]
    List,
    /// One record on each line.
    Lines,
}

/// Batches of records, posted to a server.
pub struct Http {
    name: String,
    endpoint: Endpoint,
    headers: Vec<Header>,
    timeout: Duration,
    body: Body,
    /// Whether lines are JSON.
    json: bool,
    #[cfg(feature = "gzip")]
    gzip: bool,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http")
            .field("name", &self.name)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// An address that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` must be an address such as `http://127.0.0.1:8080/logs` (`https://` needs the feature `https`)"
)]
pub struct UrlError(pub(super) String);

impl Http {
    /// Posts to an address. `json` says whether the format's lines are JSON.
    ///
    /// # Errors
    /// The address is none, or cannot be reached by this build.
    pub fn new(url: &str, json: bool) -> Result<Self, UrlError> {
        let endpoint = Endpoint::parse(url, 80).ok_or_else(|| UrlError(url.to_owned()))?;
        let name = format!("http {}", endpoint.url());
        let timeout = Duration::from_secs(10);
        Ok(Self {
            name,
            endpoint,
            headers: Vec::new(),
            timeout,
            body: Body::List,
            json,
            #[cfg(feature = "gzip")]
            gzip: false,
        })
    }

    /// With one more header. One that is empty or not legal is left out.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if is_header(name, value) {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Gives up a request after this long.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Trusts the authorities whose certificates are in a file of PEM, instead of those that the
    /// system trusts, for `https://`. The file is read now.
    ///
    /// # Errors
    /// It cannot be read, or has no certificate.
    #[cfg(feature = "https")]
    pub fn ca_file(mut self, file: impl AsRef<std::path::Path>) -> Result<Self, CertificateError> {
        self.endpoint.trust.authorities_in(file.as_ref())?;
        Ok(self)
    }

    /// Shows a certificate to a server that wants to know who comes (mTLS): it, and those that lead to
    /// its authority, are in a file of PEM, its private key is in another. Both are read now.
    ///
    /// # Errors
    /// One of them cannot be read or has not what it should have, or they do not belong together.
    #[cfg(feature = "https")]
    pub fn client_certificate(
        mut self,
        chain: impl AsRef<std::path::Path>,
        key: impl AsRef<std::path::Path>,
    ) -> Result<Self, CertificateError> {
        self.endpoint.trust.show(chain.as_ref(), key.as_ref())?;
        Ok(self)
    }

    pub(in crate::logging) fn endpoint_mut(&mut self) -> &mut Endpoint {
        &mut self.endpoint
    }

    /// How records stand in a request.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// Compresses requests with gzip.
    #[cfg(feature = "gzip")]
    #[must_use]
    pub fn gzip(mut self, on: bool) -> Self {
        self.gzip = on;
        self
    }

    fn write_body(&self, batch: &[Formatted]) -> Vec<u8> {
        if self.body == Body::Lines {
            return super::file::lines(batch);
        }
        let mut body = vec![b'['];
        for (place, it) in batch.iter().enumerate() {
            if place > 0 {
                body.push(b',');
            }
            if self.json {
                body.extend_from_slice(&it.line);
            } else {
                let text = serde_json::Value::from(String::from_utf8_lossy(&it.line));
                body.extend_from_slice(text.to_string().as_bytes());
            }
        }
        body.push(b']');
        body
    }
}

impl Output for Http {
    fn name(&self) -> &str {
        &self.name
    }

    fn write(&mut self, batch: &[Formatted]) -> Result<(), WriteError> {
        let body = self.write_body(batch);
        let kind = match (self.body, self.json) {
            (Body::List, _) => "application/json",
            (Body::Lines, true) => "application/x-ndjson",
            (Body::Lines, false) => "text/plain; charset=utf-8",
        };
        let mut headers = vec![("content-type".to_owned(), kind.to_owned())];
        headers.extend(self.headers.iter().cloned());
        #[cfg(feature = "gzip")]
        let body = if self.gzip { super::gzip::pack(&body, &mut headers) } else { body };
        let answer = post(&self.endpoint, "", &headers, &body, self.timeout)
            .map_err(|error| unreachable(&self.endpoint, &error))?;
        judge(&answer)
    }
}

/// No answer came. What to do about it is said where that is known.
pub(super) fn unreachable(endpoint: &Endpoint, error: &std::io::Error) -> WriteError {
    let what = format!("cannot send to {}", endpoint.url());
    #[cfg(feature = "https")]
    if let Some(remedy) = Remedy::of(error) {
        let hint = match remedy {
            Remedy::Authority => "name the file of the authority that signed it by `tls.ca_file`",
            Remedy::Own => {
                "name a certificate that it takes by `tls.cert_file` and its key by `tls.key_file`"
            }
        };
        return of_system(&what, error).with_hint(hint);
    }
    of_system(&what, error)
}
