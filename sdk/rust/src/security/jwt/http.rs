use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use super::BoxFuture;
use super::jwks::{BYTES_MAX, FetchError, FetchKeys};

/// Fetches keys with `reqwest` from one address, which follows no redirect: within ten seconds, and at
/// most 1 MiB.
///
/// ```
/// use fresnel_sdk::security::jwt::{HttpKeys, Jwks, JwksOptions, Validator, ValidatorOptions};
///
/// let issuer = "https://login.example.com";
/// let keys = HttpKeys::new("https://login.example.com/.well-known/jwks.json")?;
/// let jwks = Jwks::new(keys, JwksOptions::default());
/// let validator = Validator::fetching(jwks, ValidatorOptions::new(issuer, "shop"));
/// assert!(HttpKeys::new("http://login.example.com/jwks.json").is_err(), "anybody could send keys");
/// # let _ = validator;
/// # Ok::<(), fresnel_sdk::security::jwt::FetchError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HttpKeys {
    client: Client,
    url: Url,
    timeout: Duration,
}

impl HttpKeys {
    /// From this address: `https://`, or `http://` on this machine.
    ///
    /// # Errors
    /// It is another address, or there is no TLS on this machine.
    pub fn new(url: &str) -> Result<Self, FetchError> {
        let url: Url = url.parse().map_err(|error| FetchError(format!("`{url}` is no address: {error}")))?;
        let safe = url.scheme() == "https" || (url.scheme() == "http" && is_this_machine(&url));
        if !safe {
            return Err(FetchError(format!("`{url}` is not `https://`: anybody on the way could send keys")));
        }
        let client = Client::builder().redirect(Policy::none()).build().map_err(|error| told(&error))?;
        Ok(Self { client, url, timeout: Duration::from_secs(10) })
    }

    /// By another client, with its certificates, proxies and redirects.
    #[must_use]
    pub fn client(self, client: Client) -> Self {
        Self { client, ..self }
    }

    /// Gives up after this time, the body included.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    async fn get(&self) -> Result<String, FetchError> {
        let request = self.client.get(self.url.clone()).timeout(self.timeout);
        let request = request.header(ACCEPT, "application/jwk-set+json, application/json");
        let mut answer = request.send().await.map_err(|error| told(&error))?;
        if !answer.status().is_success() {
            return Err(FetchError(format!("{} answered {}", self.url, answer.status())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| told(&error))? {
            if body.len() + chunk.len() > BYTES_MAX {
                return Err(FetchError(format!("{} has more than {BYTES_MAX} bytes", self.url)));
            }
            body.extend_from_slice(&chunk);
        }
        String::from_utf8(body).map_err(|_| FetchError(format!("{} is no text", self.url)))
    }
}

impl FetchKeys for HttpKeys {
    fn fetch(&self) -> BoxFuture<'_, Result<String, FetchError>> {
        Box::pin(self.get())
    }
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// With its causes, which say more than it does.
fn told(error: &reqwest::Error) -> FetchError {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    FetchError(text)
}
