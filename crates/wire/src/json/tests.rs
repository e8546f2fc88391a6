#![allow(clippy::unwrap_used)]

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::de::IgnoredAny;

use super::*;

fn skip(text: &[u8]) -> Result<(), Malformed> {
    let mut parser = Parser::new(text)?;
    parser.skip()?;
    parser.end()
}

fn text(json: &str) -> String {
    Parser::new(json.as_bytes()).unwrap().text().unwrap().into_owned()
}

#[test]
fn texts_with_every_escape() {
    assert_eq!(text(r#""plain ü""#), "plain ü");
    assert_eq!(text(r#""\"\\\/\b\f\n\r\t\u00fc\ud83d\ude00""#), "\"\\/\u{8}\u{c}\n\r\tü😀");
    // Halves of surrogate pairs, as JavaScript writes them.
    assert_eq!(text(r#""\ud83d""#), "\u{fffd}");
    assert_eq!(text(r#""\ude00\ud83dx\ud83d\n\ud83d\u0041""#), "\u{fffd}\u{fffd}x\u{fffd}\n\u{fffd}A");
}

#[test]
fn errors_say_where() {
    let message = |json: &[u8]| skip(json).unwrap_err().to_string();
    assert_eq!(message(b"{\n  \"a\": 01\n}"), "JSON: invalid number at line 2 column 10");
    assert_eq!(message(b"[1,\n\n2"), "JSON: expected `]` at line 3 column 2");
    assert_eq!(message("[\"ü\" x".as_bytes()), "JSON: expected `]` at line 1 column 6");
    assert_eq!(message(b"{\"a\": \"\xff\"}"), "JSON: not UTF-8 at line 1 column 8");
    assert_eq!(message(b""), "JSON: the text ends where a value should be at line 1 column 1");
    assert_eq!(message(b"{} {}"), "JSON: characters after the value at line 1 column 4");
}

#[test]
fn nesting_ends_somewhere() {
    let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
    assert!(skip(nested(128).as_bytes()).is_ok());
    assert!(skip(nested(129).as_bytes()).unwrap_err().to_string().contains("nested too deeply"));
    assert!(skip("[".repeat(1 << 20).as_bytes()).is_err());
    // The depth is that of what is open, not of all that was.
    let wide = format!("[{}]", vec!["[[]]"; 200].join(","));
    assert!(skip(wide.as_bytes()).is_ok());
}

#[test]
fn what_is_json_is_what_serde_says() {
    let seeds = [
        r#"{"a":[1,-2.5e+3,0,true,false,null,"x\u00e4\n"],"b":{"c":{}},"":[]}"#,
        r#"[0.1,1E5,-0,"","\\",{"k":"v"}]"#,
        r#" { "time" : "17" , "n" : [ ] } "#,
    ];
    let alphabet = b"{}[]\",:0123456789-+.eE\\untrfalse \n\t\x01\xc3\xa4";
    let (mut good, mut bad) = (0, 0);
    for seed in 0..40_000 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut json = seeds[rng.random_range(0..seeds.len())].as_bytes().to_vec();
        for _ in 0..rng.random_range(0..4) {
            let at = rng.random_range(0..json.len());
            match rng.random_range(0..3) {
                0 => json[at] = alphabet[rng.random_range(0..alphabet.len())],
                1 => json.insert(at, alphabet[rng.random_range(0..alphabet.len())]),
                _ if json.len() > 1 => drop(json.remove(at)),
                _ => {}
            }
        }
        let ours = skip(&json);
        if std::str::from_utf8(&json).is_err() {
            // Serde does not look into texts that it skips.
            assert!(ours.is_err());
            continue;
        }
        match serde_json::from_slice::<IgnoredAny>(&json) {
            Ok(_) => {
                good += 1;
                assert_eq!(ours, Ok(()), "{:?}", String::from_utf8_lossy(&json));
            }
            Err(error) => {
                bad += 1;
                assert!(ours.is_err(), "{error}: {:?}", String::from_utf8_lossy(&json));
            }
        }
    }
    assert!(good > 5000 && bad > 5000, "{good} {bad}");
}
