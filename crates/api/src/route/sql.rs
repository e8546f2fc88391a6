use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderValue, Request, header};
use http_body::Frame;
use http_body_util::{BodyExt, Limited, StreamBody};

use super::Desk;
use super::parameters::Parameters;
use crate::clock;
use crate::dto::Summary;
use crate::problem::Problem;
use crate::queries::{Failure, RecordStream, SqlRequest};
use crate::render::{Format, Render};
use crate::tenant::Scope;

const STATEMENT_BYTES_MAX: usize = 1 << 20;
const KNOWN: &[&str] = &["query", "format", "timeout", "query_id"];

/// Run a SQL statement.
#[utoipa::path(get, path = "/api/v1/sql", tag = "queries",
    params(("query" = String, Query), ("format" = Option<String>, Query, description = "json, ndjson, csv, arrow or parquet"),
        ("timeout" = Option<String>, Query, description = "such as 30s"), ("query_id" = Option<String>, Query)),
    responses((status = 200, description = "The rows. Header X-Fresnel-Query-Id; trailer X-Fresnel-Complete"),
        (status = 400, body = Problem), (status = 429, body = Problem), (status = 504, body = Problem)))]
pub(crate) async fn get(
    State(desk): State<Desk>,
    Scope(tenant): Scope,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let text = parameters.text("query")?;
    run(&desk, tenant, &parameters, text).await
}

/// Run a SQL statement that is the body, or the field `query` of a form.
#[utoipa::path(post, path = "/api/v1/sql", tag = "queries", request_body(content = String, content_type = "text/plain"),
    params(("format" = Option<String>, Query, description = "json, ndjson, csv, arrow or parquet"),
        ("timeout" = Option<String>, Query, description = "such as 30s"), ("query_id" = Option<String>, Query)),
    responses((status = 200, description = "The rows. Header X-Fresnel-Query-Id; trailer X-Fresnel-Complete"),
        (status = 400, body = Problem), (status = 429, body = Problem), (status = 504, body = Problem)))]
pub(crate) async fn post(
    State(desk): State<Desk>,
    Scope(tenant): Scope,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, STATEMENT_BYTES_MAX).collect().await;
    let body =
        body.map_err(|error| Problem::bad_request(format!("the statement could not be read: {error}")))?;
    let text = String::from_utf8(body.to_bytes().into())
        .map_err(|_| Problem::bad_request("the statement is not UTF-8"))?;
    let query = head.uri.query().unwrap_or("");
    if is_form(&head.headers) && text.starts_with("query=") {
        let parameters = Parameters::parse(&format!("{query}&{text}"))?;
        let text = parameters.text("query")?;
        return run(&desk, tenant, &parameters, text).await;
    }
    let parameters = Parameters::parse(query)?;
    let text = if text.trim().is_empty() { parameters.text("query")? } else { Some(text) };
    run(&desk, tenant, &parameters, text).await
}

fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.starts_with("application/x-www-form-urlencoded")
}

async fn run(
    desk: &Desk,
    tenant: model::Tenant,
    parameters: &Parameters,
    text: Option<String>,
) -> Result<Response, Problem> {
    parameters.only(KNOWN)?;
    let text = text.ok_or_else(|| {
        Problem::bad_request("no statement: send it as the body of a POST or as `query`")
            .hint("for example: SELECT time, service_name, body FROM logs ORDER BY time DESC LIMIT 20")
    })?;
    let name = parameters.one("format")?.unwrap_or("json");
    let format = Format::parse(name).ok_or_else(|| {
        Problem::bad_request(format!("unknown format `{name}`")).hint(format!("there are: {}", Format::NAMES))
    })?;
    let timeout = parameters.one("timeout")?.map(|text| clock::duration("timeout", text)).transpose()?;
    let request = SqlRequest { tenant, text, timeout, id: parameters.text("query_id")? };
    let mut records = desk.queries.sql(request).await?;
    // The first batch is awaited before the status goes out: most failures show until then.
    let first = records.next().await.transpose()?;
    let render = format.render(records.schema()).map_err(unwritable)?;
    Ok(answer(format, records, render, first))
}

fn unwritable(error: arrow::error::ArrowError) -> Problem {
    Problem::bad_request(format!("the answer cannot be written in this format: {error}"))
}

fn answer(
    format: Format,
    records: Box<dyn RecordStream>,
    render: Box<dyn Render>,
    first: Option<arrow::array::RecordBatch>,
) -> Response {
    let id = HeaderValue::from_str(records.id()).ok();
    let state = Progress::Begin { records, render, first };
    let frames = stream::unfold(state, step);
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(header::TRAILER, HeaderValue::from_static("x-fresnel-complete"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(id) = id {
        headers.insert("x-fresnel-query-id", id);
    }
    response
}

/// Where the streamed answer stands.
enum Progress {
    Begin {
        records: Box<dyn RecordStream>,
        render: Box<dyn Render>,
        first: Option<arrow::array::RecordBatch>,
    },
    Batches {
        records: Box<dyn RecordStream>,
        render: Box<dyn Render>,
    },
    Trailer(Summary),
    Done,
}

type Piece = Result<Frame<Bytes>, io::Error>;

/// The next piece of the body. An error aborts the response, so that a reader sees a broken
/// transfer and never takes a part for the whole.
async fn step(state: Progress) -> Option<(Piece, Progress)> {
    match state {
        Progress::Begin { records, mut render, first } => {
            let mut piece = match render.begin() {
                Ok(piece) => Vec::from(piece),
                Err(error) => return Some((Err(io::Error::other(error)), Progress::Done)),
            };
            if let Some(batch) = first {
                match render.batch(&batch) {
                    Ok(rows) => piece.extend_from_slice(&rows),
                    Err(error) => return Some((Err(io::Error::other(error)), Progress::Done)),
                }
            }
            Some((Ok(Frame::data(piece.into())), Progress::Batches { records, render }))
        }
        Progress::Batches { mut records, mut render } => match records.next().await {
            Some(Ok(batch)) => match render.batch(&batch) {
                Ok(piece) => Some((Ok(Frame::data(piece)), Progress::Batches { records, render })),
                Err(error) => Some((Err(io::Error::other(error)), Progress::Done)),
            },
            Some(Err(failure)) => {
                let Failure { message, .. } = failure;
                tracing::info!(error = %message, "abort a streamed answer");
                Some((Err(io::Error::other(message)), Progress::Done))
            }
            None => {
                let summary = records.summary();
                match render.end(&summary) {
                    Ok(piece) => Some((Ok(Frame::data(piece)), Progress::Trailer(summary))),
                    Err(error) => Some((Err(io::Error::other(error)), Progress::Done)),
                }
            }
        },
        Progress::Trailer(summary) => {
            let mut trailers = HeaderMap::new();
            let complete = if summary.complete { "true" } else { "false" };
            trailers.insert("x-fresnel-complete", HeaderValue::from_static(complete));
            Some((Ok(Frame::trailers(trailers)), Progress::Done))
        }
        Progress::Done => None,
    }
}
