//! What a prober gets.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use futures::stream::BoxStream;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use model::Tenant;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::dto::{self, HealthStatus};
use crate::prometheus::*;
use crate::queries::*;
use crate::{CompactWanted, Operations, Sight, router};

/// A server with these components.
struct Parts(Vec<(&'static str, HealthStatus)>);

impl Operations for Parts {
    fn status<'a>(&'a self, _: &'a Sight) -> Pin<Box<dyn Future<Output = dto::Status> + Send + 'a>> {
        unreachable!("nobody asks")
    }

    fn compact(&self, _: CompactWanted) -> Option<BoxStream<'static, dto::CompactLine>> {
        unreachable!("nobody asks")
    }

    fn ledger(&self, _: &Sight) -> dto::Ledger {
        unreachable!("nobody asks")
    }

    fn health(&self, _: &Sight) -> dto::Health {
        let component = |(name, status): &(&str, HealthStatus)| dto::Component {
            name: (*name).into(),
            status: *status,
            detail: "as it is".into(),
            since_unix_ms: 5,
        };
        let components: Vec<_> = self.0.iter().map(component).collect();
        let status = components.iter().map(|component| component.status).max().unwrap();
        dto::Health { status, components }
    }

    fn ready(&self) -> bool {
        unreachable!("nobody asks")
    }

    fn metrics(&self, _: &Sight) -> String {
        unreachable!("nobody asks")
    }
}

struct Nobody;

macro_rules! unasked {
    ($asked:ident: $($name:ident($($argument:ty),*) -> $answer:ty;)*) => {
        impl $asked for Nobody {
            $(fn $name(&self, $(_: $argument),*) -> $answer { unreachable!("nobody asks") })*
        }
    };
}

unasked! {
    Queries:
    sql(SqlRequest) -> QueryFuture<'_, Box<dyn RecordStream>>;
    running(&Tenant) -> Vec<dto::RunningQuery>;
    cancel(&Tenant, &str) -> bool;
    services(Tenant, TimeRange) -> QueryFuture<'_, dto::Services>;
    logs(Tenant, LogFilter) -> QueryFuture<'_, dto::Logs>;
    log_histogram(Tenant, LogFilter, u32) -> QueryFuture<'_, dto::LogHistogram>;
    traces(Tenant, TraceFilter) -> QueryFuture<'_, dto::Traces>;
    trace(Tenant, [u8; 16]) -> QueryFuture<'_, dto::Trace>;
    metrics(Tenant, MetricFilter) -> QueryFuture<'_, dto::Metrics>;
    metric_labels(Tenant, String, TimeRange) -> QueryFuture<'_, dto::MetricLabels>;
    metric_series(Tenant, SeriesRequest) -> QueryFuture<'_, dto::MetricSeries>;
}

unasked! {
    Prometheus:
    prometheus_query(PrometheusQuery) -> PrometheusFuture<'_, promql::Outcome>;
    prometheus_series(PrometheusSelection) -> PrometheusFuture<'_, Vec<promql::Labels>>;
    prometheus_labels(PrometheusSelection, Option<String>) -> PrometheusFuture<'_, Vec<String>>;
    prometheus_metadata(Tenant, Option<String>) -> PrometheusFuture<'_, BTreeMap<String, BTreeSet<MetricMetadata>>>;
    prometheus_exemplars(PrometheusSelection) -> PrometheusFuture<'_, Vec<ExemplarsOf>>;
    prometheus_statistics(PrometheusSelection, Option<String>, usize) -> PrometheusFuture<'_, SeriesStatistics>;
    prometheus_targets(&Tenant) -> Vec<ScrapePool>;
    prometheus_rules(&Tenant) -> Vec<Arc<RuleGroup>>;
    prometheus_setup(&Tenant) -> Setup;
}

/// Status, content type and body, as a browser would ask.
async fn ask(parts: &[(&'static str, HealthStatus)], path: &str) -> (StatusCode, String, Value) {
    let router = router(Arc::new(Nobody), Arc::new(Parts(parts.to_vec())));
    let request = Request::get(path).header(header::ACCEPT, "text/html,*/*").body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let (status, content_type) = (response.status(), response.headers()[header::CONTENT_TYPE].clone());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, content_type.to_str().unwrap().to_owned(), serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn the_worst_component_decides_under_both_names() {
    use HealthStatus::{Fail, Pass, Warn};
    for (store, status, code) in [
        (Pass, "pass", StatusCode::OK),
        (Warn, "warn", StatusCode::OK),
        (Fail, "fail", StatusCode::SERVICE_UNAVAILABLE),
    ] {
        for path in ["/healthz", "/health"] {
            let answer = ask(&[("memory", Pass), ("store", store)], path).await;
            let body = json!({ "status": status, "components": [
                { "name": "memory", "status": "pass", "detail": "as it is", "since_unix_ms": 5 },
                { "name": "store", "status": status, "detail": "as it is", "since_unix_ms": 5 },
            ] });
            assert_eq!(answer, (code, "application/json".to_owned(), body), "{path}");
        }
    }
}
