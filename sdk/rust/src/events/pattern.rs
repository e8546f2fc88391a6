use std::fmt;

/// Longer types and patterns are refused, in bytes.
pub(super) const TYPE_BYTES_MAX: usize = 200;

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no pattern of types: letters, digits, `_`, `-` and `*` between dots, at most 200 bytes")]
pub struct PatternError(pub String);

/// Which types of events are meant: `ORDER.PAID` is itself, `ORDER.*` every type of one more part,
/// `ORDER.**` every type below, `*` alone everything.
///
/// ```
/// use fresnel_sdk::events::Pattern;
///
/// let pattern: Pattern = "ORDER.*".parse()?;
/// assert!(pattern.matches("ORDER.PAID") && !pattern.matches("ORDERX.PAID"));
/// assert!(!pattern.matches("ORDER.ITEM.ADDED"));
/// # Ok::<(), fresnel_sdk::events::PatternError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern(String);

impl std::str::FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let segments: Vec<_> = text.split('.').collect();
        let last = segments.len() - 1;
        let fits = |(place, segment): (usize, &&str)| match *segment {
            "*" => true,
            // Anywhere else it would be slow to match, and nobody needs it.
            "**" => place == last,
            name => is_name(name),
        };
        let right = text.len() <= TYPE_BYTES_MAX && segments.iter().enumerate().all(fits);
        if right { Ok(Self(text.to_owned())) } else { Err(PatternError(text.to_owned())) }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Pattern {
    /// Everything.
    pub fn everything() -> Self {
        Self("*".into())
    }

    /// Whether a type is meant.
    pub fn matches(&self, kind: &str) -> bool {
        if self.0 == "*" {
            return true;
        }
        let (mut patterns, mut segments) = (self.0.split('.'), kind.split('.'));
        loop {
            match (patterns.next(), segments.next()) {
                (Some("**"), Some(_)) | (None, None) => return true,
                (Some(pattern), Some(segment)) if pattern == "*" || pattern == segment => {}
                _ => return false,
            }
        }
    }

    /// The one type that is meant, if it is one.
    pub(super) fn exact(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(self.0.as_str())
    }
}

fn is_name(segment: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !segment.is_empty() && segment.bytes().all(fits)
}

/// Whether a text can be a type.
pub(super) fn is_type(text: &str) -> bool {
    text.len() <= TYPE_BYTES_MAX && text.split('.').all(is_name)
}
