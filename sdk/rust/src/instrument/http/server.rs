use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as Cx, Poll};
use std::time::Instant;

use http::{Extensions, HeaderMap, Request, Response, header};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::body::Watched;
use super::exchange::{Exchange, Side};
use super::instruments::Instruments;
use super::{Protocol, method_name, version};
use crate::logging::{LogContext, Surrounding};
use crate::propagation::Propagation;
use crate::telemetry::metrics::Registry;
use crate::telemetry::otlp::SpanKind;
use crate::telemetry::trace::{Span, Tracer};

/// A server span and the server's metrics for every request, in the trace of its caller.
///
/// `http.server.request.duration`, `http.server.active_requests` and the sizes of bodies; of gRPC
/// `rpc.server.call.duration`. What the handler logs and begins is in the span, and the caller's
/// baggage holds. The request has a user and breadcrumbs of its own for [`errors`](crate::errors),
/// until its answer is sent.
#[derive(Clone)]
pub struct ServerLayer(Arc<Desk>);

struct Desk {
    protocol: Protocol,
    tracer: Tracer,
    instruments: Arc<Instruments>,
    propagation: Propagation,
    trusting: bool,
}

/// The template of a route, such as `/users/{id}`: a router that is not axum's puts it into the
/// extensions of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route(pub Arc<str>);

impl Route {
    /// The template.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ServerLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerLayer").field(&self.0.protocol).finish()
    }
}

impl ServerLayer {
    /// Of an HTTP server. With axum it is put on by `Router::layer`, after the routes.
    pub fn http(tracer: &Tracer, registry: &Registry) -> Self {
        Self::of(Protocol::Http, tracer, registry)
    }

    /// Of a gRPC server such as tonic's.
    pub fn grpc(tracer: &Tracer, registry: &Registry) -> Self {
        Self::of(Protocol::Grpc, tracer, registry)
    }

    fn of(protocol: Protocol, tracer: &Tracer, registry: &Registry) -> Self {
        let instruments = Arc::new(Instruments::server(protocol, registry));
        let (tracer, propagation) = (tracer.clone(), Propagation::from_env().0);
        Self(Arc::new(Desk { protocol, tracer, instruments, propagation, trusting: true }))
    }

    /// With other forms of the context than `OTEL_PROPAGATORS` says.
    #[must_use]
    pub fn propagation(self, propagation: Propagation) -> Self {
        self.with(|desk| desk.propagation = propagation)
    }

    /// For servers that strangers reach: a request begins a trace of its own, whose span has a link to
    /// the caller's; neither its decision to sample nor its baggage hold.
    #[must_use]
    pub fn untrusting(self) -> Self {
        self.with(|desk| desk.trusting = false)
    }

    fn with(self, change: impl FnOnce(&mut Desk)) -> Self {
        let Desk { protocol, tracer, instruments, propagation, trusting } = &*self.0;
        let mut desk = Desk {
            protocol: *protocol,
            tracer: tracer.clone(),
            instruments: instruments.clone(),
            propagation: propagation.clone(),
            trusting: *trusting,
        };
        change(&mut desk);
        Self(Arc::new(desk))
    }
}

impl<S> Layer<S> for ServerLayer {
    type Service = ServerService<S>;

    fn layer(&self, inner: S) -> ServerService<S> {
        ServerService { inner, desk: self.0.clone() }
    }
}

/// What [`ServerLayer`] makes of a service.
#[derive(Clone)]
pub struct ServerService<S> {
    inner: S,
    desk: Arc<Desk>,
}

impl<S> fmt::Debug for ServerService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerService").finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for ServerService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    R: Body,
{
    type Response = Response<Watched<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Cx<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let context = self.desk.propagation.extract(request.headers());
        let around = LogContext::new().isolated().surrounding();
        let pushed = around.enter();
        let mut exchange = self.desk.begin(&request, context.span);
        let ambient =
            Some(context).filter(|it| self.desk.trusting && !(it.state.is_empty() && it.baggage.is_empty()));
        let answer = match &ambient {
            Some(context) => context.clone().in_scope(|| exchange.span.in_scope(|| self.inner.call(request))),
            None => exchange.span.in_scope(|| self.inner.call(request)),
        };
        drop(pushed);
        exchange.around = Some(around.clone());
        Box::pin(async move {
            let answer = around_future(around, exchange.span.instrument(answer));
            let result = match ambient {
                Some(context) => context.scope(answer).await,
                None => answer.await,
            };
            match result {
                Ok(answer) => {
                    exchange.answered(answer.status(), answer.headers());
                    Ok(answer.map(|body| Watched::new(body, exchange)))
                }
                Err(error) => {
                    exchange.failed("service", String::new());
                    Err(error)
                }
            }
        })
    }
}

impl Desk {
    fn begin<B>(&self, request: &Request<B>, caller: Option<crate::telemetry::SpanContext>) -> Box<Exchange> {
        let method = method_name(request.method());
        let scheme = if request.uri().scheme_str() == Some("https") { "https" } else { "http" };
        let path = request.uri().path();
        let route = match self.protocol {
            Protocol::Http => route_of(request.extensions()),
            // The path of a call is its method, of which a server has only so many.
            Protocol::Grpc => Some(Route(path.trim_start_matches('/').into())),
        };
        let name = match (self.protocol, &route) {
            (Protocol::Http, Some(route)) => format!("{method} {}", route.as_str()).into(),
            (Protocol::Grpc, Some(route)) => route.as_str().to_owned().into(),
            (_, None) if method == "_OTHER" => "HTTP".into(),
            (_, None) => std::borrow::Cow::Borrowed(method),
        };
        let builder = self.tracer.span(name).kind(SpanKind::Server);
        let builder = match caller {
            Some(caller) if !self.trusting => builder.root().link(caller, &[]),
            caller => builder.continues(caller),
        };
        let mut span = builder.start();
        if span.is_recorded() {
            self.describe(&mut span, request, method, scheme, route.as_ref());
        }
        let exchange = Exchange {
            protocol: self.protocol,
            instruments: self.instruments.clone(),
            span,
            started: Instant::now(),
            side: Side::Server { route, scheme },
            method,
            request_bytes: number(request.headers(), header::CONTENT_LENGTH),
            response_bytes: 0,
            status: None,
            grpc_status: None,
            error: None,
            complete: false,
            around: None,
        };
        exchange.active(1);
        Box::new(exchange)
    }

    fn describe<B>(
        &self,
        span: &mut Span,
        request: &Request<B>,
        method: &'static str,
        scheme: &str,
        route: Option<&Route>,
    ) {
        match self.protocol {
            Protocol::Http => {
                span.set("http.request.method", method);
                if method == "_OTHER" {
                    span.set("http.request.method_original", request.method().as_str());
                }
                span.set("url.path", request.uri().path());
                span.set("url.scheme", scheme);
                route.into_iter().for_each(|route| span.set("http.route", route.as_str()));
            }
            Protocol::Grpc => {
                span.set("rpc.system.name", "grpc");
                route.into_iter().for_each(|route| span.set("rpc.method", route.as_str()));
            }
        }
        let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let host = request.uri().authority().map(|it| it.as_str()).or_else(|| text(header::HOST));
        if let Some(authority) = host.and_then(|host| host.parse::<http::uri::Authority>().ok()) {
            span.set("server.address", authority.host());
            authority.port_u16().into_iter().for_each(|port| span.set("server.port", port));
        }
        text(header::USER_AGENT).into_iter().for_each(|agent| span.set("user_agent.original", agent));
        version(request.version()).into_iter().for_each(|it| span.set("network.protocol.version", it));
    }
}

async fn around_future<F: Future>(around: Surrounding, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _pushed = around.enter();
        future.as_mut().poll(context)
    })
    .await
}

pub(super) fn number(headers: &HeaderMap, name: header::HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

fn route_of(extensions: &Extensions) -> Option<Route> {
    #[cfg(feature = "axum")]
    if let Some(matched) = extensions.get::<axum::extract::MatchedPath>() {
        return Some(Route(matched.as_str().into()));
    }
    extensions.get::<Route>().cloned()
}
