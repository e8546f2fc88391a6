//! gRPC's framing of messages, and its texts in HTTP headers.

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

const PREFIX: usize = 5;

/// The body of a unary call that is not one message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Fewer bytes than the prefix says.
    #[error("gRPC message ends early: {expected} bytes announced, {found} there")]
    Truncated {
        /// Bytes that the message should have, its prefix included.
        expected: usize,
        /// Bytes of the body.
        found: usize,
    },
    /// More than one message.
    #[error("{extra} bytes after the message of a unary call")]
    Trailing {
        /// How many.
        extra: usize,
    },
    /// The flag is neither 0 nor 1.
    #[error("gRPC message with compressed flag {flag}")]
    Flag {
        /// What it is.
        flag: u8,
    },
}

impl Error {
    /// What kind of failure it is.
    pub fn kind(&self) -> model::ErrorKind {
        model::ErrorKind::InvalidArgument
    }

    /// Whether the same body may be accepted later: never.
    pub fn retryable(&self) -> bool {
        false
    }
}

/// The message of a unary call's body, and whether it is compressed.
///
/// # Errors
/// [`Error`] when the body is not exactly one message.
pub fn unary(body: &[u8]) -> Result<(bool, &[u8]), Error> {
    let truncated = |expected| Error::Truncated { expected, found: body.len() };
    let (prefix, rest) = body.split_first_chunk::<PREFIX>().ok_or_else(|| truncated(PREFIX))?;
    let [flag, length @ ..] = *prefix;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    let compressed = match flag {
        0 => false,
        1 => true,
        flag => return Err(Error::Flag { flag }),
    };
    let message = rest.get(..length).ok_or_else(|| truncated(length.saturating_add(PREFIX)))?;
    match rest.len() - length {
        0 => Ok((compressed, message)),
        extra => Err(Error::Trailing { extra }),
    }
}

/// An uncompressed message with its prefix.
///
/// # Panics
/// When the message has 4 GiB or more; answers have a few hundred bytes.
pub fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("an answer is shorter than 4 GiB");
    [&[0], &length.to_be_bytes()[..], message].concat()
}

/// A text as `grpc-message` has it: bytes other than printable ASCII, and `%`, as `%XX`.
pub fn percent_encode(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b'%' => out.push_str("%25"),
            b' '..=b'~' => out.push(char::from(byte)),
            byte => write!(out, "%{byte:02X}").expect("a String takes every character"),
        }
    }
    out
}

/// Bytes as a header whose name ends in `-bin` has them.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests;
