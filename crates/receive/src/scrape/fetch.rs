//! A target's answer.
//!
//! Enters: a job's way to speak to its targets, a URL. Leaves: a body, uncompressed, with the memory
//! that it holds, or a sentence. Must hold: memory is taken before it is used; passwords are read
//! where they are kept at every request, and are in no message.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body as HttpBody;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fresnel_sdk::config::Secret;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::Limited;
use model::Reservation;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, Identity, Proxy, Url, redirect};
use wire::compression::{self, Encoding};
use wire::prometheus::exposition::Format;

use super::config::{Authorization, BasicAuth, Header, HttpSd, Job, Protocol, TlsConfig};
use super::series::Exposed;
use crate::Refusal;
use crate::body;
use crate::intake::Intake;

const TIMEOUT_SECONDS: HeaderName = HeaderName::from_static("x-prometheus-scrape-timeout-seconds");
const USER_AGENT: &str = concat!("Fresnel/", env!("CARGO_PKG_VERSION"));
/// As in Go, where it is ten.
const REDIRECTS_MAX: usize = 10;
/// Connections that are kept for the next scrape, by host.
const IDLE_MAX: usize = 1;
/// Tenths that the format has that is liked most.
const LIKED_MOST: u8 = 6;
/// Longest file with a secret.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// How a server is spoken to.
#[derive(Clone, Copy)]
pub(super) struct Access<'a> {
    basic_auth: &'a Option<BasicAuth>,
    authorization: &'a Option<Authorization>,
    headers: &'a BTreeMap<String, Header>,
    tls: &'a Option<TlsConfig>,
    proxy: &'a Option<Secret<String>>,
    follow_redirects: bool,
}

impl<'a> From<&'a Job> for Access<'a> {
    fn from(job: &'a Job) -> Self {
        let Job { basic_auth, authorization, http_headers, tls_config, proxy_url, follow_redirects, .. } =
            job;
        let follow_redirects = *follow_redirects;
        Self {
            basic_auth,
            authorization,
            headers: http_headers,
            tls: tls_config,
            proxy: proxy_url,
            follow_redirects,
        }
    }
}

impl<'a> From<&'a HttpSd> for Access<'a> {
    fn from(discovery: &'a HttpSd) -> Self {
        let HttpSd {
            basic_auth, authorization, http_headers, tls_config, proxy_url, follow_redirects, ..
        } = discovery;
        let follow_redirects = *follow_redirects;
        Self {
            basic_auth,
            authorization,
            headers: http_headers,
            tls: tls_config,
            proxy: proxy_url,
            follow_redirects,
        }
    }
}

/// A body, uncompressed.
pub(super) struct Fetched {
    pub(super) content_type: String,
    bytes: Bytes,
    /// None where the body came as it is.
    decompressed: Option<Vec<u8>>,
    _reservation: Reservation,
}

impl Fetched {
    pub(super) fn body(&self) -> &[u8] {
        self.decompressed.as_deref().unwrap_or(&self.bytes)
    }
}

impl Access<'_> {
    /// Whether every host needs a client of its own.
    pub(super) fn is_by_host(&self) -> bool {
        self.server_name().is_some()
    }

    fn server_name(&self) -> Option<&str> {
        self.tls.as_ref()?.server_name.as_deref()
    }

    /// The URL as TLS sees it, and the header `Host` where that is another one: the name that the
    /// certificate must have is that of the URL.
    fn seen(&self, url: &Url) -> (Url, Option<HeaderValue>) {
        let mut seen = url.clone();
        let changed = self.server_name().is_some_and(|name| seen.set_host(Some(name)).is_ok());
        let host = url.host_str().map(|host| match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        });
        let host = host.filter(|_| changed).and_then(|host| HeaderValue::try_from(host).ok());
        (seen, host)
    }

    /// A client for everything that is spoken to so, or for a host.
    ///
    /// # Errors
    /// A file that cannot be read, or is no certificate.
    pub(super) fn client(&self, url: &Url) -> Result<Client, String> {
        let redirects = match self.follow_redirects {
            true => redirect::Policy::limited(REDIRECTS_MAX),
            false => redirect::Policy::none(),
        };
        let mut builder = Client::builder().redirect(redirects).user_agent(USER_AGENT);
        builder = builder.pool_max_idle_per_host(IDLE_MAX).no_proxy();
        if let Some(proxy) = self.proxy {
            let proxy =
                Proxy::all(proxy.expose().as_str()).map_err(|_| "`proxy_url` is no URL".to_owned())?;
            builder = builder.proxy(proxy);
        }
        if let Some(tls) = self.tls {
            builder = with_tls(builder, tls)?;
        }
        if self.is_by_host() {
            let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
            builder = builder.dns_resolver(Arc::new(Host(host.to_owned())));
        }
        builder.build().map_err(|error| format!("cannot speak TLS: {}", chain(&error)))
    }

    /// The headers that show who asks.
    fn headers(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        let secret = |text: String| {
            let value = HeaderValue::try_from(text).map(|mut value| {
                value.set_sensitive(true);
                value
            });
            value.map_err(|_| "a secret has characters that no header can have".to_owned())
        };
        if let Some(basic) = self.basic_auth {
            let user = match &basic.username_file {
                Some(file) => read_secret(file)?,
                None => basic.username.clone(),
            };
            let password = kept(basic.password.expose(), basic.password_file.as_deref())?;
            let encoded = STANDARD.encode(format!("{user}:{password}"));
            headers.insert(header::AUTHORIZATION, secret(format!("Basic {encoded}"))?);
        }
        if let Some(authorization) = self.authorization {
            let Authorization { scheme, credentials, credentials_file } = authorization;
            let credentials = kept(credentials.expose(), credentials_file.as_deref())?;
            headers.insert(header::AUTHORIZATION, secret(format!("{scheme} {credentials}"))?);
        }
        for (name, Header { values, secrets, files }) in self.headers {
            let name = HeaderName::try_from(name).map_err(|_| format!("`{name}` is not a header's name"))?;
            for value in values.iter().chain(secrets.iter().map(|secret| secret.expose())) {
                headers.append(&name, secret(value.clone())?);
            }
            for file in files {
                headers.append(&name, secret(read_secret(file)?)?);
            }
        }
        Ok(headers)
    }
}

/// Where every name leads to this host.
struct Host(String);

impl Resolve for Host {
    fn resolve(&self, _: Name) -> Resolving {
        let host = self.0.clone();
        Box::pin(async move {
            let addresses: Vec<_> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

fn with_tls(mut builder: reqwest::ClientBuilder, tls: &TlsConfig) -> Result<reqwest::ClientBuilder, String> {
    let pem = |text: Option<&str>, file: Option<&Path>| -> Result<Option<Vec<u8>>, String> {
        match (text, file) {
            (Some(text), _) => Ok(Some(text.as_bytes().to_vec())),
            (None, Some(file)) => std::fs::read(file)
                .map(Some)
                .map_err(|error| format!("{} cannot be read: {error}", file.display())),
            (None, None) => Ok(None),
        }
    };
    if let Some(authorities) = pem(tls.ca.as_deref(), tls.ca_file.as_deref())? {
        let authorities = Certificate::from_pem_bundle(&authorities)
            .map_err(|error| format!("`ca` has no certificates in PEM: {}", chain(&error)))?;
        builder = builder.tls_built_in_root_certs(false);
        builder = authorities.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
    }
    let own = pem(tls.cert.as_deref(), tls.cert_file.as_deref())?;
    let key = pem(tls.key.as_ref().map(|key| key.expose().as_str()), tls.key_file.as_deref())?;
    if let (Some(own), Some(key)) = (own, key) {
        let identity = Identity::from_pem(&[own, b"\n".to_vec(), key].concat())
            .map_err(|_| "`cert` and `key` are no certificate and key in PEM".to_owned())?;
        builder = builder.identity(identity);
    }
    Ok(builder.danger_accept_invalid_certs(tls.insecure_skip_verify))
}

/// A secret that is in the configuration or in a file.
fn kept(text: &str, file: Option<&Path>) -> Result<String, String> {
    file.map_or_else(|| Ok(text.to_owned()), read_secret)
}

/// A file with a secret, without the blanks around it.
fn read_secret(file: &Path) -> Result<String, String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(file)
        .and_then(|open| open.take(SECRET_BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    Ok(text.trim().to_owned())
}

/// What is asked for.
pub(super) struct Asked<'a> {
    pub(super) url: &'a Url,
    pub(super) accept: &'a str,
    /// Whether it may come compressed.
    pub(super) compressed: bool,
    /// Most bytes, uncompressed; 0 for as many as a request may have.
    pub(super) bytes_max: u64,
    pub(super) timeout: Duration,
}

/// Asks for a body.
///
/// # Errors
/// A sentence for whoever looks at the target.
pub(super) async fn fetch(
    client: &Client,
    access: Access<'_>,
    asked: &Asked<'_>,
    intake: &Intake,
) -> Result<Fetched, String> {
    let timeout = asked.timeout;
    let answered = tokio::time::timeout(timeout, ask(client, access, asked, intake)).await;
    answered.unwrap_or_else(|_| Err(format!("no answer within the timeout of {timeout:?}")))
}

async fn ask(
    client: &Client,
    access: Access<'_>,
    asked: &Asked<'_>,
    intake: &Intake,
) -> Result<Fetched, String> {
    let mut headers = access.headers()?;
    if let Ok(accept) = HeaderValue::try_from(asked.accept) {
        headers.entry(header::ACCEPT).or_insert(accept);
    }
    let encodings = if asked.compressed { "gzip" } else { "identity" };
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(encodings));
    if let Ok(seconds) = HeaderValue::try_from(asked.timeout.as_secs_f64().to_string()) {
        headers.insert(TIMEOUT_SECONDS, seconds);
    }
    let (url, host) = access.seen(asked.url);
    if let Some(host) = host {
        headers.insert(header::HOST, host);
    }
    let answer = client.get(url).headers(headers).send().await;
    // The address is known to whoever reads it, and may hold a secret.
    let answer: http::Response<reqwest::Body> = answer.map_err(|error| chain(&error.without_url()))?.into();
    let limit = asked.bytes_max;
    let (head, incoming) = answer.into_parts();
    if head.status != StatusCode::OK {
        return Err(format!("server returned HTTP status {}", head.status));
    }
    let limit = if limit == 0 { intake.body_max() } else { limit.min(intake.body_max()) };
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let body = HttpBody::new(Limited::new(incoming, most));
    let (bytes, reservation) =
        body::read(intake, &head.headers, body).await.map_err(|refusal| match refusal {
            Refusal::Aborted(reason) if reason.contains("length limit") => too_large(limit),
            Refusal::TooLarge { .. } => too_large(limit),
            Refusal::Aborted(reason) => format!("the answer ended early: {reason}"),
            other => other.to_string(),
        })?;
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    let content_type = text(header::CONTENT_TYPE).to_owned();
    match text(header::CONTENT_ENCODING) {
        "" | "identity" => Ok(Fetched { content_type, bytes, decompressed: None, _reservation: reservation }),
        "gzip" => gunzip(content_type, bytes, reservation, limit, intake),
        other => Err(format!("the answer has content encoding `{other}`, which was not asked for")),
    }
}

fn gunzip(
    content_type: String,
    bytes: Bytes,
    mut reservation: Reservation,
    limit: u64,
    intake: &Intake,
) -> Result<Fetched, String> {
    let held = reservation.bytes();
    let mut room = |wanted: usize| intake.hold(&mut reservation, held + wanted as u64).is_ok();
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let decompressed = compression::decompress_within(&bytes, Encoding::Gzip, most, &mut room);
    let decompressed = match decompressed.map(Cow::into_owned) {
        Ok(body) => body,
        Err(compression::Error::TooLarge { .. }) => return Err(too_large(limit)),
        Err(error) => return Err(error.to_string()),
    };
    Ok(Fetched {
        content_type,
        bytes: Bytes::new(),
        decompressed: Some(decompressed),
        _reservation: reservation,
    })
}

fn too_large(limit: u64) -> String {
    format!("body_size_limit exceeded: more than {limit} bytes")
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// What a target is asked for, the first of the formats rather than the others.
pub(super) fn accept(protocols: &[Protocol]) -> String {
    // As Prometheus weighs them.
    let weights = (0..=LIKED_MOST).rev();
    let mut asked: String = protocols
        .iter()
        .zip(weights)
        .map(|(protocol, weight)| format!("{};q=0.{weight},", protocol.media_type()))
        .collect();
    asked.push_str(&format!("*/*;q=0.{}", usize::from(LIKED_MOST).saturating_sub(protocols.len())));
    asked
}

/// The format that an answer says it has, or that it is taken for where it does not say.
pub(super) fn format_of(content_type: &str, fallback: Option<Protocol>) -> Result<Exposed, String> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let said = match media_type.as_str() {
        "text/plain" => Some(Protocol::Text),
        "application/openmetrics-text" => Some(Protocol::OpenMetrics),
        "application/vnd.google.protobuf" if is_delimited(content_type) => Some(Protocol::Protobuf),
        _ => None,
    };
    match said.or(fallback) {
        Some(Protocol::Text | Protocol::Text1) => Ok(Exposed::Lines(Format::Text)),
        Some(Protocol::OpenMetrics0 | Protocol::OpenMetrics) => Ok(Exposed::Lines(Format::OpenMetrics)),
        Some(Protocol::Protobuf) => Ok(Exposed::Protobuf),
        None => Err(format!(
            "received unsupported Content-Type \"{content_type}\" and no fallback_scrape_protocol specified for target"
        )),
    }
}

/// Whether protobuf is of the message and the form that there is; what is not said is taken for it.
fn is_delimited(content_type: &str) -> bool {
    content_type.split(';').skip(1).all(|parameter| match parameter.trim().split_once('=') {
        Some(("proto", message)) => message.trim_matches('"') == "io.prometheus.client.MetricFamily",
        Some(("encoding", encoding)) => encoding.trim_matches('"') == "delimited",
        _ => true,
    })
}
