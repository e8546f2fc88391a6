//! Numbers as people read them.

use super::format::significant;

const LARGE: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const LARGE_1024: [&str; 8] = ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];
const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];

/// With a metric prefix: `1.234k`.
pub(super) fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return significant(value, 4);
    }
    if value.abs() >= 1.0 { scaled_down(value, 1000.0, LARGE) } else { scaled_up(value) }
}

/// With a binary prefix: `1.5Mi`.
pub(super) fn number_1024(value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return significant(value, 4);
    }
    scaled_down(value, 1024.0, LARGE_1024)
}

fn scaled_down(mut value: f64, base: f64, prefixes: [&str; 8]) -> String {
    let mut prefix = "";
    for next in prefixes {
        if value.abs() < base {
            break;
        }
        prefix = next;
        value /= base;
    }
    format!("{}{prefix}", significant(value, 4))
}

fn scaled_up(mut value: f64) -> String {
    let mut prefix = "";
    for next in SMALL {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = next;
        value *= 1000.0;
    }
    format!("{}{prefix}", significant(value, 4))
}

/// Seconds: `1d 2h 3m 4s`, `12.5s`, `3ms`.
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return significant(seconds, 4);
    }
    if seconds == 0.0 {
        return format!("{}s", significant(seconds, 4));
    }
    if seconds.abs() < 1.0 {
        return format!("{}s", scaled_up(seconds));
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds; saturates where Go would overflow")]
    let whole = seconds.abs() as i64;
    let (days, hours) = (whole / 86_400, whole / 3600 % 24);
    let (minutes, rest) = (whole / 60 % 60, whole % 60);
    if days != 0 {
        return format!("{sign}{days}d {hours}h {minutes}m {rest}s");
    }
    if hours != 0 {
        return format!("{sign}{hours}h {minutes}m {rest}s");
    }
    if minutes != 0 {
        return format!("{sign}{minutes}m {rest}s");
    }
    format!("{sign}{}s", significant(seconds.abs(), 4))
}

/// A ratio as per cent: `12.5%`.
pub(super) fn percentage(ratio: f64) -> String {
    format!("{}%", significant(ratio * 100.0, 4))
}
