use std::collections::BTreeMap;

use base64::Engine as _;
use fresnel_sdk::config::Secret;
use http::HeaderMap;
use model::Tenant;

use crate::config::KeyConfig;
use crate::error::Refusal;

/// The header in which an open server is told the tenant, as Loki and Mimir name it.
pub(crate) const TENANT_HEADER: &str = "x-scope-orgid";

/// Who may send, and for which tenant.
#[derive(Debug)]
pub struct Senders {
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    secret: Secret<String>,
    tenant: Tenant,
    admin: bool,
}

/// Who reads, and how far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Whose records.
    pub tenant: Tenant,
    /// Whether names and figures of the other tenants may be seen too.
    pub admin: bool,
}

/// A key whose tenant is not a tenant's name.
#[derive(Debug, thiserror::Error)]
#[error("receive.key.{key}.tenant: {source}")]
pub struct Unidentified {
    key: String,
    source: model::InvalidTenant,
}

impl Senders {
    /// From the keys of the configuration; with none the door is open.
    ///
    /// # Errors
    /// [`Unidentified`] names the key whose tenant is malformed.
    pub fn new(keys: &BTreeMap<String, KeyConfig>) -> Result<Self, Unidentified> {
        let keys = keys.iter().map(|(name, key)| {
            let tenant =
                Tenant::parse(&key.tenant).map_err(|source| Unidentified { key: name.clone(), source })?;
            Ok(Key { secret: key.secret.clone(), tenant, admin: key.admin })
        });
        Ok(Self { keys: keys.collect::<Result<_, _>>()? })
    }

    /// Whether senders must show a key.
    pub fn authenticated(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The tenant of a request: that of its key, or on an open server of the header.
    ///
    /// # Errors
    /// [`Refusal::Unauthenticated`] or [`Refusal::Tenant`].
    pub fn identify(&self, headers: &HeaderMap) -> Result<Tenant, Refusal> {
        self.identify_reader(headers).map(|reader| reader.tenant)
    }

    /// Whose records a reader may see, and whether it is told of other tenants too: on an open
    /// server everybody is. The key may also be the password of HTTP's basic authentication, which
    /// a browser asks for.
    ///
    /// # Errors
    /// [`Refusal::Unauthenticated`] or [`Refusal::Tenant`].
    pub fn identify_reader(&self, headers: &HeaderMap) -> Result<Reader, Refusal> {
        if !self.authenticated() {
            return Ok(Reader { tenant: by_header(headers)?, admin: true });
        }
        let shown = shown_key(headers).ok_or(Refusal::Unauthenticated)?;
        // Every key is compared, each in constant time, so that the time tells nothing.
        let mut found = None;
        for key in &self.keys {
            if same(key.secret.expose().as_bytes(), shown.as_bytes()) {
                found = Some(Reader { tenant: key.tenant.clone(), admin: key.admin });
            }
        }
        found.ok_or(Refusal::Unauthenticated)
    }
}

fn shown_key(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.split_once(' ')?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.into());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = base64::engine::general_purpose::STANDARD.decode(credentials).ok()?;
        let decoded = String::from_utf8(decoded).ok()?;
        return decoded.split_once(':').map(|(_, password)| password.into());
    }
    None
}

fn by_header(headers: &HeaderMap) -> Result<Tenant, Refusal> {
    let Some(value) = headers.get(TENANT_HEADER) else { return Ok(Tenant::default()) };
    let name = value.to_str().unwrap_or("");
    Tenant::parse(name).map_err(|error| Refusal::Tenant(format!("X-Scope-OrgID: {error}")))
}

fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}
