use std::cell::RefCell;

use flate2::{Crc, Decompress};

use super::{Encoding, Error, Output, inflate_into};

/// Flags of a member's header.
const HEADER_CRC: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;

/// The bytes of all members. Headers are read here, so that one context serves every member.
pub(super) fn decompress(body: &[u8], out: &mut Output<'_>) -> Result<(), Error> {
    thread_local!(static CONTEXT: RefCell<Decompress> = RefCell::new(Decompress::new(false)));
    CONTEXT.with_borrow_mut(|context| {
        out.begin(body, Encoding::Gzip)?;
        let mut rest = body;
        loop {
            rest = member(context, rest, out)?;
            // Some senders pad with zeros.
            if rest.iter().all(|byte| *byte == 0) {
                return Ok(());
            }
        }
    })
}

/// Decompresses one member; returns what follows it.
fn member<'a>(context: &mut Decompress, body: &'a [u8], out: &mut Output<'_>) -> Result<&'a [u8], Error> {
    let deflated = skip_header(body).ok_or_else(|| Encoding::Gzip.corrupt("no gzip header"))?;
    context.reset(false);
    let start = out.bytes.len();
    let read = inflate_into(out, context, deflated, Encoding::Gzip)?;
    let after = deflated.get(read..).unwrap_or_default();
    let (trailer, rest) =
        after.split_first_chunk::<8>().ok_or_else(|| Encoding::Gzip.corrupt("ends before its checksum"))?;
    let bytes = out.bytes.get(start..).unwrap_or_default();
    let mut crc = Crc::new();
    crc.update(bytes);
    let mut expected = crc.sum().to_le_bytes().to_vec();
    #[expect(clippy::cast_possible_truncation, reason = "the trailer has the size modulo 2^32")]
    expected.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    if trailer[..] == expected[..] { Ok(rest) } else { Err(Encoding::Gzip.corrupt("wrong checksum")) }
}

/// What follows a member's header.
fn skip_header(body: &[u8]) -> Option<&[u8]> {
    let (head, mut rest) = body.split_first_chunk::<10>()?;
    let &[0x1f, 0x8b, 8, flags, ..] = head else { return None };
    if flags & EXTRA != 0 {
        let (length, extra) = rest.split_first_chunk::<2>()?;
        rest = extra.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & HEADER_CRC != 0 {
        rest = rest.get(2..)?;
    }
    Some(rest)
}
