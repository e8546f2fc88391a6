//! OpenTelemetry's names as Prometheus has them: `UnderscoreEscapingWithSuffixes` of its OTLP guide.

/// What of a metric decides its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape<'a> {
    pub(super) name: &'a str,
    pub(super) unit: &'a str,
    pub(super) kind: &'a str,
    pub(super) monotonic: bool,
}

/// UCUM's units in words; a unit that is not here is taken as it is.
const UNITS: [(&str, &str); 27] = [
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("1", ""),
    ("%", "percent"),
    ("", ""),
];

/// The units behind a slash.
const PER_UNITS: [(&str, &str); 7] = [
    ("s", "second"),
    ("m", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

/// The name of a metric, with its unit and, for what only grows, `_total`.
pub(super) fn metric(shape: Shape<'_>) -> String {
    let fits = |character: char| character.is_ascii_alphanumeric() || character == ':';
    let mut tokens: Vec<String> = shape
        .name
        .split(|character| !fits(character))
        .filter(|token| !token.is_empty())
        .map(str::to_owned)
        .collect();
    let (main, per) = units(shape.unit);
    let main = Some(clean(&main)).filter(|unit| !unit.is_empty() && !tokens.contains(unit));
    let per = Some(clean(&per)).filter(|unit| !unit.is_empty() && !tokens.contains(unit));
    tokens.extend(main);
    if let Some(per) = per {
        tokens.extend(["per".to_owned(), per]);
    }
    let mut last = |suffix: &str| {
        tokens.retain(|token| token != suffix);
        tokens.push(suffix.to_owned());
    };
    if shape.kind == "sum" && shape.monotonic {
        last("total");
    }
    if shape.kind == "gauge" && shape.unit == "1" {
        last("ratio");
    }
    let name = tokens.join("_");
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        return format!("_{name}");
    }
    name
}

/// The name of a label.
pub(super) fn label(key: &str) -> String {
    let name: String = key
        .chars()
        .map(|character| if character.is_ascii_alphanumeric() { character } else { '_' })
        .collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        format!("key_{name}")
    } else if name.starts_with('_') && !name.starts_with("__") {
        format!("key{name}")
    } else {
        name
    }
}

/// The main unit and the one behind the slash, in words. What is in braces is a remark, no unit.
fn units(unit: &str) -> (String, String) {
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    (in_words(main, &UNITS), in_words(per, &PER_UNITS))
}

fn in_words(unit: &str, words: &[(&str, &str)]) -> String {
    let unit = unit.trim();
    if unit.contains(['{', '}']) {
        return String::new();
    }
    words.iter().find(|(known, _)| *known == unit).map_or(unit, |(_, word)| word).to_owned()
}

/// Letters, digits and single underscores between them.
fn clean(unit: &str) -> String {
    let parts: Vec<_> = unit
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("_")
}

#[cfg(test)]
mod tests {
    use super::{Shape, label, metric};

    fn name(name: &str, unit: &str, kind: &str, monotonic: bool) -> String {
        metric(Shape { name, unit, kind, monotonic })
    }

    #[test]
    fn names_have_units_and_totals() {
        assert_eq!(
            name("http.server.request.duration", "s", "histogram", false),
            "http_server_request_duration_seconds"
        );
        assert_eq!(
            name("http.server.duration", "ms", "histogram", false),
            "http_server_duration_milliseconds"
        );
        assert_eq!(name("system.io", "By", "sum", true), "system_io_bytes_total");
        assert_eq!(name("system.io", "By", "sum", false), "system_io_bytes");
        assert_eq!(name("total.requests", "{request}", "sum", true), "requests_total");
        assert_eq!(name("cpu.utilization", "1", "gauge", false), "cpu_utilization_ratio");
        assert_eq!(name("cpu.utilization", "1", "sum", false), "cpu_utilization");
        assert_eq!(name("speed", "m/s", "gauge", false), "speed_meters_per_second");
        assert_eq!(name("duration_seconds", "s", "gauge", false), "duration_seconds");
        assert_eq!(name("jobs", "{job}/s", "gauge", false), "jobs_per_second");
        assert_eq!(name("a..b__c-d", "", "gauge", false), "a_b_c_d");
        assert_eq!(name("5xx", "", "gauge", false), "_5xx");
        assert_eq!(name("größe", "", "gauge", false), "gr_e");
        assert_eq!(name("rule:sum", "foo/bar", "gauge", false), "rule:sum_foo_per_bar");
    }

    #[test]
    fn labels_have_letters_digits_and_underscores() {
        assert_eq!(label("http.route"), "http_route");
        assert_eq!(label("a..b"), "a__b");
        assert_eq!(label("5xx"), "key_5xx");
        assert_eq!(label("_x"), "key_x");
        assert_eq!(label("__x"), "__x");
    }
}
