use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use http::{HeaderMap, Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use crate::security::jwt::{TokenError, Validator};

/// Lets only requests through that carry a valid token (`Authorization: Bearer`, RFC 6750); they have
/// an `Arc<Claims>` as an extension then. Others get 401, or 503 if it cannot be checked now; why is
/// said in no more than RFC 6750's words and in a log at debug level.
///
/// ```
/// use std::sync::Arc;
/// use axum::{Extension, Router, routing::get};
/// use fresnel_sdk::security::jwt::{Claims, Key, KeySet, Validator, ValidatorOptions};
/// use fresnel_sdk::security::layer::TokenLayer;
///
/// async fn me(Extension(claims): Extension<Arc<Claims>>) -> String {
///     claims.subject.clone().unwrap_or_default()
/// }
///
/// let secret = "an example of a secret with 32 bytes".to_owned().into();
/// let keys = KeySet::new([Key::hmac_sha256(None, &secret)?])?;
/// let validator = Validator::new(keys, ValidatorOptions::new("https://login.example.com", "shop"));
/// let app: Router = Router::new().route("/me", get(me)).layer(TokenLayer::new(Arc::new(validator)));
/// # Ok::<(), fresnel_sdk::security::jwt::KeyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokenLayer {
    validator: Arc<Validator>,
}

impl TokenLayer {
    /// Asks this validator.
    pub fn new(validator: Arc<Validator>) -> Self {
        Self { validator }
    }
}

impl<S> Layer<S> for TokenLayer {
    type Service = TokenService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TokenService { inner, validator: self.validator.clone() }
    }
}

/// What [`TokenLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct TokenService<S> {
    inner: S,
    validator: Arc<Validator>,
}

impl<S, B, R> Service<Request<B>> for TokenService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
    R: Default + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The one that is ready is used; a fresh clone may not be.
        let fresh = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, fresh);
        let validator = self.validator.clone();
        Box::pin(async move {
            let Some(token) = bearer(request.headers()) else { return Ok(refuse(None)) };
            match validator.validate(token).await {
                Ok(claims) => {
                    request.extensions_mut().insert(claims);
                    ready.call(request).await
                }
                Err(error) => {
                    tracing::debug!(%error, "refuse a request by its token");
                    Ok(refuse(Some(&error)))
                }
            }
        })
    }
}

/// The token, if there is exactly one such header: two could be read differently by two readers.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn refuse<R: Default>(error: Option<&TokenError>) -> Response<R> {
    let mut answer = Response::new(R::default());
    if error.is_some_and(TokenError::retryable) {
        *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return answer;
    }
    *answer.status_mut() = StatusCode::UNAUTHORIZED;
    // Without a token there is no error to tell, by RFC 6750.
    let challenge = match error {
        None => HeaderValue::from_static("Bearer"),
        Some(_) => HeaderValue::from_static("Bearer error=\"invalid_token\""),
    };
    answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    answer
}
