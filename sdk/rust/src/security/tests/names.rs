//! Names of files that strangers chose, and texts put into headers and pages.

use proptest::prelude::*;

use crate::security::{
    FILE_NAME_BYTES_MAX, JsonError, JsonLimits, content_disposition, escape_html, escape_regex, file_name,
    is_email, json_for_script,
};

#[test]
fn names_stay_in_their_folder_and_show_what_they_are() {
    let cases = [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system32\\cmd.exe", "cmd.exe"),
        ("/etc/shadow", "shadow"),
        ("C:\\boot.ini", "boot.ini"),
        ("a/../b/", "_"),
        ("..", "_"),
        ("", "_"),
        (". . .", "_"),
        ("...hidden", "hidden"),
        ("name.txt. .", "name.txt"),
        ("a\0b.txt", "a_b.txt"),
        ("a\r\nSet-Cookie: x", "a__Set-Cookie_ x"),
        ("x.txt:stream", "x.txt_stream"),
        ("what?.*", "what_._"),
        ("\u{ff0e}\u{ff0e}\u{ff0f}etc\u{2215}passwd", "___etc_passwd"),
        ("\u{2025}\u{2044}x", "__x"),
        ("photo\u{202e}gpj.exe", "photo_gpj.exe"),
        ("pay\u{200b}pal", "pay_pal"),
        ("tag\u{e0041}", "tag_"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("com1", "_com1"),
        ("LPT\u{b9}.log", "_LPT\u{b9}.log"),
        ("com10", "com10"),
        ("\u{4f60}\u{597d}.txt", "\u{4f60}\u{597d}.txt"),
    ];
    for (given, expected) in cases {
        assert_eq!(file_name(given), expected, "{given:?}");
    }
    let long = file_name(&format!("{}.tar.gz", "ä".repeat(400)));
    assert!(long.len() <= FILE_NAME_BYTES_MAX && long.ends_with(".gz"), "{long}");
}

proptest! {
    #[test]
    fn whatever_comes_is_one_name_and_stays_it(name in any::<String>()) {
        let safe = file_name(&name);
        prop_assert!(!safe.is_empty() && safe.len() <= FILE_NAME_BYTES_MAX);
        prop_assert!(safe != "." && safe != "..");
        let components: Vec<_> = std::path::Path::new(&safe).components().collect();
        prop_assert!(matches!(components[..], [std::path::Component::Normal(_)]), "{safe:?}");
        prop_assert!(!safe.contains(['/', '\\', '\0', '\n', '\r', ':']));
        prop_assert_eq!(file_name(&safe), safe);
    }

    /// `file*name*` is a file of its own for every shell and header: no value ends its quotes.
    #[test]
    fn a_name_cannot_leave_its_header(name in any::<String>()) {
        let value = content_disposition(&name);
        prop_assert!(value.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{}", value);
        prop_assert_eq!(value.matches('"').count(), 2);
    }

    #[test]
    fn escaped_text_has_no_markup_and_escaped_patterns_match_themselves(text in any::<String>()) {
        prop_assert!(!escape_html(&text).contains(['<', '>', '"', '\'']));
        let script = json_for_script(&serde_json::json!(text));
        let active = ['<', '>', '&', '\u{2028}', '\u{2029}'];
        prop_assert!(!script.contains(active));
        prop_assert_eq!(serde_json::from_str::<String>(&script).unwrap(), text);
    }
}

#[test]
fn patterns_are_escaped() {
    assert_eq!(escape_regex("1+1=2? [yes] (a|b) {2} ^$ \\d"), r"1\+1=2\? \[yes\] \(a\|b\) \{2\} \^\$ \\d");
}

#[test]
fn addresses_of_mail_are_told_from_attacks_on_them() {
    let long = format!("{}@example.com", "a".repeat(65));
    for right in ["a@b", "ann.lee+x@example.co.uk", "o'neil@sub.example.org"] {
        assert!(is_email(right), "{right}");
    }
    for wrong in
        ["", "@", "a@", "@b", "a b@c", "a@b..c", "a@-b.c", "a@b.c\n", "a@b.c\r\nBcc: x@y", "ä@b.c", &long]
    {
        assert!(!is_email(wrong), "{wrong:?}");
    }
}

#[test]
fn json_is_bounded() {
    let limits = JsonLimits { bytes: 64, depth: 3, values: 5 };
    assert!(limits.parse("[1,2,3,4]").is_ok());
    assert_eq!(limits.parse("[1,2,3,4,5]"), Err(JsonError::TooMany(5)));
    assert_eq!(limits.parse(&" ".repeat(65)), Err(JsonError::TooLong { bytes: 65, limit: 64 }));
    assert_eq!(limits.parse("[[[[]]]]"), Err(JsonError::TooDeep(3)));
    assert_eq!(limits.parse("[1,\n 2,]"), Err(JsonError::Malformed { line: 2, column: 4 }));
    assert_eq!(limits.parse(r#"{"a": {"constructor": 1}}"#), Err(JsonError::PrototypeKey));
    let bomb = "[".repeat(1 << 19);
    assert!(matches!(JsonLimits::default().parse(&bomb), Err(JsonError::Malformed { .. })));
}
