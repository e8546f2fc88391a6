//! The language of the files: what to load, what to evaluate, what to expect.

use std::sync::LazyLock;

use promql::Labels;
use promql::series_description::{
    SequenceValue, SeriesLine, parse_duration_ms, parse_line, parse_series, unquote,
};
use regex::Regex;

#[derive(Debug)]
pub(crate) enum Command {
    Clear,
    Load(Load),
    Eval(Box<Eval>),
}

#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) step_ms: i64,
    /// Classic histograms become native ones with custom buckets, too.
    pub(crate) with_nhcb: bool,
    pub(crate) series: Vec<LoadedSeries>,
}

#[derive(Debug)]
pub(crate) struct LoadedSeries {
    pub(crate) labels: Labels,
    pub(crate) values: Vec<SequenceValue>,
    /// Relative to each sample.
    pub(crate) start_offsets_ms: Vec<Option<i64>>,
}

#[derive(Debug)]
pub(crate) struct Eval {
    /// From 1.
    pub(crate) line: usize,
    pub(crate) query: String,
    pub(crate) when: When,
    pub(crate) ordered: bool,
    pub(crate) fail: Option<Text>,
    pub(crate) warnings: Remarks,
    pub(crate) infos: Remarks,
    pub(crate) expected: Expected,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    Instant { at_ms: i64 },
    Range(Times),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    pub(crate) step_ms: i64,
}

/// What is expected of the warnings or infos.
#[derive(Debug, Default)]
pub(crate) struct Remarks {
    pub(crate) none: bool,
    /// At least one, whatever it says.
    pub(crate) some: bool,
    pub(crate) texts: Vec<Text>,
}

#[derive(Debug)]
pub(crate) enum Text {
    Any,
    Exact(String),
    Pattern(Regex),
}

impl Text {
    pub(crate) fn fits(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(wanted) => wanted == text,
            Self::Pattern(pattern) => pattern.is_match(text),
        }
    }
}

#[derive(Debug)]
pub(crate) enum Expected {
    Series(Vec<ExpectedSeries>),
    /// An instant query that gives a matrix.
    RangeVector(Times, Vec<ExpectedSeries>),
    Scalar(f64),
    String(String),
}

#[derive(Debug)]
pub(crate) struct ExpectedSeries {
    pub(crate) labels: Labels,
    pub(crate) values: Vec<SequenceValue>,
}

/// Parses a whole file.
pub(crate) fn parse(text: &str) -> Result<Vec<Command>, String> {
    let lines: Vec<&str> =
        text.split('\n').map(str::trim).map(|line| if line.starts_with('#') { "" } else { line }).collect();
    let mut commands = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let block: Vec<&str> = lines[at + 1..].iter().copied().take_while(|line| !line.is_empty()).collect();
        let word = line.split([' ', '\t']).next().unwrap_or_default().to_lowercase();
        let (command, taken) = match word.as_str() {
            "" => {
                at += 1;
                continue;
            }
            "clear" => (Ok(Command::Clear), 0),
            word if word.starts_with("load") => (parse_load(line, &block), block.len()),
            word if word.starts_with("eval") => match parse_eval(line, at + 1, &block) {
                Ok((eval, taken)) => (Ok(Command::Eval(Box::new(eval))), taken),
                Err(error) => (Err(error), 0),
            },
            _ => (Err(format!("unknown command {word}")), 0),
        };
        commands.push(command.map_err(|error| format!("line {}: {error}", at + 1))?);
        at += 1 + taken;
    }
    Ok(commands)
}

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern is right")
}

static LOAD: LazyLock<Regex> = LazyLock::new(|| pattern(r"^load(?:_(with_nhcb))?\s+(.+?)$"));
static INSTANT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$"));
static RANGE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$")
});
static EXPECT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$"));
static EXPECT_RANGE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^expect range vector\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+)$"));

fn duration(text: &str) -> Result<i64, String> {
    parse_duration_ms(text.trim()).map_err(|error| format!("{text}: {error}"))
}

fn parse_load(line: &str, block: &[&str]) -> Result<Command, String> {
    let parts = LOAD.captures(line).ok_or("not a load command")?;
    let mut series = Vec::new();
    let mut starts = None;
    for line in block {
        match parse_line(line).map_err(|error| format!("{line}: {error}"))? {
            SeriesLine::StartTimes(times) => starts = Some(times),
            SeriesLine::Values(description) => {
                let starts = starts.take();
                if starts.as_ref().is_some_and(|starts| {
                    starts.labels != description.labels || starts.offsets_ms.len() != description.values.len()
                }) {
                    return Err(format!("{line}: the start times before are not of this series"));
                }
                series.push(LoadedSeries {
                    labels: description.labels,
                    values: description.values,
                    start_offsets_ms: starts.map_or_else(Vec::new, |starts| starts.offsets_ms),
                });
            }
        }
    }
    Ok(Command::Load(Load { step_ms: duration(&parts[2])?, with_nhcb: parts.get(1).is_some(), series }))
}

/// How many lines of the block belong to it, too.
fn parse_eval(line: &str, number: usize, block: &[&str]) -> Result<(Eval, usize), String> {
    let (kind, when, query) = if let Some(parts) = INSTANT.captures(line) {
        let at_ms = duration(parts.get(2).map_or("0", |at| at.as_str()))?;
        (parts.get(1).map(|kind| kind.as_str()), When::Instant { at_ms }, parts[3].to_owned())
    } else if let Some(parts) = RANGE.captures(line) {
        let times = Times {
            start_ms: duration(&parts[2])?,
            end_ms: duration(&parts[3])?,
            step_ms: duration(&parts[4])?,
        };
        (parts.get(1).map(|kind| kind.as_str()), When::Range(times), parts[5].to_owned())
    } else {
        return Err("not an eval command".to_owned());
    };
    let mut eval = Eval {
        line: number,
        query,
        when,
        ordered: kind == Some("ordered"),
        fail: (kind == Some("fail")).then_some(Text::Any),
        warnings: Remarks { some: kind == Some("warn"), ..Remarks::default() },
        infos: Remarks { some: kind == Some("info"), ..Remarks::default() },
        expected: Expected::Series(Vec::new()),
    };
    for (place, line) in block.iter().enumerate() {
        if parse_expectation(&mut eval, line).map_err(|error| format!("{line}: {error}"))? {
            return Ok((eval, place + 1));
        }
    }
    Ok((eval, block.len()))
}

/// Whether the block ends here, whatever follows.
fn parse_expectation(eval: &mut Eval, line: &str) -> Result<bool, String> {
    if let Some(parts) = EXPECT_RANGE.captures(line) {
        let times = Times {
            start_ms: duration(&parts[1])?,
            end_ms: duration(&parts[2])?,
            step_ms: duration(&parts[3])?,
        };
        eval.expected = Expected::RangeVector(times, Vec::new());
    } else if let Some(quoted) = line.strip_prefix("expect string") {
        eval.expected = Expected::String(unquote(quoted.trim()).map_err(|error| error.to_string())?);
    } else if line.split(' ').next() == Some("expect") {
        expect(eval, line)?;
    } else if let Some(number) = number(line) {
        eval.expected = Expected::Scalar(number);
        return Ok(true);
    } else {
        let description = parse_series(line).map_err(|error| error.to_string())?;
        let values = description.values;
        let instant = matches!(eval.when, When::Instant { .. });
        match &mut eval.expected {
            Expected::Series(_) if instant && values.len() != 1 => {
                return Err("an instant query gives one value".to_owned());
            }
            Expected::Series(series) | Expected::RangeVector(_, series) => {
                // Of two lines with the same labels the later counts.
                series.retain(|series| series.labels != description.labels);
                series.push(ExpectedSeries { labels: description.labels, values });
            }
            Expected::Scalar(_) | Expected::String(_) => return Err("no series is expected".to_owned()),
        }
    }
    Ok(false)
}

fn expect(eval: &mut Eval, line: &str) -> Result<(), String> {
    let parts = EXPECT.captures(line).ok_or("not an expectation")?;
    let given = parts.get(3).map_or("", |text| text.as_str()).trim();
    let text = match parts.get(2).map(|kind| kind.as_str()) {
        None => Text::Any,
        Some("msg") => Text::Exact(given.to_owned()),
        Some(_) => Text::Pattern(Regex::new(given).map_err(|error| error.to_string())?),
    };
    match &parts[1] {
        "ordered" => eval.ordered = true,
        "fail" => eval.fail = Some(text),
        "warn" => eval.warnings.texts.push(text),
        "info" => eval.infos.texts.push(text),
        "no_warn" => eval.warnings.none = true,
        _ => eval.infos.none = true,
    }
    Ok(())
}

/// A number alone on its line, also a hexadecimal or octal one.
fn number(line: &str) -> Option<f64> {
    let (sign, digits) = match line.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, line.strip_prefix('+').unwrap_or(line)),
    };
    let radix = |prefix: &str, radix| {
        let digits = digits.to_ascii_lowercase();
        i64::from_str_radix(digits.strip_prefix(prefix)?, radix).ok()
    };
    let whole =
        radix("0x", 16).or_else(|| radix("0b", 2)).or_else(|| radix("0o", 8)).or_else(|| radix("0", 8));
    // Words that Rust and Go both take for numbers (`inf`, `nan`) are none of a metric in any file.
    whole.map(|number| number as f64).or_else(|| digits.parse().ok()).map(|number| sign * number)
}
