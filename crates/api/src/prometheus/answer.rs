use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

use super::write;

/// What the envelope has, mostly.
const ENVELOPE_BYTES: usize = 64;

/// Data in Prometheus' envelope.
pub(crate) struct Answer {
    data: String,
    warnings: Vec<String>,
    infos: Vec<String>,
    resolution_ms: u64,
}

impl Answer {
    /// With JSON text as its data.
    pub(super) fn of(data: String) -> Self {
        Self { data, warnings: Vec::new(), infos: Vec::new(), resolution_ms: 0 }
    }

    /// With remarks.
    pub(super) fn with(mut self, warnings: Vec<String>, infos: Vec<String>) -> Self {
        self.warnings = warnings;
        self.infos = infos;
        self
    }

    /// From samples that were downsampled to this resolution, or a finer one; 0 for none.
    pub(super) fn read_at(mut self, resolution_ms: u64) -> Self {
        self.resolution_ms = resolution_ms;
        self
    }
}

/// Cuts a list to a limit; the remark that this was done.
pub(super) fn cut<T>(list: &mut Vec<T>, limit: Option<usize>) -> Option<String> {
    let limit = limit.filter(|limit| list.len() > *limit)?;
    list.truncate(limit);
    Some("results truncated due to limit".to_owned())
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut body = String::with_capacity(self.data.len() + ENVELOPE_BYTES);
        body.push_str("{\"status\":\"success\",\"data\":");
        body.push_str(&self.data);
        for (name, remarks) in [("warnings", &self.warnings), ("infos", &self.infos)] {
            if !remarks.is_empty() {
                body.push_str(&format!(",\"{name}\":"));
                write::list(&mut body, remarks, |out, remark| write::text(out, remark));
            }
        }
        if self.resolution_ms > 0 {
            // What Prometheus does not have, and no client of it minds: seconds.
            body.push_str(",\"sourceResolution\":");
            write::time(&mut body, i64::try_from(self.resolution_ms).unwrap_or(i64::MAX));
        }
        body.push('}');
        let mut response = body.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
