/// Whether a text is an address of mail as forms of HTML take it, with the lengths of RFC 5321: at
/// most 64 bytes before the `@`, 63 in each part of the name after it, and 254 in all. Only a
/// message that arrives shows that it exists.
///
/// ```
/// use fresnel_sdk::security::is_email;
///
/// assert!(is_email("ann.lee+shop@example.co.uk"));
/// assert!(!is_email("ann@-example.com") && !is_email("ann@example.com\r\nBcc: bob@example.com"));
/// ```
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_local = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
    let is_label = |label: &str| {
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        plain && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let local_is_right = (1..=64).contains(&local.len()) && local.bytes().all(is_local);
    text.len() <= 254 && local_is_right && domain.split('.').all(is_label)
}
