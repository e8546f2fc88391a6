//! Calls of tonic's clients over hyper, of tonic's servers in axum, over sockets.

use std::collections::HashMap;
use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::middleware::{Next, from_fn};
use axum::routing::{MethodRouter, any, post};
use futures::{Stream, StreamExt, stream};
use http::uri::PathAndQuery;
use http_body_util::BodyExt;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::{Layer, service_fn};
use tracing::instrument::WithSubscriber;

use super::{CLIENT, Observed, SERVER, fact, serve};
use crate::instrument::http::{ClientService, HttpClient, ServerLayer};
use crate::propagation::Context;

const RESERVE: PathAndQuery = PathAndQuery::from_static("/shop.Stock/Reserve");
const WATCH: PathAndQuery = PathAndQuery::from_static("/shop.Stock/Watch");
const COUNT: PathAndQuery = PathAndQuery::from_static("/shop.Stock/Count");
const TALK: PathAndQuery = PathAndQuery::from_static("/shop.Stock/Talk");

/// The only message: how many of what; of what fails, the code.
#[derive(Clone, PartialEq, prost::Message)]
struct Items {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, tag = "2")]
    count: u32,
}

fn items(name: &str, count: u32) -> Items {
    Items { name: name.into(), count }
}

type Channel = ClientService<Client<HttpConnector, tonic::body::Body>>;

/// A client whose requests are recorded.
fn client(observed: &Observed, address: impl std::fmt::Display) -> tonic::client::Grpc<Channel> {
    let hyper = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let channel = HttpClient::grpc(&observed.tracer, &observed.registry).layer().layer(hyper);
    tonic::client::Grpc::with_origin(channel, format!("http://{address}").parse().unwrap())
}

fn codec() -> ProstCodec<Items, Items> {
    ProstCodec::default()
}

/// As what tonic generates answers.
fn server() -> tonic::server::Grpc<ProstCodec<Items, Items>> {
    tonic::server::Grpc::new(codec())
}

async fn reserve(request: Request<Items>) -> Result<Response<Items>, Status> {
    tracing::info_span!("look into the shelf").in_scope(|| ());
    let tenant = Context::baggage().get("tenant").unwrap_or("nobody").to_owned();
    match request.into_inner() {
        Items { name, count } if name == "fail" => Err(Status::new(Code::from_i32(count as i32), "no: 100%")),
        Items { count, .. } => Ok(Response::new(items(&tenant, count))),
    }
}

/// As many messages as asked for, then the end; of what breaks an error then, of what lasts nothing.
async fn watch(
    request: Request<Items>,
) -> Result<Response<impl Stream<Item = Result<Items, Status>> + use<>>, Status> {
    let Items { name, count } = request.into_inner();
    let told = stream::iter((0..count).map(|n| Ok(items("left", n))));
    let end = match name.as_str() {
        "breaks" => stream::iter([Err(Status::data_loss("gone"))]).boxed(),
        "lasts" => stream::pending().boxed(),
        _ => stream::empty().boxed(),
    };
    Ok(Response::new(told.chain(end)))
}

async fn count(request: Request<Streaming<Items>>) -> Result<Response<Items>, Status> {
    let mut sum = 0;
    let mut stream = request.into_inner();
    while let Some(items) = stream.message().await? {
        sum += items.count;
    }
    Ok(Response::new(items("sum", sum)))
}

/// Answers every message when it comes.
async fn talk(
    request: Request<Streaming<Items>>,
) -> Result<Response<impl Stream<Item = Result<Items, Status>> + use<>>, Status> {
    let doubled = |it: Result<Items, Status>| it.map(|it| items(&it.name, it.count * 2));
    Ok(Response::new(request.into_inner().map(doubled)))
}

type Call = axum::extract::Request;

fn stock(observed: &Observed) -> Router {
    let dispatch = observed.dispatch.clone();
    let unary: MethodRouter = post(async |call: Call| server().unary(service_fn(reserve), call).await);
    Router::new()
        .route(RESERVE.path(), unary)
        .route(
            WATCH.path(),
            post(async |call: Call| server().server_streaming(service_fn(watch), call).await),
        )
        .route(
            COUNT.path(),
            post(async |call: Call| server().client_streaming(service_fn(count), call).await),
        )
        .route(TALK.path(), post(async |call: Call| server().streaming(service_fn(talk), call).await))
        // As tonic answers a service that it does not have.
        .route("/shop.Prices/{method}", any(async || Status::unimplemented("").into_http::<Body>()))
        .layer(ServerLayer::grpc(&observed.tracer, &observed.registry))
        // axum's connections are tasks of their own.
        .layer(from_fn(move |call: Call, next: Next| next.run(call).with_subscriber(dispatch.clone())))
}

fn code(span: &Span) -> Option<String> {
    fact(span, "rpc.response.status_code")
}

/// Whether it is said to have failed.
fn failed(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|it| it.code == 2)
}

/// Until the server has measured so many calls: it may know of an end later than the client.
async fn answered(observed: &Observed, calls: u64) {
    let measured = || -> u64 {
        let lines = observed.lines("rpc_server_call_duration_seconds_count");
        lines.iter().map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
    };
    while measured() < calls {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_call_is_one_trace_on_both_sides() {
    let observed = Observed::new();
    let (address, _tasks) = serve(&observed, stock(&observed)).await;
    let mut client = client(&observed, address);
    client.ready().await.unwrap();
    let call = client.unary(Request::new(items("tea", 3)), RESERVE, codec());
    let answer = Context::with_baggage("tenant", "acme").scope(call).await.unwrap();
    assert_eq!(answer.into_inner(), items("acme", 3));

    answered(&observed, 1).await;
    let (called, served) =
        (observed.span("shop.Stock/Reserve", CLIENT), observed.span("shop.Stock/Reserve", SERVER));
    assert_eq!((&served.trace_id, &served.parent_span_id), (&called.trace_id, &called.span_id));
    let within = observed.span("look into the shelf", 1);
    assert_eq!((&within.trace_id, &within.parent_span_id), (&served.trace_id, &served.span_id));
    for span in [&called, &served] {
        let facts = ["rpc.system.name", "rpc.method", "rpc.response.status_code", "server.address"];
        let facts = facts.map(|name| fact(span, name).unwrap_or_default());
        assert_eq!(facts, ["grpc", "shop.Stock/Reserve", "OK", "127.0.0.1"], "{span:?}");
        assert_eq!(fact(span, "server.port"), Some(address.port().to_string()));
        assert_eq!((fact(span, "error.type"), &span.status), (None, &None));
    }
    for side in ["client", "server"] {
        let lines = observed.lines(&format!("rpc_{side}_call_duration_seconds_count"));
        let labels = ["rpc_system_name=\"grpc\"", "rpc_method=\"shop.Stock/Reserve\"", "=\"OK\""];
        assert!(lines.len() == 1 && labels.iter().all(|it| lines[0].contains(it)), "{lines:?}");
        assert!(lines[0].ends_with(" 1") && !lines[0].contains("error_type"), "{lines:?}");
    }
}

/// By the conventions a client fails by every code but `OK`, a server by those of its own making.
#[tokio::test]
async fn every_code_is_told_and_fails_whose_fault_it_is() {
    let observed = Observed::new();
    let (address, _tasks) = serve(&observed, stock(&observed)).await;
    let mut client = client(&observed, address);
    for number in 1..=16 {
        client.ready().await.unwrap();
        let refused = client.unary(Request::new(items("fail", number)), RESERVE, codec()).await.unwrap_err();
        assert_eq!((refused.code() as u32, refused.message()), (number, "no: 100%"));
    }
    answered(&observed, 16).await;
    let spans = observed.spans();
    let told = |kind| -> HashMap<String, (bool, Option<String>)> {
        let of_kind = spans.iter().filter(|span| span.kind == kind);
        of_kind.map(|it| (code(it).unwrap(), (failed(it), fact(it, "error.type")))).collect()
    };
    let (called, served) = (told(CLIENT), told(SERVER));
    let ours = ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"];
    assert_eq!((called.len(), served.len()), (16, 16), "{called:?} {served:?}");
    for (code, told) in &called {
        assert_eq!(told, &(true, Some(code.clone())));
    }
    for (code, told) in &served {
        let bad = ours.contains(&&**code);
        assert_eq!(told, &(bad, bad.then(|| code.clone())), "{code}");
    }
}

#[tokio::test]
async fn a_stream_is_one_span_until_its_end_and_ends_as_its_trailers_say() {
    let observed = Observed::new();
    let (address, _tasks) = serve(&observed, stock(&observed)).await;
    let mut client = client(&observed, address);
    client.ready().await.unwrap();
    let whole = client.server_streaming(Request::new(items("tea", 3)), WATCH, codec()).await.unwrap();
    let mut whole = whole.into_inner();
    for n in 0..3 {
        assert_eq!(whole.message().await.unwrap(), Some(items("left", n)));
    }
    assert!(!observed.spans().iter().any(|it| it.kind == CLIENT), "it is not over");
    assert_eq!(whole.message().await.unwrap(), None);
    assert_eq!(code(&observed.span("shop.Stock/Watch", CLIENT)).as_deref(), Some("OK"));

    client.ready().await.unwrap();
    let broken = client.server_streaming(Request::new(items("breaks", 2)), WATCH, codec()).await.unwrap();
    let told: Vec<_> = broken.into_inner().collect().await;
    assert_eq!((told.len(), told[2].as_ref().unwrap_err().code()), (3, Code::DataLoss));

    answered(&observed, 2).await;
    for kind in [CLIENT, SERVER] {
        let spans = observed.spans();
        let of_kind: Vec<_> = spans.iter().filter(|it| it.kind == kind).collect();
        let ends: Vec<_> = of_kind.iter().map(|it| (code(it).unwrap(), failed(it))).collect();
        assert_eq!(ends, [("OK".to_owned(), false), ("DATA_LOSS".to_owned(), true)]);
    }
}

#[tokio::test]
async fn streams_of_the_client_and_of_both_are_calls_too() {
    let observed = Observed::new();
    let (address, _tasks) = serve(&observed, stock(&observed)).await;
    let mut client = client(&observed, address);
    client.ready().await.unwrap();
    let many = stream::iter((1..=4).map(|n| items("tea", n)));
    let sum = client.client_streaming(Request::new(many), COUNT, codec()).await.unwrap();
    assert_eq!(sum.into_inner(), items("sum", 10));

    let (say, said) = tokio::sync::mpsc::channel(1);
    client.ready().await.unwrap();
    let said = stream::unfold(said, async |mut said| Some((said.recv().await?, said)));
    let heard = client.streaming(Request::new(said), TALK, codec()).await.unwrap();
    let mut heard = heard.into_inner();
    // One after the other: nothing waits for the end.
    for n in 1..=3 {
        say.send(items("tea", n)).await.unwrap();
        assert_eq!(heard.message().await.unwrap(), Some(items("tea", 2 * n)));
    }
    drop(say);
    assert_eq!(heard.message().await.unwrap(), None);

    answered(&observed, 2).await;
    for name in ["shop.Stock/Count", "shop.Stock/Talk"] {
        let (called, served) = (observed.span(name, CLIENT), observed.span(name, SERVER));
        assert_eq!((code(&called).as_deref(), code(&served).as_deref()), (Some("OK"), Some("OK")));
        assert_eq!(served.parent_span_id, called.span_id);
    }
}

#[tokio::test]
async fn who_drops_a_stream_cancels_it_on_both_sides() {
    let observed = Observed::new();
    let (address, _tasks) = serve(&observed, stock(&observed)).await;
    let mut client = client(&observed, address);
    client.ready().await.unwrap();
    let endless = client.server_streaming(Request::new(items("lasts", 1)), WATCH, codec()).await.unwrap();
    let mut endless = endless.into_inner();
    assert_eq!(endless.message().await.unwrap(), Some(items("left", 0)));
    drop(endless);
    answered(&observed, 1).await;
    for kind in [CLIENT, SERVER] {
        let span = observed.span("shop.Stock/Watch", kind);
        assert_eq!((fact(&span, "error.type").as_deref(), code(&span)), (Some("cancelled"), None));
    }
}

#[tokio::test]
async fn methods_that_nobody_has_make_no_series_whoever_answers() {
    let observed = Observed::new();
    let (address, _tasks) = serve(&observed, stock(&observed)).await;
    let mut client = client(&observed, address);
    for n in 0..3 {
        // tonic's answer, and axum's, which is none of gRPC.
        for path in [format!("/shop.Prices/M{n}"), format!("/shop.Nobody/M{n}")] {
            client.ready().await.unwrap();
            let path = path.parse().unwrap();
            let refused = client.unary(Request::new(items("tea", 1)), path, codec()).await.unwrap_err();
            assert_eq!(refused.code(), Code::Unimplemented);
        }
    }
    answered(&observed, 6).await;
    let counted = observed.lines("rpc_server_call_duration_seconds_count");
    assert!(counted.len() == 1 && counted[0].contains("rpc_method=\"_OTHER\""), "{counted:?}");
    let spans = observed.spans();
    let of_kind = |kind| spans.iter().filter(move |span| span.kind == kind);
    assert!(of_kind(SERVER).all(|it| it.name == "_OTHER" && code(it).as_deref() == Some("UNIMPLEMENTED")));
    let asked = of_kind(SERVER).filter_map(|it| fact(it, "rpc.method_original"));
    assert_eq!(asked.filter(|it| it.starts_with("shop.Nobody/M")).count(), 3);
    assert!(of_kind(CLIENT).all(|it| code(it).as_deref() == Some("UNIMPLEMENTED") && failed(it)));
}

/// What is between a client and the server it means.
#[tokio::test]
async fn answers_that_are_not_of_grpc_are_codes_for_the_client() {
    let observed = Observed::new();
    let proxy = Router::new().route(
        "/proxy/{status}",
        any(async |axum::extract::Path(status): axum::extract::Path<u16>| {
            http::Response::builder().status(status).body(Body::empty()).unwrap()
        }),
    );
    let (address, _tasks) = serve(&observed, proxy).await;
    let mut client = client(&observed, address);
    for status in [400, 401, 403, 404, 429, 500, 502, 503, 504] {
        client.ready().await.unwrap();
        let path = format!("/proxy/{status}").parse().unwrap();
        let refused = client.unary(Request::new(items("tea", 1)), path, codec()).await.unwrap_err();
        // The same as tonic takes it for.
        let span = observed.span(&format!("proxy/{status}"), CLIENT);
        let taken = crate::grpc_status::GRPC_STATUS[refused.code() as usize];
        assert_eq!((code(&span).as_deref(), failed(&span)), (Some(taken), true), "{status}");
    }
}

#[tokio::test]
async fn a_call_without_a_server_or_with_half_an_answer_fails() {
    let observed = Observed::new();
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut lonely = client(&observed, nobody);
    lonely.ready().await.unwrap();
    let refused = lonely.unary(Request::new(items("tea", 1)), RESERVE, codec()).await.unwrap_err();
    assert_ne!(refused.code(), Code::Ok);
    let span = observed.span("shop.Stock/Reserve", CLIENT);
    let error = fact(&span, "error.type").unwrap();
    assert!(error.starts_with("hyper_util::") && failed(&span), "{error}");

    // A head and a part of a message, then the end: no trailers say how it went.
    let half = Router::new().route(
        WATCH.path(),
        post(async || {
            let body = Body::from_stream(stream::iter([Ok::<_, Infallible>("\0\0\0\0\u{5}abc")]));
            http::Response::builder().header("content-type", "application/grpc").body(body).unwrap()
        }),
    );
    let (address, _tasks) = serve(&observed, half).await;
    let mut cut = client(&observed, address);
    cut.ready().await.unwrap();
    let told = cut.server_streaming(Request::new(items("tea", 1)), WATCH, codec()).await.unwrap();
    assert!(told.into_inner().message().await.is_err());
    let span = observed.span("shop.Stock/Watch", CLIENT);
    assert_eq!((code(&span).as_deref(), failed(&span)), (Some("UNKNOWN"), true));
    let counted = observed.lines("rpc_client_call_duration_seconds_count");
    assert!(counted.iter().any(|it| it.contains("error_type=\"UNKNOWN\"")), "{counted:?}");
}

/// hyper itself on both sides, without axum and without tonic.
#[tokio::test]
async fn hyper_is_a_server_and_a_client_of_the_layers() {
    use crate::instrument::http::Route;

    let observed = Observed::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let layer = ServerLayer::http(&observed.tracer, &observed.registry);
    let answer = service_fn(async |request: http::Request<hyper::body::Incoming>| {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Ok::<_, Infallible>(http::Response::new(http_body_util::Full::new(body)))
    });
    let routed = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Route("/echo".into()));
        let mut answer = layer.layer(answer);
        tower::Service::call(&mut answer, request)
    });
    let mut tasks = tokio::task::JoinSet::new();
    let served = async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper_util::service::TowerToHyperService::new(routed);
        let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
        server.serve_connection(hyper_util::rt::TokioIo::new(stream), service).await.unwrap();
    };
    tasks.spawn(served.with_subscriber(observed.dispatch.clone()));
    let hyper: Client<_, http_body_util::Full<bytes::Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();
    let client = HttpClient::new(&observed.tracer, &observed.registry).layer().layer(hyper);
    let request = http::Request::post(format!("http://{address}/echo?token=secret")).body("abc".into());
    let answer = tower::ServiceExt::oneshot(client, request.unwrap()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "abc");

    let (called, served) = (observed.span("POST", CLIENT), observed.span("POST /echo", SERVER));
    assert_eq!(served.parent_span_id, called.span_id);
    assert!(!format!("{called:?} {served:?}").contains("secret"));
}
