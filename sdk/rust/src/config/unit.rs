//! Values that carry their unit in the text: durations and sizes; and values that hide: secrets.

mod byte_size;
mod duration;
mod secret;

pub use self::byte_size::ByteSize;
pub use self::duration::Duration;
pub use self::secret::Secret;
pub(crate) use self::secret::reveal;

/// A text that is no duration or size. The message is what should have been written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be {expected}")]
pub struct ParseUnitError {
    /// What would have been right, with an example.
    pub expected: &'static str,
}

/// Splits `"30s"` into its number and unit; the number is what precedes the first letter.
fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

#[cfg(test)]
mod tests;
