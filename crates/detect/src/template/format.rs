//! `printf` as Go has it.

use std::fmt::Write as _;

use promql::histogram::go_float;

use super::value::Value;

/// Widths and precisions beyond it are no use to anybody.
const WIDTH_MAX: usize = 1000;

/// One `%…` of a format.
#[derive(Debug, Default)]
struct Verb {
    minus: bool,
    plus: bool,
    zero: bool,
    space: bool,
    sharp: bool,
    width: Option<usize>,
    precision: Option<usize>,
    verb: char,
}

/// Fills the arguments in. What does not fit is said in the text, as in Go: `%!d(string=x)`.
pub(super) fn printf(format: &str, arguments: &[Value]) -> String {
    let mut out = String::new();
    let mut arguments = arguments.iter();
    let mut rest = format;
    while let Some(place) = rest.find('%') {
        out.push_str(&rest[..place]);
        let (verb, after) = verb(&rest[place + 1..], &mut arguments);
        rest = after;
        match verb.verb {
            '\0' => out.push_str("%!(NOVERB)"),
            '%' => out.push('%'),
            letter => match arguments.next() {
                Some(value) => out.push_str(&pad(&shown(&verb, value), &verb)),
                None => out.extend(["%!", letter.encode_utf8(&mut [0; 4]), "(MISSING)"]),
            },
        }
    }
    out.push_str(rest);
    let extra: Vec<String> = arguments.map(|value| format!("{}={value}", value.type_name())).collect();
    if !extra.is_empty() {
        // Writing to a string does not fail.
        let _ = write!(out, "%!(EXTRA {})", extra.join(", "));
    }
    out
}

/// Reads what stands behind `%` up to its letter, and gives what follows.
fn verb<'a>(text: &'a str, arguments: &mut std::slice::Iter<'_, Value>) -> (Verb, &'a str) {
    let mut verb = Verb::default();
    let flags = text.find(|c| !"-+0 #".contains(c)).unwrap_or(text.len());
    for flag in text[..flags].chars() {
        match flag {
            '-' => verb.minus = true,
            '+' => verb.plus = true,
            '0' => verb.zero = true,
            ' ' => verb.space = true,
            _ => verb.sharp = true,
        }
    }
    let (width, mut rest) = size(&text[flags..], arguments);
    verb.width = width;
    if let Some(behind) = rest.strip_prefix('.') {
        let (precision, after) = size(behind, arguments);
        verb.precision = Some(precision.unwrap_or(0));
        rest = after;
    }
    let mut characters = rest.chars();
    verb.verb = characters.next().unwrap_or('\0');
    (verb, characters.as_str())
}

/// A width or precision: digits, or `*` for the next argument.
fn size<'a>(text: &'a str, arguments: &mut std::slice::Iter<'_, Value>) -> (Option<usize>, &'a str) {
    if let Some(rest) = text.strip_prefix('*') {
        let size = match arguments.next() {
            Some(Value::Int(size)) => usize::try_from(*size).ok(),
            _ => None,
        };
        return (size.map(|size| size.min(WIDTH_MAX)), rest);
    }
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let size = text[..digits].parse::<usize>().ok().map(|size| size.min(WIDTH_MAX));
    (size.or((digits > 0).then_some(WIDTH_MAX)), &text[digits..])
}

fn pad(text: &str, verb: &Verb) -> String {
    let missing = verb.width.unwrap_or(0).saturating_sub(text.chars().count());
    if missing == 0 {
        return text.to_owned();
    }
    if verb.minus {
        return format!("{text}{}", " ".repeat(missing));
    }
    let finite = text.ends_with(|c: char| c.is_ascii_hexdigit());
    if !verb.zero || (!finite && !matches!(verb.verb, 's' | 'v')) {
        return format!("{}{text}", " ".repeat(missing));
    }
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => text.split_at(text.len() - digits.len()),
        None => ("", text),
    };
    format!("{sign}{}{digits}", "0".repeat(missing))
}

fn shown(verb: &Verb, value: &Value) -> String {
    match (verb.verb, value) {
        ('v', Value::Float(number)) => float(verb, *number, 'g'),
        ('v', Value::Int(number)) => integer(verb, *number),
        ('v', Value::Text(text)) if verb.sharp => quoted(text),
        ('v', Value::Text(text)) | ('s', Value::Text(text)) => match verb.precision {
            Some(most) => text.chars().take(most).collect(),
            None => text.clone(),
        },
        ('v', other) => other.to_string(),
        ('T', other) => other.type_name().to_owned(),
        ('t', Value::Bool(value)) => value.to_string(),
        ('q', Value::Text(text)) => quoted(text),
        ('x', Value::Text(text)) => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ('X', Value::Text(text)) => text.bytes().map(|byte| format!("{byte:02X}")).collect(),
        ('d', Value::Int(number)) => integer(verb, *number),
        ('x', Value::Int(number)) => based(*number, |size| format!("{size:x}")),
        ('X', Value::Int(number)) => based(*number, |size| format!("{size:X}")),
        ('o', Value::Int(number)) => based(*number, |size| format!("{size:o}")),
        ('b', Value::Int(number)) => based(*number, |size| format!("{size:b}")),
        ('c', Value::Int(number)) => {
            let c = u32::try_from(*number).ok().and_then(char::from_u32);
            c.unwrap_or(char::REPLACEMENT_CHARACTER).to_string()
        }
        ('e' | 'E' | 'f' | 'F' | 'g' | 'G', Value::Float(number)) => float(verb, *number, verb.verb),
        // What prints itself as a text does so for %s too.
        ('s', Value::Histogram(_) | Value::Time(_) | Value::Texts(_)) => value.to_string(),
        (letter, Value::Nil) => format!("%!{letter}(<nil>)"),
        (letter, other) => format!("%!{letter}({}={other})", other.type_name()),
    }
}

fn quoted(text: &str) -> String {
    // A label's value is printed with Go's escapes.
    let labels: promql::Labels = [("l", text)].into_iter().collect();
    let shown = labels.to_string();
    let inner = shown.strip_prefix("{l=").and_then(|shown| shown.strip_suffix('}'));
    inner.map_or_else(|| "\"\"".to_owned(), str::to_owned)
}

fn integer(verb: &Verb, number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let zeros = "0".repeat(verb.precision.unwrap_or(0).saturating_sub(digits.len()));
    format!("{}{zeros}{digits}", sign(verb, number < 0))
}

fn based(number: i64, show: impl Fn(u64) -> String) -> String {
    format!("{}{}", if number < 0 { "-" } else { "" }, show(number.unsigned_abs()))
}

fn sign(verb: &Verb, negative: bool) -> &'static str {
    match (negative, verb.plus, verb.space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    }
}

fn float(verb: &Verb, number: f64, letter: char) -> String {
    if number.is_nan() {
        return format!("{}NaN", sign(verb, false));
    }
    let negative = number.is_sign_negative();
    let size = number.abs();
    let text = if size.is_infinite() {
        // Go shows the sign of infinity in any case.
        return format!("{}Inf", if negative { "-" } else { "+" });
    } else {
        match letter {
            'e' | 'E' => exponent(&format!("{size:.*e}", verb.precision.unwrap_or(6))),
            'f' | 'F' => format!("{size:.*}", verb.precision.unwrap_or(6)),
            _ => match verb.precision {
                Some(precision) => significant(size, precision),
                None => go_float(size),
            },
        }
    };
    let text = if letter.is_uppercase() { text.to_uppercase() } else { text };
    format!("{}{text}", sign(verb, negative))
}

/// At least two digits behind the `e`, with a sign.
fn exponent(scientific: &str) -> String {
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific.to_owned() };
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// `%.4g`: so many digits, without zeros at the end.
pub(super) fn significant(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return go_float(value);
    }
    let digits = digits.max(1);
    let scientific = format!("{value:.*e}", digits - 1);
    let Some((mantissa, power)) = scientific.split_once('e') else { return scientific };
    let power: i32 = power.parse().unwrap_or(0);
    let mantissa = match mantissa.contains('.') {
        true => mantissa.trim_end_matches('0').trim_end_matches('.'),
        false => mantissa,
    };
    if power < -4 || power >= i32::try_from(digits).unwrap_or(i32::MAX) {
        return exponent(&format!("{mantissa}e{power}"));
    }
    let kept = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let decimals = i32::try_from(kept).unwrap_or(i32::MAX) - 1 - power;
    format!("{value:.*}", usize::try_from(decimals).unwrap_or(0))
}
