//! The web application, embedded and compressed when the binary was built.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};

use crate::problem::Problem;

struct File {
    path: &'static str,
    plain: &'static [u8],
    brotli: &'static [u8],
    gzip: &'static [u8],
}

static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/ui.rs"));

/// What a binary shows that was built without Node.
const MISSING: &str = include_str!("ui/missing.html");

/// Nothing from elsewhere is loaded or run; styles may stand on elements, as charts need.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// A file of the application, or its first page for any other path: the path is the application's.
pub(crate) async fn serve(request: Request<Body>) -> Response {
    answer(FILES, &request)
}

fn answer(files: &'static [File], request: &Request<Body>) -> Response {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Problem::new(StatusCode::METHOD_NOT_ALLOWED, "only GET here")
            .hint("data is sent to /v1/… on the OTLP ports, 4317 and 4318 by default")
            .into_response();
    }
    let path = request.uri().path().trim_start_matches('/');
    if let Some(file) = files.iter().find(|file| file.path == path) {
        return send(file, request.headers());
    }
    // A missing file of the build is an error, not the first page: a stale page must notice.
    if path.starts_with("assets/") {
        return Problem::not_found(format!("no such file `/{path}`")).into_response();
    }
    // A program that asks for something else must not take the page for its answer.
    if !navigates(request.headers()) {
        return Problem::not_found(format!("no such path `/{path}`"))
            .hint("the API is below /api/v1; its description is at /api/openapi.json")
            .into_response();
    }
    match files.iter().find(|file| file.path == "index.html") {
        Some(index) => send(index, request.headers()),
        None => page(StatusCode::OK, MISSING.as_bytes(), "text/html; charset=utf-8", None, false),
    }
}

/// Whether somebody would look at a page: who does not say what is wanted would.
fn navigates(headers: &HeaderMap) -> bool {
    let Some(accepted) = headers.get(header::ACCEPT) else { return true };
    let accepted = accepted.to_str().unwrap_or_default();
    let mut kinds = accepted.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
    kinds.any(|kind| matches!(kind, "text/html" | "text/*" | "*/*" | "application/xhtml+xml"))
}

fn send(file: &File, headers: &HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
    let accepts = |name: &str| {
        accepted.split(',').any(|part| {
            let mut pieces = part.split(';').map(str::trim);
            pieces.next() == Some(name) && !pieces.any(|quality| matches!(quality, "q=0" | "q=0.0"))
        })
    };
    let (content, encoding) = if accepts("br") {
        (file.brotli, Some("br"))
    } else if accepts("gzip") {
        (file.gzip, Some("gzip"))
    } else {
        (file.plain, None)
    };
    // Names under assets/ have a hash of the content in them.
    page(StatusCode::OK, content, content_type(file.path), encoding, file.path.starts_with("assets/"))
}

fn page(
    status: StatusCode,
    content: &'static [u8],
    content_type: &'static str,
    encoding: Option<&'static str>,
    immutable: bool,
) -> Response {
    let mut response = Response::new(Body::from(content));
    *response.status_mut() = status;
    // The first page names the others; for five minutes an old one does no harm.
    let caching = if immutable { "public, max-age=31536000, immutable" } else { "public, max-age=300" };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json" | "map") => "application/json",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
