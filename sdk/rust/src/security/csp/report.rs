use serde_json::{Map, Value};

use crate::security::{JsonError, JsonLimits};

/// Larger bodies are refused.
pub(super) const BYTES_MAX: usize = 64 << 10;
/// More reports in one body are left out.
const REPORTS_MAX: usize = 100;
/// Longer texts in a report are cut, in characters.
const TEXT_MAX: usize = 1024;

/// Why a body is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// It is too large or no JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It is JSON of another shape.
    #[error("neither a `csp-report` nor a list of reports")]
    Shape,
}

/// What broke a policy, as a browser tells it. Anybody can send one: count, do not believe.
///
/// Addresses come without what follows `?` and `#`, where secrets are; texts are cut to 1,024
/// characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violation {
    /// The page.
    pub document: String,
    /// What was blocked: an address, or a word such as `inline`.
    pub blocked: String,
    /// The rule that it broke.
    pub directive: String,
    /// Where the script is that did it.
    pub source_file: String,
    /// In that file, from 1; 0 if it is not told.
    pub line: u64,
    /// Whether it was blocked or only reported.
    pub enforced: bool,
}

/// Reads the body of a report, of the old kind (`application/csp-report`) and of the Reporting API
/// (`application/reports+json`), at most 64 KiB and 100 reports. Reports of other kinds are skipped.
///
/// # Errors
/// It is neither.
///
/// ```
/// use fresnel_sdk::security::csp::parse_reports;
///
/// let body = r#"{"csp-report": {"document-uri": "https://shop.example/cart?token=1",
///     "blocked-uri": "inline", "effective-directive": "script-src-elem", "disposition": "enforce"}}"#;
/// let violations = parse_reports(body)?;
/// assert_eq!(violations[0].document, "https://shop.example/cart");
/// assert_eq!(violations[0].blocked, "inline");
/// # Ok::<(), fresnel_sdk::security::csp::ReportError>(())
/// ```
pub fn parse_reports(body: &str) -> Result<Vec<Violation>, ReportError> {
    let limits = JsonLimits { bytes: BYTES_MAX, depth: 8, values: 10_000 };
    match limits.parse(body)? {
        Value::Object(object) => match object.get("csp-report") {
            Some(Value::Object(report)) => Ok(vec![old(report)]),
            _ => Err(ReportError::Shape),
        },
        Value::Array(reports) => Ok(reports.iter().filter_map(new).take(REPORTS_MAX).collect()),
        _ => Err(ReportError::Shape),
    }
}

fn old(report: &Map<String, Value>) -> Violation {
    let directive = match text(report, "effective-directive") {
        directive if directive.is_empty() => {
            text(report, "violated-directive").split(' ').next().unwrap_or_default().to_owned()
        }
        directive => directive,
    };
    Violation {
        document: address(report, "document-uri"),
        blocked: address(report, "blocked-uri"),
        directive,
        source_file: address(report, "source-file"),
        line: report.get("line-number").and_then(Value::as_u64).unwrap_or(0),
        enforced: text(report, "disposition") != "report",
    }
}

fn new(report: &Value) -> Option<Violation> {
    if report.get("type")?.as_str()? != "csp-violation" {
        return None;
    }
    let body = report.get("body")?.as_object()?;
    Some(Violation {
        document: address(body, "documentURL"),
        blocked: address(body, "blockedURL"),
        directive: text(body, "effectiveDirective"),
        source_file: address(body, "sourceFile"),
        line: body.get("lineNumber").and_then(Value::as_u64).unwrap_or(0),
        enforced: text(body, "disposition") != "report",
    })
}

fn text(report: &Map<String, Value>, name: &str) -> String {
    let text = report.get(name).and_then(Value::as_str).unwrap_or_default();
    text.chars().filter(|it| !it.is_control()).take(TEXT_MAX).collect()
}

fn address(report: &Map<String, Value>, name: &str) -> String {
    let text = text(report, name);
    text.split(['?', '#']).next().unwrap_or_default().to_owned()
}
