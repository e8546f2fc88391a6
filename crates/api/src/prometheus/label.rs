use axum::extract::{Path, State};

use super::answer::{Answer, cut};
use super::ask::PrometheusSelection;
use super::fault::PrometheusError;
use super::parameters::{Form, Parameters};
use super::{Fault, write};
use crate::route::Desk;
use crate::tenant::Scope;

type Answered = Result<Answer, Fault>;

/// Names of labels.
#[utoipa::path(get, path = "/prometheus/api/v1/labels", tag = "prometheus",
    params(("match[]" = Option<Vec<String>>, Query, description = "Selectors of series"),
        ("start" = Option<String>, Query), ("end" = Option<String>, Query), ("limit" = Option<u64>, Query)),
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object),
        (status = 400, body = PrometheusError)))]
pub(crate) async fn names(desk: State<Desk>, scope: Scope, parameters: Parameters) -> Answered {
    texts(desk, scope, &parameters, None).await
}

/// Names of labels, with its parameters as a form.
#[utoipa::path(post, path = "/prometheus/api/v1/labels", tag = "prometheus",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "As for GET", content_type = "application/json", body = Object),
        (status = 400, body = PrometheusError)))]
pub(crate) async fn names_form(desk: State<Desk>, scope: Scope, form: Form) -> Answered {
    texts(desk, scope, &form.0, None).await
}

/// Values of a label.
#[utoipa::path(get, path = "/prometheus/api/v1/label/{name}/values", tag = "prometheus",
    params(("name" = String, Path, description = "The label; `U__` escapes what is not a letter, digit or underscore"),
        ("match[]" = Option<Vec<String>>, Query, description = "Selectors of series"),
        ("start" = Option<String>, Query), ("end" = Option<String>, Query), ("limit" = Option<u64>, Query)),
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object),
        (status = 400, body = PrometheusError)))]
pub(crate) async fn values(
    desk: State<Desk>,
    scope: Scope,
    Path(name): Path<String>,
    parameters: Parameters,
) -> Answered {
    texts(desk, scope, &parameters, Some(unescaped(&name))).await
}

async fn texts(
    State(desk): State<Desk>,
    Scope(tenant): Scope,
    parameters: &Parameters,
    name: Option<String>,
) -> Answered {
    let limit = parameters.limit("limit")?;
    let selection =
        PrometheusSelection { tenant, selectors: parameters.selectors()?, times_ms: parameters.times()? };
    let mut answer = desk.queries.prometheus_labels(selection, name).await?;
    answer.warnings.extend(cut(&mut answer.value, limit));
    let mut data = String::new();
    write::list(&mut data, &answer.value, |out, text| write::text(out, text));
    Ok(Answer::of(data).with(answer.warnings, Vec::new()))
}

/// Series by their labels.
#[utoipa::path(get, path = "/prometheus/api/v1/series", tag = "prometheus",
    params(("match[]" = Vec<String>, Query, description = "Selectors of series"),
        ("start" = Option<String>, Query), ("end" = Option<String>, Query), ("limit" = Option<u64>, Query)),
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object),
        (status = 400, body = PrometheusError)))]
pub(crate) async fn series(desk: State<Desk>, scope: Scope, parameters: Parameters) -> Answered {
    all_series(desk, scope, &parameters).await
}

/// Series by their labels, with its parameters as a form.
#[utoipa::path(post, path = "/prometheus/api/v1/series", tag = "prometheus",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "As for GET", content_type = "application/json", body = Object),
        (status = 400, body = PrometheusError)))]
pub(crate) async fn series_form(desk: State<Desk>, scope: Scope, form: Form) -> Answered {
    all_series(desk, scope, &form.0).await
}

async fn all_series(State(desk): State<Desk>, Scope(tenant): Scope, parameters: &Parameters) -> Answered {
    let limit = parameters.limit("limit")?;
    // Said with the parameter's name here, without it for labels: as in Prometheus.
    let selectors = parameters.selectors().map_err(|fault| Fault::parameter("match[]", fault.message))?;
    if selectors.is_empty() {
        return Err(Fault::bad_data("no match[] parameter provided"));
    }
    let selection = PrometheusSelection { tenant, selectors, times_ms: parameters.times()? };
    let mut answer = desk.queries.prometheus_series(selection).await?;
    answer.warnings.extend(cut(&mut answer.value, limit));
    let mut data = String::new();
    write::list(&mut data, &answer.value, write::labels);
    Ok(Answer::of(data).with(answer.warnings, Vec::new()))
}

/// What is known of metrics.
#[utoipa::path(get, path = "/prometheus/api/v1/metadata", tag = "prometheus",
    params(("metric" = Option<String>, Query), ("limit" = Option<u64>, Query),
        ("limit_per_metric" = Option<u64>, Query)),
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object),
        (status = 400, body = PrometheusError)))]
pub(crate) async fn metadata(
    State(desk): State<Desk>,
    Scope(tenant): Scope,
    parameters: Parameters,
) -> Answered {
    let limit = |name: &str| match parameters.get(name) {
        "" => Ok(usize::MAX),
        text => match text.parse::<i64>() {
            Ok(limit) => Ok(usize::try_from(limit).unwrap_or(usize::MAX)),
            Err(_) => Err(Fault::bad_data(format!("{name} must be a number"))),
        },
    };
    let (limit, limit_each) = (limit("limit")?, limit("limit_per_metric")?);
    let metric = Some(parameters.get("metric").to_owned()).filter(|metric| !metric.is_empty());
    let answer = desk.queries.prometheus_metadata(tenant, metric).await?;
    let metrics = answer.value.into_iter().take(limit).map(|(name, known)| {
        let known = known.into_iter().take(limit_each);
        let known = known
            .map(|known| serde_json::json!({"type": known.kind, "unit": known.unit, "help": known.help}));
        (name, known.collect::<serde_json::Value>())
    });
    let data = serde_json::Value::Object(metrics.collect());
    Ok(Answer::of(data.to_string()).with(answer.warnings, Vec::new()))
}

/// The name that Prometheus' escaping with `U__` stands for; the text itself where it is none.
fn unescaped(text: &str) -> String {
    let Some(escaped) = text.strip_prefix("U__") else { return text.to_owned() };
    let (mut name, mut rest) = (String::new(), escaped);
    while let Some(place) = rest.find('_') {
        name.push_str(&rest[..place]);
        rest = &rest[place + 1..];
        let Some(end) = rest.find('_') else { return text.to_owned() };
        if end == 0 {
            name.push('_');
        } else {
            let character = u32::from_str_radix(&rest[..end], 16).ok().and_then(char::from_u32);
            let Some(character) = character else { return text.to_owned() };
            name.push(character);
        }
        rest = &rest[end + 1..];
    }
    name.push_str(rest);
    name
}

#[cfg(test)]
mod tests {
    use super::unescaped;

    #[test]
    fn names_are_unescaped() {
        assert_eq!(unescaped("job"), "job");
        assert_eq!(unescaped("U__http_2e_route"), "http.route");
        assert_eq!(unescaped("U__a__b"), "a_b");
        assert_eq!(unescaped("U___1F600_x"), "\u{1F600}x");
        assert_eq!(unescaped("U__broken_"), "U__broken_");
        assert_eq!(unescaped("U__broken_zz_"), "U__broken_zz_");
    }
}
