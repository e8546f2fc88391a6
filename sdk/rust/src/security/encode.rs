use std::fmt::Write;

use super::file_name::file_name;

/// A text as it stands between tags or in a quoted attribute of HTML.
///
/// ```
/// assert_eq!(fresnel_sdk::security::escape_html("<b a='1'>&\""), "&lt;b a=&#39;1&#39;&gt;&amp;&quot;");
/// ```
pub fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A text as a regular expression that matches exactly it.
///
/// ```
/// assert_eq!(fresnel_sdk::security::escape_regex("a.b*"), r"a\.b\*");
/// ```
pub fn escape_regex(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if r"\.+*?()|[]{}^$#&-~".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// JSON that may stand inside a `<script>` element: no character in it can end the element, begin a
/// comment or break a line of JavaScript.
///
/// ```
/// let value = serde_json::json!("</script><!--");
/// assert_eq!(fresnel_sdk::security::json_for_script(&value), r#""\u003c/script\u003e\u003c!--""#);
/// ```
pub fn json_for_script(value: &serde_json::Value) -> String {
    let mut escaped = String::new();
    for character in value.to_string().chars() {
        match character {
            // All of these occur only inside texts, where JSON takes them escaped.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a text cannot fail.
                let _ = write!(escaped, "\\u{:04x}", u32::from(character));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// The value of a `Content-Disposition` header that has a browser save under this name, made safe by
/// [`file_name`], by RFC 6266: in ASCII for old readers and in UTF-8 for all others.
///
/// ```
/// use fresnel_sdk::security::content_disposition;
///
/// assert_eq!(
///     content_disposition("r\u{e9}sum\u{e9}.pdf"),
///     "attachment; filename=\"r_sum_.pdf\"; filename*=UTF-8''r%C3%A9sum%C3%A9.pdf"
/// );
/// ```
pub fn content_disposition(name: &str) -> String {
    let name = file_name(name);
    let plain = |it: char| if it.is_ascii() && it != '%' && it != ';' { it } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    let mut value = format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            value.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value
}
