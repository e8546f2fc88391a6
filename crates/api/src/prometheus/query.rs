use axum::extract::State;
use promql::ast::{Expr, ExprKind, Matcher};
use promql::{Annotation, Annotations, ParseError, ParseOptions, Statistics, Steps, Value};

use super::answer::{Answer, cut};
use super::ask::{ExemplarsOf, PrometheusQuery, PrometheusSelection, When};
use super::fault::PrometheusError;
use super::parameters::{Form, Parameters, now_ms};
use super::{Fault, tree, write};
use crate::route::Desk;
use crate::tenant::Scope;

/// The most steps of a range.
const POINTS_MAX: i64 = 11_000;
/// Remarks of a kind that are told.
const REMARKS_MAX: usize = 10;

type Answered = Result<Answer, Fault>;

/// A query at one time.
#[utoipa::path(get, path = "/prometheus/api/v1/query", tag = "prometheus",
    params(("query" = String, Query, description = "PromQL"),
        ("time" = Option<String>, Query, description = "Unix seconds or RFC 3339; now when missing"),
        ("timeout" = Option<String>, Query), ("limit" = Option<u64>, Query), ("stats" = Option<String>, Query),
        ("lookback_delta" = Option<String>, Query),
        ("max_source_resolution" = Option<String>, Query,
            description = "Coarsest resolution of downsampled samples that is read: `0s` for none, `auto` (the default) by step and range")),
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object),
        (status = 400, body = PrometheusError), (status = 422, body = PrometheusError),
        (status = 503, body = PrometheusError)))]
pub(crate) async fn instant(desk: State<Desk>, scope: Scope, parameters: Parameters) -> Answered {
    run_instant(desk, scope, &parameters).await
}

/// A query at one time, with its parameters as a form.
#[utoipa::path(post, path = "/prometheus/api/v1/query", tag = "prometheus",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "As for GET", content_type = "application/json", body = Object),
        (status = 400, body = PrometheusError), (status = 422, body = PrometheusError),
        (status = 503, body = PrometheusError)))]
pub(crate) async fn instant_form(desk: State<Desk>, scope: Scope, form: Form) -> Answered {
    run_instant(desk, scope, &form.0).await
}

async fn run_instant(desk: State<Desk>, scope: Scope, parameters: &Parameters) -> Answered {
    let limit = parameters.limit("limit")?;
    let time = parameters.time_or("time", now_ms)?;
    run(desk, scope, parameters, When::Instant(time), limit).await
}

/// A query at the steps of a range.
#[utoipa::path(get, path = "/prometheus/api/v1/query_range", tag = "prometheus",
    params(("query" = String, Query, description = "PromQL"),
        ("start" = String, Query, description = "Unix seconds or RFC 3339"), ("end" = String, Query),
        ("step" = String, Query, description = "Seconds, or a duration such as 1m"),
        ("timeout" = Option<String>, Query), ("limit" = Option<u64>, Query), ("stats" = Option<String>, Query),
        ("lookback_delta" = Option<String>, Query),
        ("max_source_resolution" = Option<String>, Query,
            description = "Coarsest resolution of downsampled samples that is read: `0s` for none, `auto` (the default) by step and range")),
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object),
        (status = 400, body = PrometheusError), (status = 422, body = PrometheusError),
        (status = 503, body = PrometheusError)))]
pub(crate) async fn range(desk: State<Desk>, scope: Scope, parameters: Parameters) -> Answered {
    run_range(desk, scope, &parameters).await
}

/// A query at the steps of a range, with its parameters as a form.
#[utoipa::path(post, path = "/prometheus/api/v1/query_range", tag = "prometheus",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "As for GET", content_type = "application/json", body = Object),
        (status = 400, body = PrometheusError), (status = 422, body = PrometheusError),
        (status = 503, body = PrometheusError)))]
pub(crate) async fn range_form(desk: State<Desk>, scope: Scope, form: Form) -> Answered {
    run_range(desk, scope, &form.0).await
}

async fn run_range(desk: State<Desk>, scope: Scope, parameters: &Parameters) -> Answered {
    let limit = parameters.limit("limit")?;
    let (start_ms, end_ms) = (parameters.time("start")?, parameters.time("end")?);
    if end_ms < start_ms {
        return Err(Fault::parameter("end", "end timestamp must not be before start time"));
    }
    let step_ms = parameters.duration("step")?;
    if step_ms <= 0 {
        return Err(Fault::parameter(
            "step",
            "zero or negative query resolution step widths are not accepted. Try a positive integer",
        ));
    }
    if end_ms.saturating_sub(start_ms) / step_ms > POINTS_MAX {
        return Err(Fault::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution \
             (?step=XX)",
        ));
    }
    run(desk, scope, parameters, When::Range(Steps { start_ms, end_ms, step_ms }), limit).await
}

async fn run(
    State(desk): State<Desk>,
    Scope(tenant): Scope,
    parameters: &Parameters,
    when: When,
    limit: Option<usize>,
) -> Answered {
    let text = parameters.get("query").to_owned();
    let query = PrometheusQuery {
        tenant,
        text: text.clone(),
        when,
        timeout: parameters.timeout()?,
        lookback_ms: parameters.lookback_ms()?,
        resolution_max_ms: parameters.resolution_max_ms()?,
    };
    let answer = desk.queries.prometheus_query(query).await.map_err(of_query)?;
    let mut value = answer.value.value;
    let truncated = match &mut value {
        Value::Vector(samples) => cut(samples, limit),
        Value::Matrix(series) => cut(series, limit),
        Value::Scalar { .. } | Value::String { .. } => None,
    };
    let statistics = match parameters.get("stats") {
        "" => None,
        _ => Some(statistics(answer.value.statistics, answer.elapsed.as_secs_f64())),
    };
    let (mut warnings, mut infos) = remarks(&answer.value.annotations, &text);
    warnings.extend(answer.warnings.into_iter().chain(truncated));
    infos.extend(answer.infos);
    let data = write::data(&value, statistics.as_deref());
    Ok(Answer::of(data).with(warnings, infos).read_at(answer.resolution_ms))
}

/// What is wrong with the request is wrong with the query: the other parameters were looked at.
fn of_query(fault: Fault) -> Fault {
    match fault.kind {
        super::ErrorType::BadData => Fault::parameter("query", fault.message),
        _ => fault,
    }
}

fn statistics(statistics: Statistics, seconds: f64) -> String {
    serde_json::json!({
        "timings": {
            "evalTotalTime": seconds,
            "resultSortTime": 0,
            "queryPreparationTime": 0,
            "innerEvalTime": seconds,
            "execQueueTime": 0,
            "execTotalTime": seconds,
        },
        "samples": {
            "totalQueryableSamples": statistics.samples_read,
            "peakSamples": statistics.samples_peak,
        },
    })
    .to_string()
}

fn remarks(annotations: &Annotations, query: &str) -> (Vec<String>, Vec<String>) {
    let texts = |list: &[Annotation], kind: &str| {
        let text = |annotation: &Annotation| match annotation.span {
            Some(span) => format!("{} ({})", annotation.text, span.position(query)),
            None => annotation.text.clone(),
        };
        let mut texts: Vec<_> = list.iter().take(REMARKS_MAX).map(text).collect();
        if list.len() > REMARKS_MAX {
            texts.push(format!("{} more {kind} annotations omitted", list.len() - REMARKS_MAX));
        }
        texts
    };
    (texts(&annotations.warnings, "warning"), texts(&annotations.infos, "info"))
}

/// Exemplars of the series in a query.
#[utoipa::path(get, path = "/prometheus/api/v1/query_exemplars", tag = "prometheus",
    params(("query" = String, Query, description = "PromQL"), ("start" = Option<String>, Query),
        ("end" = Option<String>, Query)),
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object),
        (status = 400, body = PrometheusError)))]
pub(crate) async fn exemplars(desk: State<Desk>, scope: Scope, parameters: Parameters) -> Answered {
    run_exemplars(desk, scope, &parameters).await
}

/// Exemplars of the series in a query, with its parameters as a form.
#[utoipa::path(post, path = "/prometheus/api/v1/query_exemplars", tag = "prometheus",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "As for GET", content_type = "application/json", body = Object),
        (status = 400, body = PrometheusError)))]
pub(crate) async fn exemplars_form(desk: State<Desk>, scope: Scope, form: Form) -> Answered {
    run_exemplars(desk, scope, &form.0).await
}

async fn run_exemplars(State(desk): State<Desk>, Scope(tenant): Scope, parameters: &Parameters) -> Answered {
    let times_ms = parameters.times()?;
    if times_ms.1 < times_ms.0 {
        return Err(Fault::bad_data("end timestamp must not be before start timestamp"));
    }
    let selectors = deep(|| {
        let mut selectors = Vec::new();
        collect(&parsed(parameters)?, &mut selectors);
        Ok(selectors)
    });
    let selectors = selectors.map_err(|error: ParseError| Fault::bad_data(error.to_string()))?;
    if selectors.is_empty() {
        return Ok(Answer::of("[]".to_owned()));
    }
    let selection = PrometheusSelection { tenant, selectors, times_ms };
    let answer = desk.queries.prometheus_exemplars(selection).await?;
    let mut data = String::new();
    write::list(&mut data, &answer.value, exemplars_of);
    Ok(Answer::of(data).with(answer.warnings, Vec::new()))
}

fn exemplars_of(out: &mut String, of: &ExemplarsOf) {
    out.push_str("{\"seriesLabels\":");
    write::labels(out, &of.series);
    out.push_str(",\"exemplars\":");
    write::list(out, &of.exemplars, |out, exemplar| {
        out.push_str("{\"labels\":");
        write::labels(out, &exemplar.labels);
        out.push_str(",\"value\":");
        write::number(out, exemplar.value);
        out.push_str(",\"timestamp\":");
        write::time(out, exemplar.time_ms);
        out.push('}');
    });
    out.push('}');
}

/// The matchers of all selectors of a tree.
fn collect(expr: &Expr, selectors: &mut Vec<Vec<Matcher>>) {
    match &expr.kind {
        ExprKind::Number { .. } | ExprKind::String(_) => {}
        ExprKind::Vector(vector) => selectors.push(vector.matchers.clone()),
        ExprKind::Matrix(matrix) => selectors.push(matrix.vector.matchers.clone()),
        ExprKind::Subquery(subquery) => collect(&subquery.expr, selectors),
        ExprKind::Call(call) => call.args.iter().for_each(|arg| collect(arg, selectors)),
        ExprKind::Aggregate(aggregate) => {
            collect(&aggregate.expr, selectors);
            aggregate.param.iter().for_each(|param| collect(param, selectors));
        }
        ExprKind::Binary(binary) => {
            collect(&binary.left, selectors);
            collect(&binary.right, selectors);
        }
        ExprKind::Unary { expr, .. } => collect(expr, selectors),
        ExprKind::Paren(inner) => collect(inner, selectors),
    }
}

/// The query's tree. All of the language is known here, also what may not be evaluated.
fn parsed(parameters: &Parameters) -> Result<Expr, ParseError> {
    promql::parse(parameters.get("query"), &ParseOptions::new(true))
}

/// Something about a query's tree as JSON text.
fn told(parameters: &Parameters, tell: impl FnOnce(&Expr) -> serde_json::Value) -> Answered {
    let data = deep(|| parsed(parameters).map(|expr| tell(&expr).to_string()));
    data.map(Answer::of).map_err(|error| Fault::parameter("query", error))
}

/// On a stack on which the highest of trees can be walked, written and dropped, which recurse.
fn deep<T>(work: impl FnOnce() -> T) -> T {
    const STACK_BYTES: usize = 32 << 20;
    stacker::maybe_grow(STACK_BYTES / 2, STACK_BYTES, work)
}

/// A query, written as it should be.
#[utoipa::path(get, path = "/prometheus/api/v1/format_query", tag = "prometheus",
    params(("query" = String, Query, description = "PromQL")),
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object),
        (status = 400, body = PrometheusError)))]
pub(crate) async fn format(parameters: Parameters) -> Answered {
    told(&parameters, |expr| promql::format_query(expr).into())
}

/// A query, written as it should be; with its parameters as a form.
#[utoipa::path(post, path = "/prometheus/api/v1/format_query", tag = "prometheus",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "As for GET", content_type = "application/json", body = Object),
        (status = 400, body = PrometheusError)))]
pub(crate) async fn format_form(form: Form) -> Answered {
    told(&form.0, |expr| promql::format_query(expr).into())
}

/// A query's tree.
#[utoipa::path(get, path = "/prometheus/api/v1/parse_query", tag = "prometheus",
    params(("query" = String, Query, description = "PromQL")),
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object),
        (status = 400, body = PrometheusError)))]
pub(crate) async fn parse(parameters: Parameters) -> Answered {
    told(&parameters, tree::json)
}

/// A query's tree, with its parameters as a form.
#[utoipa::path(post, path = "/prometheus/api/v1/parse_query", tag = "prometheus",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "As for GET", content_type = "application/json", body = Object),
        (status = 400, body = PrometheusError)))]
pub(crate) async fn parse_form(form: Form) -> Answered {
    told(&form.0, tree::json)
}
