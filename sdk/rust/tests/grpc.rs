//! OTLP over gRPC against tonic: what arrives, what is tried again, what is lost, and that nobody
//! waits for a receiver that hangs.

#![cfg(feature = "grpc")]
#![allow(clippy::unwrap_used)]

mod certificates;

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::{MethodRouter, post};
use fresnel_sdk::telemetry::http::{GrpcExporter, HttpExporter};
use fresnel_sdk::telemetry::metrics::Registry;
use fresnel_sdk::telemetry::otlp::Resource;
use fresnel_sdk::telemetry::{ExportError, Exporter, Pipeline, PipelineOptions, Signal};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use tonic::{Code, Status};
use tonic_prost::ProstCodec;
use tracing_subscriber::layer::SubscriberExt;

use crate::certificates::Folder;

const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
const PATIENCE: Duration = Duration::from_secs(30);

/// What the receiver does with a call; after these it takes everything.
enum Answer {
    Status(Status),
    /// Takes all but so many.
    Partial(i64),
    Hang,
}

/// A receiver of OTLP that is made of tonic.
#[derive(Clone, Default)]
struct Receiver {
    address: String,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// One that was taken.
struct Call {
    path: &'static str,
    headers: http::HeaderMap,
    message: Vec<u8>,
}

impl Receiver {
    fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::start_after(answers, 0)
    }

    /// Closes this many connections, each after it was read from, before tonic sees one.
    fn start_after(answers: impl IntoIterator<Item = Answer>, closed: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            answers: Arc::new(Mutex::new(answers.into_iter().collect())),
            calls: Arc::default(),
        };
        let routes = receiver.routes();
        std::thread::spawn(move || {
            for _ in 0..closed {
                let (mut stream, _) = listener.accept().unwrap();
                assert!(stream.read(&mut [0; 64]).unwrap() > 0);
            }
            serve(listener, routes);
        });
        receiver
    }

    fn routes(&self) -> Router {
        let receiver = self;
        Router::new()
            .route(LOGS, receiver.method::<ExportLogsServiceRequest, ExportLogsServiceResponse>(LOGS))
            .route(TRACES, receiver.method::<ExportTraceServiceRequest, ExportTraceServiceResponse>(TRACES))
            .route(
                METRICS,
                receiver.method::<ExportMetricsServiceRequest, ExportMetricsServiceResponse>(METRICS),
            )
            .route("/v1/logs", receiver.over_http())
    }

    fn method<Q, A>(&self, path: &'static str) -> MethodRouter
    where
        Q: Message + Default + 'static,
        A: Message + Default + 'static,
    {
        let receiver = self.clone();
        post(async move |request: axum::extract::Request| {
            let headers = request.headers().clone();
            let service = tower::service_fn(move |request: tonic::Request<Q>| {
                let (receiver, headers) = (receiver.clone(), headers.clone());
                async move {
                    let message = request.into_inner().encode_to_vec();
                    receiver.answer::<A>(Call { path, headers, message }).await
                }
            });
            let codec = ProstCodec::<A, Q>::default();
            let grpc = tonic::server::Grpc::new(codec);
            grpc.accept_compressed(tonic::codec::CompressionEncoding::Gzip).unary(service, request).await
        })
    }

    async fn answer<A: Message + Default>(&self, call: Call) -> Result<tonic::Response<A>, Status> {
        let answer = self.answers.lock().unwrap().pop_front();
        let rejected = match answer {
            Some(Answer::Status(status)) => return Err(status),
            Some(Answer::Hang) => std::future::pending().await,
            Some(Answer::Partial(rejected)) => rejected,
            None => 0,
        };
        self.calls.lock().unwrap().push(call);
        // The three answers have the same fields.
        let partial = ExportTracePartialSuccess { rejected_spans: rejected, error_message: "too old".into() };
        let answer = ExportTraceServiceResponse { partial_success: (rejected > 0).then_some(partial) };
        Ok(tonic::Response::new(A::decode(&answer.encode_to_vec()[..]).unwrap()))
    }

    fn over_http(&self) -> MethodRouter {
        let receiver = self.clone();
        post(async move |headers: http::HeaderMap, body: axum::body::Bytes| {
            let call = Call { path: "/v1/logs", headers, message: body.to_vec() };
            receiver.calls.lock().unwrap().push(call);
        })
    }

    fn exporter(&self) -> GrpcExporter {
        GrpcExporter::new(&self.address).unwrap()
    }

    /// The messages that were taken at a path.
    fn taken<M: Message + Default>(&self, path: &str) -> Vec<M> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|it| it.path == path).map(|it| M::decode(&it.message[..]).unwrap()).collect()
    }

    fn spans(&self) -> Vec<String> {
        let requests = self.taken::<ExportTraceServiceRequest>(TRACES).into_iter();
        let scopes = requests.flat_map(|it| it.resource_spans).flat_map(|it| it.scope_spans);
        scopes.flat_map(|it| it.spans).map(|it| it.name).collect()
    }

    fn logs(&self, path: &str) -> usize {
        let requests = self.taken::<ExportLogsServiceRequest>(path).into_iter();
        let scopes = requests.flat_map(|it| it.resource_logs).flat_map(|it| it.scope_logs);
        scopes.map(|it| it.log_records.len()).sum()
    }

    fn metrics(&self) -> Vec<String> {
        let requests = self.taken::<ExportMetricsServiceRequest>(METRICS).into_iter();
        let scopes = requests.flat_map(|it| it.resource_metrics).flat_map(|it| it.scope_metrics);
        scopes.flat_map(|it| it.metrics).map(|it| it.name).collect()
    }

    /// What a header of every call at a path was.
    fn headers(&self, path: &str, name: &str) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        let calls = calls.iter().filter(|it| it.path == path);
        calls.map(|it| it.headers.get(name).map_or("", |it| it.to_str().unwrap()).to_owned()).collect()
    }
}

/// For as long as the tests run.
fn serve(listener: TcpListener, routes: Router) {
    listener.set_nonblocking(true).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        axum::serve(listener, routes).await.unwrap();
    });
}

/// One that sends only when asked, and waits for little between attempts.
fn pipeline() -> Pipeline {
    let hour = Duration::from_secs(3600);
    let options = PipelineOptions {
        interval: hour,
        metrics_interval: hour,
        retry_wait_max: Duration::from_millis(1),
        ..PipelineOptions::default()
    };
    Pipeline::start(Resource::service("test", "1"), Registry::new(), options).unwrap()
}

/// The receiver's answers are for spans alone.
struct OfSpans(GrpcExporter);

impl Exporter for OfSpans {
    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        if signal == Signal::Traces { self.0.export(signal, request) } else { Ok(()) }
    }
}

/// What the pipeline counted of spans: delivered and lost.
fn counted(pipeline: &Pipeline) -> (u64, u64) {
    let page = pipeline.registry().prometheus();
    let value = |labels: &str| {
        let start = format!("otel_sdk_exporter_span_exported_total{labels} ");
        page.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok()).unwrap()
    };
    (value(""), value("{error_type=\"export_failed\"}"))
}

fn refused(code: Code) -> Answer {
    Answer::Status(Status::new(code, "nö: 100%"))
}

/// As `google.rpc` has them.
mod rpc {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Status {
        #[prost(int32, tag = "1")]
        pub(crate) code: i32,
        #[prost(string, tag = "2")]
        pub(crate) message: String,
        #[prost(message, repeated, tag = "3")]
        pub(crate) details: Vec<Any>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Any {
        #[prost(string, tag = "1")]
        pub(crate) type_url: String,
        #[prost(bytes = "vec", tag = "2")]
        pub(crate) value: Vec<u8>,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(crate) struct RetryInfo {
        #[prost(message, optional, tag = "1")]
        pub(crate) retry_delay: Option<Duration>,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(crate) struct Duration {
        #[prost(int64, tag = "1")]
        pub(crate) seconds: i64,
        #[prost(int32, tag = "2")]
        pub(crate) nanos: i32,
    }
}

/// Refused, with when to come again.
fn again(code: Code, delay: Duration) -> Answer {
    let (seconds, nanos) = (delay.as_secs().cast_signed(), delay.subsec_nanos().cast_signed());
    let info = rpc::RetryInfo { retry_delay: Some(rpc::Duration { seconds, nanos }) };
    let detail = |name: &str, value| rpc::Any { type_url: format!("type.googleapis.com/{name}"), value };
    let details = vec![
        detail("google.rpc.DebugInfo", b"\x12\x01x".to_vec()),
        detail("google.rpc.RetryInfo", info.encode_to_vec()),
    ];
    let status = rpc::Status { code: code as i32, message: "busy".into(), details };
    Answer::Status(Status::with_details(code, "busy", status.encode_to_vec().into()))
}

#[test]
fn every_signal_arrives_with_what_was_said_of_it() {
    let (receiver, pipeline) = (Receiver::start([]), pipeline());
    pipeline.registry().counter("shop.orders", "{order}", "Orders placed.").add(3, &[]);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(pipeline.layer()), || {
        tracing::info_span!("work").in_scope(|| tracing::info!("worked"));
    });
    let timeout = Duration::from_secs(20);
    pipeline
        .connect(receiver.exporter().header("X-Key", "a b").header("content-type", "no").timeout(timeout));
    assert!(pipeline.flush(PATIENCE));
    assert_eq!((receiver.spans(), receiver.logs(LOGS)), (vec!["work".to_owned()], 1));
    assert!(receiver.metrics().contains(&"shop.orders".to_owned()), "{:?}", receiver.metrics());
    for path in [LOGS, TRACES, METRICS] {
        for (name, value) in [("x-key", "a b"), ("te", "trailers"), ("content-type", "application/grpc")] {
            assert_eq!(receiver.headers(path, name), [value], "{path} {name}");
        }
        let timeout = receiver.headers(path, "grpc-timeout")[0].clone();
        let milliseconds: u64 = timeout.strip_suffix('m').unwrap().parse().unwrap();
        assert!((1..=20_000).contains(&milliseconds), "{timeout}");
    }
}

#[cfg(feature = "gzip")]
#[test]
fn a_request_is_compressed_when_that_gains_something() {
    let receiver = Receiver::start([]);
    let exporter = receiver.exporter().gzip(true);
    let span = |name: &str| {
        use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
        let spans = vec![Span { name: name.into(), ..Span::default() }];
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    };
    let long = "x".repeat(100_000);
    exporter.export(Signal::Traces, span("short")).unwrap();
    exporter.export(Signal::Traces, span(&long)).unwrap();
    assert_eq!(receiver.spans(), ["short", &long]);
    assert_eq!(receiver.headers(TRACES, "grpc-encoding"), ["", "gzip"]);
}

/// The table of OTLP's specification.
#[test]
fn the_codes_that_may_be_retried_are_those_of_otlp() {
    let retryable = [
        Code::Cancelled,
        Code::DeadlineExceeded,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unavailable,
        Code::DataLoss,
    ];
    let codes: Vec<_> = (1..=16).map(Code::from_i32).collect();
    let receiver = Receiver::start(codes.iter().copied().map(refused));
    for code in codes {
        let error = receiver.exporter().export(Signal::Logs, Vec::new()).unwrap_err();
        assert_eq!(error.retryable().is_some(), retryable.contains(&code), "{code:?}: {error}");
        assert!(error.to_string().ends_with(": nö: 100%"), "{error}");
    }
    receiver.exporter().export(Signal::Logs, Vec::new()).unwrap();
}

#[test]
fn a_receiver_that_is_exhausted_says_when_to_come_again_or_never() {
    let delays = [Duration::new(7, 5), Duration::ZERO];
    let receiver = Receiver::start([
        again(Code::ResourceExhausted, delays[0]),
        again(Code::ResourceExhausted, delays[1]),
        again(Code::Unavailable, delays[0]),
        again(Code::InvalidArgument, delays[0]),
        refused(Code::ResourceExhausted),
    ]);
    let told: Vec<_> = (0..5)
        .map(|_| receiver.exporter().export(Signal::Metrics, Vec::new()).unwrap_err().retryable())
        .collect();
    assert_eq!(told, [Some(delays[0]), Some(delays[1]), Some(delays[0]), None, None]);
}

#[test]
fn nothing_is_lost_on_a_receiver_that_closes_refuses_and_hangs_for_a_while() {
    let answers = [refused(Code::Unavailable), again(Code::ResourceExhausted, Duration::ZERO), Answer::Hang];
    let (receiver, pipeline) = (Receiver::start_after(answers, 2), pipeline());
    pipeline.layer().tracer().start("kept").end();
    pipeline.connect(OfSpans(receiver.exporter().timeout(Duration::from_secs(3))));
    assert!(pipeline.flush(PATIENCE));
    assert_eq!((receiver.spans(), counted(&pipeline)), (vec!["kept".to_owned()], (1, 0)));
    assert!(receiver.answers.lock().unwrap().is_empty());
}

#[test]
fn what_is_refused_for_good_is_lost_and_counted() {
    let (receiver, pipeline) = (Receiver::start([refused(Code::InvalidArgument)]), pipeline());
    pipeline.layer().tracer().start("bad").end();
    pipeline.connect(OfSpans(receiver.exporter()));
    assert!(!pipeline.flush(PATIENCE), "it says so");
    assert_eq!((receiver.spans(), counted(&pipeline)), (vec![], (0, 1)));
    let health = pipeline.health();
    let error = health.outputs.iter().find(|it| it.name == "traces").unwrap().error.clone().unwrap();
    assert!(error.starts_with("the receiver answered INVALID_ARGUMENT: "), "{error}");
}

#[test]
fn records_that_are_refused_while_others_are_taken_are_counted_as_lost() {
    let (receiver, pipeline) = (Receiver::start([Answer::Partial(2)]), pipeline());
    let tracer = pipeline.layer().tracer();
    ["a", "b", "c"].iter().for_each(|name| tracer.start(*name).end());
    pipeline.connect(OfSpans(receiver.exporter()));
    assert!(!pipeline.flush(PATIENCE), "it says so");
    assert_eq!((receiver.spans().len(), counted(&pipeline)), (3, (1, 2)), "it is not sent again");
    pipeline.layer().tracer().start("d").end();
    assert!(pipeline.flush(PATIENCE), "what was told is forgotten");
}

#[test]
fn a_receiver_that_hangs_is_waited_for_no_longer_than_was_said() {
    let (receiver, pipeline) = (Receiver::start([Answer::Hang]), pipeline());
    pipeline.layer().tracer().start("stuck").end();
    pipeline.connect(OfSpans(receiver.exporter().timeout(Duration::from_secs(3600))));
    assert!(!pipeline.flush(Duration::from_millis(50)));
    assert!(!pipeline.shutdown(Duration::from_millis(50)));
    assert!(receiver.spans().is_empty());
}

/// What answers at the address but does not speak gRPC: a proxy, a page, OTLP/HTTP.
#[test]
fn answers_that_are_not_of_grpc_are_understood() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let statuses = [503, 429, 502, 504, 401, 403, 404, 200];
    let left = Arc::new(Mutex::new(VecDeque::from(statuses)));
    let routes = Router::new().fallback(async move || {
        let status = left.lock().unwrap().pop_front().unwrap();
        (http::StatusCode::from_u16(status).unwrap(), "<html>")
    });
    std::thread::spawn(move || serve(listener, routes));
    let exporter = GrpcExporter::new(&address).unwrap();
    let retried = statuses.map(|status| {
        let error = exporter.export(Signal::Logs, Vec::new()).unwrap_err();
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        error.retryable().is_some()
    });
    assert_eq!(retried, [true, true, true, true, false, false, false, false]);
}

#[test]
fn the_port_of_something_else_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let exporter = GrpcExporter::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").unwrap();
        // Until the other side has read that.
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    });
    let error = exporter.export(Signal::Logs, Vec::new()).unwrap_err();
    assert!(error.to_string().ends_with("is this the port of gRPC?"), "{error}");
    let wrong = GrpcExporter::new("localhost:4317").unwrap_err();
    assert!(wrong.to_string().contains("it must be like `http://127.0.0.1:4317`"), "{wrong}");
}

/// HTTP's partial success is the same message.
#[test]
fn over_http_refused_records_are_told_too() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let partial = ExportTracePartialSuccess { rejected_spans: 2, error_message: "too old".into() };
    let answer = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let routes = Router::new().route("/v1/traces", post(async move || answer.clone()));
    std::thread::spawn(move || serve(listener, routes));
    let error = HttpExporter::new(&address).unwrap().export(Signal::Traces, Vec::new()).unwrap_err();
    assert_eq!((error.rejected(), error.retryable()), (Some(2), None));
    assert_eq!(error.to_string(), "2 records refused: too old");
}

/// What the child does; without it the child's test has nothing to do.
const CHILD: &str = "FRESNEL_GRPC_CHILD";

/// Ends in a runtime, where nothing may block on another one.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // Longer than it waits unless said: where much else runs a handshake takes its time.
        let _guard = fresnel_sdk::builder().shutdown_timeout(Duration::from_secs(10)).start().unwrap();
        tracing::info_span!("work").in_scope(|| tracing::info!("worked"));
    });
}

fn run_child(variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    command.args(["--exact", "child", "--nocapture"]).env(CHILD, "1").envs(variables.iter().copied());
    command.output().unwrap()
}

#[test]
fn the_environment_says_which_signal_goes_over_grpc() {
    let receiver = Receiver::start([refused(Code::Unavailable)]);
    let own = format!("{}/v1/logs", receiver.address);
    let output = run_child(&[
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.address),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", &own),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b"),
        ("OTEL_AUTH_TOKEN", "secret"),
    ]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(receiver.spans(), ["work"]);
    assert_eq!((receiver.logs(LOGS), receiver.logs("/v1/logs")), (0, 1));
    assert!(receiver.metrics().contains(&"otel.sdk.exporter.span.exported".to_owned()));
    for path in [TRACES, METRICS, "/v1/logs"] {
        assert_eq!(receiver.headers(path, "x-key")[0], "a b", "{path}");
        assert_eq!(receiver.headers(path, "authorization")[0], "Bearer secret", "{path}");
    }
}

#[test]
fn a_target_without_a_scheme_is_one_without_tls_only_where_that_is_said() {
    let receiver = Receiver::start([]);
    let target = receiver.address.trim_start_matches("http://");
    let run = |insecure: &str| {
        run_child(&[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", target),
            ("OTEL_EXPORTER_OTLP_INSECURE", insecure),
        ])
    };
    let told = format!("{:?}", run("false"));
    assert!(told.contains(&format!("cannot send to https://{target}: ")), "{told}");
    assert!(receiver.spans().is_empty());
    run("true");
    assert_eq!(receiver.spans(), ["work"]);
}

#[test]
fn a_program_ends_though_its_receiver_hangs() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let variables = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000"),
    ];
    let output = run_child(&variables);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"worked\""), "{output:?}");
}

/// Connections over TLS.
struct Tls {
    listener: tokio::net::TcpListener,
    acceptor: tokio_rustls::TlsAcceptor,
}

impl Tls {
    fn new(listener: TcpListener, mut config: rustls::ServerConfig, protocols: &[&str]) -> Self {
        config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        Self { listener, acceptor: Arc::new(config).into() }
    }
}

impl axum::serve::Listener for Tls {
    type Io = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            // Who does not trust the certificate is gone; the next one may.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// Sends to a receiver over TLS that offers these protocols, by files of the folder that variables
/// name. Returns the spans that it had, and what the child said.
fn over_tls(
    folder: &Folder,
    (strict, protocols): (bool, &'static [&str]),
    variables: &[(&str, &str)],
) -> (Vec<String>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let receiver = Receiver::default();
    let (routes, config) = (receiver.routes(), folder.server(strict));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { axum::serve(Tls::new(listener, config, protocols), routes).await.unwrap() });
    });
    let files: Vec<_> = variables.iter().map(|(name, file)| (*name, folder.file(file))).collect();
    let mut all =
        vec![("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    all.extend(files.iter().map(|(name, file)| (*name, file.to_str().unwrap())));
    let output = run_child(&all);
    assert!(output.status.success(), "{output:?}");
    (receiver.spans(), String::from_utf8_lossy(&output.stdout).into_owned())
}

const AUTHORITY: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";

#[test]
fn a_receiver_over_tls_is_sent_to_if_it_is_trusted_and_speaks_http_2() {
    let folder = Folder::new();
    let both: (bool, &[&str]) = (false, &["h2", "http/1.1"]);
    for variable in [AUTHORITY, "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "SSL_CERT_FILE"] {
        assert_eq!(over_tls(&folder, both, &[(variable, "ca.pem")]).0, ["work"], "{variable}");
    }
    for variables in [&[][..], &[(AUTHORITY, "stranger.pem")]] {
        let (spans, told) = over_tls(&folder, both, variables);
        assert!(spans.is_empty() && told.contains("invalid peer certificate: UnknownIssuer"), "{told}");
        assert!(told.contains("; name the file of the authority that signed it by"), "{told}");
    }
    let (spans, told) = over_tls(&folder, both, &[(AUTHORITY, "text.pem")]);
    assert!(spans.is_empty() && told.contains("there is no certificate in PEM in it"), "{told}");
    let (spans, told) = over_tls(&folder, (false, &["http/1.1"]), &[(AUTHORITY, "ca.pem")]);
    assert!(spans.is_empty() && told.contains("telemetry not delivered"), "{told}");
}

#[test]
fn a_receiver_that_wants_to_know_who_comes_is_shown_a_certificate() {
    let folder = Folder::new();
    let own = [
        (AUTHORITY, "ca.pem"),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "client.pem"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "client.key"),
    ];
    assert_eq!(over_tls(&folder, (true, &["h2"]), &own).0, ["work"]);
    let (spans, told) = over_tls(&folder, (true, &["h2"]), &own[..1]);
    assert!(spans.is_empty() && told.contains("telemetry not delivered"), "{told}");
}
