use bytes::Bytes;
use model::{Signal, Tenant};

/// A request as it came in, and what was decided about it: all that a replay needs to decide the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose, what, when, and what was rejected.
    pub meta: EntryMeta,
    /// The body as received; may be empty when all was rejected.
    pub body: Bytes,
}

/// An entry without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryMeta {
    /// Whose records.
    pub tenant: Tenant,
    /// Of which signal.
    pub signal: Signal,
    /// How the body is encoded; the store does not look at it.
    pub protocol: u16,
    /// When it was received.
    pub received_unix_nano: i64,
    /// Records in the request, the rejected ones included.
    pub records: u32,
    /// Which records were rejected.
    pub rejected: Vec<Rejection>,
}

/// Records of a request that were rejected for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The reason, a short fixed text.
    pub reason: String,
    /// Positions in the request, as its decoder counts.
    pub indices: Vec<u32>,
}

impl EntryMeta {
    /// Appends the metadata as the log's files hold it.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.protocol.to_le_bytes());
        out.push(signal_code(self.signal));
        put_text(out, self.tenant.as_str());
        out.extend_from_slice(&self.received_unix_nano.to_le_bytes());
        out.extend_from_slice(&self.records.to_le_bytes());
        put_len(out, self.rejected.len());
        for rejection in &self.rejected {
            put_text(out, &rejection.reason);
            put_len(out, rejection.indices.len());
            for index in &rejection.indices {
                out.extend_from_slice(&index.to_le_bytes());
            }
        }
    }

    /// Reads what [`EntryMeta::encode`] wrote; nothing when it is something else.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Input(bytes);
        let protocol = u16::from_le_bytes(input.array()?);
        let signal = signal_of(input.array::<1>()?[0])?;
        let tenant = Tenant::parse(input.text()?).ok()?;
        let received_unix_nano = i64::from_le_bytes(input.array()?);
        let records = input.number()?;
        // No capacity from the input: what is not there must not be allocated.
        let mut rejected = Vec::new();
        for _ in 0..input.number()? {
            let reason = input.text()?.to_owned();
            let indices = input.number()? as usize;
            let indices = input.take(indices.checked_mul(4)?)?;
            let indices = indices.as_chunks::<4>().0.iter().map(|index| u32::from_le_bytes(*index)).collect();
            rejected.push(Rejection { reason, indices });
        }
        input.0.is_empty().then_some(Self { tenant, signal, protocol, received_unix_nano, records, rejected })
    }
}

/// On disk for ever: codes are added, never changed.
fn signal_code(signal: Signal) -> u8 {
    match signal {
        Signal::Logs => 1,
        Signal::Spans => 2,
        Signal::Metrics => 3,
    }
}

fn signal_of(code: u8) -> Option<Signal> {
    Signal::ALL.into_iter().find(|signal| signal_code(*signal) == code)
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_len(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    // What is longer is refused as a whole, before it is written.
    out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        let len = self.number()? as usize;
        std::str::from_utf8(self.take(len)?).ok()
    }
}
