use std::io::{self, Read};
use std::time::{Duration, SystemTime};

use crate::retry_after::{RETRY_AFTER, parse_retry_after};

/// More of an answer is not read.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What a server answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    /// The body, or as much of it as came.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// What `Retry-After` says, as seconds or as a date: by the server's own clock, where it tells
    /// that, since ours may be another.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let date = self.header("date").and_then(|date| httpdate::parse_http_date(date).ok());
        parse_retry_after(self.header(RETRY_AFTER)?, date.unwrap_or_else(SystemTime::now))
    }
}

/// Reads an answer. A body that breaks off is left as it is: the status has been said.
pub(super) fn read(mut stream: impl Read) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    let broken = || io::Error::new(io::ErrorKind::UnexpectedEof, "the answer is not HTTP");
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if bytes.len() > ANSWER_BYTES_MAX || more(&mut stream, &mut bytes)? == 0 {
            return Err(broken());
        }
    };
    let body = bytes.split_off(end);
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(broken)?;
    let mut answer = Answer { status, head, body };
    let length = answer.header("content-length").and_then(|text| text.parse().ok());
    let chunked = answer.header("transfer-encoding").is_some_and(|it| it.eq_ignore_ascii_case("chunked"));
    let length = if chunked { ANSWER_BYTES_MAX } else { length.unwrap_or(0).min(ANSWER_BYTES_MAX) };
    while answer.body.len() < length && !(chunked && answer.body.ends_with(b"0\r\n\r\n")) {
        if !matches!(more(&mut stream, &mut answer.body), Ok(1..)) {
            break;
        }
    }
    if chunked {
        answer.body = joined(&answer.body);
    }
    Ok(answer)
}

fn more(stream: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let mut chunk = [0; 4096];
    let length = loop {
        match stream.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => break result?,
        }
    };
    bytes.extend_from_slice(&chunk[..length]);
    Ok(length)
}

/// A chunked body in one piece, as far as it goes.
fn joined(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).ok().and_then(|line| {
            usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16).ok()
        });
        let Some(size @ 1..) = size else { break };
        let Some(chunk) = rest.get(end + 2..).and_then(|rest| rest.get(..size)) else { break };
        body.extend_from_slice(chunk);
        rest = rest.get(end + 2 + size + 2..).unwrap_or_default();
    }
    body
}
