//! How much of the shop is there only to be seen and resilient.

use std::path::Path;

const MARK: &str = "// SDK";
/// Fewer than these.
const LINES: usize = 20;
/// What a shop without the SDK would not have: the SDK's own names, and what is made with them.
const OURS: [&str; 9] = [
    "fresnel_sdk",
    "guard",
    "headers",
    ".queue()",
    "placed:",
    ".placed",
    "self.database",
    "self.http.send",
    "Context::",
];

/// All lines of the program, without those of documentation.
fn lines() -> Vec<(String, String)> {
    let folder =
        Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests")).join("src");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let numbered = files.flat_map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(str::to_owned).collect::<Vec<_>>();
        lines.into_iter().zip(1..).map(move |(line, number)| (format!("{name}:{number}"), line))
    });
    numbered.filter(|(_, line)| !line.trim_start().starts_with("//")).collect()
}

#[test]
fn it_is_instrumented_in_fewer_than_twenty_lines() {
    let lines = lines();
    let unmarked: Vec<_> = lines
        .iter()
        .filter(|(_, line)| OURS.iter().any(|it| line.contains(it)) && !line.contains(MARK))
        .collect();
    assert!(unmarked.is_empty(), "not marked: {unmarked:#?}");
    let marked: Vec<_> = lines.iter().filter(|(_, line)| line.contains(MARK)).collect();
    assert!(marked.len() < LINES, "{} lines: {marked:#?}", marked.len());
    // A line stands for itself: nothing of the SDK goes on in the next one.
    for (place, line) in marked {
        let code = line.split(MARK).next().unwrap();
        let open = |brackets: [char; 3]| code.matches(brackets).count();
        assert_eq!(open(['(', '[', '{']), open([')', ']', '}']), "{place} is not whole: {line}");
    }
}
