//! From the text of a test file to tests.

use promql::series_description::{SequenceValue, SeriesDescription, parse_labels, parse_series};
use promql::{Labels, Point};

use super::{AlertCase, Expected, ExpressionCase, Test, TrialFile};
use crate::rules::Texts;
use crate::yaml::{Node, Problem, Reading};

const EVALUATION_INTERVAL_MS: i64 = 60_000;

pub(super) fn file(tree: Option<&Node>) -> Result<TrialFile, Vec<Problem>> {
    let mut reading = Reading::default();
    let file = tree.and_then(|tree| read_file(&mut reading, tree));
    let empty = TrialFile {
        rule_files: Vec::new(),
        evaluation_interval_ms: EVALUATION_INTERVAL_MS,
        group_eval_order: Vec::new(),
        fuzzy_compare: false,
        tests: Vec::new(),
    };
    reading.finish(file.unwrap_or(empty))
}

fn read_file(reading: &mut Reading, tree: &Node) -> Option<TrialFile> {
    let mut fields = reading.table(tree)?;
    let rule_files = reading.list(fields.get("rule_files"));
    let interval = reading.duration(fields.get("evaluation_interval")).filter(|interval| *interval > 0);
    let order = reading.list(fields.get("group_eval_order"));
    let fuzzy_compare = reading.boolean(fields.get("fuzzy_compare")).unwrap_or(false);
    let tests = reading.list(fields.get("tests"));
    reading.close(&fields);
    let evaluation_interval_ms = interval.unwrap_or(EVALUATION_INTERVAL_MS);
    let rule_files = rule_files
        .iter()
        .filter_map(|node| reading.text(Some(node)).map(|pattern| (pattern, node.at.line, node.at.column)));
    let rule_files = rule_files.collect();
    let mut group_eval_order = Vec::new();
    for node in order {
        let Some(name) = reading.text(Some(node)) else { continue };
        if group_eval_order.contains(&name) {
            reading.wrong(node.at, format!("group name repeated in evaluation order: {name}"));
        }
        group_eval_order.push(name);
    }
    let tests = tests.iter().filter_map(|node| test(reading, node, evaluation_interval_ms)).collect();
    Some(TrialFile { rule_files, evaluation_interval_ms, group_eval_order, fuzzy_compare, tests })
}

fn test(reading: &mut Reading, node: &Node, evaluation_interval_ms: i64) -> Option<Test> {
    let mut fields = reading.table(node)?;
    let name = reading.text(fields.get("name"));
    let interval = reading.duration(fields.get("interval")).filter(|interval| *interval > 0);
    let start_node = fields.get("start_timestamp");
    let start_ms = reading.text(start_node).map_or(Some(0), |text| timestamp(&text));
    if let (None, Some(node)) = (start_ms, start_node) {
        reading.wrong(node.at, "expected seconds since 1970, or a time such as 2021-01-01T00:00:00Z");
    }
    let series = reading.list(fields.get("input_series"));
    let alerts = reading.list(fields.get("alert_rule_test"));
    let expressions = reading.list(fields.get("promql_expr_test"));
    let external_labels = labels(reading, fields.get("external_labels"));
    let external_url = reading.text(fields.get("external_url")).unwrap_or_default();
    reading.close(&fields);
    Some(Test {
        name,
        interval_ms: interval.unwrap_or(evaluation_interval_ms),
        start_ms: start_ms.unwrap_or(0),
        series: series.iter().filter_map(|node| input(reading, node)).collect(),
        external_labels,
        external_url,
        alerts: alerts.iter().filter_map(|node| alert_case(reading, node)).collect(),
        expressions: expressions.iter().filter_map(|node| expression_case(reading, node)).collect(),
    })
}

fn labels(reading: &mut Reading, node: Option<&Node>) -> Labels {
    reading.texts(node).into_iter().map(|(key, text, _)| (key.text.clone(), text)).collect()
}

fn texts(reading: &mut Reading, node: Option<&Node>) -> Texts<String> {
    reading.texts(node).into_iter().map(|(key, text, _)| (key.text.clone(), text)).collect()
}

fn input(reading: &mut Reading, node: &Node) -> Option<SeriesDescription> {
    let mut fields = reading.table(node)?;
    let series = reading.text(fields.get("series"));
    let values = reading.text(fields.get("values")).unwrap_or_default();
    reading.close(&fields);
    let Some(series) = series else {
        reading.wrong(node.at, "`series` is missing");
        return None;
    };
    // Values over several lines are one line.
    let line = format!("{series} {}", values.replace(['\n', '\r'], " "));
    parse_series(&line)
        .map_err(|error| reading.wrong(fields.place("series"), format!("{line}: {error}")))
        .ok()
}

fn alert_case(reading: &mut Reading, node: &Node) -> Option<AlertCase> {
    let mut fields = reading.table(node)?;
    let eval_time_ms = reading.duration(fields.get("eval_time")).unwrap_or(0);
    let name = reading.text(fields.get("alertname")).unwrap_or_default();
    let alerts = reading.list(fields.get("exp_alerts"));
    reading.close(&fields);
    if name.is_empty() {
        reading.wrong(node.at, "an item under alert_rule_test misses required attribute alertname");
        return None;
    }
    let mut expected = Vec::new();
    for node in alerts {
        let Some(mut fields) = reading.table(node) else { continue };
        let mut labels = texts(reading, fields.get("exp_labels"));
        let annotations = texts(reading, fields.get("exp_annotations"));
        reading.close(&fields);
        labels.insert("alertname".to_owned(), name.clone());
        expected.push((labels, annotations));
    }
    Some(AlertCase { at: node.at, eval_time_ms, name, expected })
}

fn expression_case(reading: &mut Reading, node: &Node) -> Option<ExpressionCase> {
    let mut fields = reading.table(node)?;
    let expr = reading.text(fields.get("expr"));
    let eval_time_ms = reading.duration(fields.get("eval_time")).unwrap_or(0);
    let samples = reading.list(fields.get("exp_samples"));
    reading.close(&fields);
    let expected = samples.iter().filter_map(|node| expected(reading, node)).collect();
    let Some(expr) = expr else {
        reading.wrong(node.at, "`expr` is missing");
        return None;
    };
    Some(ExpressionCase { at: node.at, expr, eval_time_ms, expected })
}

fn expected(reading: &mut Reading, node: &Node) -> Option<Expected> {
    let mut fields = reading.table(node)?;
    let written = reading.text(fields.get("labels")).unwrap_or_default();
    let value = reading.number(fields.get("value"));
    let histogram = reading.text(fields.get("histogram"));
    reading.close(&fields);
    let labels = match written.as_str() {
        "" => Labels::default(),
        text => match parse_labels(text) {
            Ok(labels) => labels,
            Err(error) => {
                reading.wrong(fields.place("labels"), format!("labels \"{text}\": {error}"));
                return None;
            }
        },
    };
    let Some(text) = histogram.filter(|text| !text.is_empty()) else {
        return Some(Expected { labels, point: Point::Float(value.unwrap_or(0.0)), hint_written: false });
    };
    let described = parse_series(&format!("{{}} {text}")).map(|described| described.values);
    match described.as_deref() {
        Ok([SequenceValue::Histogram { histogram, hint_written }]) => {
            let point = Point::Histogram(histogram.clone());
            Some(Expected { labels, point, hint_written: *hint_written })
        }
        Ok(_) => {
            reading.wrong(fields.place("histogram"), format!("expected one histogram, got {text}"));
            None
        }
        Err(error) => {
            reading.wrong(fields.place("histogram"), format!("{text}: {error}"));
            None
        }
    }
}

/// Seconds since 1970, or RFC 3339; in milliseconds.
fn timestamp(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        #[expect(clippy::cast_possible_truncation, reason = "saturates")]
        return seconds.is_finite().then(|| (seconds * 1000.0).round() as i64);
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let bytes = text.as_bytes();
    let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let separated = separators.iter().all(|(at, byte)| bytes.get(*at) == Some(byte));
    if !separated || !matches!(bytes.get(10), Some(b'T' | b't' | b' ')) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let within = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !within || !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..61).contains(&second) {
        return None;
    }
    let rest = text.get(19..)?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let milliseconds = match rest[..zone_at].strip_prefix('.') {
        Some(fraction) => (format!("0.{fraction}").parse::<f64>().ok()? * 1000.0).round() as i64,
        None if zone_at == 0 => 0,
        None => return None,
    };
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some((seconds - zone_seconds(&rest[zone_at..])?) * 1000 + milliseconds)
}

/// `Z`, `+02:00`.
fn zone_seconds(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    Some(sign * (hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60))
}

/// Days since 1970.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March, so that the day that is added ends one.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn times_are_read() {
        assert_eq!(timestamp("1609459200"), Some(1_609_459_200_000));
        assert_eq!(timestamp("1.5"), Some(1_500));
        assert_eq!(timestamp("2021-01-01T00:00:00Z"), Some(1_609_459_200_000));
        assert_eq!(timestamp("2000-02-29T01:00:00.25+01:00"), Some(951_782_400_250));
        for wrong in
            ["", "now", "2021-01-01", "2021-13-01T00:00:00Z", "2021-01-01T00:00:00", "2021-01-01T00:00:00.5"]
        {
            assert_eq!(timestamp(wrong), None, "{wrong}");
        }
    }
}
