//! What changes how the server keeps its records. Only who may see all tenants may.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderValue, StatusCode, header};
use model::{InvalidTenant, Table, Tenant};

use super::Desk;
use super::parameters::Parameters;
use crate::dto;
use crate::operations::CompactWanted;
use crate::problem::Problem;
use crate::tenant::Sight;

/// Merge files now.
///
/// Records in memory are written to files, and the files of each table, tenant and day merged into as
/// few as `store.compact.size` permits, without waiting until the day is over; samples get smaller by
/// it. Senders and readers go on meanwhile. The answer has a line of JSON for each merge, when it is
/// done, and one in the end; a request that breaks off ends the work after the merge that is going on.
/// Of `table`, `tenant` and `day` each may come several times, and means all when it is missing.
#[utoipa::path(post, path = "/api/v1/admin/compact", tag = "system",
    params(("table" = Option<Vec<String>>, Query, description = "logs, spans, samples, ..."),
        ("tenant" = Option<Vec<String>>, Query), ("day" = Option<Vec<String>>, Query, description = "UTC, such as 2026-11-21")),
    responses((status = 200, description = "A line of JSON each", content_type = "application/x-ndjson", body = dto::CompactLine),
        (status = 400, body = Problem), (status = 403, body = Problem, description = "The key has no `admin`"),
        (status = 409, body = Problem, description = "Another one goes on")))]
pub(crate) async fn compact(
    State(desk): State<Desk>,
    sight: Sight,
    parameters: Parameters,
) -> Result<Response, Problem> {
    if sight != Sight::Everybody {
        return Err(Problem::new(StatusCode::FORBIDDEN, "this key may not have files merged")
            .hint("a key may with `admin = true`"));
    }
    let wanted = wanted(&parameters)?;
    let lines = desk.operations.compact(wanted).ok_or_else(|| {
        Problem::new(StatusCode::CONFLICT, "files are being merged for somebody else")
            .hint("ask again when that is done")
    })?;
    let lines = lines.map(|line| {
        let mut text = serde_json::to_vec(&line).expect("texts and numbers can be written");
        text.push(b'\n');
        Ok::<_, Infallible>(Bytes::from(text))
    });
    let mut response = Response::new(Body::from_stream(lines));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn wanted(parameters: &Parameters) -> Result<CompactWanted, Problem> {
    parameters.only(&["table", "tenant", "day"])?;
    let table = |name: &String| {
        Table::parse(name).ok_or_else(|| {
            Problem::bad_request(format!("there is no table `{name}`"))
                .hint(format!("there are: {}", Table::ALL.map(Table::as_str).join(", ")))
        })
    };
    let tenant = |name: &String| {
        Tenant::parse(name)
            .map_err(|InvalidTenant| Problem::bad_request(format!("`{name}` is no tenant: {InvalidTenant}")))
    };
    let day = |text: &String| {
        model::parse_day(text).ok_or_else(|| {
            Problem::bad_request(format!("`day` must be a UTC day such as 2026-11-21, got `{text}`"))
        })
    };
    Ok(CompactWanted {
        tables: parameters.all("table").iter().map(table).collect::<Result<_, _>>()?,
        tenants: parameters.all("tenant").iter().map(tenant).collect::<Result<_, _>>()?,
        days: parameters.all("day").iter().map(day).collect::<Result<_, _>>()?,
    })
}
