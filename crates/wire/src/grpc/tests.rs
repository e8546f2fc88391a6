#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn one_message_with_its_prefix() {
    for message in [&b""[..], b"x", &[7; 70_000]] {
        let body = frame(message);
        assert_eq!(unary(&body).unwrap(), (false, message));
        let mut compressed = body.clone();
        compressed[0] = 1;
        assert_eq!(unary(&compressed).unwrap(), (true, message));
    }
}

#[test]
fn anything_else_is_an_error() {
    assert_eq!(unary(b""), Err(Error::Truncated { expected: 5, found: 0 }));
    assert_eq!(unary(&[0, 0, 0, 0]), Err(Error::Truncated { expected: 5, found: 4 }));
    assert_eq!(unary(&[0, 0, 0, 0, 2, 1]), Err(Error::Truncated { expected: 7, found: 6 }));
    assert_eq!(unary(&[0, 0, 0, 0, 1, 1, 2, 3]), Err(Error::Trailing { extra: 2 }));
    assert_eq!(unary(&[2, 0, 0, 0, 0]), Err(Error::Flag { flag: 2 }));
    assert!(matches!(unary(&[0, 0xff, 0xff, 0xff, 0xff, 1]), Err(Error::Truncated { .. })));
}

#[test]
fn messages_in_headers() {
    assert_eq!(percent_encode("over limit: 100 %\n"), "over limit: 100 %25%0A");
    assert_eq!(percent_encode("größer"), "gr%C3%B6%C3%9Fer");
    assert_eq!(base64(&[0, 255, 16]), "AP8Q");
    assert_eq!(base64(&[1]), "AQ");
}
