use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Cx, Poll};
use std::time::Instant;

use http::{HeaderMap, Request, Response, header};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::body::Watched;
use super::exchange::{Exchange, Side};
use super::instruments::Instruments;
use super::server::number;
use super::{Protocol, method_name};
use crate::instrument::type_name;
use crate::propagation::{Context, Propagation};
use crate::telemetry::metrics::Registry;
use crate::telemetry::otlp::SpanKind;
use crate::telemetry::trace::Tracer;

/// A client span and the client's metrics for every request, and headers with which the trace goes
/// on at the server. Clones are the same.
///
/// `http.client.request.duration` and the sizes of bodies; of gRPC `rpc.client.call.duration`. Users,
/// passwords and queries in addresses are not recorded.
#[derive(Clone)]
pub struct HttpClient(Arc<Desk>);

struct Desk {
    protocol: Protocol,
    tracer: Tracer,
    instruments: Arc<Instruments>,
    propagation: Propagation,
    tells: Option<HostFilter>,
}

/// Whether a host may be told the context.
type HostFilter = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What a request is, whatever library makes it.
pub(super) struct Target<'a> {
    pub(super) method: &'a http::Method,
    pub(super) scheme: &'a str,
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
    pub(super) path: &'a str,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpClient").field(&self.0.protocol).finish()
    }
}

impl HttpClient {
    /// Of HTTP.
    pub fn new(tracer: &Tracer, registry: &Registry) -> Self {
        Self::of(Protocol::Http, tracer, registry)
    }

    /// Of gRPC, such as tonic's channels.
    pub fn grpc(tracer: &Tracer, registry: &Registry) -> Self {
        Self::of(Protocol::Grpc, tracer, registry)
    }

    fn of(protocol: Protocol, tracer: &Tracer, registry: &Registry) -> Self {
        let instruments = Arc::new(Instruments::client(protocol, registry));
        let (tracer, propagation) = (tracer.clone(), Propagation::from_env().0);
        Self(Arc::new(Desk { protocol, tracer, instruments, propagation, tells: None }))
    }

    /// With other forms of the context than `OTEL_PROPAGATORS` says.
    #[must_use]
    pub fn propagation(self, propagation: Propagation) -> Self {
        self.with(|desk| desk.propagation = propagation)
    }

    /// Sends the context, baggage above all, only to hosts of which this is true: others learn nothing
    /// of our traces. Without it to all.
    #[must_use]
    pub fn tell_only(self, host: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.with(|desk| desk.tells = Some(Arc::new(host)))
    }

    fn with(self, change: impl FnOnce(&mut Desk)) -> Self {
        let Desk { protocol, tracer, instruments, propagation, tells } = &*self.0;
        let mut desk = Desk {
            protocol: *protocol,
            tracer: tracer.clone(),
            instruments: instruments.clone(),
            propagation: propagation.clone(),
            tells: tells.clone(),
        };
        change(&mut desk);
        Self(Arc::new(desk))
    }

    /// As a layer around whatever takes an [`http::Request`]: hyper's client, tonic's channel.
    pub fn layer(&self) -> ClientLayer {
        ClientLayer(self.clone())
    }

    /// Whether a host may be told the context.
    pub(super) fn tells(&self, host: &str) -> bool {
        self.0.tells.as_ref().is_none_or(|tells| tells(host))
    }

    pub(super) fn begin(&self, target: &Target<'_>, headers: &mut HeaderMap) -> Box<Exchange> {
        let desk = &*self.0;
        let method = method_name(target.method);
        let call = target.path.trim_start_matches('/');
        let name = match desk.protocol {
            Protocol::Http if method == "_OTHER" => "HTTP".into(),
            Protocol::Http => std::borrow::Cow::Borrowed(method),
            Protocol::Grpc => call.to_owned().into(),
        };
        let mut span = desk.tracer.span(name).kind(SpanKind::Client).start();
        if span.is_recorded() {
            match desk.protocol {
                Protocol::Http => {
                    span.set("http.request.method", method);
                    let port = target.port.map(|port| format!(":{port}")).unwrap_or_default();
                    span.set(
                        "url.full",
                        &format!("{}://{}{port}{}", target.scheme, target.host, target.path),
                    );
                }
                Protocol::Grpc => {
                    span.set("rpc.system.name", "grpc");
                    span.set("rpc.method", call);
                }
            }
            span.set("server.address", target.host);
        }
        let port = target.port.or(match target.scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        });
        port.into_iter().for_each(|port| span.set("server.port", port));
        if self.tells(target.host) {
            let context = Context { span: span.context(), ..Context::current() };
            desk.propagation.inject(&context, headers);
        }
        Box::new(Exchange {
            protocol: desk.protocol,
            instruments: desk.instruments.clone(),
            span,
            started: Instant::now(),
            side: Side::Client {
                address: target.host.to_owned(),
                port,
                call: (desk.protocol == Protocol::Grpc).then(|| call.to_owned()),
            },
            method,
            request_bytes: number(headers, header::CONTENT_LENGTH),
            response_bytes: 0,
            status: None,
            grpc_status: None,
            error: None,
            complete: false,
            around: None,
        })
    }
}

/// [`HttpClient`] as a layer.
#[derive(Clone, Debug)]
pub struct ClientLayer(HttpClient);

impl<S> Layer<S> for ClientLayer {
    type Service = ClientService<S>;

    fn layer(&self, inner: S) -> ClientService<S> {
        ClientService { inner, client: self.0.clone() }
    }
}

/// What [`ClientLayer`] makes of a service.
#[derive(Clone)]
pub struct ClientService<S> {
    inner: S,
    client: HttpClient,
}

impl<S> fmt::Debug for ClientService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientService").finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for ClientService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: fmt::Display,
    S::Future: Send + 'static,
    R: Body,
{
    type Response = Response<Watched<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Cx<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let target = Target {
            method: &method,
            scheme: uri.scheme_str().unwrap_or("http"),
            host: uri.host().unwrap_or_default(),
            port: uri.port_u16(),
            path: uri.path(),
        };
        let mut exchange = self.client.begin(&target, request.headers_mut());
        let answer = exchange.span.in_scope(|| self.inner.call(request));
        Box::pin(async move {
            match exchange.span.instrument(answer).await {
                Ok(answer) => {
                    exchange.answered(answer.status(), answer.headers());
                    Ok(answer.map(|body| Watched::new(body, exchange)))
                }
                Err(error) => {
                    // Its text may have the address, and so what may be secret in it.
                    let kind = type_name::<S::Error>();
                    exchange.failed(kind, format!("the request failed: {kind}"));
                    Err(error)
                }
            }
        })
    }
}
