use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use super::report::{BYTES_MAX, Violation, parse_reports};
use super::{ALL_DIRECTIVES, Directive};
use crate::telemetry::metrics::{Counter, Registry};

/// The route that [`Policy::report_to`](super::Policy::report_to) sends browsers to. Reports are counted
/// in `security.csp.violations` by `csp.directive` and `csp.disposition` and handed to `hear`, which may
/// log some of them: anybody can send what they like, so put a rate limit around it and believe none.
/// It must not block.
///
/// A body that is read is answered by 204, one of another type by 415, a larger one than 64 KiB by 413,
/// and what is no report by 400.
///
/// ```
/// use axum::Router;
/// use fresnel_sdk::security::csp::{Policy, report_endpoint};
/// use fresnel_sdk::telemetry::metrics::Registry;
///
/// let policy = Policy::strict().report_to("/csp-report")?;
/// let reports = report_endpoint("/csp-report", &Registry::new(), |violation| {
///     tracing::debug!(blocked = violation.blocked, page = violation.document, "against the policy");
/// });
/// let app: Router = Router::new().merge(reports);
/// # let _ = (policy, app);
/// # Ok::<(), fresnel_sdk::security::csp::SourceError>(())
/// ```
///
/// # Panics
/// The path is none for axum.
pub fn report_endpoint<S: Clone + Send + Sync + 'static>(
    path: &str,
    registry: &Registry,
    hear: impl Fn(&Violation) + Send + Sync + 'static,
) -> Router<S> {
    let text = "Violations of the policy that browsers report.";
    let violations = registry.counter("security.csp.violations", "{violation}", text);
    let desk = Arc::new(Desk { violations, hear: Box::new(hear) });
    Router::new().route(path, post(receive)).layer(DefaultBodyLimit::max(BYTES_MAX)).with_state(desk)
}

struct Desk {
    violations: Counter,
    hear: Box<dyn Fn(&Violation) + Send + Sync>,
}

async fn receive(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: String) -> StatusCode {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    // Others are what a form on a strange page can send.
    if !matches!(kind, "application/csp-report" | "application/reports+json" | "application/json") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    let Ok(violations) = parse_reports(&body) else { return StatusCode::BAD_REQUEST };
    for violation in &violations {
        desk.count(violation);
        (desk.hear)(violation);
    }
    StatusCode::NO_CONTENT
}

impl Desk {
    fn count(&self, violation: &Violation) {
        let disposition = if violation.enforced { "enforce" } else { "report" };
        let labels = [("csp.directive", rule(&violation.directive)), ("csp.disposition", disposition)];
        self.violations.add(1, &labels);
    }
}

/// The rule of the policy, so that nobody makes up series: of `script-src-elem` it is `script-src`.
fn rule(directive: &str) -> &'static str {
    let plain =
        directive.strip_suffix("-elem").or_else(|| directive.strip_suffix("-attr")).unwrap_or(directive);
    ALL_DIRECTIVES.iter().map(|it| Directive::name(*it)).find(|name| *name == plain).unwrap_or("_OTHER")
}
