//! Requests of a server that go on at the same time, each with a user and breadcrumbs of its own.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use futures::{StreamExt, stream};
use http_body_util::BodyExt;
use tokio::sync::Barrier;
use tower::ServiceExt;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;

use super::scope::messages;
use super::{Received, run_with};
use crate::errors::{ErrorLayer, User, add_breadcrumb, capture_message, set_user, with_scope};
use crate::instrument::http::ServerLayer;
use crate::logging::{LogContext, NO_VALUES, Severity};
use crate::telemetry::metrics::Registry;
use crate::telemetry::tests::text;
use crate::telemetry::trace::Tracer;

const STEPS: usize = 3;
const NAMES: [&str; 3] = ["ann", "bob", "eve"];

fn step(name: &str, what: &str, n: usize) {
    add_breadcrumb(&format!("{name} {what} {n}"), "step", NO_VALUES);
}

/// Answers a name in steps, in each of which all requests are at the same step.
fn app(layer: ServerLayer) -> Router {
    let (all, body) = (Arc::new(Barrier::new(NAMES.len())), Arc::new(Barrier::new(NAMES.len())));
    let answer = async move |Path(name): Path<String>| {
        set_user(User::new(name.clone()));
        for n in 0..STEPS {
            step(&name, "works", n);
            all.wait().await;
        }
        capture_message(Severity::Error, &format!("{name} answers"), NO_VALUES);
        // Made while it is sent, which belongs to the request as well.
        Body::from_stream(stream::iter(0..STEPS).then(move |n| {
            let (name, body) = (name.clone(), body.clone());
            async move {
                step(&name, "sends", n);
                body.wait().await;
                if n + 1 == STEPS {
                    capture_message(Severity::Error, &format!("{name} is done"), NO_VALUES);
                }
                Ok::<_, std::convert::Infallible>(name)
            }
        }))
    };
    Router::new().route("/{name}", get(answer)).layer(layer)
}

async fn ask(app: Router, name: &'static str) {
    let request = http::Request::get(format!("/{name}")).body(Body::empty()).unwrap();
    let answer = app.oneshot(request).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), name.repeat(STEPS));
}

/// Asks for all of them at once; what is reported of it.
fn served(runtime: &tokio::runtime::Runtime) -> Received {
    let all = |dispatch: &Dispatch| {
        with_scope(|| {
            add_breadcrumb("started", "process", NO_VALUES);
            set_user(User::new("operator"));
            let app = app(ServerLayer::http(&Tracer::disabled(), &Registry::new()));
            let _runtime = runtime.enter();
            let mut tasks = tokio::task::JoinSet::new();
            for name in NAMES {
                // All of them in the one scope around them, which they would share without the layer.
                let asked = LogContext::new().scope(ask(app.clone(), name));
                tasks.spawn(asked.with_subscriber(dispatch.clone()));
            }
            runtime.block_on(tasks.join_all());
            capture_message(Severity::Error, "around", NO_VALUES);
        });
    };
    run_with(|builder| builder.errors(ErrorLayer::default()), all)
}

fn keep_to_themselves(received: &Received) {
    for name in NAMES {
        let made = |what: &str| (0..STEPS).map(|n| format!("{name} {what} {n}")).collect::<Vec<_>>();
        let started = || vec!["started".to_owned()];
        let answered = [started(), made("works")].concat();
        assert_eq!(messages(received, &format!("{name} answers")), answered);
        let done = [answered, made("sends")].concat();
        assert_eq!(messages(received, &format!("{name} is done")), done);
        assert_eq!(received.of(&format!("{name} answers"))["user.id"], text(name));
        assert_eq!(received.of(&format!("{name} is done"))["user.id"], text(name));
    }
    assert_eq!(messages(received, "around"), ["started"]);
    assert_eq!(received.of("around")["user.id"], text("operator"));
}

#[test]
fn requests_on_one_thread_see_nothing_of_each_other() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    keep_to_themselves(&served(&runtime));
}

#[test]
fn requests_on_many_threads_see_nothing_of_each_other() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    keep_to_themselves(&served(&runtime));
}
