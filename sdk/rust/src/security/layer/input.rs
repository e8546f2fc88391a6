use std::convert::Infallible;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Query};
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, json};
use tower_layer::Layer;
use tower_service::Service;

use crate::config::Validate;
use crate::config::fit::{Fit, Misfit, rules_hold};
use crate::problem::problem;
use crate::security::JsonLimits;
use crate::telemetry::metrics::{BoundCounter, Registry};

/// More errors are not told.
const ERRORS_MAX: usize = 100;
/// Of each error so many characters: it may quote what was sent.
const ERROR_CHARS_MAX: usize = 300;

/// What a [`ValidationLayer`] found valid. A handler that takes it cannot be reached without: where the
/// layer is missing the answer is 500, and an error is logged.
#[derive(Debug)]
pub struct Valid<T>(pub Arc<T>);

impl<T> Clone for Valid<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Sync, T: Send + Sync + 'static> FromRequestParts<S> for Valid<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            let input = std::any::type_name::<T>();
            tracing::error!(input, "a handler takes what no layer validates");
            problem(StatusCode::INTERNAL_SERVER_ERROR, "it cannot be answered", Map::new())
        })
    }
}

/// Reads the JSON body, or the query, of each request as a `T` and lets only those through that are valid:
/// in the form that `T` has (its JSON Schema), and by its [`Validate`]. The handler takes [`Valid<T>`].
///
/// Others are answered with a problem document (RFC 9457): 422 with an `errors` of all that is wrong
/// (`detail`, and for bodies a `pointer` as RFC 6901 has it), 400 for what is no JSON, 413 for what is too
/// long, 415 for another type. `security.inputs` counts by `security.name` and `security.outcome`, `valid`
/// or `invalid`; a refusal is logged with its numbers, never with what was sent.
///
/// ```
/// use axum::{Router, routing::post};
/// use fresnel_sdk::config::{Report, Validate};
/// use fresnel_sdk::security::JsonLimits;
/// use fresnel_sdk::security::layer::{Valid, ValidationLayer};
/// use fresnel_sdk::telemetry::metrics::Registry;
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// #[serde(deny_unknown_fields)]
/// struct NewOrder {
///     #[schemars(length(min = 1, max = 20))]
///     article: String,
///     #[schemars(range(min = 1))]
///     pieces: u32,
/// }
///
/// impl Validate for NewOrder {
///     fn validate(&self, report: &mut Report) {
///         if self.article == "piano" && self.pieces > 1 {
///             report.error("pieces", "must be 1 for a piano");
///         }
///     }
/// }
///
/// async fn create(Valid(order): Valid<NewOrder>) -> String {
///     format!("{} x {}", order.pieces, order.article)
/// }
///
/// let layer = ValidationLayer::<NewOrder>::body("orders.create", JsonLimits::default(), &Registry::new());
/// let app: Router = Router::new().route("/orders", post(create).layer(layer));
/// ```
pub struct ValidationLayer<T> {
    shared: Arc<Shared>,
    input: PhantomData<fn() -> T>,
}

struct Shared {
    name: Arc<str>,
    source: Source,
    valid: BoundCounter,
    invalid: BoundCounter,
}

enum Source {
    Body(JsonLimits, Fit),
    Query,
}

/// Why an input is not taken.
struct Refusal {
    status: StatusCode,
    detail: String,
    errors: Vec<Misfit>,
}

impl<T: DeserializeOwned + JsonSchema + Validate> ValidationLayer<T> {
    /// Of JSON bodies, read up to these limits. The name stands in metrics and logs; one for each kind of
    /// input.
    pub fn body(name: impl Into<Arc<str>>, limits: JsonLimits, registry: &Registry) -> Self {
        Self::new(name.into(), Source::Body(limits, Fit::of::<T>()), registry)
    }
}

impl<T: DeserializeOwned + Validate> ValidationLayer<T> {
    /// Of what stands behind the `?`.
    pub fn query(name: impl Into<Arc<str>>, registry: &Registry) -> Self {
        Self::new(name.into(), Source::Query, registry)
    }

    fn new(name: Arc<str>, source: Source, registry: &Registry) -> Self {
        let inputs = registry.counter("security.inputs", "{input}", "Inputs that were validated.");
        let of = |outcome| inputs.bind(&[("security.name", &*name), ("security.outcome", outcome)]);
        let (valid, invalid) = (of("valid"), of("invalid"));
        Self { shared: Arc::new(Shared { name, source, valid, invalid }), input: PhantomData }
    }
}

impl<T> Clone for ValidationLayer<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), input: PhantomData }
    }
}

impl<T> std::fmt::Debug for ValidationLayer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValidationLayer").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

impl<S, T> Layer<S> for ValidationLayer<T> {
    type Service = ValidationService<S, T>;

    fn layer(&self, inner: S) -> Self::Service {
        ValidationService { inner, layer: self.clone() }
    }
}

/// What [`ValidationLayer`] makes of a service.
#[derive(Debug)]
pub struct ValidationService<S, T> {
    inner: S,
    layer: ValidationLayer<T>,
}

impl<S: Clone, T> Clone for ValidationService<S, T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, T> Service<Request<Body>> for ValidationService<S, T>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    T: DeserializeOwned + Validate + Send + Sync + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The one that is ready is used; a fresh clone may not be.
        let fresh = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, fresh);
        let shared = self.layer.shared.clone();
        Box::pin(async move {
            match shared.read::<T>(request).await {
                Ok(request) => {
                    shared.valid.add(1);
                    ready.call(request).await
                }
                Err(refusal) => {
                    shared.invalid.add(1);
                    let (status, errors) = (refusal.status.as_u16(), refusal.errors.len());
                    tracing::info!(
                        input = &*shared.name,
                        status,
                        errors,
                        "refuse an input that is not valid"
                    );
                    Ok(refusal.answer(matches!(shared.source, Source::Body(..))))
                }
            }
        })
    }
}

impl Shared {
    /// The request with what was read as an extension; its body is as it was.
    async fn read<T>(&self, request: Request<Body>) -> Result<Request<Body>, Refusal>
    where
        T: DeserializeOwned + Validate + Send + Sync + 'static,
    {
        let (mut parts, body) = request.into_parts();
        let (value, body) = match &self.source {
            Source::Query => {
                let Query(value) = Query::<T>::try_from_uri(&parts.uri)
                    .map_err(|error| Refusal::misfits(vec![Misfit::whole(error.to_string())]))?;
                rules_hold(&value).map_err(Refusal::misfits)?;
                (value, body)
            }
            Source::Body(limits, fit) => {
                if !is_json(&parts.headers) {
                    return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "it must be JSON"));
                }
                let too_long = |_| Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "it is too long");
                let bytes = to_bytes(body, limits.bytes).await.map_err(too_long)?;
                let text = std::str::from_utf8(&bytes)
                    .map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "the text is no UTF-8"))?;
                let value = limits
                    .parse(text)
                    .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.to_string()))?;
                (fit.read::<T>(&value).map_err(Refusal::misfits)?, Body::from(bytes))
            }
        };
        parts.extensions.insert(Valid(Arc::new(value)));
        Ok(Request::from_parts(parts, body))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

impl Refusal {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), errors: Vec::new() }
    }

    fn misfits(errors: Vec<Misfit>) -> Self {
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "the input is not valid") }
    }

    fn answer(self, is_body: bool) -> Response {
        let mut more = Map::new();
        if !self.errors.is_empty() {
            let errors = self.errors.iter().take(ERRORS_MAX).map(|misfit| {
                let detail: String = misfit.message.chars().take(ERROR_CHARS_MAX).collect();
                if is_body {
                    json!({ "pointer": format!("#{}", misfit.pointer()), "detail": detail })
                } else {
                    json!({ "detail": detail })
                }
            });
            more.insert("errors".into(), errors.collect());
        }
        problem(self.status, &self.detail, more)
    }
}
