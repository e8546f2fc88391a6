use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use model::Tenant;

/// Whose records a request may see. Whoever mounts the router puts it into the request's
/// extensions, from a key or a header; without one it is the default tenant.
#[derive(Clone, Debug, Default)]
pub struct Scope(pub Tenant);

/// Of whom a request may see names and figures. Put into the request's extensions like [`Scope`];
/// without it that of the default tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Of all tenants.
    Everybody,
    /// Of this one, and of the server as a whole.
    Only(Tenant),
}

impl Sight {
    /// Whether what is of this tenant may be seen.
    pub fn sees(&self, tenant: &str) -> bool {
        match self {
            Self::Everybody => true,
            Self::Only(own) => own.as_str() == tenant,
        }
    }
}

impl Default for Sight {
    fn default() -> Self {
        Self::Only(Tenant::default())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Sight {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Scope {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}
