//! The encodings that bodies are compressed with.
//!
//! Enters: a body and how it is encoded. Leaves: its bytes, at most as many as allowed: output stops
//! at the limit whatever the body promises, so that a bomb costs no more than a large body.

use std::borrow::Cow;
use std::cell::RefCell;

use flate2::{Decompress, FlushDecompress, Status};
use zstd::zstd_safe::{self, DCtx, InBuffer, OutBuffer};

mod gzip;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// RFC 1952, one member or several.
    Gzip,
    /// RFC 8878, one frame or several.
    Zstd,
    /// HTTP's `deflate`: RFC 1950; RFC 1951 without its header is accepted too.
    Deflate,
    /// Snappy's block format, as in remote write; its frame format is told apart by its magic.
    Snappy,
}

/// A body that cannot be decompressed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It has more bytes than allowed.
    #[error("more than {limit} bytes after decompression")]
    TooLarge {
        /// How many are allowed.
        limit: usize,
    },
    /// It is not of this encoding, or is damaged, or ends early.
    #[error("corrupt {encoding} data: {reason}")]
    Corrupt {
        /// The encoding it should have.
        encoding: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl Error {
    /// What kind of failure it is.
    pub fn kind(&self) -> model::ErrorKind {
        match self {
            Self::TooLarge { .. } => model::ErrorKind::ResourceExhausted,
            Self::Corrupt { .. } => model::ErrorKind::InvalidArgument,
        }
    }

    /// Whether the same body may be accepted later: never.
    pub fn retryable(&self) -> bool {
        false
    }
}

impl Encoding {
    /// The encoding of a name in `Content-Encoding` or `grpc-encoding`; no name is no encoding.
    pub fn parse(name: &str) -> Option<Self> {
        let is = |other: &&(&str, Self)| name.eq_ignore_ascii_case(other.0);
        const NAMES: [(&str, Encoding); 8] = [
            ("", Encoding::Identity),
            ("identity", Encoding::Identity),
            ("none", Encoding::Identity),
            ("gzip", Encoding::Gzip),
            ("x-gzip", Encoding::Gzip),
            ("zstd", Encoding::Zstd),
            ("deflate", Encoding::Deflate),
            ("snappy", Encoding::Snappy),
        ];
        NAMES.iter().find(is).map(|(_, encoding)| *encoding)
    }

    /// The name in `Content-Encoding`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
            Self::Snappy => "snappy",
        }
    }

    fn corrupt(self, reason: impl ToString) -> Error {
        Error::Corrupt { encoding: self.as_str(), reason: reason.to_string() }
    }
}

/// How many bytes a body has uncompressed, where the body says so. Only a claim.
pub fn size_hint(body: &[u8], encoding: Encoding) -> Option<u64> {
    match encoding {
        Encoding::Identity => Some(body.len() as u64),
        // The trailer has the size modulo 2^32, of the last member.
        Encoding::Gzip => body.last_chunk::<4>().map(|size| u64::from(u32::from_le_bytes(*size))),
        Encoding::Zstd => zstd_safe::get_frame_content_size(body).ok().flatten(),
        Encoding::Deflate => None,
        Encoding::Snappy if is_snappy_frame(body) => None,
        Encoding::Snappy => snap::raw::decompress_len(body).ok().map(|size| size as u64),
    }
}

/// The bytes of a body, at most `limit`.
///
/// # Errors
/// [`Error::TooLarge`] when there are more, [`Error::Corrupt`] when the body is not of that encoding.
pub fn decompress(body: &[u8], encoding: Encoding, limit: usize) -> Result<Cow<'_, [u8]>, Error> {
    let bytes = match encoding {
        Encoding::Identity if body.len() > limit => Err(Error::TooLarge { limit }),
        Encoding::Identity => return Ok(Cow::Borrowed(body)),
        Encoding::Gzip => gzip::decompress(body, limit),
        Encoding::Zstd => unzstd(body, limit),
        Encoding::Deflate => inflate(body, limit),
        Encoding::Snappy => unsnappy(body, limit),
    };
    bytes.map(Cow::Owned)
}

/// The first guess at how many bytes there will be: the body's claim as far as it is plausible.
fn first_guess(body: &[u8], encoding: Encoding, limit: usize) -> usize {
    /// No more is allocated at once because a body says so, per byte of it.
    const PLAUSIBLE_RATIO: usize = 64;
    let plausible = body.len().saturating_mul(PLAUSIBLE_RATIO);
    let claim = size_hint(body, encoding).and_then(|size| usize::try_from(size).ok());
    claim.unwrap_or(body.len().saturating_mul(4)).min(plausible).min(limit)
}

/// Makes room for more output, at most `limit` bytes in all and one to notice that there are more.
fn grow(out: &mut Vec<u8>, limit: usize) -> Result<(), Error> {
    const STEP_MIN: usize = 4 << 10;
    if out.len() > limit {
        return Err(Error::TooLarge { limit });
    }
    let target = out.len().saturating_mul(2).max(out.len() + STEP_MIN).min(limit.saturating_add(1));
    out.reserve_exact(target - out.len());
    Ok(())
}

/// Rejects output that fills even the byte that is over the limit.
fn within(out: Vec<u8>, limit: usize) -> Result<Vec<u8>, Error> {
    if out.len() > limit { Err(Error::TooLarge { limit }) } else { Ok(out) }
}

fn unzstd(body: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    thread_local!(static CONTEXT: RefCell<DCtx<'static>> = RefCell::new(DCtx::create()));
    let corrupt = |code| Encoding::Zstd.corrupt(zstd_safe::get_error_name(code));
    CONTEXT.with_borrow_mut(|context| {
        context.reset(zstd_safe::ResetDirective::SessionOnly).map_err(corrupt)?;
        let mut out: Vec<u8> = Vec::with_capacity(first_guess(body, Encoding::Zstd, limit) + 1);
        let mut input = InBuffer::around(body);
        loop {
            let written = out.len();
            let mut output = OutBuffer::around_pos(&mut out, written);
            let read_before = input.pos();
            let left = context.decompress_stream(&mut output, &mut input).map_err(corrupt)?;
            let done = input.pos() == body.len();
            if left == 0 && done {
                return within(out, limit);
            }
            if out.len() == out.capacity() || out.len() > limit {
                grow(&mut out, limit)?;
            } else if done || input.pos() == read_before && out.len() == written {
                return Err(Encoding::Zstd.corrupt("ends within a frame"));
            }
        }
    })
}

fn inflate(body: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    // Bit 0x20 asks for a dictionary, which there is none of; a header is a multiple of 31.
    let zlib = body
        .first_chunk::<2>()
        .is_some_and(|head| head[0] & 0x0f == 8 && u16::from_be_bytes(*head) % 31 == 0);
    let mut out = Vec::with_capacity(first_guess(body, Encoding::Deflate, limit) + 1);
    let read = inflate_into(&mut out, &mut Decompress::new(zlib), body, limit, Encoding::Deflate)?;
    if read < body.len() {
        return Err(Encoding::Deflate.corrupt("bytes after the end"));
    }
    Ok(out)
}

/// Inflates one stream to its end at the end of `out`; returns how many bytes it had.
fn inflate_into(
    out: &mut Vec<u8>,
    context: &mut Decompress,
    body: &[u8],
    limit: usize,
    encoding: Encoding,
) -> Result<usize, Error> {
    let start = context.total_in();
    loop {
        let read = usize::try_from(context.total_in() - start).unwrap_or(body.len());
        let written = out.len();
        let status = context
            .decompress_vec(body.get(read..).unwrap_or_default(), out, FlushDecompress::None)
            .map_err(|error| encoding.corrupt(error))?;
        let now_read = usize::try_from(context.total_in() - start).unwrap_or(body.len());
        if out.len() > limit {
            return Err(Error::TooLarge { limit });
        }
        match status {
            Status::StreamEnd => return Ok(now_read),
            _ if out.len() == out.capacity() => grow(out, limit)?,
            _ if now_read == read && out.len() == written => return Err(encoding.corrupt("ends early")),
            _ => {}
        }
    }
}

const SNAPPY_FRAME: &[u8] = b"\xff\x06\x00\x00sNaPpY";

fn is_snappy_frame(body: &[u8]) -> bool {
    body.starts_with(SNAPPY_FRAME)
}

fn unsnappy(body: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    let corrupt = |error: &dyn std::fmt::Display| Encoding::Snappy.corrupt(error);
    if is_snappy_frame(body) {
        use std::io::Read;
        let mut out = Vec::new();
        let over = (limit as u64).saturating_add(1);
        snap::read::FrameDecoder::new(body)
            .take(over)
            .read_to_end(&mut out)
            .map_err(|error| corrupt(&error))?;
        return within(out, limit);
    }
    let size = snap::raw::decompress_len(body).map_err(|error| corrupt(&error))?;
    if size > limit {
        return Err(Error::TooLarge { limit });
    }
    // A block's claim is checked before it is believed: at best 64 bytes come of a copy of 3.
    if size / 32 > body.len() {
        return Err(Encoding::Snappy.corrupt("more bytes claimed than can be"));
    }
    snap::raw::Decoder::new().decompress_vec(body).map_err(|error| corrupt(&error))
}

#[cfg(test)]
mod tests;
