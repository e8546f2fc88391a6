use super::size::functions;
use super::*;

#[test]
fn the_tree_is_tidy() {
    assert_eq!(check(&tree::root()).expect("the tree can be read"), Vec::<String>::new());
}

/// What the rules say about a tree with these files.
fn faults_of(files: &[(&str, &str)]) -> Vec<String> {
    let root = tempfile::tempdir().expect("a temporary directory");
    for (path, content) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
        std::fs::write(path, content).expect("a file");
    }
    check(root.path()).expect("the tree can be read")
}

#[test]
fn nameless_files_are_found() {
    assert_eq!(
        faults_of(&[
            ("crates/a/src/utils.rs", ""),
            ("web/src/common/b.ts", ""),
            ("crates/a/src/utilities.rs", "")
        ]),
        [
            "crates/a/src/utils.rs: a shared thing has a name",
            "web/src/common/b.ts: a shared thing has a name"
        ]
    );
}

#[test]
fn a_long_function_needs_a_line_with_its_size_and_a_reason() {
    let long =
        |lines: usize| format!("pub(crate) async fn long(\n) {{\n{}}}\n", "    a();\n".repeat(lines - 3));
    let with = |lines: usize, ratchet: &str| faults_of(&[("a.rs", &long(lines)), (size::RATCHET, ratchet)]);
    assert_eq!(with(70, ""), Vec::<String>::new());
    assert_eq!(with(71, ""), ["a.rs: long has 71 lines: look twice, or give it a line in xtask/ratchet.txt"]);
    assert_eq!(with(71, "# long ones\na.rs long 71 a flat match\n"), Vec::<String>::new());
    assert_eq!(with(72, "a.rs long 71 a flat match"), ["a.rs: long grew from 71 to 72 lines"]);
    assert_eq!(with(71, "a.rs long 72 a flat match").len(), 1);
    assert_eq!(
        with(70, "a.rs long 71 a flat match"),
        ["xtask/ratchet.txt: a.rs long needs no line any more"]
    );
    assert_eq!(with(70, "a.rs long 71").len(), 1, "without a reason");
}

#[test]
fn a_long_file_needs_one_too() {
    let faults = faults_of(&[("a.rs", &"// a\n".repeat(801))]);
    assert_eq!(faults, ["a.rs has 801 lines: look twice, or give it a line in xtask/ratchet.txt"]);
}

#[test]
fn functions_are_measured_without_a_parser() {
    let content = "trait A {\n    fn declared(&self);\n    fn given(&self) {\n        a();\n    }\n}\n\
        fn short() {}\nfn signature(\n    a: u8,\n) -> u8 {\n    match a {\n        _ => 1,\n    }\n}\n\
        // the fn word in prose\n";
    let expected = [("given".to_owned(), 3), ("signature".to_owned(), 7)];
    assert_eq!(functions(content), expected);
}

#[test]
fn words_that_must_not_stand_are_found() {
    let promise = concat!("// TO", "DO later\n");
    let faults = faults_of(&[
        ("crates/wire/src/lib.rs", "let now = Instant::now();\n"),
        ("crates/wire/src/tests.rs", "let now = Instant::now();\n"),
        ("crates/store/src/a.rs", promise),
    ]);
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert!(faults.iter().all(|fault| !fault.contains("tests.rs")));
}

#[test]
fn versions_belong_into_the_root() {
    let manifest = "[package]\nname = \"a\"\n[dependencies]\nbytes.workspace = true\nserde = \"1\"\n";
    let faults = faults_of(&[
        ("crates/a/Cargo.toml", manifest),
        ("Cargo.toml", "[workspace.dependencies]\nserde = \"1\"\n"),
    ]);
    assert_eq!(
        faults,
        ["crates/a/Cargo.toml: `serde = \"1\"` chooses a version: that belongs into the root"]
    );
}

#[test]
fn links_that_lead_nowhere_are_found() {
    let text =
        "[a](b.md#part) [c](gone.md) `[d](code.md)` [e](https://example.org)\n```\n[f](more-code.md)\n```\n";
    assert_eq!(
        faults_of(&[("docs/a.md", text), ("docs/b.md", "")]),
        ["docs/a.md: the link to gone.md leads nowhere"]
    );
}

#[test]
fn the_page_stays_small_and_locks_name_no_registry() {
    let dependencies: Vec<_> = (0..11).map(|number| format!("\"d{number}\": \"1\"")).collect();
    let package = format!("{{\"dependencies\": {{{}}}}}", dependencies.join(","));
    let faults =
        faults_of(&[("web/package.json", &package), ("web/package-lock.json", "{\"resolved\": \"\"}")]);
    assert_eq!(faults.len(), 2, "{faults:?}");
}
