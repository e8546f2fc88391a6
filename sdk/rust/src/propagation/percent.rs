//! Percent-encoding of values of baggage.

/// Visible ASCII but the characters that mean something.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'$' | b'&'..=b'+' | b'-'..=b':' | b'<'..=b'[' | b']'..=b'~')
}

pub(super) fn encode(text: &str, to: &mut impl std::fmt::Write) -> std::fmt::Result {
    for byte in text.bytes() {
        if is_plain(byte) {
            to.write_char(char::from(byte))?;
        } else {
            write!(to, "%{byte:02X}")?;
        }
    }
    Ok(())
}

/// What is not a code of two digits stays as it is; bytes that are no UTF-8 become U+FFFD, as the
/// recommendation asks.
pub(super) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).and_then(|it| std::str::from_utf8(it).ok());
        let code = digits.filter(|it| byte == b'%' && it.bytes().all(|b| b.is_ascii_hexdigit()));
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(code) => {
                decoded.push(code);
                at += 3;
            }
            None => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
