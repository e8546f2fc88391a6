use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use http::HeaderMap;
use model::Tenant;
use parking_lot::Mutex;

use crate::config::KeyConfig;
use crate::error::Refusal;

/// The header in which an open server is told the tenant, as Loki and Mimir name it.
pub(crate) const TENANT_HEADER: &str = "x-scope-orgid";

/// Who may send, and for which tenant.
#[derive(Debug)]
pub struct Senders {
    keys: Vec<(String, Tenant)>,
    tenants_max: usize,
    seen: Mutex<BTreeSet<Tenant>>,
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
    pub fn new(keys: &BTreeMap<String, KeyConfig>, tenants_max: usize) -> Result<Self, Unidentified> {
        let keys = keys
            .iter()
            .map(|(name, key)| {
                let tenant = Tenant::parse(&key.tenant)
                    .map_err(|source| Unidentified { key: name.clone(), source })?;
                Ok((key.secret.expose().clone(), tenant))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { keys, tenants_max, seen: Mutex::default() })
    }

    /// Whether senders must show a key.
    pub fn authenticated(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Makes a tenant known that has records in the store, so that it counts against the limit.
    pub fn know(&self, tenant: Tenant) {
        self.seen.lock().insert(tenant);
    }

    /// The tenant of a request: that of its key, or on an open server of the header.
    ///
    /// # Errors
    /// [`Refusal::Unauthenticated`] or [`Refusal::Tenant`].
    pub fn identify(&self, headers: &HeaderMap) -> Result<Tenant, Refusal> {
        let tenant = if self.authenticated() { self.by_key(headers)? } else { by_header(headers)? };
        let mut seen = self.seen.lock();
        if !seen.contains(&tenant) {
            if seen.len() >= self.tenants_max {
                let reason = format!("tenant `{tenant}` would be one more than receive.limit.tenants");
                return Err(Refusal::Tenant(reason));
            }
            seen.insert(tenant.clone());
        }
        Ok(tenant)
    }

    /// The tenant whose records a reader may see. Readers may also show the key as the password of
    /// HTTP's basic authentication, which a browser asks for. A tenant that is only read is not
    /// remembered.
    ///
    /// # Errors
    /// [`Refusal::Unauthenticated`] or [`Refusal::Tenant`].
    pub fn identify_reader(&self, headers: &HeaderMap) -> Result<Tenant, Refusal> {
        if self.authenticated() { self.by_key(headers) } else { by_header(headers) }
    }

    fn by_key(&self, headers: &HeaderMap) -> Result<Tenant, Refusal> {
        let shown = shown_key(headers).ok_or(Refusal::Unauthenticated)?;
        // Every key is compared, each in constant time, so that the time tells nothing.
        let mut found = None;
        for (secret, tenant) in &self.keys {
            if same(secret.as_bytes(), shown.as_bytes()) {
                found = Some(tenant.clone());
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
