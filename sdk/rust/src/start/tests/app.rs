use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use tower::ServiceExt;

use crate::instrument::http::ServerLayer;
use crate::logging::LoggingConfig;
use crate::start::Guard;
use crate::start::environment::Environment;
use crate::telemetry::Signal;
use crate::telemetry::tests::{Sink, attributes, text};

#[test]
fn a_name_alone_starts_every_signal_and_one_line_joins_an_app() {
    let sink = Sink::default();
    let quiet = LoggingConfig { outputs: Default::default(), ..LoggingConfig::default() };
    let builder = crate::builder().logging(quiet).exporter(sink.clone());
    let mut name = Environment { service_name: Some("shop".into()), ..Environment::default() };
    let (started, dispatch) = builder.build(&mut name).unwrap();
    let guard = Guard::new(started);
    let app = Router::new()
        .route("/items/{id}", get(async || tracing::info!("handled")))
        .layer(ServerLayer::http(guard.tracer(), guard.registry()));
    tracing::dispatcher::with_default(&dispatch, || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let request = Request::get("/items/7").body(Body::empty()).unwrap();
        let answer = runtime.block_on(app.oneshot(request)).unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    });
    assert!(guard.shutdown());
    let decoded = |signal| sink.requests(signal).into_iter().next().unwrap();
    let logs = ExportLogsServiceRequest::decode(&decoded(Signal::Logs)[..]).unwrap().resource_logs.remove(0);
    let spans =
        ExportTraceServiceRequest::decode(&decoded(Signal::Traces)[..]).unwrap().resource_spans.remove(0);
    let metrics = ExportMetricsServiceRequest::decode(&decoded(Signal::Metrics)[..])
        .unwrap()
        .resource_metrics
        .remove(0);
    let name = |resource: &Option<Resource>| {
        attributes(&resource.as_ref().unwrap().attributes)["service.name"].clone()
    };
    let names = [name(&logs.resource), name(&spans.resource), name(&metrics.resource)];
    assert_eq!(names, [text("shop"), text("shop"), text("shop")]);
    let span = &spans.scope_spans[0].spans[0];
    assert_eq!(span.name, "GET /items/{id}");
    let record = &logs.scope_logs[0].log_records[0];
    assert_eq!((&record.trace_id, &record.span_id), (&span.trace_id, &span.span_id));
    let mut names = metrics.scope_metrics.iter().flat_map(|scope| &scope.metrics).map(|it| it.name.as_str());
    assert!(names.any(|name| name == "http.server.request.duration"));
}
