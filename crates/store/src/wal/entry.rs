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
    /// Which series of those that were not there was no room for; their points are rejected too.
    /// [`crate::Store::append`] fills it.
    pub refused: Vec<RefusedSeries>,
}

/// Records of a request that were rejected for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The reason, a short fixed text.
    pub reason: String,
    /// Positions in the request, as its decoder counts.
    pub indices: Vec<u32>,
}

/// Series of a request of metrics that there was no room for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedSeries {
    /// The reason, a short fixed text.
    pub reason: String,
    /// Their rows among the series of the decoded request.
    pub rows: Vec<u32>,
    /// Records of the request that are points of them.
    pub records: u32,
}

impl EntryMeta {
    /// Records that were rejected, by reason.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&str, u64)> {
        let rejected = self.rejected.iter().map(|some| (some.reason.as_str(), some.indices.len() as u64));
        rejected.chain(self.refused.iter().map(|some| (some.reason.as_str(), u64::from(some.records))))
    }

    /// Appends the metadata as the log's files hold it: with a checksum of its own, as where the body is
    /// damaged it is what says whose records are missing.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend_from_slice(&self.protocol.to_le_bytes());
        out.push(signal_code(self.signal));
        put_text(out, self.tenant.as_str());
        out.extend_from_slice(&self.received_unix_nano.to_le_bytes());
        out.extend_from_slice(&self.records.to_le_bytes());
        put_len(out, self.rejected.len());
        for rejection in &self.rejected {
            put_text(out, &rejection.reason);
            put_numbers(out, &rejection.indices);
        }
        put_len(out, self.refused.len());
        for refused in &self.refused {
            put_text(out, &refused.reason);
            out.extend_from_slice(&refused.records.to_le_bytes());
            put_numbers(out, &refused.rows);
        }
        let sum = crc32fast::hash(&out[from..]);
        out.extend_from_slice(&sum.to_le_bytes());
    }

    /// As [`EntryMeta::decode`], where it is not known whether it is what was written; nothing where it does
    /// not say so itself.
    pub(super) fn decode_found(bytes: &[u8]) -> Option<Self> {
        let (fields, sum) = bytes.split_last_chunk::<4>()?;
        (crc32fast::hash(fields) == u32::from_le_bytes(*sum)).then(|| Self::decode(bytes))?
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
            rejected.push(Rejection { reason: input.text()?.to_owned(), indices: input.numbers()? });
        }
        let mut refused = Vec::new();
        // Files of version 2 end here.
        let count = if input.0.is_empty() { 0 } else { input.number()? };
        for _ in 0..count {
            let (reason, records) = (input.text()?.to_owned(), input.number()?);
            refused.push(RefusedSeries { reason, records, rows: input.numbers()? });
        }
        // Files of version 3 end here. The checksum of the whole entry was looked at.
        if !input.0.is_empty() {
            input.number()?;
        }
        let meta = Self { tenant, signal, protocol, received_unix_nano, records, rejected, refused };
        input.0.is_empty().then_some(meta)
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

fn put_numbers(out: &mut Vec<u8>, numbers: &[u32]) {
    put_len(out, numbers.len());
    out.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
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

    fn numbers(&mut self) -> Option<Vec<u32>> {
        let bytes = (self.number()? as usize).checked_mul(4)?;
        let numbers = self.take(bytes)?.as_chunks::<4>().0;
        Some(numbers.iter().map(|number| u32::from_le_bytes(*number)).collect())
    }

    fn text(&mut self) -> Option<&'a str> {
        let len = self.number()? as usize;
        std::str::from_utf8(self.take(len)?).ok()
    }
}
