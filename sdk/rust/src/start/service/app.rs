use axum::Router;

use super::Service;
use crate::health::Phase;
use crate::health::axum::{Sight, router as health};
use crate::instrument::http::ServerLayer;
use crate::resilience::axum::router as faults;
use crate::resilience::tower::{ReceiveDeadline, answering};
use crate::telemetry::metrics::axum::router as metrics;

impl Service {
    /// A router whose requests are seen and bounded, beside what operators ask for. It is put around all
    /// routes, last.
    ///
    /// Each request is a server span with metrics in the trace of its caller
    /// ([`ServerLayer::http`]), and has what its `grpc-timeout` says and 30 s at most
    /// ([`ReceiveDeadline`]). Beside them are `GET /metrics`, the endpoints of
    /// [`health`](crate::health::axum), for which the checks run in the background from now on, and
    /// [`/faults`](crate::resilience::axum). Who `operators` are sees what checks found and switches
    /// faults. For other bounds, or another port for operators, take these parts themselves.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use fresnel_sdk::health::axum::Sight;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let routes = Router::new().route("/users/{id}", get(async || "hello"));
    /// let app: Router = fresnel_sdk::service().app(routes, Sight::bearer("a secret of the operators"));
    /// # let _ = app;
    /// # }
    /// ```
    ///
    /// # Panics
    /// Outside a tokio runtime; where a route of its own has the path of one that is added.
    pub fn app(&self, router: Router, operators: Sight) -> Router {
        let (tracer, registry, checker) = (self.tracer(), self.registry(), self.health());
        #[cfg(feature = "runtime")]
        crate::telemetry::process::observe_runtime(registry, &tokio::runtime::Handle::current());
        checker.start_monitoring();
        checker.set_phase(Phase::Running);
        router
            .layer(answering(ReceiveDeadline::default()))
            .layer(ServerLayer::http(tracer, registry))
            .merge(health(checker.clone(), operators.clone()))
            .merge(metrics(registry.clone()))
            .merge(faults(self.faults().clone(), move |headers| operators.lets(headers)))
    }
}
