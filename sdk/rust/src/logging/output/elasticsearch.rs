use std::time::Duration;

use serde_json::Value;

use super::http::{UrlError, unreachable};
use super::{Formatted, Output, WriteError, judge};
#[cfg(feature = "https")]
use crate::post::tls::CertificateError;
use crate::post::{Endpoint, Header, is_header, post};

/// Records in an index or a data stream of Elasticsearch or OpenSearch, by its bulk API. The format
/// must be one of JSON objects; ECS is what its users expect.
pub struct Elasticsearch {
    name: String,
    endpoint: Endpoint,
    index: String,
    headers: Vec<Header>,
    timeout: Duration,
}

impl std::fmt::Debug for Elasticsearch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Elasticsearch").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Elasticsearch {
    /// Writes to an index, or a data stream such as `logs-shop-default`, of the server at `url`.
    ///
    /// # Errors
    /// The address is none, or cannot be reached by this build.
    pub fn new(url: &str, index: &str) -> Result<Self, UrlError> {
        let endpoint = Endpoint::parse(url, 9200).ok_or_else(|| UrlError(url.to_owned()))?;
        let name = format!("elasticsearch {}", endpoint.url());
        let timeout = Duration::from_secs(10);
        Ok(Self { name, endpoint, index: index.to_owned(), headers: Vec::new(), timeout })
    }

    /// With one more header, such as `authorization: ApiKey …`.
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

    fn body(&self, batch: &[Formatted]) -> Vec<u8> {
        // `create` is the one action that data streams take.
        let action = format!("{}\n", serde_json::json!({"create": {"_index": self.index}}));
        let mut body = Vec::new();
        for it in batch {
            body.extend_from_slice(action.as_bytes());
            body.extend_from_slice(&it.line);
            body.push(b'\n');
        }
        body
    }
}

/// A request may be taken while some of its records are not: each has a status.
fn judge_items(body: &[u8], records: usize) -> Result<(), WriteError> {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return Err(WriteError::permanent("the answer to a bulk request is not JSON"));
    };
    if answer["errors"] == Value::Bool(false) {
        return Ok(());
    }
    let items = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let status = |item: &Value| item["create"]["status"].as_u64().unwrap_or(0);
    let (mut left, mut refused, mut reason, mut doubtful) = (Vec::new(), 0, None, false);
    for (place, item) in items.iter().take(records).enumerate() {
        match status(item) {
            200..300 => continue,
            it @ (429 | 500..) => {
                left.push(place);
                doubtful |= it == 500;
            }
            _ => refused += 1,
        }
        reason = reason.or_else(|| item["create"]["error"]["type"].as_str());
    }
    let message = format!(
        "{} of {records} records were not taken: {}",
        left.len() + refused,
        reason.unwrap_or("no reason is given"),
    );
    match (left.is_empty(), refused) {
        (true, 0) => Ok(()),
        (true, _) => Err(WriteError::permanent(message).with_left(left, refused)),
        (false, _) => {
            let error = if doubtful { WriteError::doubtful } else { WriteError::retry_after };
            Err(error(message, Duration::from_millis(500)).with_left(left, refused))
        }
    }
}

impl Output for Elasticsearch {
    fn name(&self) -> &str {
        &self.name
    }

    fn write(&mut self, batch: &[Formatted]) -> Result<(), WriteError> {
        let mut headers = vec![("content-type".to_owned(), "application/x-ndjson".to_owned())];
        headers.extend(self.headers.iter().cloned());
        let answer = post(&self.endpoint, "/_bulk", &headers, &self.body(batch), self.timeout)
            .map_err(|error| unreachable(&self.endpoint, &error))?;
        judge(&answer)?;
        judge_items(&answer.body, batch.len())
    }
}
