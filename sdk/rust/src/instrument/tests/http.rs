//! Real servers of axum and real clients of reqwest, over sockets.

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::{Layer, ServiceExt, service_fn};

use super::{CLIENT, Observed, SERVER, fact, serve};
use crate::instrument::http::{HttpClient, Route, ServerLayer};
use crate::propagation::{Context, Format, Propagation};
use crate::telemetry::trace::set_current;

fn shop(layer: ServerLayer) -> Router {
    let user = async |Path(id): Path<u32>| {
        set_current("user.number", id);
        tracing::info!("asked for a user");
        format!("user {id} of {}", Context::baggage().get("tenant").unwrap_or("nobody"))
    };
    Router::new()
        .route("/users/{id}", get(user))
        .route("/broken", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .route(
            "/echo",
            post(async |headers: HeaderMap, body: String| format!("{:?} {body}", headers.get("traceparent"))),
        )
        .route("/never", get(std::future::pending::<StatusCode>))
        .layer(layer)
}

#[tokio::test]
async fn a_request_is_one_trace_on_both_sides() {
    let observed = Observed::new();
    let (address, _tasks) =
        serve(&observed, shop(ServerLayer::http(&observed.tracer, &observed.registry))).await;
    let client = HttpClient::new(&observed.tracer, &observed.registry);
    let plain = reqwest::Client::new();
    let url = format!("http://someone:secret@{address}/users/7?token=t");
    let request = plain.get(&url).header("user-agent", "test/1").build().unwrap();
    let answer = Context::with_baggage("tenant", "acme").scope(client.send(&plain, request)).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "user 7 of acme");

    let (server, called) = (observed.span("GET /users/{id}", SERVER), observed.span("GET", CLIENT));
    assert_eq!((&server.trace_id, &server.parent_span_id), (&called.trace_id, &called.span_id));
    let facts = [
        "http.request.method",
        "http.route",
        "url.path",
        "url.scheme",
        "http.response.status_code",
        "server.address",
        "user_agent.original",
        "network.protocol.version",
        "user.number",
    ];
    let expected = ["GET", "/users/{id}", "/users/7", "http", "200", "127.0.0.1", "test/1", "1.1", "7"];
    assert_eq!(facts.map(|name| fact(&server, name).unwrap_or_default()), expected);
    assert_eq!(fact(&server, "server.port"), Some(address.port().to_string()));
    assert_eq!(fact(&called, "url.full").unwrap(), format!("http://{address}/users/7"));
    assert!(server.status.is_none() && called.status.is_none());
    let spans = format!("{:?}", observed.spans());
    assert!(!spans.contains("secret") && !spans.contains("token"), "{spans}");
    let labels = "url_scheme=\"http\"";
    let counted = observed.lines("http_server_request_duration_seconds_count");
    assert_eq!(counted.len(), 1);
    for label in [
        labels,
        "http_route=\"/users/{id}\"",
        "http_response_status_code=\"200\"",
        "http_request_method=\"GET\"",
    ] {
        assert!(counted[0].contains(label) && counted[0].ends_with(" 1"), "{counted:?}");
    }
    assert_eq!(observed.lines("http_client_request_duration_seconds_count").len(), 1);
    let active = observed.lines("http_server_active_requests");
    assert!(active[0].ends_with(" 0"), "{active:?}");
    let size = observed.lines("http_server_response_body_size_bytes_sum");
    assert!(size[0].ends_with(" 14"), "{size:?}");
}

#[tokio::test]
async fn what_goes_wrong_is_told_and_strangers_make_no_series() {
    let observed = Observed::new();
    let (address, _tasks) =
        serve(&observed, shop(ServerLayer::http(&observed.tracer, &observed.registry))).await;
    let client = HttpClient::new(&observed.tracer, &observed.registry);
    let plain = reqwest::Client::new();
    let send = async |method: &str, path: &str| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = plain.request(method, format!("http://{address}{path}")).build().unwrap();
        let answer = client.send(&plain, request).await.unwrap();
        let status = answer.status().as_u16();
        answer.text().await.unwrap();
        status
    };
    assert_eq!(send("GET", "/broken").await, 500);
    for n in 0..20 {
        assert_eq!(send("GET", &format!("/unknown/{n}")).await, 404);
    }
    assert_eq!(send("BREW", "/broken").await, 405);

    let broken = observed.span("GET /broken", SERVER);
    assert_eq!(
        (broken.status.clone().unwrap().code, fact(&broken, "error.type").unwrap().as_str()),
        (2, "500")
    );
    let spans = observed.spans();
    let unknown: Vec<_> = spans.iter().filter(|it| it.kind == SERVER && it.name == "GET").collect();
    assert_eq!(unknown.len(), 20, "the path is not in the name");
    assert!(unknown.iter().all(|span| span.status.is_none()), "a server does not fail by what it is asked");
    let brewed = spans.iter().find(|it| fact(it, "http.request.method_original").is_some()).unwrap();
    assert_eq!(fact(brewed, "http.request.method").as_deref(), Some("_OTHER"));
    let called = spans.iter().filter(|it| it.kind == CLIENT && it.status.is_some()).count();
    assert_eq!(called, 22, "a client does");
    let counted = observed.lines("http_server_request_duration_seconds_count");
    assert_eq!(counted.len(), 3, "{counted:?}");
    assert!(counted.iter().any(|it| it.contains("\"404\"") && it.ends_with(" 20")), "{counted:?}");
}

#[tokio::test]
async fn who_goes_away_is_recorded_all_the_same() {
    let observed = Observed::new();
    let (address, _tasks) =
        serve(&observed, shop(ServerLayer::http(&observed.tracer, &observed.registry))).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    while !observed.lines("http_server_active_requests").first().is_some_and(|it| it.ends_with(" 1")) {
        tokio::task::yield_now().await;
    }
    drop(stream);
    while !observed.lines("http_server_active_requests").first().is_some_and(|it| it.ends_with(" 0")) {
        tokio::task::yield_now().await;
    }
    // Nobody is there any more, and nobody listens.
    let client = HttpClient::new(&observed.tracer, &observed.registry);
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let plain = reqwest::Client::new();
    let request = plain.get(format!("http://{closed}/x?token=secret")).build().unwrap();
    assert!(client.send(&plain, request).await.is_err());

    let server = observed.span("GET /never", SERVER);
    assert_eq!(fact(&server, "error.type").as_deref(), Some("cancelled"));
    assert_eq!(fact(&server, "http.response.status_code"), None);
    let refused = observed.span("GET", CLIENT);
    assert_eq!(fact(&refused, "error.type").as_deref(), Some("connect"));
    assert!(!format!("{refused:?}").contains("secret"));
}

#[tokio::test]
async fn the_text_of_an_error_of_a_service_is_not_told() {
    use tower::ServiceBuilder;

    let observed = Observed::new();
    let client = HttpClient::new(&observed.tracer, &observed.registry);
    let service =
        ServiceBuilder::new().layer(client.layer()).service(service_fn(async |_: Request<Body>| {
            Err::<axum::response::Response, _>(std::io::Error::other("no way to http://h/x?token=secret"))
        }));
    let request = Request::get("http://h/x?token=secret").body(Body::empty()).unwrap();
    assert!(service.oneshot(request).await.is_err());
    let failed = observed.span("GET", CLIENT);
    assert_eq!(fact(&failed, "error.type").as_deref(), Some(std::any::type_name::<std::io::Error>()));
    assert!(!format!("{failed:?}").contains("secret"), "{failed:?}");
}

#[tokio::test]
async fn a_server_that_hangs_up_fails_the_client() {
    let observed = Observed::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
    });
    let client = HttpClient::new(&observed.tracer, &observed.registry);
    let plain = reqwest::Client::new();
    let sent = client.send(&plain, plain.get(format!("http://{address}/")).build().unwrap()).await;
    assert!(sent.is_err());
    assert_eq!(fact(&observed.span("GET", CLIENT), "error.type").as_deref(), Some("request"));
    let counted = observed.lines("http_client_request_duration_seconds_count");
    assert!(
        counted[0].contains("error_type=\"request\"") && !counted[0].contains("status_code"),
        "{counted:?}"
    );
}

#[tokio::test]
async fn strangers_begin_traces_of_their_own_and_are_told_nothing() {
    let observed = Observed::new();
    let layer = ServerLayer::http(&observed.tracer, &observed.registry).untrusting();
    let (address, _tasks) = serve(&observed, shop(layer)).await;
    let plain = reqwest::Client::new();
    let client = HttpClient::new(&observed.tracer, &observed.registry).propagation(Propagation::default());
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let request = plain
        .get(format!("http://{address}/users/7"))
        .header("traceparent", parent)
        .header("baggage", "tenant=evil");
    let answer = plain.execute(request.build().unwrap()).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "user 7 of nobody");
    let span = observed.span("GET /users/{id}", SERVER);
    assert!(span.parent_span_id.is_empty());
    assert_eq!(span.links[0].span_id, [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]);

    let told = async |client: &HttpClient| {
        let request = plain.post(format!("http://{address}/echo")).body("x").build().unwrap();
        client.send(&plain, request).await.unwrap().text().await.unwrap()
    };
    assert!(told(&client).await.starts_with("Some("));
    assert_eq!(told(&client.tell_only(|host| host == "stock.internal")).await, "None x");
}

#[tokio::test]
async fn layers_of_clients_and_of_other_routers() {
    let observed = Observed::new();
    let b3 = Propagation::new([Format::B3]);
    let server = ServerLayer::http(&observed.tracer, &observed.registry).propagation(b3.clone());
    let answer = service_fn(async |request: Request<Body>| {
        assert!(request.headers().contains_key("b3"), "{:?}", request.headers());
        Ok::<_, std::convert::Infallible>(StatusCode::NO_CONTENT.into_response())
    });
    let client = HttpClient::new(&observed.tracer, &observed.registry).propagation(b3);
    let service = client.layer().layer(server.layer(answer));
    let mut request = Request::get("https://stock.internal/items/7").body(Body::empty()).unwrap();
    request.extensions_mut().insert(Route("/items/{id}".into()));
    let answer = service.oneshot(request).await.unwrap();
    // One without a body is over with its head.
    let (server, called) = (observed.span("GET /items/{id}", SERVER), observed.span("GET", CLIENT));
    assert_eq!(server.parent_span_id, called.span_id);
    assert_eq!(fact(&called, "server.port").as_deref(), Some("443"));
    assert_eq!(answer.status(), 204);
}

/// A gRPC answer: a message, then the status in trailers.
fn grpc_answer(status: &'static str) -> Response<Body> {
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static(status))]);
    let body = http_body_util::Full::new("message".into()).with_trailers(async { Some(Ok(trailers)) });
    Response::new(Body::new(body))
}

#[tokio::test]
async fn calls_of_grpc_are_named_by_their_method_and_end_with_their_trailers() {
    let observed = Observed::new();
    let server = ServerLayer::grpc(&observed.tracer, &observed.registry);
    let client = HttpClient::grpc(&observed.tracer, &observed.registry);
    let call = async |status: &'static str| {
        let answer =
            service_fn(async move |_: Request<Body>| Ok::<_, std::convert::Infallible>(grpc_answer(status)));
        let service = client.layer().layer(server.layer(answer));
        let request = Request::post("http://stock.internal/shop.Stock/Reserve").body(Body::empty()).unwrap();
        let answer = service.oneshot(request).await.unwrap();
        assert!(answer.into_body().collect().await.unwrap().trailers().is_some());
    };
    call("0").await;
    call("5").await;
    call("13").await;
    let spans = observed.spans();
    call("12").await;
    let unknown = observed.span("_OTHER", SERVER);
    assert_eq!(fact(&unknown, "rpc.method_original").as_deref(), Some("shop.Stock/Reserve"));
    let status = |kind| -> Vec<_> {
        let of_kind = spans.iter().filter(|span| span.kind == kind);
        of_kind
            .map(|it| {
                (fact(it, "rpc.response.status_code").unwrap(), it.status.clone().map_or(0, |it| it.code))
            })
            .collect()
    };
    let pairs = |codes: [i32; 3]| -> Vec<_> {
        ["OK", "NOT_FOUND", "INTERNAL"].into_iter().map(str::to_owned).zip(codes).collect()
    };
    assert_eq!(status(SERVER), pairs([0, 0, 2]));
    assert_eq!(status(CLIENT), pairs([0, 2, 2]));
    assert!(spans.iter().all(|span| span.name == "shop.Stock/Reserve"));
    let counted = observed.lines("rpc_server_call_duration_seconds_count");
    assert_eq!(counted.len(), 4);
    assert_eq!(counted.iter().filter(|it| it.contains("rpc_method=\"shop.Stock/Reserve\"")).count(), 3);
    let counted = observed.lines("rpc_client_call_duration_seconds_count");
    let method = "rpc_method=\"shop.Stock/Reserve\"";
    assert!(
        counted.iter().all(|it| it.contains("rpc_system_name=\"grpc\"") && it.contains(method)),
        "{counted:?}"
    );
}

#[cfg(feature = "resilience")]
#[tokio::test]
async fn the_deadline_of_a_task_goes_along_with_its_requests() {
    use std::time::Duration;

    use crate::resilience::{DEADLINE_HEADER, Deadline};

    let observed = Observed::new();
    let said = async |headers: HeaderMap| match headers.get(DEADLINE_HEADER) {
        Some(value) => value.to_str().unwrap().to_owned(),
        None => "none".to_owned(),
    };
    let (address, _tasks) = serve(&observed, Router::new().route("/", get(said))).await;
    let plain = reqwest::Client::new();
    let client = HttpClient::new(&observed.tracer, &observed.registry);
    let ask = async |client: &HttpClient, own: Option<&str>| {
        let mut request = plain.get(format!("http://{address}/"));
        if let Some(own) = own {
            request = request.header(DEADLINE_HEADER, own);
        }
        client.send(&plain, request.build().unwrap()).await.unwrap().text().await.unwrap()
    };
    assert_eq!(ask(&client, None).await, "none");
    let minute = Deadline::after(Duration::from_secs(60));
    let told = minute.scope(ask(&client, None)).await;
    let left = Deadline::from_header(&told).unwrap().remaining();
    assert!(left > Duration::ZERO && left <= Duration::from_secs(60), "{told}");
    assert_eq!(minute.scope(ask(&client, Some("7S"))).await, "7S");
    let silent = client.tell_only(|_| false);
    assert_eq!(minute.scope(ask(&silent, None)).await, "none");
}
