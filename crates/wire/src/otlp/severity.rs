//! The number that a sender's word for a severity stands for.

/// The longest word that is known.
const WORD_MAX: usize = 13;

/// OpenTelemetry's number for a word; 0 for one that is not known. Upper and lower case are the
/// same, and so is space around it.
#[inline(never)]
pub(super) fn number(text: &[u8]) -> i32 {
    let word = text.trim_ascii();
    let mut lower = [0; WORD_MAX];
    let Some(lower) = lower.get_mut(..word.len()) else { return 0 };
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    named(lower)
}

/// OpenTelemetry's short names; those of syslog, Python, .NET, `java.util.logging` and npm, in an
/// order that their users would recognise.
fn named(word: &[u8]) -> i32 {
    match word {
        b"trace" | b"finest" | b"silly" => 1,
        b"trace2" => 2,
        b"trace3" => 3,
        b"trace4" => 4,
        b"debug" | b"dbg" | b"finer" => 5,
        b"debug2" | b"fine" | b"verbose" => 6,
        b"debug3" | b"config" | b"http" => 7,
        b"debug4" => 8,
        b"info" | b"information" | b"informational" => 9,
        b"info2" | b"notice" => 10,
        b"info3" => 11,
        b"info4" => 12,
        b"warn" | b"warning" => 13,
        b"warn2" => 14,
        b"warn3" => 15,
        b"warn4" => 16,
        b"error" | b"err" | b"severe" => 17,
        b"error2" => 18,
        b"error3" => 19,
        b"error4" => 20,
        b"fatal" | b"critical" | b"crit" | b"panic" => 21,
        b"fatal2" | b"alert" => 22,
        b"fatal3" | b"emergency" | b"emerg" => 23,
        b"fatal4" => 24,
        _ => 0,
    }
}
