use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use model::Tenant;

/// Whose records a request may see. Whoever mounts the router puts it into the request's
/// extensions, from a key or a header; without one it is the default tenant.
#[derive(Clone, Debug, Default)]
pub struct Scope(pub Tenant);

impl<S: Send + Sync> FromRequestParts<S> for Scope {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}
