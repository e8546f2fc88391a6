//! The encodings that bodies are compressed with.
//!
//! Enters: a body and how it is encoded. Leaves: its bytes, at most as many as allowed: output stops
//! at the limit whatever the body promises, so that a bomb costs no more than a large body. Before
//! more memory is taken than before, whoever asks is asked whether there is room for it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::Read;

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
    /// There is no room for so many now.
    #[error("no room for {wanted} bytes of decompression")]
    NoRoom {
        /// How many were wanted in all.
        wanted: usize,
    },
    /// What a decoder would have to remember of the output is more than it should have to.
    #[error(
        "a zstd window of more than {limit} bytes: compress with a smaller one, or at once with the size told"
    )]
    Window {
        /// How large it may be.
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
            Self::TooLarge { .. } | Self::NoRoom { .. } => model::ErrorKind::ResourceExhausted,
            Self::Window { .. } | Self::Corrupt { .. } => model::ErrorKind::InvalidArgument,
        }
    }

    /// Whether the same body may be accepted later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::NoRoom { .. })
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

/// The largest window of a request's zstd frame, as RFC 8878 recommends and as browsers have it. A
/// frame that tells its size, and is not much larger than its body, needs none.
pub const WINDOW_MAX: usize = 8 << 20;
const WINDOW_LOG: u32 = WINDOW_MAX.trailing_zeros();
/// The largest that zstd itself takes without being asked to.
const WINDOW_LOG_TRUSTED: u32 = 27;

/// The bytes of a body that was accepted before, at most `limit`.
///
/// # Errors
/// [`Error::TooLarge`] when there are more, [`Error::Corrupt`] when the body is not of that encoding.
pub fn decompress(body: &[u8], encoding: Encoding, limit: usize) -> Result<Cow<'_, [u8]>, Error> {
    into_output(body, encoding, limit, WINDOW_LOG_TRUSTED, &mut |_| true)
}

/// The bytes of a body that comes from anywhere, at most `limit`. `room` is asked before memory is
/// taken, with all the bytes that are then held besides the body.
///
/// # Errors
/// As for [`decompress`]; [`Error::NoRoom`] when `room` says no, [`Error::Window`] when decoding
/// would take more than [`WINDOW_MAX`] besides the output.
pub fn decompress_within<'a>(
    body: &'a [u8],
    encoding: Encoding,
    limit: usize,
    room: &mut dyn FnMut(usize) -> bool,
) -> Result<Cow<'a, [u8]>, Error> {
    into_output(body, encoding, limit, WINDOW_LOG, room)
}

fn into_output<'a>(
    body: &'a [u8],
    encoding: Encoding,
    limit: usize,
    window_log: u32,
    room: &mut dyn FnMut(usize) -> bool,
) -> Result<Cow<'a, [u8]>, Error> {
    if encoding == Encoding::Identity {
        return if body.len() > limit { Err(Error::TooLarge { limit }) } else { Ok(Cow::Borrowed(body)) };
    }
    let mut out = Output { bytes: Vec::new(), limit, room };
    match encoding {
        Encoding::Identity => {}
        Encoding::Gzip => gzip::decompress(body, &mut out)?,
        Encoding::Zstd => unzstd(body, window_log, &mut out)?,
        Encoding::Deflate => inflate(body, &mut out)?,
        Encoding::Snappy => unsnappy(body, &mut out)?,
    }
    out.finish().map(Cow::Owned)
}

/// How many bytes there will be: the body's claim as far as it is plausible, else a guess.
pub fn expected(body: &[u8], encoding: Encoding, limit: usize) -> usize {
    /// No more is allocated at once because a body says so, per byte of it.
    const PLAUSIBLE_RATIO: usize = 64;
    let plausible = body.len().saturating_mul(PLAUSIBLE_RATIO);
    let claim = size_hint(body, encoding).and_then(|size| usize::try_from(size).ok());
    claim.unwrap_or(body.len().saturating_mul(4)).min(plausible).min(limit)
}

/// What comes out, and whoever is asked whether there is room for it.
struct Output<'r> {
    bytes: Vec<u8>,
    limit: usize,
    room: &'r mut dyn FnMut(usize) -> bool,
}

impl Output<'_> {
    /// Makes room for what is expected, and for one byte to notice that there is more.
    fn begin(&mut self, body: &[u8], encoding: Encoding) -> Result<(), Error> {
        let first = expected(body, encoding, self.limit).saturating_add(1);
        self.ask(first)?;
        self.bytes.reserve_exact(first);
        Ok(())
    }

    /// Makes room for more, at most the limit in all and one byte to notice that there is more.
    fn grow(&mut self) -> Result<(), Error> {
        const STEP_MIN: usize = 4 << 10;
        let had = self.bytes.capacity();
        if had > self.limit {
            return Err(Error::TooLarge { limit: self.limit });
        }
        let target = had.saturating_mul(2).max(had + STEP_MIN).min(self.limit.saturating_add(1));
        // While the bytes move, both are there.
        self.ask(had.saturating_add(target))?;
        self.bytes.reserve_exact(target - self.bytes.len());
        Ok(())
    }

    /// Adds bytes that were decoded elsewhere.
    fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        while self.bytes.capacity() - self.bytes.len() < bytes.len() {
            self.grow()?;
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.bytes.len() == self.bytes.capacity()
    }

    fn ask(&mut self, wanted: usize) -> Result<(), Error> {
        if (self.room)(wanted) { Ok(()) } else { Err(Error::NoRoom { wanted }) }
    }

    /// The bytes, unless they fill even the one that is over the limit.
    fn finish(self) -> Result<Vec<u8>, Error> {
        if self.bytes.len() > self.limit {
            Err(Error::TooLarge { limit: self.limit })
        } else {
            Ok(self.bytes)
        }
    }
}

fn unzstd(body: &[u8], window_log: u32, out: &mut Output<'_>) -> Result<(), Error> {
    /// More than this is not kept for the next body: every thread has a context of its own.
    const KEPT_MAX: usize = 1 << 20;
    thread_local!(static CONTEXT: RefCell<DCtx<'static>> = RefCell::new(DCtx::create()));
    CONTEXT.with_borrow_mut(|context| {
        let result = unzstd_with(context, body, window_log, out);
        if context.sizeof() > KEPT_MAX {
            *context = DCtx::create();
        }
        result
    })
}

fn unzstd_with(
    context: &mut DCtx<'static>,
    body: &[u8],
    window_log: u32,
    out: &mut Output<'_>,
) -> Result<(), Error> {
    /// zstd's name of the error; its number is not to be had.
    const TOO_LARGE: &str = "Frame requires too much memory for decoding";
    let failed = |code| match zstd_safe::get_error_name(code) {
        TOO_LARGE => Error::Window { limit: 1 << window_log },
        name => Encoding::Zstd.corrupt(name),
    };
    context.reset(zstd_safe::ResetDirective::SessionOnly).map_err(failed)?;
    context.set_parameter(zstd_safe::DParameter::WindowLogMax(window_log)).map_err(failed)?;
    out.begin(body, Encoding::Zstd)?;
    let mut held = context.sizeof();
    let mut input = InBuffer::around(body);
    loop {
        let written = out.bytes.len();
        let mut output = OutBuffer::around_pos(&mut out.bytes, written);
        let read_before = input.pos();
        let left = context.decompress_stream(&mut output, &mut input).map_err(failed)?;
        // A frame's window is known once its head is read.
        if context.sizeof() > held {
            held = context.sizeof();
            out.ask(out.bytes.capacity().saturating_add(held))?;
        }
        let done = input.pos() == body.len();
        if left == 0 && done {
            return Ok(());
        }
        if out.is_full() || out.bytes.len() > out.limit {
            out.grow()?;
        } else if done || input.pos() == read_before && out.bytes.len() == written {
            return Err(Encoding::Zstd.corrupt("ends within a frame"));
        }
    }
}

fn inflate(body: &[u8], out: &mut Output<'_>) -> Result<(), Error> {
    // Bit 0x20 asks for a dictionary, which there is none of; a header is a multiple of 31.
    let zlib = body
        .first_chunk::<2>()
        .is_some_and(|head| head[0] & 0x0f == 8 && u16::from_be_bytes(*head) % 31 == 0);
    out.begin(body, Encoding::Deflate)?;
    let read = inflate_into(out, &mut Decompress::new(zlib), body, Encoding::Deflate)?;
    if read < body.len() {
        return Err(Encoding::Deflate.corrupt("bytes after the end"));
    }
    Ok(())
}

/// Inflates one stream to its end at the end of `out`; returns how many bytes it had.
fn inflate_into(
    out: &mut Output<'_>,
    context: &mut Decompress,
    body: &[u8],
    encoding: Encoding,
) -> Result<usize, Error> {
    let start = context.total_in();
    loop {
        let read = usize::try_from(context.total_in() - start).unwrap_or(body.len());
        let written = out.bytes.len();
        let status = context
            .decompress_vec(body.get(read..).unwrap_or_default(), &mut out.bytes, FlushDecompress::None)
            .map_err(|error| encoding.corrupt(error))?;
        let now_read = usize::try_from(context.total_in() - start).unwrap_or(body.len());
        if out.bytes.len() > out.limit {
            return Err(Error::TooLarge { limit: out.limit });
        }
        match status {
            Status::StreamEnd => return Ok(now_read),
            _ if out.is_full() => out.grow()?,
            _ if now_read == read && out.bytes.len() == written => {
                return Err(encoding.corrupt("ends early"));
            }
            _ => {}
        }
    }
}

const SNAPPY_FRAME: &[u8] = b"\xff\x06\x00\x00sNaPpY";

fn is_snappy_frame(body: &[u8]) -> bool {
    body.starts_with(SNAPPY_FRAME)
}

fn unsnappy(body: &[u8], out: &mut Output<'_>) -> Result<(), Error> {
    let corrupt = |error: &dyn std::fmt::Display| Encoding::Snappy.corrupt(error);
    if is_snappy_frame(body) {
        return unsnappy_frames(body, out);
    }
    let size = snap::raw::decompress_len(body).map_err(|error| corrupt(&error))?;
    if size > out.limit {
        return Err(Error::TooLarge { limit: out.limit });
    }
    // A block's claim is checked before it is believed: at best 64 bytes come of a copy of 3.
    if size / 32 > body.len() {
        return Err(Encoding::Snappy.corrupt("more bytes claimed than can be"));
    }
    out.ask(size)?;
    out.bytes = snap::raw::Decoder::new().decompress_vec(body).map_err(|error| corrupt(&error))?;
    Ok(())
}

fn unsnappy_frames(body: &[u8], out: &mut Output<'_>) -> Result<(), Error> {
    /// The most that a chunk of the format has.
    const CHUNK_MAX: usize = 64 << 10;
    out.begin(body, Encoding::Snappy)?;
    let mut frames = snap::read::FrameDecoder::new(body);
    let mut chunk = vec![0; CHUNK_MAX];
    loop {
        let read = frames.read(&mut chunk).map_err(|error| Encoding::Snappy.corrupt(error))?;
        match chunk.get(..read) {
            Some(bytes) if read > 0 => out.push(bytes)?,
            _ => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
