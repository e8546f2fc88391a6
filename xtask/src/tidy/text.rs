//! Words that must not stand in Rust files.

/// Promises without a date; written apart here, so that this file keeps its own rule.
const PROMISES: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Folders whose code is a function of its arguments: no clock, no chance, no file, no socket.
const PURE: [&str; 2] = ["crates/model/src/", "crates/wire/src/"];
const IMPURE: [&str; 7] =
    ["Instant::now", "SystemTime::now", "std::fs", "std::net", "tokio::", "rand::", "std::thread::sleep"];

/// What a Rust file says that it should not.
pub(super) fn rust_faults(path: &str, content: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let is_root = path.ends_with("src/lib.rs") || path.ends_with("src/main.rs");
    if is_root && !content.starts_with("//!") {
        faults.push(format!("{path}: begin with //! (what enters, what leaves, what must hold)"));
    }
    let shipped = !path.contains("/tests") && !path.contains("/benches");
    let pure = shipped && PURE.iter().any(|folder| path.starts_with(folder));
    for (number, line) in content.lines().enumerate() {
        let at = format!("{path}:{}", number + 1);
        for promise in PROMISES.iter().filter(|promise| has_word(line, promise)) {
            faults.push(format!("{at}: {promise}: do it, or file it"));
        }
        for word in IMPURE.iter().filter(|word| pure && line.contains(**word)) {
            faults.push(format!("{at}: {word}: this crate is pure; make it an argument"));
        }
    }
    faults
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|character: char| !character.is_alphanumeric()).any(|known| known == word)
}
