//! What is scraped, and how it is.

use axum::extract::State;
use promql::ast::Matcher;
use serde_json::{Map, Value, json};

use super::Fault;
use super::answer::{Answer, cut};
use super::ask::{MetricMetadataText, ScrapePool, ScrapeTarget};
use super::fault::PrometheusError;
use super::parameters::Parameters;
use super::status::moment;
use crate::route::Desk;
use crate::tenant::Scope;

/// When something that has not happened yet did, in Go.
const NEVER: &str = "0001-01-01T00:00:00Z";

fn object(labels: &[(String, String)]) -> Value {
    labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<Map<_, _>>().into()
}

fn answer(data: &Value) -> Answer {
    Answer::of(data.to_string())
}

/// The pools, or the one that is asked for.
fn chosen(desk: &Desk, tenant: &model::Tenant, parameters: &Parameters) -> Vec<ScrapePool> {
    let mut pools = desk.queries.prometheus_targets(tenant);
    let asked = parameters.get("scrapePool");
    pools.retain(|pool| asked.is_empty() || pool.name == asked);
    pools
}

/// Targets that are scraped, and those that rules dropped.
#[utoipa::path(get, path = "/prometheus/api/v1/targets", tag = "prometheus",
    params(("state" = Option<String>, Query, description = "active, dropped or any"),
        ("scrapePool" = Option<String>, Query, description = "Only those of this job")),
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object)))]
pub(crate) async fn targets(
    State(desk): State<Desk>,
    Scope(tenant): Scope,
    parameters: Parameters,
) -> Answer {
    let pools = chosen(&desk, &tenant, &parameters);
    let state = parameters.get("state").to_ascii_lowercase();
    let (active, dropped) = match state.as_str() {
        "active" => (true, false),
        "dropped" => (false, true),
        _ => (true, true),
    };
    let of = |pool: &ScrapePool| -> Vec<Value> {
        pool.active.iter().map(|target| active_target(&pool.name, target)).collect()
    };
    let gone = |pool: &ScrapePool| -> Vec<Value> {
        let targets = pool.dropped.iter();
        targets.map(|labels| json!({"discoveredLabels": object(labels), "scrapePool": pool.name})).collect()
    };
    let counts: Map<String, Value> =
        pools.iter().map(|pool| (pool.name.clone(), json!(pool.dropped_count))).collect();
    answer(&json!({
        "activeTargets": pools.iter().filter(|_| active).flat_map(of).collect::<Vec<_>>(),
        "droppedTargets": pools.iter().filter(|_| dropped).flat_map(gone).collect::<Vec<_>>(),
        "droppedTargetCounts": if dropped { counts } else { Map::new() },
    }))
}

fn active_target(pool: &str, target: &ScrapeTarget) -> Value {
    json!({
        "discoveredLabels": object(&target.discovered),
        "labels": object(&target.labels),
        "scrapePool": pool,
        "scrapeUrl": target.url,
        "globalUrl": target.url,
        "lastError": target.last_error,
        "lastScrape": target.last_scrape_unix_ms.map_or(NEVER.to_owned(), moment),
        "lastScrapeDuration": target.last_scrape_duration.as_secs_f64(),
        "health": target.health,
        "scrapeInterval": target.interval,
        "scrapeTimeout": target.timeout,
    })
}

/// Jobs that are scraped.
#[utoipa::path(get, path = "/prometheus/api/v1/scrape_pools", tag = "prometheus",
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object)))]
pub(crate) async fn pools(State(desk): State<Desk>, Scope(tenant): Scope) -> Answer {
    let pools = desk.queries.prometheus_targets(&tenant).into_iter().map(|pool| pool.name);
    answer(&json!({"scrapePools": pools.collect::<Vec<_>>()}))
}

/// What targets told of their metrics.
#[utoipa::path(get, path = "/prometheus/api/v1/targets/metadata", operation_id = "target_metadata", tag = "prometheus",
    params(("match_target" = Option<String>, Query, description = "A selector of targets by their labels"),
        ("metric" = Option<String>, Query, description = "Only of this metric"),
        ("limit" = Option<u64>, Query, description = "Most targets")),
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object),
        (status = 400, body = PrometheusError)))]
pub(crate) async fn metadata(
    State(desk): State<Desk>,
    Scope(tenant): Scope,
    parameters: Parameters,
) -> Result<Answer, Fault> {
    let matchers = parameters.selector("match_target")?;
    let (metric, limit) = (parameters.get("metric"), parameters.limit("limit")?);
    let pools = desk.queries.prometheus_targets(&tenant);
    let targets = pools.iter().flat_map(|pool| &pool.active).filter(|target| fits(target, &matchers));
    let mut targets: Vec<&ScrapeTarget> = targets.collect();
    let warning = cut(&mut targets, limit);
    let mut found = Vec::new();
    for target in targets {
        let metrics = target.metadata.iter().filter(|(name, _)| metric.is_empty() || *name == metric);
        for (name, MetricMetadataText { kind, help, unit }) in metrics {
            let mut entry =
                json!({"target": object(&target.labels), "type": kind, "help": help, "unit": unit});
            if metric.is_empty() {
                entry["metric"] = json!(name);
            }
            found.push(entry);
        }
    }
    Ok(answer(&Value::from(found)).with(warning.into_iter().collect(), Vec::new()))
}

fn fits(target: &ScrapeTarget, matchers: &[Matcher]) -> bool {
    matchers.iter().all(|matcher| {
        let label = target.labels.iter().find(|(name, _)| *name == matcher.name);
        matcher.matches(label.map_or("", |(_, value)| value))
    })
}
